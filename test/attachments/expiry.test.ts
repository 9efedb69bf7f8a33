import { test, type Test } from 'tap'
import { expiryIn } from '../../src/attachments/expiry.ts'
import { createAttachmentRecords } from '../../src/attachments/records.ts'
import { createAttachments } from '../../src/attachments/service.ts'
import { createOwners } from '../../src/records/owners.ts'
import { createSettling } from '../../src/records/sidecars.ts'
import { build, multipart } from '../helper.ts'

const hour = 3_600_000

async function place (t: Test) {
  // The clock of the gateway: tokens keep their own.
  let at = new Date()
  const now = () => at
  const gateway = await build(t, {}, { now })
  const { app, as } = gateway
  const { database: { client }, storage: { store, hash } } = app
  const settling = createSettling({ client, store, now })
  const records = createAttachmentRecords({ client, now, owners: createOwners({ client, hash }) })
  const headers = await as('ada')
  return {
    ...gateway, client, headers, settling, records, store, now,
    service: createAttachments({ store, settling, now, records }),
    pass: (ms: number) => { at = new Date(at.getTime() + ms) },
    inMs: (ms: number) => new Date(at.getTime() + ms).toISOString(),
    upload: (query: string) => app.inject({ method: 'POST', url: `/api/attachments${query}`, payload: 'hello', headers: { ...headers, 'content-type': 'text/plain' } }),
    get: (path: string, as = headers) => app.inject({ url: path, headers: as }),
    patch: (id: string, payload: object) => app.inject({ method: 'PATCH', url: `/api/attachments/${id}`, payload, headers }),
  }
}

test('an attachment is gone at its time, and goes to the trash with its sidecar', async (t) => {
  const { upload, get, as, client, service, pass, inMs, files, read, patch, app, headers } = await place(t)
  const expiresAt = inMs(hour)
  const { attachments: [{ id }] } = (await upload(`?expiresAt=${expiresAt}&visibility=public`)).json()
  const sidecar = async () => JSON.parse(await read((await files()).find((path) => path.endsWith('.json') && path.includes('attachment')) ?? ''))
  t.match(await sidecar(), { expiresAt, state: 'live' })
  t.match((await get(`/api/attachments/${id}`)).json(), { expiresAt })
  t.equal(await service.expire(), 0, 'not before')
  pass(hour)
  for (const path of [`/api/attachments/${id}`, `/api/attachments/${id}/content`, `/api/attachments/${id}/preview`]) {
    for (const who of [headers, await as('svc', 'uploads:service')]) t.match((await get(path, who)).json(), { code: 'ATTACHMENT_NOT_FOUND' }, path)
  }
  t.strictSame((await get('/api/attachments')).json().attachments, [])
  t.strictSame((await get(`/api/attachments?ids=${id}`)).json().attachments, [])
  t.equal((await patch(id, { expiresAt: null })).statusCode, 404, 'it cannot be called back')
  t.equal((await app.inject({ method: 'DELETE', url: `/api/attachments/${id}`, headers })).statusCode, 404)
  t.match(await client.attachment.findUnique({ where: { id } }), { deletedAt: null }, 'though nobody has moved it yet')
  t.equal(await service.expire(), 1)
  t.match(await client.attachment.findUnique({ where: { id }, include: { blob: true } }), { deletedAt: Date, blob: { state: 'deleted', sidecarDueAt: null } })
  t.match(await sidecar(), { state: 'deleted' })
  t.equal(await service.expire(), 0)
})

test('an older client\'s path to an expired attachment shows nothing', async (t) => {
  const { upload, client, service, pass, inMs } = await place(t)
  const { attachments: [{ id }] } = (await upload(`?expiresAt=${inMs(hour)}&visibility=public`)).json()
  const { blobId } = await client.attachment.findUniqueOrThrow({ where: { id } })
  await client.alias.create({ data: { path: '/uploads/old.txt', blobId } })
  t.ok(await service.behind(null, '/uploads/old.txt'))
  pass(hour)
  t.equal(await service.behind(null, '/uploads/old.txt'), undefined)
})

test('an admin brings it back for good; one that has time left keeps its time', async (t) => {
  const { upload, get, as, app, service, pass, inMs, headers } = await place(t)
  const admin = await as('ops', 'uploads:admin')
  const restore = (id: string) => app.inject({ method: 'POST', url: `/api/attachments/${id}/restore`, headers: admin })
  const { attachments: [{ id }] } = (await upload(`?expiresAt=${inMs(hour)}`)).json()
  const later = inMs(9 * hour)
  const { attachments: [{ id: other }] } = (await upload(`?expiresAt=${later}`)).json()
  await app.inject({ method: 'DELETE', url: `/api/attachments/${other}`, headers })
  pass(2 * hour)
  await service.expire()
  t.match((await restore(id)).json(), { id, expiresAt: null })
  t.match((await restore(other)).json(), { expiresAt: later })
  t.equal(await service.expire(), 0)
  t.equal((await get(`/api/attachments/${id}/content`)).body, 'hello')
})

test('an admin brings it back also when nobody has moved it to the trash yet', async (t) => {
  const { upload, get, as, app, service, pass, inMs, files, read } = await place(t)
  const { attachments: [{ id }] } = (await upload(`?expiresAt=${inMs(hour)}`)).json()
  const restore = async () => app.inject({ method: 'POST', url: `/api/attachments/${id}/restore`, headers: await as('ops', 'uploads:admin') })
  pass(hour)
  t.equal((await get(`/api/attachments/${id}`)).statusCode, 404)
  t.match((await restore()).json(), { id, expiresAt: null })
  t.equal((await get(`/api/attachments/${id}/content`)).body, 'hello')
  const sidecar = (await files()).find((path) => path.endsWith('.json') && path.includes('attachment')) ?? ''
  t.match(JSON.parse(await read(sidecar)), { state: 'live', expiresAt: null })
  t.match((await restore()).json(), { id }, 'and again, which changes nothing')
  pass(9 * hour)
  t.equal(await service.expire(), 0)
})

test('all that have expired go at once, however many, unless the gateway stops', async (t) => {
  const { upload, get, pass, inMs, client, records, settling, store, now } = await place(t)
  // Of most there is only the row.
  const service = createAttachments({ store, records, now, settling: { ...settling, settle: async () => {} } })
  const expiresAt = inMs(hour)
  for (let index = 0; index < 5; index++) await upload(`?expiresAt=${expiresAt}`)
  const [blob, attachment] = [await client.blob.findFirstOrThrow(), await client.attachment.findFirstOrThrow()]
  const ids = Array.from({ length: 600 }, (_, index) => `0199a1b2-0000-7000-8000-${String(index).padStart(12, '0')}`)
  await client.blob.createMany({ data: ids.map((id) => ({ ...blob, id })) })
  await client.attachment.createMany({ data: ids.map((id) => ({ ...attachment, id, blobId: id })) })
  pass(hour)
  t.equal(await service.expire(AbortSignal.abort()), 0)
  t.match((await get('/api/usage')).json(), { files: 605 })
  t.equal(await service.expire(new AbortController().signal), 605)
  t.match((await get('/api/usage')).json(), { bytes: 0, files: 0 })
  t.equal(await client.blob.count({ where: { state: 'deleted' } }), 605)
})

test('the time is changed and cleared, and what has time again stays', async (t) => {
  const { upload, patch, service, pass, inMs, client, records, settling, store, now } = await place(t)
  const { attachments: [{ id, expiresAt: none }] } = (await upload('')).json()
  t.equal(none, null)
  const soon = inMs(hour)
  t.match((await patch(id, { expiresAt: soon })).json(), { expiresAt: soon })
  t.match((await patch(id, { alt: 'a word' })).json(), { expiresAt: soon, alt: 'a word' }, 'what is not named stays')
  pass(hour - 1)
  t.match((await patch(id, { expiresAt: null })).json(), { expiresAt: null })
  pass(hour)
  t.equal(await service.expire(), 0)
  await patch(id, { expiresAt: inMs(hour) })
  pass(hour)
  const meddled = createAttachments({
    store, settling, now, records: {
      ...records, expired: async (limit: number) => {
        const rows = await records.expired(limit)
        await client.attachment.update({ where: { id }, data: { expiresAt: new Date(now().getTime() + hour) } })
        return rows
      }
    }
  })
  t.equal(await meddled.expire(), 1)
  t.match(await client.attachment.findUnique({ where: { id }, include: { blob: true } }), { deletedAt: null, blob: { state: 'live' } })
})

test('a time that is none, has passed or lies far off is refused, and nothing is kept', async (t) => {
  const { upload, patch, inMs, files, app, headers } = await place(t)
  const { attachments: [{ id }] } = (await upload('')).json()
  const before = await files()
  const wrong = [inMs(-1000), inMs(0), inMs(11 * 366 * 24 * hour), '2030-02-30T00:00:00Z', '2030-01-01T00:00:00', '2030-01-01', 'tomorrow', '1893456000', '']
  for (const expiresAt of wrong) {
    const form = await multipart([['expiresAt', expiresAt], ['file', { bytes: 'hello', filename: 'a.txt' }]])
    const posted = await app.inject({ method: 'POST', url: '/api/attachments', ...form, headers: { ...form.headers, ...headers } })
    t.equal(posted.statusCode, 400, `"${expiresAt}" in a form`)
    const detail = /^must be a time in the future, at most 10 years from now, with its time zone, as in 2\d{3}-/
    t.match(posted.json(), { code: 'UPLOAD_FIELD_INVALID', detail: /expiresAt must be a time in the future, at most 10 years/, errors: [{ in: 'form', name: 'expiresAt', detail }] })
    const patched = await patch(id, { expiresAt })
    t.match(patched.json(), { code: 'REQUEST_INVALID', detail: /body \/expiresAt must be a time in the future/, errors: [{ in: 'body', name: '/expiresAt', detail }] }, `"${expiresAt}" in a change`)
    t.ok((await upload(`?expiresAt=${encodeURIComponent(expiresAt)}`)).statusCode >= 400, `"${expiresAt}" in the query`)
  }
  t.strictSame(await files(), before)
})

test('a time is taken in any zone, to the millisecond', (t) => {
  const now = new Date('2026-11-23T10:00:00.000Z')
  t.equal(expiryIn('2026-11-23T12:00:00.123456+01:00', now)?.toISOString(), '2026-11-23T11:00:00.123Z')
  t.equal(expiryIn('2026-11-23T11:00:00+01:00', now), undefined, 'that is now')
  t.equal(expiryIn('2036-11-23T10:00:00Z', now)?.toISOString(), '2036-11-23T10:00:00.000Z')
  t.equal(expiryIn('2036-11-23T10:00:01Z', now), undefined)
  t.equal(expiryIn('2027-01-01T25:00:00Z', now), undefined)
  t.equal(expiryIn('2027-13-01T00:00:00Z', now), undefined)
  t.end()
})
