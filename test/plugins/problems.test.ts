import { once } from 'node:events'
import { connect, type AddressInfo } from 'node:net'
import { Readable } from 'node:stream'
import Fastify from 'fastify'
import { test, type Test } from 'tap'
import { Type } from 'typebox'
import { AttemptsExceeded, MethodNotAllowed, StorageFull, StorageUnavailable, TokenMissing, UploadAborted, UploadTooLarge, withHeaders } from '../../src/errors.ts'
import { logging } from '../../src/plugins/logger.ts'
import { answerFailure, frameworkErrors, problems } from '../../src/plugins/problems.ts'
import { collectLog } from '../fixtures/log.ts'

function build (t: Test, throwing?: () => unknown) {
  const log = collectLog()
  const app = Fastify({ ...logging({ level: 'debug', isTerminal: false, stream: log.stream }), frameworkErrors, bodyLimit: 100, routerOptions: { maxParamLength: 20 } })
  app.register(problems)
  app.get('/throw', async () => { throw throwing?.() })
  t.teardown(() => app.close())
  return { app, log }
}

test('an error of the table is answered as a problem', async (t) => {
  const { app, log } = build(t, () => new UploadTooLarge(5))
  const response = await app.inject({ url: '/throw', headers: { 'x-request-id': 'abc' } })
  t.equal(response.statusCode, 413)
  t.equal(response.headers['content-type'], 'application/problem+json')
  t.equal(response.headers['cache-control'], 'no-store')
  t.strictSame(response.json(), {
    type: 'about:blank',
    title: 'Payload Too Large',
    status: 413,
    detail: 'The file is larger than 5 bytes, the most this route takes.',
    code: 'UPLOAD_TOO_LARGE',
    requestId: 'abc',
  })
  t.match(log.lines(), [{ level: 30, code: 'UPLOAD_TOO_LARGE', requestId: 'abc', req: { method: 'GET', path: '/throw' } }])
  t.equal(log.lines().length, 1)
})

test('an unknown error says nothing of its cause, and is logged once with the whole chain', async (t) => {
  const { app, log } = build(t, () => new Error('outer words', { cause: Object.assign(new Error('inner words'), { code: 'EIO' }) }))
  const response = await app.inject('/throw')
  t.match(response.json(), { status: 500, code: 'INTERNAL_ERROR', title: 'Internal Server Error' })
  t.notMatch(response.body, 'words')
  t.equal(log.lines().length, 1)
  t.match(log.lines(), [{ level: 50, code: 'INTERNAL_ERROR', err: { cause: { message: 'outer words', cause: { message: 'inner words', code: 'EIO' } } } }])
})

test('a 5xx of the table says its sentence, and not its cause', async (t) => {
  const { app, log } = build(t, () => new StorageUnavailable({ cause: new Error('/secret/path') }))
  const response = await app.inject('/throw')
  t.equal(response.statusCode, 503)
  t.match(response.json(), { code: 'STORAGE_UNAVAILABLE', detail: 'The storage cannot do this right now; try again later.' })
  t.notMatch(response.body, 'secret')
  t.match(log.lines(), [{ level: 50, err: { cause: { message: '/secret/path' } } }])
})

test('headers that belong to the error are sent, and win over the defaults', async (t) => {
  const { app } = build(t, () => withHeaders(new MethodNotAllowed(), { Allow: 'GET', 'Cache-Control': 'no-cache' }))
  const { headers } = await app.inject('/throw')
  t.match(headers, { allow: 'GET', 'cache-control': 'no-cache' })
})

test('Retry-After is sent with 429, 503 and 507 unless the error has its own', async (t) => {
  for (const [error, expected] of [
    [new StorageFull(), '60'],
    [new StorageUnavailable(), '5'],
    [new AttemptsExceeded(), '60'],
    [withHeaders(new AttemptsExceeded(), { 'Retry-After': '7' }), '7'],
    [new UploadTooLarge(1), undefined],
  ] as const) {
    const { app } = build(t, () => error)
    const response = await app.inject('/throw')
    t.equal(response.headers['retry-after'], expected, error.code)
  }
})

test('a full disk is no fault: it is logged as a warning, with its reason on one line and no stack', async (t) => {
  const { app, log } = build(t, () => new StorageFull({ cause: new Error('\nInvalid query:\n  create\n\ndatabase or disk is full \n') }))
  await app.inject('/throw')
  t.match(log.lines(), [{ level: 40, code: 'STORAGE_FULL', status: 507, reason: 'database or disk is full' }])
  t.notMatch(log.text(), /"err"|"stack"/)
})

test('a 401 names the way to authenticate', async (t) => {
  const { app, log } = build(t, () => new TokenMissing())
  const { headers } = await app.inject('/throw')
  t.equal(headers['www-authenticate'], 'Bearer')
  t.match(log.lines(), [{ level: 20, code: 'TOKEN_MISSING' }])
})

test('what a route said of the file it meant to send is not sent with the problem', async (t) => {
  const { app } = build(t)
  app.get('/file', async (_request, reply) => {
    reply.headers({ etag: '"1"', 'content-disposition': 'inline', 'accept-ranges': 'bytes', 'content-length': 10, 'cache-control': 'public', 'x-other': '1' })
    return reply.type('image/png').send(new Readable({ read () { this.destroy(new StorageUnavailable()) } }))
  })
  const { statusCode, headers } = await app.inject('/file')
  t.equal(statusCode, 503)
  t.match(headers, { 'cache-control': 'no-store', 'content-type': 'application/problem+json', 'x-other': '1' })
  t.notOk(headers['etag'] ?? headers['content-disposition'] ?? headers['accept-ranges'])
})

test('a response schema of the route does not cut the problem', async (t) => {
  const { app } = build(t)
  app.get('/schema', { schema: { response: { '4xx': Type.Object({ x: Type.Optional(Type.String()) }) } } }, async () => { throw new UploadTooLarge(1) })
  t.match((await app.inject('/schema')).json(), { code: 'UPLOAD_TOO_LARGE', status: 413 })
})

test('a request that does not fit its schema is told each thing that is wrong', async (t) => {
  const { app } = build(t)
  const schema = {
    params: Type.Object({ id: Type.Integer() }),
    querystring: Type.Object({ limit: Type.Optional(Type.Integer({ maximum: 200 })) }),
    body: Type.Object({ name: Type.String(), list: Type.Array(Type.Object({ n: Type.Integer() })) }),
  }
  app.post('/items/:id', { schema }, async () => 'fine')
  const ask = async (url: string, payload: object) => (await app.inject({ method: 'POST', url, payload })).json()
  const good = { name: 'a', list: [] }

  t.match(await ask('/items/x', good), { status: 400, code: 'REQUEST_INVALID', errors: [{ in: 'path', name: 'id', detail: 'must be a whole number' }] })
  t.match(await ask('/items/1?limit=999', good), {
    detail: 'The request is not valid: query limit must be at most 200.',
    errors: [{ in: 'query', name: 'limit', detail: 'must be at most 200' }],
  })
  t.match(await ask('/items/1', { name: 'a', list: [{ n: 'x' }] }), { errors: [{ in: 'body', name: '/list/0/n', detail: 'must be a whole number' }] })
  t.match(await ask('/items/1', { list: [] }), { detail: 'The request is not valid: body /name is missing.', errors: [{ in: 'body', name: '/name', detail: 'is missing' }] })
})

test('bodies that cannot be read are told apart', async (t) => {
  const { app } = build(t)
  app.post('/json', async () => 'fine')
  const post = (payload: string, type: string) => app.inject({ method: 'POST', url: '/json', payload, headers: { 'content-type': type } })
  t.match((await post('{', 'application/json')).json(), { status: 400, code: 'REQUEST_INVALID', detail: 'The request is not valid: the body is not valid JSON.' })
  t.match((await post('{"__proto__":1}', 'application/json')).json(), { status: 400, code: 'REQUEST_INVALID' })
  t.match((await post('', 'application/json')).json(), { status: 400, code: 'REQUEST_INVALID' })
  t.match((await post('<a/>', 'text/xml')).json(), { status: 415, code: 'CONTENT_TYPE_UNSUPPORTED' })
  t.match((await post(`"${'x'.repeat(200)}"`, 'application/json')).json(), { status: 413, code: 'BODY_TOO_LARGE' })
})

test('an address that cannot be routed is answered as a problem, and its query is not logged', async (t) => {
  const { app, log } = build(t)
  app.get('/items/:id', async () => 'fine')
  const broken = await app.inject({ url: '/items/%zz?token=geheim', headers: { 'x-request-id': 'abc' } })
  t.equal(broken.headers['content-type'], 'application/problem+json')
  t.equal(broken.headers['x-request-id'], 'abc')
  t.match(broken.json(), { status: 400, code: 'REQUEST_INVALID', requestId: 'abc' })
  t.match((await app.inject(`/items/${'x'.repeat(30)}`)).json(), { status: 404, code: 'ROUTE_NOT_FOUND' })
  t.match((await app.inject('/nothing')).json(), { status: 404, code: 'ROUTE_NOT_FOUND' })
  t.notMatch(log.text(), 'geheim')
})

test('a handler that finds nothing may say so', async (t) => {
  const { app } = build(t)
  app.get('/maybe', (_request, reply) => { reply.callNotFound() })
  t.match((await app.inject('/maybe')).json(), { status: 404, code: 'ROUTE_NOT_FOUND' })
})

test('an upload whose client left is logged at info, and told 499 if anyone still listens', async (t) => {
  const { app, log } = build(t, () => new UploadAborted())
  const response = await app.inject('/throw')
  t.match(response.json(), { status: 499, title: 'Client Closed Request', code: 'UPLOAD_ABORTED' })
  t.match(log.lines(), [{ level: 30, code: 'UPLOAD_ABORTED' }])
})

test('a connection reset in the middle of a body is no failure of ours', async (t) => {
  const { app, log } = build(t)
  const answered = Promise.withResolvers<void>()
  app.post('/json', async () => 'never')
  app.addHook('onError', async () => { setImmediate(answered.resolve) })
  await app.listen()
  const socket = connect((app.server.address() as AddressInfo).port, 'localhost')
  await once(socket, 'connect')
  socket.write('POST /json HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 50\r\n\r\n{"a":')
  await once(app.server, 'request')
  socket.resetAndDestroy()
  await answered.promise
  t.match(log.lines().filter(({ code }) => code !== undefined), [{ level: 30, code: 'UPLOAD_ABORTED' }])
})

test('an older client is answered in its own shape, with the same log line and headers', async (t) => {
  const { app, log } = build(t)
  app.register(async (scope) => {
    scope.setErrorHandler((error, request, reply) => {
      const { detail, code } = answerFailure(error, request, reply)
      return reply.send({ success: false, error: detail, code })
    })
    scope.get('/old', async () => { throw new StorageFull() })
  })
  const response = await app.inject('/old')
  t.equal(response.statusCode, 507)
  t.strictSame(response.json(), { success: false, error: 'The storage is full; this can be done again once space is free.', code: 'STORAGE_FULL' })
  t.equal(response.headers['retry-after'], '60')
  t.equal(log.lines().length, 1)
})
