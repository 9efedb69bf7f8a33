import BetterSqlite3 from 'better-sqlite3'
import t from 'tap'
import { toRows } from '../../src/records/adopt.ts'
import { openBulk } from '../../src/records/bulk.ts'
import { newBlobId } from '../../src/storage/ids.ts'
import { sidecarFor } from '../storage/fixtures/volume.ts'
import { sqliteFor, keep } from './fixtures/database.ts'

t.test('a row is stored exactly as Prisma stores it', async (t) => {
  const { client, file } = await sqliteFor(t)
  const due = new Date('2026-11-22T12:00:00.123Z')
  const one = () => sidecarFor('x', { id: newBlobId(), kind: 'attachment', recordId: newBlobId(), filename: 'ä.pdf', visibility: 'public', state: 'deleted', stateAt: '2026-11-21T10:00:00.007Z', createdAt: '2026-11-20T00:00:00.000Z', contextType: 'message', source: 'system-m:/uploads/a', sourceSha256: 'ab', epoch: 2, size: 2 ** 40, aliases: [] })
  const [byPrisma, byBulk] = [one(), one()]
  const bulk = openBulk(file)
  bulk.insert([toRows(byBulk, due)])
  bulk.close()
  await keep(client, byPrisma)
  await client.blob.update({ where: { id: byPrisma.id }, data: { sidecarDueAt: due } })
  await client.attachment.updateMany({ where: { blobId: byPrisma.id }, data: { deletedAt: new Date(byPrisma.stateAt) } })
  const connection = new BetterSqlite3(file, { readonly: true })
  t.teardown(() => connection.close())
  const stored = (sql: string, id: string) => JSON.stringify(connection.prepare(sql).raw().get(id)).replaceAll(byPrisma.id, 'blob').replaceAll(byBulk.id, 'blob').replaceAll(byPrisma.recordId ?? '', 'record').replaceAll(byBulk.recordId ?? '', 'record')
  for (const sql of ['SELECT *, typeof(size), typeof(stateAt) FROM Blob WHERE id = ?', 'SELECT * FROM Attachment WHERE blobId = ?']) t.equal(stored(sql, byBulk.id), stored(sql, byPrisma.id))
})

t.test('all of a batch or none', async (t) => {
  const { client, file } = await sqliteFor(t)
  const bulk = openBulk(file)
  t.teardown(() => bulk.close())
  const twice = toRows(sidecarFor('x', { aliases: ['/i/a'] }), null)
  t.throws(() => bulk.insert([toRows(sidecarFor('x'), null), twice, twice]), { code: 'SQLITE_CONSTRAINT_PRIMARYKEY' })
  t.equal(await client.blob.count(), 0)
  bulk.insert([twice])
  t.equal(await client.alias.count(), 1)
})
