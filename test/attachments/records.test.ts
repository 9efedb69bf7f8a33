import { test } from 'tap'
import { createAttachmentRecords } from '../../src/attachments/records.ts'
import { createOwners } from '../../src/records/owners.ts'
import { build, multipart } from '../helper.ts'

async function oneAttachment (t: Parameters<typeof build>[0]) {
  const { app, as } = await build(t)
  const { payload, headers } = await multipart([['file', { bytes: 'x', filename: 'x.txt' }]])
  await app.inject({ method: 'POST', url: '/api/attachments', headers: { ...headers, ...await as('ada') }, payload })
  const records = createAttachmentRecords({ client: app.database.client, owners: createOwners({ client: app.database.client, hash: app.storage.hash }), now: () => new Date() })
  const row = await app.database.client.attachment.findFirstOrThrow({ include: { blob: true } })
  return { app, records, row }
}

test('of a change and a delete at once, the delete wins, and nothing of the change is kept', async (t) => {
  const { app, records, row } = await oneAttachment(t)
  t.equal(await records.remove(row), true)
  t.equal(await records.remove(row), false)
  t.equal(await records.change(row, { alt: 'late' }), null)
  const { blob, alt } = await app.database.client.attachment.findFirstOrThrow({ include: { blob: true } })
  t.match({ alt, state: blob.state, revision: blob.revision }, { alt: null, state: 'deleted', revision: 2 })
})

test('a database that is gone is said to be unavailable, with the cause', async (t) => {
  const { app, records, row } = await oneAttachment(t)
  await app.database.client.$executeRaw`ALTER TABLE "Attachment" RENAME TO "Elsewhere"`
  await t.rejects(records.remove(row), { code: 'DATABASE_UNAVAILABLE', cause: Error })
  await t.rejects(records.list({ ownerId: 'ada' as never, limit: 1 }), { code: 'DATABASE_UNAVAILABLE' })
})

test('of a restore and a purge at once, whichever comes first wins', async (t) => {
  const { app, records, row } = await oneAttachment(t)
  const { client } = app.database
  await records.remove(row)
  await client.blob.update({ where: { id: row.blobId }, data: { state: 'purging' } })
  t.equal(await records.findDeleted(row.id), null)
  t.equal(await records.restore(row), false)
  t.not((await client.attachment.findFirstOrThrow()).deletedAt, null, 'all of it or nothing')
  await client.blob.update({ where: { id: row.blobId }, data: { state: 'deleted' } })
  t.match(await records.findDeleted(row.id), { id: row.id })
  t.strictSame((await Promise.all([records.restore(row), records.restore(row)])).sort(), [false, true])
  t.match(await records.find(row.id), { deletedAt: null, blob: { state: 'live', revision: 3 } })
})
