import { setTimeout as after } from 'node:timers/promises'
import { test } from 'tap'
import { pictureClient } from '../fixtures/picture-client.ts'
import { plain, quarters } from '../images/made.ts'

const atMostMs = 1000

test('while twenty read it, a picture that was changed or removed is shown as it is now at most a second later', async (t) => {
  const { app, as, put, show } = await pictureClient(t, { MAX_EVENT_LOOP_DELAY_MS: '0' })
  const urls = ['/api/avatars/ada', '/api/avatars/ada?size=64&format=webp']
  const seen: Array<{ url: string, askedAt: number, tag: string }> = []
  const over = new AbortController()
  const read = async (url: string) => {
    while (!over.signal.aborted) {
      const askedAt = performance.now()
      const { statusCode, headers: { etag } } = await show(url)
      seen.push({ url, askedAt, tag: statusCode === 200 ? String(etag) : String(statusCode) })
      // Other readers, and the one who changes it, are in the same process.
      await after(20)
    }
  }
  await put(await quarters(100, 100).png().toBuffer())
  const headers = await as('ada')
  const changes: Array<[what: string, change: () => Promise<{ statusCode: number, body: string, json (): { versionedUrl?: string } }>]> = [
    ['another part', async () => app.inject({ method: 'PATCH', url: '/api/avatars/me', headers, payload: { crop: '0,0,0.5,0.5' } })],
    ['replaced', async () => put(await plain(200, 200, 'blue').jpeg().toBuffer())],
    ['removed', async () => app.inject({ method: 'DELETE', url: '/api/avatars/me', headers })],
  ]
  const readers = Array.from({ length: 20 }, async (_, index) => read(urls[index % 2] ?? ''))
  const wanted: Array<{ what: string, from: number, to: number, tags: string[] }> = []
  for (const [what, change] of changes) {
    const answer = await change()
    const from = performance.now() + atMostMs
    t.ok(answer.statusCode < 300, `${what}: ${answer.statusCode} ${answer.body}`)
    const versionedUrl = what === 'removed' ? undefined : answer.json().versionedUrl
    await after(atMostMs + 200)
    const tagOf = async (query: string) => String((await show(versionedUrl + query)).headers.etag)
    const to = performance.now()
    wanted.push({ what, from, to, tags: versionedUrl === undefined ? ['404', '404'] : [await tagOf(''), await tagOf('?size=64&format=webp')] })
  }
  over.abort()
  await Promise.all(readers)
  t.equal(new Set(wanted.map(({ tags }) => tags[1])).size, 3, 'each change can be told from the others')
  for (const { what, from, to, tags } of wanted) {
    for (const [index, url] of urls.entries()) {
      const shown = seen.filter((one) => one.url === url && one.askedAt >= from && one.askedAt < to).map(({ tag }) => tag)
      t.ok(shown.length > 0, `${what}: ${shown.length} answers of ${url}`)
      t.strictSame(new Set(shown), new Set([tags[index]]), what)
    }
  }
})
