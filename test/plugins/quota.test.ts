import { once } from 'node:events'
import Fastify, { type FastifyRequest } from 'fastify'
import { test } from 'tap'
import { readConfig } from '../../src/config.ts'
import { quotaLimits, quotas, reserveQuota, settleQuota } from '../../src/plugins/quota.ts'
import type { Quota } from '../../src/records/quota.ts'
import { build, multipart, picture, type Gateway } from '../helper.ts'
import { eventually } from '../transfer/fixtures/upload-server.ts'

const type = { 'content-type': 'application/octet-stream' }
const attach = (length: number) => ({ method: 'POST' as const, url: '/api/attachments', payload: Buffer.alloc(length, 7) })
const usageOf = async ({ app, as }: Gateway, id: string) => (await app.inject({ url: '/api/usage', headers: await as(id) })).json()
const blobs = async ({ files }: Gateway) => (await files()).filter((path) => !/\.json$|staging|volume/.test(path)).length

test('a hundred at once where there is room for one: one is kept, of the others nothing is', async (t) => {
  const gateway = await build(t, { QUOTA_BYTES: '1000' })
  const { app, as, files } = gateway
  const headers = { ...await as('ada'), ...type }
  t.equal((await app.inject({ ...attach(900), headers })).statusCode, 201)
  const before = await files()
  const responses = await Promise.all(Array.from({ length: 100 }, () => app.inject({ ...attach(100), headers })))
  t.equal(responses.filter(({ statusCode }) => statusCode === 201).length, 1)
  const refused = responses.filter(({ statusCode }) => statusCode === 413)
  t.equal(refused.length, 99)
  t.match(refused[0]?.json(), { code: 'QUOTA_EXCEEDED', detail: /1000 bytes/ })
  t.equal((await files()).length, before.length + 2, 'a file and its sidecar')
  t.match(await usageOf(gateway, 'ada'), { bytes: 1000, files: 2 })
})

test('what is in the trash does not count up to its own limit, and what fails is given back', async (t) => {
  const gateway = await build(t, { QUOTA_FILES: '1' })
  const { app, as } = gateway
  const headers = await as('ada')
  t.equal((await app.inject({ method: 'PUT', url: '/api/avatars/me', payload: 'no picture', headers: { ...headers, 'content-type': 'image/png' } })).statusCode, 415)
  t.match(await usageOf(gateway, 'ada'), { files: 0, reservedBytes: 0, reservedFiles: 0 })
  const kept = await app.inject({ ...attach(1), headers: { ...headers, ...type } })
  t.equal(kept.statusCode, 201)
  t.match((await app.inject({ ...attach(1), headers: { ...headers, ...type } })).json(), { code: 'QUOTA_EXCEEDED', detail: /1 files/ })
  await app.inject({ method: 'DELETE', url: kept.headers.location ?? '', headers })
  t.equal((await app.inject({ ...attach(1), headers: { ...headers, ...type } })).statusCode, 201)
})

test('who deletes what they upload can fill the disk no further than quota and trash', async (t) => {
  const gateway = await build(t, { QUOTA_BYTES: '300', TRASH_MAX_BYTES_PER_OWNER: '500' })
  const { app, as } = gateway
  const headers = { ...await as('ada'), ...type }
  let kept = 0
  for (let nth = 0; nth < 12; nth++) {
    const answer = await app.inject({ ...attach(100), headers })
    if (answer.statusCode === 201) {
      kept += 1
      t.equal((await app.inject({ method: 'DELETE', url: answer.headers.location ?? '', headers: await as('ada') })).statusCode, 204, 'nobody is kept from deleting')
    } else t.match(answer.json(), { code: 'QUOTA_EXCEEDED', detail: /300 bytes .*bytes of the trash are over its limit/ })
  }
  t.equal(kept, 8)
  t.match(await usageOf(gateway, 'ada'), { bytes: 0, files: 0, trashBytes: 800 })
  t.equal(await blobs(gateway), 8)
  const chunked = await fetch(`${await app.listen({ port: 0 })}/api/attachments`, { method: 'POST', headers, body: new Blob([Buffer.alloc(100)]).stream(), duplex: 'half' } as RequestInit)
  t.equal(chunked.status, 413)
  t.equal((await app.inject({ ...attach(300), headers: { ...await as('bob'), ...type } })).statusCode, 201, 'others have theirs')
})

test('a file that just fits is not refused for the form around it', async (t) => {
  const { app, as, files } = await build(t, { QUOTA_BYTES: '100000' })
  const form = await multipart([['file', { bytes: Buffer.alloc(100_000, 1), filename: 'a.bin' }]])
  t.equal((await app.inject({ method: 'POST', url: '/api/attachments', ...form, headers: { ...form.headers, ...await as('ada') } })).statusCode, 201)
  const before = await files()
  const larger = await multipart([['file', { bytes: Buffer.alloc(100_001, 1), filename: 'a.bin' }]])
  const refused = await app.inject({ method: 'POST', url: '/api/attachments', ...larger, headers: { ...larger.headers, ...await as('bob') } })
  t.equal(refused.json().code, 'QUOTA_EXCEEDED', 'a byte more is found out when it is measured')
  t.strictSame(await files(), before)
})

test('a body that says no length is measured: nothing of one too many is kept, and where there is no room it is not read', async (t) => {
  const gateway = await build(t, { QUOTA_BYTES: '100' })
  const { app, as } = gateway
  const { authorization } = await as('ada')
  const address = await app.listen({ port: 0 })
  const send = (length: number) => fetch(`${address}/api/attachments`, { method: 'POST', headers: { authorization, ...type }, body: new Blob([Buffer.alloc(length)]).stream(), duplex: 'half' } as RequestInit)
  const tooMuch = await send(101)
  t.equal(tooMuch.status, 413)
  t.equal((await tooMuch.json() as { code: string }).code, 'QUOTA_EXCEEDED')
  t.equal(await blobs(gateway), 0)
  t.equal(await app.database.client.blob.count(), 0)
  t.equal((await send(100)).status, 201)
  t.equal((await send(1)).status, 413)
})

test('services fill the quota of those they act for, unless they have one of their own', async (t) => {
  const gateway = await build(t, { QUOTA_BYTES: '100', CALLER_OVERRIDES: 'importer quotaBytes=0; eve quotaBytes=10' })
  const { app } = gateway
  const post = async (caller: string, query: string, length: number, owner?: string) => {
    const headers = { ...await gateway.as(caller, 'uploads:service'), ...type, ...(owner !== undefined && { 'x-owner-id': owner }) }
    return (await app.inject({ ...attach(length), url: `/api/attachments${query}`, headers })).statusCode
  }
  t.equal(await post('chat', '', 60, 'ada'), 201)
  t.equal(await post('chat', '', 60, 'ada'), 413)
  t.equal(await post('chat', '?ownerId=ada', 60), 413)
  t.equal(await post('chat', '?ownerId=bob', 60), 201)
  t.equal(await post('chat', '', 11, 'eve'), 413)
  t.equal(await post('importer', '', 500, 'ada'), 201)
  t.match(await usageOf(gateway, 'ada'), { bytes: 560 })
  const plain = await app.inject({ ...attach(1), url: '/api/attachments?ownerId=bob', headers: { ...await gateway.as('ada'), ...type } })
  t.equal(plain.json().code, 'OWNER_FORBIDDEN')
})

test('of a form that names several owners each must have room, or nothing is kept', async (t) => {
  const gateway = await build(t, { QUOTA_BYTES: '100' })
  const { app, as } = gateway
  const send = async (lengths: [number, number]) => {
    const form = await multipart([
      ['ownerId', 'ada'], ['file', { bytes: Buffer.alloc(lengths[0]), filename: 'a' }],
      ['ownerId', 'bob'], ['file', { bytes: Buffer.alloc(lengths[1]), filename: 'b' }],
    ])
    return (await app.inject({ method: 'POST', url: '/api/attachments', ...form, headers: { ...form.headers, ...await as('chat', 'uploads:service') } })).statusCode
  }
  t.equal(await send([100, 101]), 413)
  t.equal(await blobs(gateway), 0)
  t.equal(await send([100, 100]), 201)
  t.match(await usageOf(gateway, 'ada'), { bytes: 100, reservedFiles: 0 })
  t.match(await usageOf(gateway, 'bob'), { bytes: 100 })

  const own = { ...await as('chat', 'uploads:service'), ...type }
  t.equal((await app.inject({ ...attach(100), headers: own })).statusCode, 201)
  const one = async (fields: Array<[string, string]>) => {
    const form = await multipart([...fields, ['file', { bytes: Buffer.alloc(1), filename: 'a' }]])
    return (await app.inject({ method: 'POST', url: '/api/attachments', ...form, headers: { ...form.headers, ...await as('chat', 'uploads:service') } })).statusCode
  }
  t.equal(await one([['ownerId', 'eve']]), 201, 'the service that has used up its own quota is not held to it')
  t.equal(await one([]), 413, 'but for its own files')
})

test('a picture may take the place of the current one though there is no room beside it, whichever way it comes', async (t) => {
  const gateway = await build(t, { QUOTA_FILES: '1', COMPAT_ANONYMOUS_AVATARS: 'true' })
  const { app, as } = gateway
  let seed = 0
  const send = async (method: 'PUT' | 'POST', url: string, user?: string) => {
    const form = await multipart([['avatar', { bytes: await picture('jpeg', { seed: seed += 40 }), filename: 'a.jpg', type: 'image/jpeg' }]])
    return (await app.inject({ method, url, ...form, headers: { ...form.headers, ...user !== undefined && await as(user, 'uploads:service') } })).statusCode
  }
  for (const [method, url] of [['PUT', '/api/avatars/me'], ['PUT', '/api/auth/avatar'], ['POST', '/api/upload/avatar'], ['PUT', '/api/avatars/ada']] as const) {
    t.equal(Math.floor(await send(method, url, 'ada') / 100), 2, url)
  }
  t.match(await usageOf(gateway, 'ada'), { files: 1 })
  t.equal((await app.inject({ ...attach(1), headers: { ...await as('ada'), ...type } })).statusCode, 413)
  t.equal((await app.inject({ ...attach(1), headers: { ...await as('bob'), ...type } })).statusCode, 201)
  for (const [method, url] of [['PUT', '/api/auth/avatar'], ['POST', '/api/upload/avatar'], ['PUT', '/api/avatars/bob']] as const) {
    t.equal(await send(method, url, 'bob'), 413, url)
  }
  t.equal(await app.database.client.avatar.count(), 1)
  t.equal(await send('POST', '/api/upload/avatar'), 200, 'a picture of nobody yet known fills no quota')
})

test('a retry with its key gets its answer, though there is no room and no turn left', async (t) => {
  const gateway = await build(t, { QUOTA_BYTES: '10', RATE_UPLOADS_PER_MINUTE: '1' })
  const { app, as } = gateway
  const headers = { ...await as('ada'), ...type, 'idempotency-key': 'once' }
  const first = await app.inject({ ...attach(10), headers })
  t.equal(first.statusCode, 201)
  const second = await app.inject({ ...attach(10), headers })
  t.equal(second.statusCode, 201)
  t.equal(second.body, first.body)
  t.equal((await app.inject({ ...attach(1), headers: { ...headers, 'idempotency-key': 'other' } })).statusCode, 429)
})

test('what a caller may keep is what the settings say of them, and else of the owner', (t) => {
  const limits = quotaLimits(readConfig({ QUOTA_BYTES: '100', QUOTA_FILES: '5', CALLER_OVERRIDES: 'svc quotaBytes=0; eve quotaFiles=1 quotaBytes=7' }).callerLimits)
  t.match(limits('ada', 'ada'), { quotaBytes: 100, quotaFiles: 5 })
  t.match(limits('ada', 'eve'), { quotaBytes: 7, quotaFiles: 1 })
  t.match(limits('svc', 'eve'), { quotaBytes: 0, quotaFiles: 1 })
  t.match(limits('svc', 'svc'), { quotaBytes: 0, quotaFiles: 5 })
  t.end()
})

test('what is held is given back with the answer, or when the client leaves; what belongs to nobody yet holds nothing', async (t) => {
  const held = new Set<symbol>()
  const quota = {
    async reserve () {
      const one = Symbol('one')
      held.add(one)
      return () => held.delete(one)
    },
  } as unknown as Quota
  const app = Fastify()
  t.teardown(() => app.close())
  app.register(quotas, { quota })
  app.decorateRequest('caller', null)
  const identify = async (request: FastifyRequest) => { request.caller = { id: 'ada', scopes: new Set() } as never }
  app.post('/', { onRequest: [identify, reserveQuota({ maxFiles: 1 })] }, async () => ({ held: held.size }))
  app.post('/late', { onRequest: [identify, async (_request, { raw }) => { raw.destroy(); await once(raw, 'close') }, reserveQuota({ maxFiles: 1 })] }, async () => {})
  const { promise: isBegun, resolve: begin } = Promise.withResolvers<void>()
  const { promise: isOver, resolve: end } = Promise.withResolvers<void>()
  app.post('/long', { onRequest: [identify, reserveQuota({ maxFiles: 1 })] }, async () => { begin(); await isOver })
  app.post('/nobody', { onRequest: reserveQuota({ maxFiles: 1 }) }, async (request) => { t.strictSame(settleQuota(request, ['ada']).statements(), []); return { held: held.size } })

  t.strictSame((await app.inject({ method: 'POST', url: '/' })).json(), { held: 1 })
  t.equal(held.size, 0)
  t.strictSame((await app.inject({ method: 'POST', url: '/nobody' })).json(), { held: 0 })
  const address = await app.listen({ port: 0 })
  const leaving = new AbortController()
  const left = fetch(`${address}/long`, { method: 'POST', signal: leaving.signal })
  await isBegun
  t.equal(held.size, 1)
  leaving.abort()
  await t.rejects(left)
  t.ok(await eventually(() => held.size === 0), 'though nobody has answered yet')
  end()
  await t.rejects(fetch(`${address}/late`, { method: 'POST' }))
  t.ok(await eventually(() => held.size === 0), 'whose client left before it was set aside')
})
