import { once } from 'node:events'
import { Readable } from 'node:stream'
import { connect, Socket, type AddressInfo } from 'node:net'
import Fastify from 'fastify'
import { test, type Test } from 'tap'
import { logging, requestLog } from '../../src/plugins/logger.ts'
import { problems } from '../../src/plugins/problems.ts'
import type { Caller, UserId } from '../../src/callers/caller.ts'
import { collectLog } from '../fixtures/log.ts'

function build (t: Test, { isTerminal = false } = {}) {
  const log = collectLog()
  const app = Fastify({ ...logging({ level: 'info', isTerminal, stream: log.stream }), forceCloseConnections: true })
  app.register(problems)
  app.register(requestLog)
  app.decorateRequest('caller', null)
  app.get('/items/:id', async () => 'fine')
  t.teardown(() => app.close())
  return { app, log }
}

test('a completed request is one line, without its query', async (t) => {
  const { app, log } = build(t)
  app.addHook('preHandler', async (request) => { request.caller = { id: 'anna' as UserId, scopes: new Set() } satisfies Caller })
  await app.inject({ url: '/items/7?token=geheim', headers: { authorization: 'Bearer geheim', cookie: 'a=geheim' } })
  t.equal(log.lines().length, 1)
  t.match(log.lines(), [{ level: 30, msg: 'GET /items/7 200', method: 'GET', path: '/items/7', route: '/items/:id', status: 200, caller: 'anna', ms: Number, requestId: String }])
  t.notMatch(log.text(), 'geheim')
})

test('what opens a link is in no line, wherever it is quoted', async (t) => {
  const { app, log } = build(t)
  const token = 'aB3_-'.repeat(15).slice(0, 72)
  app.get('/api/links/:token/:filename', async () => { throw new Error(`nothing at /api/links/${token}`) })
  await app.inject(`/api/links/${token}/a.png`)
  app.log.warn(`GET https://files.example/api/links/${token}`)
  const encoded = (text: string) => text.replace(/./g, (letter) => `%${letter.charCodeAt(0).toString(16)}`)
  const spellings = [`/api/links/${encoded(token)}/a.png`, `/api/links/${encoded(token.slice(0, 1))}${token.slice(1)}/a.png`, `/api/l${encoded('ink').toUpperCase()}s/${token}/a.png`]
  for (const url of spellings) t.equal((await app.inject(url)).statusCode, 500, 'it is that route')
  for (const url of [`/api/links/${token}x`, `/api/links/x${token}`, `/api/links/${token}.png`, `/api/links/;${token}`, `/api%2Flinks%2f${token}`, `/api/links/${token}%0A`]) await app.inject(url)
  app.log.warn('/api/attachments/0192a1b2-0000-7000-8000-000000000001/links/0192a1b2-0000-7000-8000-000000000002')
  t.notMatch(log.text(), token)
  t.notMatch(log.text(), token.slice(1))
  t.match(log.text(), 'links/[redacted]/a.png')
  t.match(log.lines().find(({ route }) => route !== undefined), { path: '/api/links/[redacted]/a.png', route: '/api/links/:token/:filename' })
  t.match(log.text(), 'links/0192a1b2-0000-7000-8000-000000000002')
})

test('whatever is in a path, its line is one of JSON', async (t) => {
  const { app, log } = build(t)
  await app.ready()
  const secret = 'aB3_-'.repeat(9)
  const paths = ['"', '\\', '\\"', '"\\', '\t', '\u0000', '\u{ff}', '%22', '\\u0022'].flatMap((odd) => [`/a${odd}b`, `/api/links/${secret}${odd}`, `/api/links/${secret}${odd}",${secret}`, `/eyJ${odd}.a`])
  for (const path of paths) app.logCompleted({ requestId: 'one', method: 'GET', path, socket: new Socket(), route: undefined, callerId: `an${path}na` }, { status: 404, ms: 1.26, isAborted: false })
  const plain = paths.filter((path) => !path.includes('links'))
  t.strictSame(log.lines().map(({ path }) => path).filter((path) => !String(path).includes('links')), plain)
  t.equal(log.lines().length, paths.length)
  t.match(log.lines()[0], { path: '/a"b', caller: 'an/a"bna', ms: 1.3, msg: 'GET /a"b 404' })
  t.notMatch(log.text(), secret)
})

test('bytes are those on the wire of this request, not of the connection', async (t) => {
  const { app, log } = build(t)
  await app.listen()
  const socket = connect((app.server.address() as AddressInfo).port, 'localhost')
  const get = 'GET /items/1 HTTP/1.1\r\nHost: x\r\n\r\n'
  for (let count = 0; count < 2; count++) {
    socket.write(get)
    await once(socket, 'data')
  }
  socket.destroy()
  await app.close()
  const [first, second] = log.lines().filter(({ path }) => path === '/items/1')
  t.match(first, { bytesIn: get.length, bytesOut: Number })
  t.match(second, { bytesIn: get.length, bytesOut: first?.['bytesOut'] })
  t.ok(Number(first?.['bytesOut']) > 50)
})

test('a client that leaves is in the line of its request, and in no other', async (t) => {
  const { app, log } = build(t)
  const left = Promise.withResolvers<void>()
  app.addHook('preHandler', async (_request, reply) => { reply.raw.once('close', left.resolve) })
  app.get('/endless', async () => new Readable({ read () { this.push(Buffer.alloc(65_536)) } }))
  await app.listen()
  const socket = connect((app.server.address() as AddressInfo).port, 'localhost')
  socket.write('GET /endless HTTP/1.1\r\nHost: x\r\n\r\n')
  await once(socket, 'data')
  socket.destroy()
  await left.promise
  t.match(log.lines().filter(({ requestId }) => requestId !== undefined), [{ level: 30, path: '/endless', status: 200, isAborted: true }])
})

test('an answer that breaks off on our side is an error', async (t) => {
  const { app, log } = build(t)
  app.get('/broken', async () => Readable.from((async function * () {
    yield 'some'
    throw new Error('disk gone')
  })()))
  await t.rejects(app.inject('/broken'))
  t.match(log.lines().filter(({ level }) => level === 50), [{ msg: 'The answer broke off.', err: { message: 'disk gone' }, req: { path: '/broken' } }])
})

test('every answer carries the request id: the one given, when it is harmless, else a fresh UUIDv7', async (t) => {
  const { app } = build(t)
  const idFor = async (url: string, id?: string) => (await app.inject({ url, headers: id === undefined ? {} : { 'x-request-id': id } })).headers['x-request-id']
  t.equal(await idFor('/items/1', 'A.b_c-9'), 'A.b_c-9')
  t.equal(await idFor('/nothing', 'x'.repeat(128)), 'x'.repeat(128))
  const fresh = /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/
  t.match(await idFor('/items/1'), fresh)
  for (const bad of ['x'.repeat(129), 'a b', 'ä', 'a"b', '']) t.match(await idFor('/items/1', bad), fresh, bad)
})

test('whatever is logged, tokens, cookies, passwords and queries are cut out', async (t) => {
  const { app, log } = build(t)
  const jwt = 'eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhIn0.c2lnbmF0dXJl'
  app.log.warn({ password: 'geheim', headers: { cookie: 'geheim', 'set-cookie': 'geheim' }, err: Object.assign(new Error('x'), { token: 'geheim', headers: { authorization: 'geheim' } }) }, 'one')
  app.log.warn(`GET https://idp.example/keys?secret=geheim failed with ${jwt}, sent Bearer geheim`)
  app.log.warn({ err: new Error('at /a/b?geheim') }, 'why? because')
  for (const before of ['\n', '\r\n', '\t']) app.log.warn(`failed:${before}${jwt}${before}Bearer geheim${before}Basic geheim`)
  t.notMatch(log.text(), 'geheim')
  t.notMatch(log.text(), 'eyJ')
  const [, second, third] = log.lines()
  t.equal(second?.msg, 'GET https://idp.example/keys?[redacted] failed with [token], sent Bearer [redacted]')
  t.equal(third?.msg, 'why? because')
})

test('a hostile line costs little', async (t) => {
  const { app, log } = build(t)
  const startedAt = performance.now()
  for (const piece of ['eyJ-', '\neyJ-', '\nBearer ', 'eyJa.', '/a', '?', 'Bearer ', '/?a', '/links/', '%2Flinks', '%41']) app.log.warn(piece.repeat(20_000))
  t.ok(performance.now() - startedAt < 500)
  t.equal(log.lines().length, 11)
})

test('on a terminal the lines are for people', async (t) => {
  const { app, log } = build(t, { isTerminal: true })
  await app.inject('/items/7')
  t.match(log.text(), /^\[\d\d:\d\d:\d\d\] INFO: GET \/items\/7 200 \{.*"ms":/)
})

test('without a stream the log goes to standard output', async (t) => {
  t.notMatch(logging({ level: 'info', isTerminal: false }).logger, { stream: Object })
  t.match(logging({ level: 'info', isTerminal: true }).logger, { stream: Object })
})
