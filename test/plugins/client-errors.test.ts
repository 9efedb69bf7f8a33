import { once } from 'node:events'
import { connect, Socket, type AddressInfo } from 'node:net'
import Fastify from 'fastify'
import { test, type Test } from 'tap'
import { clientErrorHandler } from '../../src/plugins/client-errors.ts'
import { logging } from '../../src/plugins/logger.ts'
import { collectLog } from '../fixtures/log.ts'

async function build (t: Test) {
  const log = collectLog()
  const app = Fastify({ ...logging({ level: 'info', isTerminal: false, stream: log.stream }), clientErrorHandler, forceCloseConnections: true })
  app.get('/slow', (_request, reply) => { reply.raw.write('begun') })
  await app.listen()
  t.teardown(() => app.close())
  const send = async (...pieces: string[]) => {
    const socket = connect((app.server.address() as AddressInfo).port, 'localhost')
    socket.setEncoding('utf8').on('error', () => {})
    let answer = ''
    socket.on('data', (text) => { answer += String(text) })
    for (const piece of pieces) {
      socket.write(piece)
      if (piece !== pieces.at(-1)) await once(socket, 'data')
    }
    await once(socket, 'close')
    return answer
  }
  return { app, log, send }
}

test('bytes that are no HTTP are told so with a problem, and are not logged', async (t) => {
  const { log, send } = await build(t)
  const answer = await send('GET / HTTP/1.1\r\nAuthorization: Bearer geheim\r\nbroken header\r\n\r\n')
  t.match(answer, /^HTTP\/1\.1 400 Bad Request\r\nContent-Type: application\/problem\+json\r\n/)
  const problem = JSON.parse(answer.slice(answer.indexOf('\r\n\r\n'))) as { requestId: string }
  t.match(problem, { status: 400, code: 'REQUEST_INVALID' })
  t.match(answer, `X-Request-Id: ${problem.requestId}\r\n`)
  const [line] = log.lines().filter(({ code }) => code !== undefined)
  t.match(line, { level: 30, code: 'REQUEST_INVALID', reason: /^HPE_/, requestId: problem.requestId })
  t.notMatch(log.text(), 'geheim')
})

test('headers that are too large are told so', async (t) => {
  const { send } = await build(t)
  const answer = await send(`GET / HTTP/1.1\r\nHost: x\r\nX: ${'x'.repeat(100_000)}\r\n\r\n`)
  t.match(answer, /^HTTP\/1\.1 431 .*"code":"HEADERS_TOO_LARGE"/s)
})

test('a request whose headers do not arrive in time is told so', async (t) => {
  const { app, log } = await build(t)
  const socket = new Socket()
  let answer = ''
  Object.defineProperty(socket, 'writable', { value: true })
  socket.end = (text?: unknown) => {
    answer = String(text)
    return socket
  }
  clientErrorHandler.call(app, Object.assign(new Error('late'), { code: 'ERR_HTTP_REQUEST_TIMEOUT' }), socket)
  t.match(answer, /^HTTP\/1\.1 408 .*"code":"REQUEST_TIMEOUT"/s)
  t.match(log.lines().at(-1), { code: 'REQUEST_TIMEOUT' })
  await once(socket, 'close')
})

test('an answer that has begun is not written into', async (t) => {
  const { send } = await build(t)
  const answer = await send('GET /slow HTTP/1.1\r\nHost: x\r\n\r\n', 'no http at all\r\n\r\n')
  t.match(answer, 'begun')
  t.notMatch(answer, 'problem+json')
})

test('a connection that was reset is closed without a word', async (t) => {
  const { app, log } = await build(t)
  const socket = new Socket()
  clientErrorHandler.call(app, Object.assign(new Error('reset'), { code: 'ECONNRESET' }), socket)
  t.ok(socket.destroyed)
  t.equal(log.lines().filter(({ code }) => code !== undefined).length, 0)
})
