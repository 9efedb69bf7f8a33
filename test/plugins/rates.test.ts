import { once } from 'node:events'
import { connect, type AddressInfo } from 'node:net'
import { setTimeout } from 'node:timers/promises'
import Fastify from 'fastify'
import { test } from 'tap'
import { countBytes, rateLimits } from '../../src/plugins/rates.ts'
import { build, multipart, picture } from '../helper.ts'

/** A clock that stands still until it is told to go on. */
function clock () {
  let ms = 1000
  return { monotonicMs: () => ms, pass: (seconds: number) => { ms += seconds * 1000 } }
}

const raw = (length: number) => ({ method: 'POST' as const, url: '/api/attachments', payload: Buffer.alloc(length, 1) })
const type = { 'content-type': 'application/octet-stream' }

test('a caller may begin as many uploads in a minute as is set, and is told when to go on', async (t) => {
  const { monotonicMs, pass } = clock()
  const { app, as, files } = await build(t, { RATE_UPLOADS_PER_MINUTE: '2' }, { monotonicMs })
  const headers = { ...await as('ada'), ...type }
  const first = await app.inject({ ...raw(3), headers })
  t.equal(first.statusCode, 201)
  t.equal(first.headers['ratelimit-policy'], '"uploads";q=2;w=60')
  t.equal(first.headers['ratelimit'], '"uploads";r=1;t=60')
  pass(20)
  t.equal((await app.inject({ ...raw(3), headers })).statusCode, 201)
  const before = await files()
  const third = await app.inject({ ...raw(3), headers })
  t.equal(third.statusCode, 429)
  t.match(third.json(), { code: 'RATE_EXCEEDED', detail: /2 uploads per minute/ })
  t.equal(third.headers['retry-after'], '40')
  t.equal(third.headers['ratelimit'], '"uploads";r=0;t=60')
  t.strictSame(await files(), before, 'nothing of it was kept')
  t.equal((await app.inject({ ...raw(3), headers: { ...await as('bob'), ...type } })).statusCode, 201, 'another caller is not held up')
  t.equal((await app.inject({ url: '/api/attachments', headers })).statusCode, 200, 'nor are reads')
  pass(39)
  t.equal((await app.inject({ ...raw(3), headers })).headers['retry-after'], '1')
  pass(1)
  t.equal((await app.inject({ ...raw(3), headers })).statusCode, 201)
})

test('an avatar is an upload, whichever way it comes; an override is for one caller', async (t) => {
  const { app, as } = await build(t, { RATE_UPLOADS_PER_MINUTE: '1', CALLER_OVERRIDES: 'bob rateUploads=0' })
  const form = await multipart([['avatar', { bytes: await picture(), filename: 'a.jpg', type: 'image/jpeg' }]])
  for (const [user, method, url] of [['u1', 'PUT', '/api/avatars/me'], ['u2', 'PUT', '/api/auth/avatar'], ['u3', 'POST', '/api/upload/avatar']] as const) {
    const send = async () => app.inject({ method, url, ...form, headers: { ...form.headers, ...await as(user) } })
    t.ok((await send()).statusCode <= 201, url)
    const refused = await send()
    t.equal(refused.statusCode, 429, url)
    t.equal(refused.json().code, 'RATE_EXCEEDED')
  }
  for (let nth = 0; nth < 3; nth += 1) {
    const response = await app.inject({ ...raw(1), headers: { ...await as('bob'), ...type } })
    t.equal(response.statusCode, 201)
    t.notOk(response.headers['ratelimit'], 'who has no limit is told of none')
  }
})

test('bytes are charged for as they are declared; what is refused is not charged for', async (t) => {
  const { monotonicMs, pass } = clock()
  const { app, as } = await build(t, { RATE_BYTES_PER_MINUTE: '100', RATE_UPLOADS_PER_MINUTE: '50' }, { monotonicMs })
  const headers = { ...await as('ada'), ...type }
  const responses = await Promise.all(Array.from({ length: 10 }, () => app.inject({ ...raw(30), headers })))
  t.equal(responses.filter(({ statusCode }) => statusCode === 201).length, 3)
  const refused = responses.filter(({ statusCode }) => statusCode === 429)
  t.equal(refused.length, 7)
  for (const response of refused) {
    t.equal(response.headers['retry-after'], '60')
    t.match(response.json(), { code: 'RATE_EXCEEDED', detail: /100 bytes per minute/ })
    t.equal(response.headers['ratelimit-policy'], '"uploads";q=50;w=60, "bytes";q=100;qu="content-bytes";w=60')
    t.equal(response.headers['ratelimit'], '"uploads";r=47;t=60, "bytes";r=10;t=60')
  }
  t.equal((await app.inject({ ...raw(10), headers })).statusCode, 201, 'what fits still passes')
  pass(60)
  t.equal((await app.inject({ ...raw(250), headers })).statusCode, 201, 'one larger than the limit passes by itself')
  t.equal((await app.inject({ ...raw(1), headers })).headers['retry-after'], '150', 'and is paid for in time')
})

/** A body that says no length. */
const stream = (bytes: number, authorization: string) =>
  ({ method: 'POST', headers: { authorization, ...type }, body: new Blob([Buffer.alloc(bytes)]).stream(), duplex: 'half' } as RequestInit)

test('of a body that says no length, what comes is charged for, and the next waits', async (t) => {
  const { monotonicMs } = clock()
  const { app, as } = await build(t, { RATE_BYTES_PER_MINUTE: '1000' }, { monotonicMs })
  const { authorization } = await as('ada')
  const address = await app.listen({ port: 0 })
  const send = (bytes: number) => fetch(`${address}/api/attachments`, stream(bytes, authorization))
  const small = await send(400)
  t.equal(small.status, 201)
  t.equal(small.headers.get('ratelimit'), '"bytes";r=600;t=60', 'the answer says what is left once it came')
  t.equal((await send(600)).status, 201)
  const next = await send(1)
  t.equal(next.status, 429)
  t.equal(next.headers.get('retry-after'), '60')
})

test('a body that says no length goes no further than what is left, unless nothing counted when it began', async (t) => {
  const { monotonicMs, pass } = clock()
  const { app, as, files } = await build(t, { RATE_BYTES_PER_MINUTE: '1000', RATE_UPLOADS_PER_MINUTE: '100' }, { monotonicMs })
  const { authorization } = await as('ada')
  const address = await app.listen({ port: 0 })
  const send = (bytes: number) => fetch(`${address}/api/attachments`, stream(bytes, authorization))
  t.equal((await send(500)).status, 201)
  const before = await files()
  pass(20)
  const refused = await send(600)
  t.equal(refused.status, 429)
  t.match(await refused.json(), { code: 'RATE_EXCEEDED', detail: /1000 bytes per minute/ })
  t.equal(refused.headers.get('retry-after'), '60', 'what came of it before counts too')
  t.strictSame(await files(), before, 'nothing of it was kept')
  pass(60)
  const answers = await Promise.all(Array.from({ length: 10 }, () => send(6000)))
  t.strictSame(answers.map(({ status }) => status).sort(), [201, ...Array(9).fill(429)], 'ten at once are one')
  for (const answer of answers) await answer.text()
  t.equal((await files()).length, before.length + 2, 'a file and its sidecar')
  // Those who began before its first bytes came are charged for a byte each.
  const wait = Number((await send(1)).headers.get('retry-after'))
  t.ok(wait === 360 || wait === 361, 'which is paid for in time')
  pass(wait)
  t.equal((await send(600)).status, 201)
})

test('of a body whose client left, only what came is charged for', async (t) => {
  const { app, as, files } = await build(t, { RATE_BYTES_PER_MINUTE: '100000' })
  const { authorization } = await as('ada')
  await app.listen({ port: 0 })
  const { port } = app.server.address() as AddressInfo
  const before = await files()
  const socket = connect(port, '127.0.0.1')
  socket.write(`POST /api/attachments HTTP/1.1\r\nHost: localhost\r\nAuthorization: ${authorization}\r\nContent-Type: application/octet-stream\r\nContent-Length: 90000\r\n\r\n${'x'.repeat(1000)}`)
  const left = () => Number(/"bytes";r=(\d+)/.exec(app.rates.headers('ada')['RateLimit'] ?? '')?.[1])
  while (left() !== 10_000) await setTimeout(5)
  t.pass('all of it is charged for at first')
  // It is staged with its first bytes.
  while ((await files()).length === before.length) await setTimeout(5)
  socket.destroy()
  await once(socket, 'close')
  while (left() === 10_000) await setTimeout(5)
  t.equal(left(), 99_000)
})

test('part of an upload that was counted before is charged for its bytes alone', async (t) => {
  const { app } = await build(t, { RATE_UPLOADS_PER_MINUTE: '1', RATE_BYTES_PER_MINUTE: '10' })
  app.rates.charge('ada', { uploads: 1, bytes: 0 })
  app.rates.charge('ada', { uploads: 0, bytes: 10 })
  t.throws(() => app.rates.charge('ada', { uploads: 0, bytes: 1 }), { code: 'RATE_EXCEEDED' })
  t.throws(() => app.rates.charge('ada', { uploads: 1, bytes: 0 }), { code: 'RATE_EXCEEDED' })
  t.doesNotThrow(() => app.rates.charge('ada', { uploads: 0, bytes: 0 }))
  app.rates.forget()
  t.throws(() => app.rates.charge('ada', { uploads: 1, bytes: 0 }), { code: 'RATE_EXCEEDED' }, 'what still counts is not forgotten')
})

test('requests of an upload that was counted before are charged for what they bring', async (t) => {
  const app = Fastify()
  t.teardown(() => app.close())
  app.register(rateLimits, { limitsOf: () => ({ quotaBytes: 0, quotaFiles: 0, rateUploads: 1, rateBytes: 10 }), monotonicMs: () => 0 })
  app.decorateRequest('caller', null)
  app.patch('/:caller', { onRequest: [async (request) => { const { caller: id } = request.params as { caller: string }; if (id !== 'nobody') request.caller = { id, scopes: new Set() } as never }, countBytes] }, async () => ({}))
  const patch = (caller: string, payload: string) => app.inject({ method: 'PATCH', url: `/${caller}`, payload, headers: { 'content-type': 'text/plain' } })
  for (let nth = 1; nth <= 5; nth += 1) t.equal((await patch('ada', '12')).statusCode, 200)
  const refused = await patch('ada', '1')
  t.equal(refused.statusCode, 429)
  t.equal(refused.headers['ratelimit'], '"uploads";r=1;t=0, "bytes";r=0;t=60')
  t.equal((await patch('ada', '')).statusCode, 200, 'one that brings nothing')
  for (let nth = 1; nth <= 9; nth += 1) t.equal((await patch('nobody', '12')).statusCode, 200)
})
