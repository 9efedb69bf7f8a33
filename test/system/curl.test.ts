// What curl sees of early refusals and of 100-continue, with bodies as large as people send.
import { truncate } from 'node:fs/promises'
import t from 'tap'
import { TokenInvalid } from '../../src/errors.ts'
import { expectContinue } from '../../src/plugins/expect.ts'
import { uploadServer } from '../transfer/fixtures/upload-server.ts'
import { needs, run } from './machine.ts'

t.test('curl sees the answer of an early refusal, with 200 MB still to send', async (t) => {
  await needs('curl')
  const { url, store } = await uploadServer(t)
  const file = `${t.testdir({ big: '' })}/big`
  await truncate(file, 200e6)
  for (const [how, ...args] of [
    ['a declared length', '-X', 'POST', '-T', file],
    ['a declared length of a form', '-F', `file=@${file}`],
    ['a chunked body', '-X', 'POST', '-T', file, '-H', 'Transfer-Encoding: chunked'],
    ['a chunked form', '-F', `file=@${file}`, '-H', 'Transfer-Encoding: chunked'],
    ['a client that closes', '-F', `file=@${file}`, '-H', 'Connection: close'],
    ['a client of HTTP/1.0', '-0', '-F', `file=@${file}`],
  ] as const) {
    t.match(await run('curl', '-sS', '--max-time', '20', '-H', 'Expect:', ...args, '-w', ' %{http_code}', url), /"UPLOAD_TOO_LARGE".* 413$/, how)
  }
  t.ok(store.states().every((state) => state === 'discarded'))
})

t.test('curl, which waits for it with large bodies, is served; with a bad token it sends nothing', async (t) => {
  await needs('curl')
  const { url } = await uploadServer(t, {
    maxBytes: 1e6,
    prepare: async (app) => {
      await app.register(expectContinue)
      app.addHook('onRequest', async ({ headers }) => { if (headers.authorization !== 'Bearer good') throw new TokenInvalid() })
    },
  })
  const file = `${t.testdir({ big: '' })}/big`
  await truncate(file, 900_000)
  // Longer than curl's own patience of one second, after which it would send anyway.
  const curl = (token: string) => run('curl', '-sS', '--expect100-timeout', '20', '-H', 'Expect: 100-continue', '-H', `Authorization: Bearer ${token}`, '-X', 'POST', '-T', file, '-o', '/dev/null', '-w', '%{http_code} %{size_upload}', url)
  t.equal(await curl('good'), '200 900000')
  t.equal(await curl('bad'), '401 0')
})
