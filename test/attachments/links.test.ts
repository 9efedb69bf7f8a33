import { test, type Test } from 'tap'
import type { AppOptions } from '../../src/app.ts'
import { createLinks } from '../../src/attachments/links.ts'
import { createSigner } from '../../src/callers/signer.ts'
import { createLinkRecords } from '../../src/records/links.ts'
import { build, multipart, type Gateway } from '../helper.ts'

const publicUrl = 'https://files.example'

async function withFiles (t: Test, settings: Record<string, string> = {}, options: AppOptions = {}) {
  const gateway = await build(t, { PUBLIC_URL: publicUrl, ...settings }, options)
  return { ...gateway, ...clientOf(gateway) }
}

function clientOf ({ app, as }: Gateway) {
  return {
    async attach (user: string, { filename = 'notes.txt', bytes = 'some text', type = 'text/plain' } = {}): Promise<{ id: string, url: string }> {
      const body = await multipart([['file', { bytes, filename, type }]])
      const answer = await app.inject({ method: 'POST', url: '/api/attachments', headers: { ...body.headers, ...await as(user) }, payload: body.payload })
      return answer.json().attachments[0]
    },
    link: async (id: string, headers: Record<string, string>, payload: object = {}) => app.inject({ method: 'POST', url: `/api/attachments/${id}/links`, headers, payload }),
    open: async (url: string, headers: Record<string, string> = {}, method: 'GET' | 'HEAD' = 'GET') => app.inject({ method, url: url.replace(publicUrl, ''), headers }),
  }
}

const notFound = { status: 404, code: 'LINK_NOT_FOUND', detail: 'There is no such link, or it has expired or was revoked.' }

test('a link opens an attachment for whoever has it, without a token', async (t) => {
  const { app, as, attach, link, open } = await withFiles(t)
  const { id } = await attach('ada', { filename: 'Отчёт 2026?#%.txt' })
  const before = Date.now()
  const answer = await link(id, await as('ada'), { expiresIn: 60 })
  t.equal(answer.statusCode, 201)
  t.equal(answer.headers['cache-control'], 'no-store')
  const made = answer.json()
  t.match(made, { id: /^[0-9a-f-]{36}$/, attachmentId: id, creatorId: 'ada', url: /^https:\/\/files\.example\/api\/links\/[\w-]{72}\/%D0%9E%D1%82%D1%87%D1%91%D1%82%202026%3F%23%25\.txt$/ })
  t.ok(Math.abs(Date.parse(made.expiresAt) - before - 60_000) < 10_000)

  const opened = await open(made.url)
  t.equal(opened.statusCode, 200)
  t.equal(opened.body, 'some text')
  t.match(opened.headers, { 'content-type': /^text\/plain/, 'cache-control': 'private, no-cache', 'referrer-policy': 'no-referrer', 'content-disposition': /^inline;/, 'cross-origin-resource-policy': 'cross-origin', 'x-content-type-options': 'nosniff' })
  t.match(await open(made.url, { range: 'bytes=5-' }), { statusCode: 206, body: 'text', headers: { 'content-range': 'bytes 5-8/9' } })
  t.match(await open(made.url, { 'if-none-match': String(opened.headers.etag) }), { statusCode: 304, body: '' })
  t.match(await open(made.url, {}, 'HEAD'), { statusCode: 200, body: '', headers: { 'content-length': '9' } })
  t.match(await open(`${made.url}?download=true`), { headers: { 'content-disposition': /^attachment;/ } })
  const bare = made.url.slice(0, made.url.lastIndexOf('/'))
  t.equal((await open(bare)).body, 'some text', 'the name may be left off')
  t.equal((await open(`${bare}/another-name.exe`)).headers['content-disposition'], opened.headers['content-disposition'], 'and says nothing')
  t.equal((await open(made.url, { authorization: 'Bearer nonsense' })).body, 'some text', 'who asks does not matter')
  t.equal((await app.inject({ url: `/api/attachments/${id}/content` })).statusCode, 404, 'the attachment itself is as private as before')
  t.equal((await app.inject({ method: 'DELETE', url: made.url.replace(publicUrl, '') })).statusCode, 405)
})

test('a link lasts an hour unless it is said, seven days at most, and may ask to save', async (t) => {
  const { as, attach, link, open } = await withFiles(t)
  const ada = await as('ada')
  const { id } = await attach('ada')
  const usual = await link(id, ada)
  t.equal(Date.parse(usual.json().expiresAt) - Date.parse(usual.json().createdAt), 3_600_000)
  t.equal((await link(id, ada, { expiresIn: 604_800 })).statusCode, 201)
  for (const wrong of [{ expiresIn: 604_801 }, { expiresIn: 0 }, { expiresIn: -1 }, { expiresIn: 1.5 }, { expiresIn: '60' }, { expires: 60 }, { download: 'yes' }, []]) {
    t.match((await link(id, ada, wrong)).json(), { status: 400, code: 'REQUEST_INVALID' }, JSON.stringify(wrong))
  }
  const saving = (await link(id, ada, { download: true })).json()
  t.match(saving.url, /\/notes\.txt\?download=true$/)
  t.match((await open(saving.url)).headers, { 'content-disposition': /^attachment;/ })
})

test('a request without a body makes a link as usual', async (t) => {
  const { app, as, attach, open } = await withFiles(t)
  const { id } = await attach('ada')
  const answer = await app.inject({ method: 'POST', url: `/api/attachments/${id}/links`, headers: await as('ada') })
  t.equal(answer.statusCode, 201)
  t.equal((await open(answer.json().url)).statusCode, 200)
})

test('links are made, listed and revoked by the owner and by services; for all others there is no such attachment', async (t) => {
  const { app, as, attach, link, open } = await withFiles(t)
  const [ada, bob, chat] = [await as('ada'), await as('bob'), await as('chat', 'uploads:service')]
  const [{ id }, other] = [await attach('ada'), await attach('ada')]
  await app.inject({ method: 'PATCH', url: `/api/attachments/${id}`, headers: ada, payload: { visibility: 'public', readers: ['bob'] } })
  const [first, second] = [(await link(id, ada)).json(), (await link(id, chat)).json()]
  const list = async (headers: Record<string, string>) => (await app.inject({ url: `/api/attachments/${id}/links`, headers })).json()
  const revoke = async (linkId: string, headers: Record<string, string>, of = id) => app.inject({ method: 'DELETE', url: `/api/attachments/${of}/links/${linkId}`, headers })

  t.strictSame(await list(ada), { links: [second, first] }, 'the newest first, with their URLs')
  t.match(second, { creatorId: 'chat' })
  t.match((await link(id, bob)).json(), { status: 404, code: 'ATTACHMENT_NOT_FOUND' }, 'a reader does not hand out')
  t.match(await list(bob), { status: 404, code: 'ATTACHMENT_NOT_FOUND' })
  t.match((await revoke(first.id, bob)).json(), { status: 404, code: 'ATTACHMENT_NOT_FOUND' })
  t.match((await link('019ab111-1111-7111-8111-111111111111', ada)).json(), { status: 404, code: 'ATTACHMENT_NOT_FOUND' })
  for (const [method, url] of [['POST', `/api/attachments/${id}/links`], ['GET', `/api/attachments/${id}/links`], ['DELETE', `/api/attachments/${id}/links/${first.id}`], ['POST', '/api/attachments/links']] as const) {
    t.match((await app.inject({ method, url })).json(), { status: 401, code: 'TOKEN_MISSING' }, `${method} ${url}`)
  }

  t.match((await revoke(first.id, ada, other.id)).json(), notFound, 'not by way of another attachment')
  t.equal((await open(first.url)).statusCode, 200)
  t.equal((await revoke(first.id, chat)).statusCode, 204)
  t.match((await open(first.url)).json(), notFound)
  t.match((await revoke(first.id, ada)).json(), notFound)
  t.match((await revoke('nonsense', ada)).json(), notFound)
  t.equal((await open(second.url)).statusCode, 200, 'the other stands')
  t.strictSame(await list(ada), { links: [second] })
})

test('what is wrong with a link, nobody learns: all that do not open answer alike', async (t) => {
  const clock = { at: Date.now() }
  const { app, as, attach, link, open } = await withFiles(t, {}, { now: () => new Date(clock.at) })
  const ada = await as('ada')
  const urlOf = async (expiresIn: number) => {
    const { id } = await attach('ada')
    return (await link(id, ada, { expiresIn })).json() as { url: string, id: string, attachmentId: string }
  }
  const [expired, revoked, deleted, ending] = [await urlOf(10), await urlOf(3600), await urlOf(3600), await urlOf(3600)]
  await app.inject({ method: 'DELETE', url: `/api/attachments/${revoked.attachmentId}/links/${revoked.id}`, headers: ada })
  await app.inject({ method: 'DELETE', url: `/api/attachments/${deleted.attachmentId}`, headers: ada })
  await app.inject({ method: 'PATCH', url: `/api/attachments/${ending.attachmentId}`, headers: ada, payload: { expiresAt: new Date(clock.at + 5000).toISOString() } })
  t.equal((await open(expired.url)).statusCode, 200)
  clock.at += 10_000
  const token = revoked.url.split('/')[5] ?? ''
  const forged = `${publicUrl}/api/links/${token.slice(0, -1)}${token.endsWith('A') ? 'B' : 'A'}/notes.txt`
  const swapped = `${publicUrl}/api/links/${token.slice(0, 40)}${(deleted.url.split('/')[5] ?? '').slice(40)}/notes.txt`
  for (const url of [expired.url, revoked.url, deleted.url, ending.url, forged, swapped, `${publicUrl}/api/links/x`, `${publicUrl}/api/links/${'A'.repeat(72)}/a`]) {
    const answer = await open(url)
    t.match(answer.json(), notFound, url)
    t.equal(answer.headers['cache-control'], 'no-store')
    t.strictSame(Object.keys(answer.json()).sort(), ['code', 'detail', 'requestId', 'status', 'title', 'type'])
  }
  t.equal((await app.inject({ method: 'POST', url: `/api/attachments/${deleted.attachmentId}/restore`, headers: await as('root', 'uploads:admin') })).statusCode, 200)
  t.equal((await open(deleted.url)).statusCode, 200, 'what comes back from the trash comes back with its links')
})

test('links to many attachments are made at once; what may not be handed out is named, whyever', async (t) => {
  const { app, as, attach, open } = await withFiles(t)
  const [one, two, bobs, gone] = [await attach('ada', { bytes: 'one' }), await attach('ada', { bytes: 'two' }), await attach('bob'), await attach('ada')]
  await app.inject({ method: 'DELETE', url: `/api/attachments/${gone.id}`, headers: await as('ada') })
  const post = async (payload: object, headers: Record<string, string>) => app.inject({ method: 'POST', url: '/api/attachments/links', headers, payload })
  const answer = await post({ ids: [two.id, bobs.id, one.id, 'nonsense', two.id, gone.id], expiresIn: 60 }, await as('ada'))
  t.equal(answer.statusCode, 201)
  const { links, missing } = answer.json()
  t.strictSame(links.map(({ attachmentId }: { attachmentId: string }) => attachmentId), [two.id, one.id])
  t.strictSame(missing, [bobs.id, 'nonsense', gone.id])
  t.strictSame(await Promise.all(links.map(async ({ url }: { url: string }) => (await open(url)).body)), ['two', 'one'])
  t.equal(await app.database.client.link.count(), 2)

  t.strictSame((await post({ ids: [bobs.id] }, await as('ada'))).json(), { links: [], missing: [bobs.id] })
  t.equal((await post({ ids: [bobs.id, one.id], download: true }, await as('chat', 'uploads:service'))).json().links.length, 2)
  const many = Array.from({ length: 200 }, (_, index) => `none-${index}`)
  t.equal((await post({ ids: many }, await as('ada'))).json().missing.length, 200)
  for (const wrong of [{}, { ids: [] }, { ids: [...many, 'one more'] }, { ids: [5] }, { ids: one.id }]) {
    t.match((await post(wrong, await as('ada'))).json(), { status: 400, code: 'REQUEST_INVALID' })
  }
})

test('a thousand links to one attachment may stand, and no more', async (t) => {
  const { app, as, attach, link } = await withFiles(t)
  const ada = await as('ada')
  const [{ id }, other] = [await attach('ada'), await attach('ada')]
  const [createdAt, expiresAt] = [new Date(), new Date(Date.now() + 3_600_000)]
  const row = (linkId: string) => ({ id: linkId, attachmentId: id, creatorId: 'ada', createdAt, expiresAt })
  await app.database.client.link.createMany({ data: [...Array.from({ length: 999 }, (_, index) => row(`0199a1b2-0000-7000-8000-${String(index).padStart(12, '0')}`)), { ...row('expired'), expiresAt: createdAt }, { ...row('revoked'), revokedAt: createdAt }] })
  const headers = { ...ada, 'idempotency-key': 'the-last-one' }
  const last = (await link(id, headers)).json()
  t.match(last, { attachmentId: id })
  const refused = { status: 409, code: 'LINKS_EXCEEDED', detail: 'There are 1000 links to this attachment, the most there may be; use one of them, or revoke one.' }
  t.match((await link(id, ada)).json(), refused)
  t.strictSame((await link(id, headers)).json(), last, 'who asks again for the last one gets it')
  const many = await app.inject({ method: 'POST', url: '/api/attachments/links', headers: ada, payload: { ids: [id, other.id] } })
  t.match(many.json(), { links: [{ attachmentId: other.id }], missing: [id] }, 'the others get theirs')
  t.equal((await app.inject({ url: `/api/attachments/${id}/links`, headers: ada })).json().links.length, 1000)
  t.match((await link(id, await as('eve'))).json(), { code: 'ATTACHMENT_NOT_FOUND' }, 'of which nobody else learns')
  await app.inject({ method: 'DELETE', url: `/api/attachments/${id}/links/${last.id}`, headers: ada })
  t.equal((await link(id, ada)).statusCode, 201)
})

test('a repeated request makes no second link, nor does one of fifty at once', async (t) => {
  const { app, as, attach, link } = await withFiles(t)
  const { id } = await attach('ada')
  const headers = { ...await as('ada'), 'idempotency-key': 'share-1' }
  const answers = await Promise.all(Array.from({ length: 50 }, () => link(id, headers, { expiresIn: 60 })))
  t.equal(new Set(answers.map(({ statusCode, body }) => `${statusCode} ${body}`)).size, 1)
  t.equal(answers[0]?.statusCode, 201)
  t.equal(await app.database.client.link.count(), 1)
  t.match((await link(id, headers, { expiresIn: 61 })).json(), { status: 422, code: 'IDEMPOTENCY_KEY_REUSED' })
  const many = { method: 'POST', url: '/api/attachments/links', headers: { ...headers, 'idempotency-key': 'share-2' }, payload: { ids: [id, 'none'] } } as const
  const [first, second] = [await app.inject(many), await app.inject(many)]
  t.equal(second.body, first.body)
  t.equal(second.headers['idempotency-replayed'], 'true')
  t.equal(await app.database.client.link.count(), 2)
})

test('what was answered to who made a link goes with them', async (t) => {
  const { app, as, attach, link } = await withFiles(t)
  const { id } = await attach('ada')
  const chat = { ...await as('chat', 'uploads:service'), 'idempotency-key': 'one' }
  t.equal((await link(id, chat)).statusCode, 201)
  const many = { method: 'POST', url: '/api/attachments/links', headers: { ...chat, 'idempotency-key': 'many' }, payload: { ids: [id] } } as const
  t.equal((await app.inject(many)).statusCode, 201)
  t.equal((await app.inject({ method: 'DELETE', url: '/api/users/chat/uploads', headers: await as('root', 'uploads:admin') })).statusCode, 200)
  t.same((await app.database.client.answer.findMany()).filter(({ body }) => body.includes('chat')), [])
})

test('links survive a restart and a change of secrets for as long as theirs is among them', async (t) => {
  const [old, fresh] = ['an old secret that is long enough to be one', 'a new secret that is long enough to be one']
  const first = await withFiles(t, { LINK_SECRET: old })
  const { id } = await first.attach('ada')
  const ada = await first.as('ada')
  const { url } = (await first.link(id, ada)).json()
  await first.app.close()
  const rotating = await withFiles(t, { UPLOADS_DIR: first.folder, LINK_SECRET: `${fresh},${old}` })
  t.equal((await rotating.open(url)).body, 'some text')
  const newer = (await rotating.link(id, ada)).json().url
  await rotating.app.close()
  const rotated = await withFiles(t, { UPLOADS_DIR: first.folder, LINK_SECRET: fresh })
  t.match((await rotated.open(url)).json(), notFound)
  t.equal((await rotated.open(newer)).body, 'some text')
  await rotated.app.close()

  const generated = await withFiles(t, { UPLOADS_DIR: first.folder })
  const kept = (await generated.link(id, ada)).json().url
  await generated.app.close()
  t.equal((await (await withFiles(t, { UPLOADS_DIR: first.folder })).open(kept)).body, 'some text', 'also with the secret that was made beside the database')
})

test('a link shows what the attachment is now: another name, and nothing of who was erased', async (t) => {
  const { app, as, attach, link, open } = await withFiles(t)
  const [ada, admin] = [await as('ada'), await as('root', 'uploads:admin')]
  const { id } = await attach('ada')
  const { url } = (await link(id, ada)).json()
  await app.inject({ method: 'PATCH', url: `/api/attachments/${id}`, headers: ada, payload: { filename: 'other.txt' } })
  t.match((await open(url)).headers['content-disposition'], /other\.txt/)
  t.match((await app.inject({ url: `/api/attachments/${id}/links`, headers: ada })).json().links[0].url, /\/other\.txt$/)
  t.equal((await app.inject({ method: 'DELETE', url: '/api/users/ada/uploads', headers: admin })).statusCode, 200)
  t.match((await open(url)).json(), notFound)
  t.equal(await app.database.client.link.count(), 0)
})

test('a name that no path can end in is left out, and one that is not well-formed does no harm', async (t) => {
  const gateway = await withFiles(t)
  const { app, as, attach, link } = gateway
  const { id } = await attach('ada')
  for (const [filename, end] of [['..', '/file'], ['', '/file'], ['a/b.txt', '/a%2Fb.txt'], ['x\ud800.txt', '/x%EF%BF%BD.txt']] as const) {
    await app.database.client.attachment.update({ where: { id }, data: { filename } })
    const { url } = (await link(id, await as('ada'))).json()
    t.ok(url.endsWith(end), url)
    t.equal((await gateway.open(url)).statusCode, 200)
  }
})

test('links that have expired leave no rows', async (t) => {
  const { app, as, attach, link } = await withFiles(t)
  const { id } = await attach('ada')
  await link(id, await as('ada'), { expiresIn: 1 })
  await link(id, await as('ada'), { expiresIn: 100 })
  const { client } = app.database
  const records = createLinkRecords({ client, now: () => new Date(Date.now() + 50_000) })
  t.equal(await records.removeExpired(), 1)
  t.equal(await records.removeExpired(), 0)
  t.equal(await client.link.count(), 1)
})

test('a link that could not be recorded is not handed out', async (t) => {
  const { app, attach } = await withFiles(t)
  const { id } = await attach('ada')
  const row = await app.database.client.attachment.findUniqueOrThrow({ where: { id }, include: { blob: true } })
  const failing = createLinkRecords({ client: app.database.client, now: () => new Date() })
  const links = createLinks({
    attachments: { represent: () => { throw new Error('not asked') } },
    rows: { find: async () => ({ ...row, id: 'gone meanwhile' }), findAll: async () => [] },
    records: failing, signer: createSigner(['a secret of the tests that is long enough']), publicUrl, now: () => new Date(),
  })
  await t.rejects(links.create({ id: 'ada' as never, scopes: new Set() }, id, { expiresIn: 60 }), { code: 'DATABASE_UNAVAILABLE' })
})
