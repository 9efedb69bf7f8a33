import { test } from 'tap'
import { pathInUrl } from '../../../src/operations/import/old-url.ts'

test('the path is found in every form of a URL, decoded once', (t) => {
  for (const [url, path] of [
    ['/i/p/a.png', '/i/p/a.png'], ['i/p/a.png', '/i/p/a.png'], ['https://old.example/i/a.png?w=1#x', '/i/a.png'], ['//cdn.example/i/a.png', '/i/a.png'], ['http://10.0.0.1:3000/i/a.png', '/i/a.png'],
    ['/i/a%20b%25.png', '/i/a b%.png'], ['/i/a b.png', '/i/a b.png'], ['/i/u%CC%88.png', '/i/u\u0308.png'], ['/i/%2525', '/i/%25'], ['/i/../x', '/x'], ['/i/%2e%2e/x', '/x'], ['/i/..%2fx', '/i/../x'], [' /i/x', '/i/x'],
  ] as const) t.equal(pathInUrl(url), path, url)
  t.end()
})

test('what has no path is none', (t) => {
  for (const url of ['data:image/png;base64,AAAA', 'blob:http://x/y', 'http://[', '/i/%ff', '/i/%', 'file:///i/x']) t.equal(pathInUrl(url), undefined, url)
  t.end()
})
