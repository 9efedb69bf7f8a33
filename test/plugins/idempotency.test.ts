import { EventEmitter, once } from 'node:events'
import { request as send, type ClientRequest, type IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'
import { text } from 'node:stream/consumers'
import Fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify'
import { test, type Test } from 'tap'
import type { Caller } from '../../src/callers/caller.ts'
import { answerOnce, idempotency, idempotent } from '../../src/plugins/idempotency.ts'
import type { Answers, KeptAnswer } from '../../src/records/answers.ts'
import { build, multipart, picture, type Gateway } from '../helper.ts'

type Parts = Parameters<typeof multipart>[0]

const note: Parts = [['contextType', 'ticket'], ['file', { bytes: 'a note', filename: 'note.txt', type: 'text/plain' }]]
const replayed = ({ headers }: { headers: Record<string, unknown> }) => headers['idempotency-replayed']

async function attach ({ app, as }: Gateway, key: string, parts: Parts = note, { user = 'ada', url = '/api/attachments', headers = {} }: { user?: string, url?: string, headers?: Record<string, string> } = {}) {
  const form = await multipart(parts)
  return app.inject({ method: 'POST', url, payload: form.payload, headers: { ...await as(user, ...headers['x-owner-id'] === undefined ? [] : ['uploads:service' as const]), ...form.headers, ...headers, 'idempotency-key': key } })
}

const counted = async ({ app }: Gateway, kind: string): Promise<number> =>
  Number(new RegExp(`uploads_total\\{kind="${kind}",outcome="kept"\\} (\\d+)`).exec((await app.inject('/metrics')).body)?.[1] ?? 0)

const rows = ({ app: { database: { client } } }: Gateway) => Promise.all([client.attachment.count(), client.blob.count(), client.answer.count()])

/** With their sidecars. */
const blobs = async (gateway: Gateway) => (await gateway.files()).filter((path) => /^(avatars|attachments|staging)\//.test(path) && !path.endsWith('/heartbeat.json'))

async function listen (app: FastifyInstance): Promise<number> {
  await app.listen({ port: 0, host: '127.0.0.1' })
  return (app.server.address() as AddressInfo).port
}

const answerTo = async (request: ClientRequest): Promise<{ status: number | undefined, headers: Record<string, unknown>, body: string }> => {
  const [response] = await once(request, 'response') as [IncomingMessage]
  return { status: response.statusCode, headers: response.headers, body: await text(response) }
}

test('one key fifty times at once: one id, one row, one blob, and one answer to all', async (t) => {
  const gateway = await build(t)
  const answers = await Promise.all(Array.from({ length: 50 }, () => attach(gateway, 'k')))
  t.strictSame([...new Set(answers.map(({ statusCode }) => statusCode))], [201])
  t.equal(new Set(answers.map(({ body }) => body)).size, 1, 'byte for byte')
  t.equal(new Set(answers.map(({ headers }) => headers.location)).size, 1)
  t.match(answers[0]?.headers.location, /^\/api\/attachments\/[0-9a-f-]{36}$/)
  t.equal(answers.filter((answer) => replayed(answer) === 'true').length, 49)
  t.equal(answers.filter((answer) => replayed(answer) === undefined).length, 1)
  t.strictSame(await rows(gateway), [1, 1, 1])
  t.equal((await blobs(gateway)).length, 2, 'a blob and its sidecar; nothing staged')
  t.equal(await counted(gateway, 'attachment'), 1, 'and it counts as one')
})

test('without a key, each is an upload of its own; with another key, and with the same one of another caller, too', async (t) => {
  const gateway = await build(t)
  const { app, as } = gateway
  const form = await multipart(note)
  for (const user of ['ada', 'ada']) t.equal((await app.inject({ method: 'POST', url: '/api/attachments', payload: form.payload, headers: { ...await as(user), ...form.headers } })).statusCode, 201)
  for (const [key, user] of [['k', 'ada'], ['l', 'ada'], ['k', 'bob']] as const) {
    const answer = await attach(gateway, key, note, { user })
    t.equal(answer.statusCode, 201)
    t.equal(replayed(answer), undefined)
    t.equal(answer.json().attachments[0].ownerId, user)
  }
  t.strictSame(await rows(gateway), [5, 5, 3])
})

test('other content under a key is refused, and nothing of it kept', async (t) => {
  const gateway = await build(t)
  t.equal((await attach(gateway, 'k')).statusCode, 201)
  const file = { bytes: 'a note', filename: 'note.txt', type: 'text/plain' }
  const others: Array<[string, Parts, Parameters<typeof attach>[3]?]> = [
    ['other bytes', [['contextType', 'ticket'], ['file', { ...file, bytes: 'a mote' }]]],
    ['another name', [['contextType', 'ticket'], ['file', { ...file, filename: 'n.txt' }]]],
    ['another type', [['contextType', 'ticket'], ['file', { ...file, type: 'text/csv' }]]],
    ['another field', [['contextType', 'task'], ['file', file]]],
    ['one field more', [['contextType', 'ticket'], ['visibility', 'public'], ['file', file]]],
    ['one field less', [['file', file]]],
    ['one file more', [['contextType', 'ticket'], ['file', file], ['file', file]]],
    ['a query', note, { url: '/api/attachments?visibility=public' }],
    ['another owner', note, { headers: { 'x-owner-id': 'bob' } }],
  ]
  for (const [what, parts, said] of others) {
    const answer = await attach(gateway, 'k', parts, said)
    t.equal(answer.statusCode, 422, what)
    t.equal(answer.json().code, 'IDEMPOTENCY_KEY_REUSED', what)
  }
  const { app, as } = gateway
  const elsewhere = await app.inject({ method: 'PUT', url: '/api/avatars/me', payload: await picture(), headers: { ...await as('ada'), 'content-type': 'image/jpeg', 'idempotency-key': 'k' } })
  t.match([elsewhere.statusCode, elsewhere.json().code], [422, 'IDEMPOTENCY_KEY_REUSED'], 'also at another address')
  t.strictSame(await rows(gateway), [1, 1, 1])
  t.equal((await blobs(gateway)).length, 2)
  t.equal(replayed(await attach(gateway, 'k')), 'true', 'and the key is still that of the first')
})

test('an answer about the files of others is not given again to a token that may not act for them', async (t) => {
  const gateway = await build(t)
  const { app, as } = gateway
  const file = { bytes: 'x', filename: 'x.txt' }
  for (const [key, parts, query] of [['form', [['ownerId', 'bob'], ['file', file]], ''], ['second', [['file', file], ['ownerId', 'bob'], ['file', file]], ''], ['query', [['file', file]], '?ownerId=bob']] as Array<[string, Parts, string]>) {
    const form = await multipart(parts)
    const send = async (...scopes: Array<'uploads:service'>) => app.inject({ method: 'POST', url: `/api/attachments${query}`, payload: form.payload, headers: { ...await as('mover', ...scopes), ...form.headers, 'idempotency-key': key } })
    const first = await send('uploads:service')
    t.equal(first.statusCode, 201, key)
    const refused = await send()
    t.match([refused.statusCode, refused.json().code], [403, 'OWNER_FORBIDDEN'], key)
    const again = await send('uploads:service')
    t.strictSame([again.body, replayed(again)], [first.body, 'true'], key)
  }
})

test('a failure is not kept: the same key may be tried again, with what is right', async (t) => {
  const gateway = await build(t, { ATTACHMENT_MAX_BYTES: '1000' })
  t.equal((await attach(gateway, 'k', [['visibility', 'secret'], ['file', { bytes: 'x', filename: 'x' }]])).json().code, 'UPLOAD_FIELD_INVALID')
  t.equal((await attach(gateway, 'k', [['contextType', 'ticket']])).json().code, 'UPLOAD_MISSING')
  t.equal((await attach(gateway, 'k', [['file', { bytes: 'x'.repeat(1001), filename: 'x' }]])).json().code, 'UPLOAD_TOO_LARGE')
  t.equal((await attach(gateway, 'k', note, { url: '/api/attachments?visibility=secret' })).json().code, 'REQUEST_INVALID')
  const answer = await attach(gateway, 'k')
  t.strictSame([answer.statusCode, replayed(answer)], [201, undefined])
  t.strictSame(await rows(gateway), [1, 1, 1])
})

test('a key is 1 to 255 visible characters, once', async (t) => {
  const gateway = await build(t)
  for (const key of ['', 'two words', 'naïve', 'x'.repeat(256)]) {
    const answer = await attach(gateway, key)
    t.match([answer.statusCode, answer.json().code], [400, 'IDEMPOTENCY_KEY_INVALID'], key)
  }
  const port = await listen(gateway.app)
  const twice = send({ port, method: 'POST', path: '/api/attachments', headers: { ...await gateway.as('ada'), 'idempotency-key': ['a', 'b'] } }).end()
  t.match(await answerTo(twice), { status: 400, body: /IDEMPOTENCY_KEY_INVALID/ })
  t.equal((await attach(gateway, '~'.repeat(255))).statusCode, 201)
})

test('an answer is given again after a restart, on a full disk, by what came and without a trace on the volume; for a day', async (t) => {
  const first = await build(t)
  const kept = await attach(first, 'k')
  await first.app.close()
  const clock = { ahead: 0 }
  const second = await build(t, { UPLOADS_DIR: first.folder, DISK_RESERVE: String(2 ** 52) }, { now: () => new Date(Date.now() + clock.ahead) })
  t.equal((await attach(second, 'other')).statusCode, 507)
  const again = await attach(second, 'k')
  t.strictSame([again.statusCode, again.body, again.headers.location, replayed(again)], [201, kept.body, kept.headers.location, 'true'])
  t.match(again.headers['content-type'], 'application/json')
  clock.ahead = 24 * 60 * 60_000
  t.equal((await attach(second, 'k')).statusCode, 507, 'then it is a new request')
})

test('two gateways on one database and volume are told the same, and keep one', async (t) => {
  const one = await build(t)
  const two = await build(t, { UPLOADS_DIR: one.folder })
  const answers = await Promise.all(Array.from({ length: 10 }, (_, index) => attach(index % 2 === 0 ? one : two, 'k')))
  t.strictSame(answers.map(({ statusCode }) => statusCode), answers.map(() => 201))
  t.equal(new Set(answers.map(({ body }) => body)).size, 1)
  t.strictSame(await rows(one), [1, 1, 1])
  t.equal((await blobs(one)).length, 2, 'what the slower one had published is gone again')
  t.equal(await counted(one, 'attachment') + await counted(two, 'attachment'), 1)
  const [same, other] = await Promise.all([attach(one, 'l'), attach(two, 'l', [['file', { bytes: 'else', filename: 'e' }]])])
  t.strictSame([same.statusCode, other.statusCode].sort(), [201, 422], 'of two contents, one')
  t.strictSame(await rows(one), [2, 2, 2])
})

test('a commit whose outcome the database did not tell is found out, and nobody is told that it failed', async (t) => {
  const gateway = await build(t)
  const { client } = gateway.app.database
  const commit = client.$transaction.bind(client) as (statements: unknown) => Promise<unknown>
  let isLost = true
  t.intercept(client, '$transaction', {
    value: async (statements: unknown) => {
      const done = await commit(statements)
      if (!isLost || await client.attachment.count() === 0) return done
      isLost = false
      t.intercept(client.blob, 'findMany', { value: async () => { throw new Error('nor what is there') } })
      throw new Error('the connection was lost')
    },
  })
  const answer = await attach(gateway, 'k')
  t.equal(answer.statusCode, 201)
  t.strictSame(await rows(gateway), [1, 1, 1])
  t.equal((await blobs(gateway)).length, 2, 'its bytes are there')
})

test('a second request waits, its body unread, for the first: and goes on itself when that comes to nothing', async (t) => {
  const gateway = await build(t)
  const { app, as } = gateway
  const port = await listen(app)
  const headers = { ...await as('ada'), 'content-type': 'text/plain', 'content-length': 6, 'idempotency-key': 'k' }
  const begin = () => send({ port, method: 'POST', path: '/api/attachments', headers })
  const isUnderWay = async () => { while ((await app.storage.staging.usage()).files === 0) await new Promise((resolve) => { setTimeout(resolve, 5) }) }

  const first = begin()
  first.write('a no')
  await isUnderWay()
  first.on('error', () => {})
  const second = begin()
  const secondAnswer = answerTo(second)
  second.write('a no')
  const third = begin()
  const thirdAnswer = answerTo(third)
  third.end('a note')
  const isAnswered = await Promise.race([secondAnswer, thirdAnswer, new Promise((resolve) => { setTimeout(() => resolve('waits'), 50) })])
  t.equal(isAnswered, 'waits')
  t.equal((await app.storage.staging.usage()).files, 1, 'nobody else\'s bytes are taken in')

  first.destroy()
  second.end('te')
  const [own, again] = await Promise.all([secondAnswer, thirdAnswer])
  t.strictSame([own.status, again.status, again.body], [201, 201, own.body])
  t.equal([own, again].filter((answer) => replayed(answer) === 'true').length, 1)
  t.strictSame(await rows(gateway), [1, 1, 1])
})

test('avatars: a retry is the same version, and says what was said', async (t) => {
  const gateway = await build(t)
  const { app, as } = gateway
  const headers = { ...await as('ada'), 'content-type': 'image/jpeg' }
  const set = async (key: string, seed: number) => app.inject({ method: 'PUT', url: '/api/avatars/me', payload: await picture('jpeg', { seed }), headers: { ...headers, 'idempotency-key': key } })
  const answers = await Promise.all(Array.from({ length: 5 }, () => set('k', 1)))
  t.strictSame(answers.map(({ statusCode }) => statusCode), [201, 201, 201, 201, 201])
  t.equal(new Set(answers.map(({ body }) => body)).size, 1)
  t.equal((await set('l', 2)).statusCode, 200)
  const late = await set('k', 1)
  t.strictSame([late.statusCode, replayed(late), late.headers.location], [201, 'true', '/api/avatars/ada'])
  const { versions } = (await app.inject({ url: '/api/avatars/me/versions', headers })).json()
  t.equal(versions.length, 2, 'a late retry sets nothing back')
  t.equal(await counted(gateway, 'avatar'), 2)

  const restore = (key: string) => app.inject({ method: 'POST', url: `/api/avatars/me/versions/${late.json().version}/restore`, headers: { authorization: headers.authorization, 'idempotency-key': key } })
  const restored = await restore('r')
  t.equal(restored.statusCode, 200)
  await set('m', 3)
  const again = await restore('r')
  t.strictSame([again.statusCode, replayed(again), again.body], [200, 'true', restored.body])
  t.match((await app.inject({ url: '/api/avatars/me/versions', headers })).json().versions[0], { isCurrent: true }, 'and what came since stays')
  t.not((await app.inject({ url: '/api/avatars/me/versions', headers })).json().versions[0].version, late.json().version)
  t.equal((await restore('k')).json().code, 'IDEMPOTENCY_KEY_REUSED')
})

test('an attachment that was deleted again after it was brought back stays deleted when that is asked for once more', async (t) => {
  const gateway = await build(t)
  const { app, as } = gateway
  const { id } = (await attach(gateway, 'k')).json().attachments[0]
  const remove = async () => app.inject({ method: 'DELETE', url: `/api/attachments/${id}`, headers: await as('ada') })
  const restore = async () => app.inject({ method: 'POST', url: `/api/attachments/${id}/restore`, headers: { ...await as('root', 'uploads:admin'), 'idempotency-key': 'k' } })
  await remove()
  t.equal((await restore()).statusCode, 200)
  await remove()
  const again = await restore()
  t.strictSame([again.statusCode, replayed(again)], [200, 'true'])
  t.equal((await app.inject({ url: `/api/attachments/${id}`, headers: await as('ada') })).statusCode, 404)
})

test('the upload of System M: one URL with a token; without one the key is not heeded', async (t) => {
  const gateway = await build(t, { COMPAT_ANONYMOUS_AVATARS: 'true' })
  const { app, as } = gateway
  const form = await multipart([['file', { bytes: await picture(), filename: 'me.jpg' }]])
  const upload = (headers: Record<string, string>) => app.inject({ method: 'POST', url: '/api/upload/avatar', payload: form.payload, headers: { ...form.headers, ...headers, 'idempotency-key': 'k' } })
  const [one, two] = [await upload(await as('ada')), await upload(await as('ada'))]
  t.strictSame([two.statusCode, two.body, replayed(two)], [200, one.body, 'true'])
  const [three, four] = [await upload({}), await upload({})]
  t.strictSame([three.statusCode, four.statusCode, replayed(four)], [200, 200, undefined])
  t.equal(new Set([one, three, four].map((answer) => answer.json().url)).size, 3)
  t.equal(await gateway.app.database.client.answer.count(), 1)
})

test('what an answer tells of files is erased with whose they are: also what a service was answered', async (t) => {
  const gateway = await build(t)
  const { app, as } = gateway
  const forBob = { user: 'billing', headers: { 'x-owner-id': 'bob' } }
  await attach(gateway, 'a')
  t.equal((await attach(gateway, 'read', [['readers', 'eve,bob'], ...note])).statusCode, 201)
  await attach(gateway, 'b', note, forBob)
  await attach(gateway, 'c', note, { user: 'billing', headers: { 'x-owner-id': 'ada' } })
  t.equal((await app.inject({ method: 'DELETE', url: '/api/users/bob/uploads', headers: await as('root', 'uploads:admin') })).statusCode, 200)
  t.strictSame(await rows(gateway), [3, 3, 4])
  t.notOk((await app.database.client.answer.findMany()).some(({ body }) => body.includes('bob')), 'and also where he is only a reader')
  t.match((await attach(gateway, 'b', note, forBob)).json(), { status: 410, code: 'OWNER_ERASED' }, 'what was erased is not sent a second time')
  t.strictSame(await rows(gateway), [3, 3, 4])
  const read = await attach(gateway, 'read', [['readers', 'eve,bob'], ...note])
  t.strictSame([read.statusCode, replayed(read), read.json().attachments[0].readers], [201, 'true', ['eve']], 'nor what only named him as a reader')
  t.match((await attach(gateway, 'b', [['contextType', 'other'], ...note.slice(1)], forBob)).json(), { code: 'IDEMPOTENCY_KEY_REUSED' })
  const anew = await attach(gateway, 'b2', note, forBob)
  t.strictSame([anew.statusCode, replayed(anew)], [201, undefined], 'who comes again with another key begins anew')
  t.equal(replayed(await attach(gateway, 'a')), 'true')
})

test('every POST and PUT says that it takes a key, but for accounts, media sessions, and what is a PATCH, HEAD or DELETE in truth', async (t) => {
  const { app } = await build(t)
  const { paths } = (await app.inject('/openapi.json')).json() as { paths: Record<string, Record<string, { parameters?: Array<{ name: string, in: string }>, responses: Record<string, unknown> }>> }
  for (const [path, operations] of Object.entries(paths)) {
    for (const method of ['post', 'put']) {
      const operation = operations[method]
      if (operation === undefined) continue
      const isExempt = path.startsWith('/api/auth/') || ['/api/media-session', '/api/resumable/{id}'].includes(path)
      const says = operation.parameters?.some((one) => one.in === 'header' && one.name === 'idempotency-key') ?? false
      t.equal(says, !isExempt, `${method} ${path}`)
      if (says) t.match(JSON.stringify([operation.responses['409'], operation.responses['422']]), /IN_PROGRESS.*REUSED/, path)
    }
  }
})

/** A route behind the plugin alone, whose work lasts until it is told to end. */
async function bare (t: Test, { waitMs = 10_000 } = {}) {
  const kept = new Map<string, KeptAnswer>()
  const answers = {
    keyOf: (callerId: string, key: string) => `${callerId} ${key}`,
    fingerprintOf: (text: string) => text,
    find: async (key: string) => kept.get(key),
    keep: async (key: string, answer: KeptAnswer) => { kept.set(key, answer) },
  } as unknown as Answers
  const app = Fastify()
  t.teardown(() => app.close())
  app.decorateRequest('caller', null)
  app.decorateRequest('inFlight', null)
  app.decorate('doNowAndThen', () => {})
  await app.register(Object.assign(async () => {}, { [Symbol.for('skip-override')]: true, [Symbol.for('plugin-meta')]: { name: 'upkeep' } }))
  await app.register(idempotency, { answers, owners: { epoch: async () => 0 }, waitMs })
  const { promise: end, resolve: endWork, reject: failWork } = Promise.withResolvers<void>()
  end.catch(() => {})
  let begun = 0
  app.post('/:id', { onRequest: [async (request) => { request.caller = { id: 'ada' } as Caller }, idempotent] }, (request, reply) => answerOnce(request, reply, request.body, async () => {
    begun += 1
    if (begun === 1) await end
    return { status: 201, body: undefined, ownerIds: [] }
  }).then(() => reply.send()))
  const ask = (payload: object = { a: 1, b: [{ c: 2, d: null }] }) => app.inject({ method: 'POST', url: '/1', payload, headers: { 'idempotency-key': 'k' } })
  return { app, kept, ask, endWork, failWork, begun: () => begun }
}

const until = async (isSo: () => boolean) => { while (!isSo()) await new Promise((resolve) => { setImmediate(resolve) }) }

test('who waits too long is told when to ask again', async (t) => {
  const { ask, endWork, begun } = await bare(t, { waitMs: 20 })
  const first = ask()
  first.catch(() => {})
  await until(() => begun() === 1)
  const second = await ask()
  t.match([second.statusCode, second.json().code, second.headers['retry-after']], [409, 'IDEMPOTENCY_IN_PROGRESS', /^[1-9]\d*$/])
  endWork()
  t.equal((await first).statusCode, 201)
  const third = await ask()
  t.strictSame([third.statusCode, third.body, replayed(third)], [201, '', 'true'], 'an answer without a body, too')
  t.equal(begun(), 1)
})

test('JSON is the same in whatever order its names come, and not in another order of a list', async (t) => {
  const { ask, endWork } = await bare(t)
  endWork()
  t.equal((await ask({ a: 1, b: [{ c: 2, d: null }, 3] })).statusCode, 201)
  t.equal(replayed(await ask({ b: [{ d: null, c: 2 }, 3], a: 1 })), 'true')
  for (const other of [{ a: 1, b: [3, { c: 2, d: null }] }, { a: 1, b: [{ c: 2 }, 3] }, { a: '1', b: [{ c: 2, d: null }, 3] }, {}]) t.equal((await ask(other)).statusCode, 422, JSON.stringify(other))
})

test('a gateway that stops sends away who waits, and ends what is under way', async (t) => {
  const { app, ask, endWork, begun } = await bare(t)
  const port = await listen(app)
  const first = ask()
  first.catch(() => {})
  await until(() => begun() === 1)
  const waiting = send({ port, method: 'POST', path: '/1', headers: { 'idempotency-key': 'k' } }).end()
  const [socket] = await once(app.server, 'request') as [IncomingMessage]
  t.ok(socket)
  const answer = answerTo(waiting)
  const closed = app.close()
  t.match(await answer, { status: 503, body: /SERVICE_STOPPING/ })
  endWork()
  await closed
  t.equal((await first).statusCode, 201)
})

/** A client that leaves once `isSo`; resolves when the gateway can know it. */
async function leaving ({ server }: FastifyInstance, port: number, isSo: () => boolean) {
  const request = send({ port, method: 'POST', path: '/1', headers: { 'content-type': 'application/json', 'idempotency-key': 'k' } })
  request.on('error', () => {})
  const arrived = once(server, 'request') as Promise<[IncomingMessage]>
  request.end('{}')
  const [{ socket }] = await arrived
  await until(isSo)
  request.destroy()
  if (!socket.closed) await once(socket, 'close')
}

test('a client that leaves in the middle of the work does not end it, nor its turn', async (t) => {
  const { app, kept, ask, endWork, begun } = await bare(t)
  await leaving(app, await listen(app), () => begun() === 1)
  const next = ask({})
  next.catch(() => {})
  t.equal(begun(), 1)
  endWork()
  const answer = await next
  t.strictSame([answer.statusCode, replayed(answer), begun(), kept.size], [201, 'true', 1, 1])
})

test('a client that leaves while it waits gets no turn any more', async (t) => {
  const { app, ask, failWork, begun } = await bare(t)
  const port = await listen(app)
  const first = ask({})
  first.catch(() => {})
  await until(() => begun() === 1)
  await leaving(app, port, () => true)
  const third = ask({})
  third.catch(() => {})
  failWork(new Error('the first came to nothing'))
  t.equal((await first).statusCode, 500)
  const answer = await third
  t.strictSame([answer.statusCode, replayed(answer), begun()], [201, undefined, 2])
})

test('a client that has left by the time its turn comes does not keep it', async (t) => {
  const { app, ask, endWork } = await bare(t)
  endWork()
  const request = { caller: { id: 'ada' }, headers: { 'idempotency-key': 'k' }, server: app } as unknown as FastifyRequest
  await idempotent(request, { raw: Object.assign(new EventEmitter(), { closed: true }) } as unknown as FastifyReply)
  t.match(request.keyed, { kept: undefined })
  t.equal((await ask({})).statusCode, 201)
})
