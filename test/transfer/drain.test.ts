import { createServer, type IncomingMessage } from 'node:http'
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import t from 'tap'
import { TokenInvalid } from '../../src/errors.ts'
import { drain, type DrainLimits } from '../../src/transfer/drain.ts'
import { eventually, multipart, rawClient, uploadServer } from './fixtures/upload-server.ts'

t.test('a refusal before the body, by anyone, is seen and drained too', async (t) => {
  const prepare: Parameters<typeof uploadServer>[1] = { prepare: async (app) => { app.addHook('preParsing', async () => { throw new TokenInvalid() }) } }
  const { port, store } = await uploadServer(t, prepare)
  const { socket } = rawClient(t, port)
  socket.write('POST /upload HTTP/1.1\r\nHost: x\r\nContent-Length: 900\r\n\r\n')
  const [answer] = await once(socket, 'data')
  t.match(answer, /^HTTP\/1\.1 401 /)
  socket.write('x'.repeat(900) + 'GET /health HTTP/1.1\r\nHost: x\r\n\r\n')
  const [next] = await once(socket, 'data')
  t.match(next, /^HTTP\/1\.1 401 /, 'the connection goes on with the next request')
  t.same(store.files, [])
})

t.test('a client that closes after this answer sees it, and the connection is closed after the body', async (t) => {
  const { port } = await uploadServer(t)
  for (const [version, header] of [['1.1', 'Connection: close\r\n'], ['1.0', '']]) {
    const { socket, closed } = rawClient(t, port)
    socket.write(`POST /upload HTTP/${version}\r\nHost: x\r\n${header}Content-Length: 500000\r\n\r\n`)
    const [answer] = await once(socket, 'data')
    t.match(answer, /^HTTP\/1\.1 413 /)
    t.notMatch(answer, /keep-alive/i)
    socket.write(Buffer.alloc(500_000))
    t.match(await closed, /"UPLOAD_TOO_LARGE"/)
  }
})

t.test('a good upload of a client that closes is answered and closed', async (t) => {
  const { port } = await uploadServer(t)
  const { socket, closed } = rawClient(t, port)
  const body = multipart([{ filename: 'a', content: 'abc' }])
  socket.write(`POST /upload HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Type: multipart/form-data; boundary=b\r\nContent-Length: ${body.length}\r\n\r\n`)
  socket.write(body)
  const answer = await closed
  t.match(answer, /^HTTP\/1\.1 200 /)
  t.match(answer, /connection: close/i)
})

/** A server that answers at once and drains by `limits`; gives what it took of the body. */
async function draining (t: Parameters<typeof rawClient>[0], limits: DrainLimits) {
  let taken = 0
  const server = createServer((request: IncomingMessage, response) => {
    response.prependOnceListener('finish', () => {
      drain(request, limits)
      request.on('data', (chunk: Buffer) => { taken += chunk.length })
    })
    response.end('no')
  })
  await once(server.listen(0), 'listening')
  t.teardown(() => { server.closeAllConnections() })
  t.teardown(() => { server.close() })
  const client = rawClient(t, (server.address() as AddressInfo).port)
  client.socket.write('POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n')
  const chunk = Buffer.concat([Buffer.from('10000\r\n'), Buffer.alloc(0x10000), Buffer.from('\r\n')])
  const flood = setInterval(() => { if (!client.socket.writableNeedDrain) client.socket.write(chunk) }, 0)
  t.teardown(() => clearInterval(flood))
  return { ...client, taken: () => taken, server, stop: () => clearInterval(flood) }
}

t.test('an endless body is taken in at a crawl after the first bytes, and cut at the deadline', async (t) => {
  const { closed, taken, server } = await draining(t, { bytes: 200_000, deadlineMs: 400, crawlMs: 100 })
  const start = performance.now()
  t.match(await closed, /^HTTP\/1\.1 200 /)
  t.ok(performance.now() - start >= 350, 'not before the deadline')
  t.ok(taken() >= 200_000 && taken() < 200_000 + 6 * 65_536 * 2, `${taken()} bytes were taken`)
  t.ok(await eventually(() => new Promise((resolve) => server.getConnections((_error, count) => resolve(count === 0)))))
})

t.test('a client that leaves, or comes to its end, ends the draining before the deadline', async (t) => {
  const leaving = await draining(t, { bytes: 100, deadlineMs: 60_000, crawlMs: 10 })
  t.ok(await eventually(() => leaving.taken() > 100))
  leaving.stop()
  leaving.socket.destroy()
  t.ok(await eventually(() => new Promise((resolve) => leaving.server.getConnections((_error, count) => resolve(count === 0)))))

  const ending = await draining(t, { bytes: 1e6, deadlineMs: 300, crawlMs: 10 })
  t.ok(await eventually(() => ending.taken() > 0))
  ending.stop()
  ending.socket.write('0\r\n\r\n')
  let isClosed = false
  ending.closed.then(() => { isClosed = true })
  await new Promise((resolve) => setTimeout(resolve, 400))
  t.notOk(isClosed, 'the connection is kept')
})
