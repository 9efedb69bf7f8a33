import { join } from 'node:path'
import t, { type Test } from 'tap'
import BetterSqlite3 from 'better-sqlite3'
import { openDatabase } from '../../src/records/database.ts'
import { createRowReader, withoutReader } from '../../src/records/row-reader.ts'
import { temporaryFolder } from '../helper.ts'

const at = new Date('2026-11-23T00:00:00.123Z')

const blob = (id: string, changes: object = {}) => ({ id, kind: 'attachment', extension: 'jpg', state: 'live', ownerId: 'ada', creatorId: 'ada', contentType: 'image/jpeg', size: 2n ** 40n, sha256: '0'.repeat(64), stateAt: at, createdAt: at, ...changes })

const attachment = (id: string, changes: object = {}) => ({ id, blobId: `blob of ${id}`, ownerId: 'ada', filename: 'a.jpg', visibility: 'private', createdAt: at, ...changes })

async function build (t: Test) {
  const file = join(await temporaryFolder(t), 'gateway.sqlite')
  const { client, changes, close } = await openDatabase({ address: { kind: 'sqlite', file }, requireMount: false, connections: 1 })
  t.teardown(close)
  if (changes === undefined) return t.bailout('SQLite tells what changes') as never
  return { client, file, reader: changes.reader }
}

t.test('rows are as Prisma gives them', async (t) => {
  const { client, reader } = await build(t)
  const full = { width: 3, height: 4, sidecarDueAt: at, epoch: 7, source: 's', sourceSha256: 'x', thumbhash: 't', metadataRemoved: '', keepsMetadata: true, crop: '0,0,1,1', originalId: 'o', scan: 'clean', scanSignature: 'v' }
  await client.blob.createMany({ data: [blob('blob of plain'), blob('blob of full', full), blob('picture', { kind: 'avatar' })] })
  await client.attachment.createMany({ data: [attachment('plain'), attachment('full', { contextType: 'c', contextId: 'i', alt: 'é', readers: 'bob', readersEpoch: 2, expiresAt: at })] })
  await client.avatar.create({ data: { userId: 'ada', blobId: 'picture' } })
  for (const id of ['plain', 'full']) {
    const wanted = await client.attachment.findUnique({ where: { id }, include: { blob: true } })
    t.ok(wanted)
    t.strictSame(reader.attachment(id), wanted)
  }
  t.strictSame(reader.currentAvatar('ada'), await client.blob.findUnique({ where: { id: 'picture' } }))
  t.equal(reader.currentAvatar('bob'), null)
  t.equal(reader.attachment('none'), null)
  await client.attachment.update({ where: { id: 'plain' }, data: { deletedAt: at } })
  t.equal(reader.attachment('plain'), null, 'deleted')
})

t.test('times that are numbers, as some tools write them, are times', async (t) => {
  const { client, file, reader } = await build(t)
  await client.blob.create({ data: blob('picture', { kind: 'avatar' }) })
  await client.avatar.create({ data: { userId: 'ada', blobId: 'picture' } })
  const other = new BetterSqlite3(file)
  other.prepare('UPDATE Blob SET createdAt = ?').run(BigInt(at.getTime()))
  other.close()
  t.strictSame(reader.currentAvatar('ada')?.createdAt, at)
})

t.test('what a transaction has not committed yet is not read, and Prisma waits for it', async (t) => {
  const { client, reader } = await build(t)
  const failed = client.$transaction(async (transaction) => {
    await transaction.blob.create({ data: blob('blob of x') })
    await transaction.attachment.create({ data: attachment('x') })
    t.equal(reader.attachment('x'), undefined)
    throw new Error('taken back')
  })
  await t.rejects(failed, { message: 'taken back' })
  t.equal(reader.attachment('x'), null)
})

t.test('where it cannot read it says nothing, and tries again', async (t) => {
  const connection = new BetterSqlite3(':memory:')
  t.teardown(() => connection.close())
  const reader = createRowReader(connection)
  t.equal(reader.currentAvatar('ada'), undefined, 'a database of an older version')
  t.equal(withoutReader.attachment('x'), undefined)
  t.equal(withoutReader.currentAvatar('ada'), undefined)
})
