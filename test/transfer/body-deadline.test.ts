import { once } from 'node:events'
import { createConnection, type AddressInfo } from 'node:net'
import { Readable } from 'node:stream'
import Fastify from 'fastify'
import { test, type Test } from 'tap'
import { problems } from '../../src/plugins/problems.ts'
import { bodyDeadline } from '../../src/transfer/body-deadline.ts'
import { drainUnread } from '../../src/transfer/drain.ts'

async function server (t: Test) {
  const app = Fastify({ forceCloseConnections: true })
  await app.register(drainUnread)
  await app.register(problems)
  await app.register(bodyDeadline, { deadlineMs: 100 })
  app.get('/slow', async () => Readable.from((async function * () {
    yield 'begun'
    await new Promise((resolve) => { setTimeout(resolve, 250) })
    yield 'ended'
  })()))
  app.post('/json', async ({ body }) => body)
  app.post('/upload', { config: { takesUploads: true } }, async ({ body }) => body)
  await app.listen({ port: 0 })
  t.teardown(() => app.close())
  const socket = createConnection({ port: (app.server.address() as AddressInfo).port, host: '127.0.0.1' })
  let received = ''
  socket.setEncoding('latin1').on('data', (text) => { received += text }).on('error', () => {})
  t.teardown(() => socket.destroy())
  return { socket, received: () => received }
}

const head = (path: string) => `POST ${path} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{`

test('a body that does not come is answered with 408, and the connection is closed', async (t) => {
  const { socket, received } = await server(t)
  socket.write(head('/json'))
  await once(socket, 'close')
  t.match(received(), /^HTTP\/1\.1 408 /)
  t.match(received(), 'REQUEST_TIMEOUT')
})

test('a body that comes in time is none of its business, nor is an upload', async (t) => {
  const { socket, received } = await server(t)
  socket.write('POST /json HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 7\r\n\r\n{"a":1}')
  await once(socket, 'data')
  socket.write(head('/upload'))
  await new Promise((resolve) => { setTimeout(resolve, 250) })
  t.match(received(), /^HTTP\/1\.1 200 [^]*\{"a":1\}$/)
  t.notOk(socket.closed)
})

test('an answer that has begun before the body is left alone', async (t) => {
  const { socket, received } = await server(t)
  socket.write('GET /slow HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\n')
  const closed = once(socket, 'close')
  while (!received().includes('ended') && !socket.closed) await Promise.race([once(socket, 'data'), closed])
  t.match(received(), /^HTTP\/1\.1 200 [^]*begun[^]*ended/)
  t.notMatch(received(), '408')
})
