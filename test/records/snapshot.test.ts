import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import BetterSqlite3 from 'better-sqlite3'
import t from 'tap'
import { dropBlobs, dropErasedAccounts, dropErasedMentions, erasedIn, faultsIn, openSnapshot, settleInOneFile, takeSnapshot } from '../../src/records/snapshot.ts'
import { createKeyedHash } from '../../src/storage/keyed-hash.ts'
import { newBlobId } from '../../src/storage/ids.ts'
import { sidecarFor } from '../storage/fixtures/volume.ts'
import { sqliteFor, keep } from './fixtures/database.ts'

const hash = createKeyedHash('a volume')
const erasure = (owner: string, epoch: number) => ({ id: `${owner} ${epoch}`, epoch, owner: hash('owner', owner), volume: '', at: '' })

function column (file: string, query: string): unknown[] {
  const connection = new BetterSqlite3(file, { readonly: true })
  try {
    return connection.prepare(query).pluck().all()
  } finally {
    connection.close()
  }
}

t.test('no snapshot is taken for the database that it was made of: it has no id', async (t) => {
  const { client, file } = await sqliteFor(t)
  await client.setting.createMany({ data: [{ key: 'databaseId', value: 'original' }, { key: 'volumeId', value: 'v' }] })
  const target = join(t.testdir(), 'copy.sqlite')
  takeSnapshot(file, target)
  t.strictSame(column(target, "SELECT key FROM Setting WHERE key LIKE '%Id'"), ['volumeId'])
})

t.test('no snapshot has a secret, not even in what is left of its file', async (t) => {
  const { client, file } = await sqliteFor(t)
  await client.setting.createMany({ data: [{ key: 'secret:jwt.secret', value: 'unheard of' }, { key: 'secretly', value: 'kept' }] })
  const target = join(t.testdir(), 'copy.sqlite')
  takeSnapshot(file, target)
  t.strictSame(column(target, "SELECT key FROM Setting WHERE key LIKE 'secret%'"), ['secretly'])
  t.notMatch(readFileSync(target, 'latin1'), 'unheard of')
})

t.test('a snapshot is the database at one moment, in one file, while others write', async (t) => {
  const { client, file } = await sqliteFor(t)
  const sidecar = sidecarFor('text', { kind: 'attachment', recordId: 'a', filename: 'x', visibility: 'private', aliases: ['/i/x'] })
  await keep(client, sidecar)
  await keep(client, sidecarFor('out', { state: 'deleted' }))
  await client.blob.updateMany({ where: { state: 'deleted' }, data: { state: 'purging' } })
  const target = join(t.testdir(), 'copy.sqlite')
  takeSnapshot(file, target)
  await keep(client, sidecarFor('later'))
  t.same(faultsIn(target), [])
  const snapshot = openSnapshot(target)
  const { id, kind, extension, state, ownerId, size, sha256, revision, epoch } = sidecar
  t.same([...snapshot.rows()], [{ id, kind, extension, state, ownerId, size, sha256, revision, epoch }], 'without what is on its way out')
  t.same(snapshot.totals(), { blobs: 1, bytes: 4 })
  t.same([...snapshot.known([id, newBlobId()])], [id])
  t.same([...snapshot.known(Array.from({ length: 1001 }, newBlobId))], [])
  snapshot.close()
  t.throws(() => takeSnapshot(file, target), 'a file that is there is not overwritten')
})

t.test('what is dropped leaves no trace in the file', async (t) => {
  const { client, file } = await sqliteFor(t)
  const secret = sidecarFor('text', { kind: 'attachment', recordId: 'a', filename: 'the-secret-name', visibility: 'private', aliases: ['/i/secret-path'] })
  await keep(client, secret)
  await keep(client, sidecarFor('kept', { ownerId: 'eve' }))
  await client.account.create({ data: { id: 'ada', email: 'ada@example.org', displayName: 'Ada', passwordHash: '', createdAt: new Date(), updatedAt: new Date() } })
  const target = join(t.testdir(), 'copy.sqlite')
  takeSnapshot(file, target)
  t.same([...erasedIn(target, [erasure('ada', 1), erasure('ada', 3), erasure('ada', 2)], hash)], [secret.id])
  t.same([...erasedIn(target, [erasure('bob', 1)], hash)], [])
  t.same([...erasedIn(target, [], hash)], [])
  dropBlobs(target, [])
  dropBlobs(target, [secret.id])
  t.equal(dropErasedAccounts(target, [], hash), 0)
  t.equal(dropErasedAccounts(target, [erasure('bob', 1)], hash), 0)
  t.equal(dropErasedAccounts(target, [erasure('ada', 1)], hash), 1)
  settleInOneFile(target)
  const bytes = readFileSync(target)
  for (const text of ['the-secret-name', 'secret-path', 'ada@example.org']) t.notOk(bytes.includes(text), text)
  const snapshot = openSnapshot(target)
  t.match([...snapshot.rows()], [{ ownerId: 'eve' }])
  snapshot.close()
})

t.test('what passes within a day is in no snapshot', async (t) => {
  const { client, file } = await sqliteFor(t)
  const at = new Date()
  const common = { createdAt: at, expiresAt: at }
  await client.answer.create({ data: { key: 'k', fingerprint: 'f', status: 201, headers: '{}', body: 'the-secret-answer', ownerKeys: '', epoch: 0, createdAt: at } })
  await client.resumable.create({ data: { id: 'u', ownerId: 'ada', creatorId: 'the-secret-creator', scopes: '[]', kind: 'attachment', state: 'receiving', metadata: 'the-secret-metadata', blobId: 'b', recordId: 'c', erasureEpoch: 0, ...common } })
  await client.segment.create({ data: { id: 'u/0-1', uploadId: 'u', start: 0, bytes: 1 } })
  const target = join(t.testdir(), 'copy.sqlite')
  takeSnapshot(file, target)
  t.notOk(readFileSync(target).includes('the-secret-'))
  t.same(faultsIn(target), [])
  t.equal(await client.segment.count(), 1, 'all of which stays where it is')
})

t.test('erased users are taken out of what is kept of others', async (t) => {
  const { client, file } = await sqliteFor(t)
  const attach = async (recordId: string, readers: string, readersEpoch = 0) => {
    const sidecar = sidecarFor(recordId, { kind: 'attachment', recordId, filename: 'x', visibility: 'private' })
    await keep(client, sidecar)
    await client.attachment.update({ where: { id: recordId }, data: { readers, readersEpoch } })
    return sidecar.id
  }
  const [first, second] = [await attach('a', 'bob,eve,kim'), await attach('b', 'eve'), await attach('c', 'eve', 3), await attach('d', 'evelyn')]
  const erasedAt = Date.now()
  const link = (id: string, creatorId: string, after: number) => ({ id, attachmentId: 'a', creatorId, createdAt: new Date(erasedAt + after), expiresAt: new Date() })
  await client.link.createMany({ data: [link('before', 'eve', -1), link('after', 'eve', 1), link('of another', 'bob', -1)] })
  const event = (id: string, type: string, epoch: number, more: object = {}) => ({ id, type, ownerKey: hash('owner', 'eve'), payload: `of ${id}`, epoch, createdAt: new Date(), ...more })
  await client.event.createMany({
    data: [
      event('earlier', 'attachment.created', 2),
      event('given up', 'attachment.created', 2, { deadAt: new Date() }),
      event('erased', 'attachment.erased', 3),
      event('later', 'attachment.created', 3),
      event('of bob', 'attachment.created', 0, { ownerKey: hash('owner', 'bob') }),
    ],
  })
  const erasures = [{ ...erasure('eve', 3), at: new Date(erasedAt).toISOString() }, erasure('eve', 2)]
  const target = join(t.testdir(), 'copy.sqlite')
  takeSnapshot(file, target)
  const told = () => column(target, "SELECT id || iif(payload = '', ', emptied', '') FROM Event ORDER BY seq")

  t.same(dropErasedMentions(target, [], hash), { count: 0, readers: new Map() })
  t.same(dropErasedMentions(target, [erasure('nobody', 9)], hash), { count: 0, readers: new Map() })
  t.same(dropErasedMentions(target, erasures, hash), { count: 5, readers: new Map([[first, ['bob', 'kim']], [second, []]]) })
  t.same(column(target, 'SELECT readers FROM Attachment ORDER BY id'), ['bob,kim', null, 'eve', 'evelyn'])
  t.same(column(target, 'SELECT id FROM Link ORDER BY id'), ['after', 'of another'])
  t.same(told(), ['earlier, emptied', 'erased', 'later', 'of bob'], 'that they were erased is still to be told')
  t.match(dropErasedMentions(target, erasures, hash), { count: 0 }, 'a second time there is nothing to do')
  t.match(dropErasedMentions(target, erasures, hash, { isForGood: true }), { count: 1 })
  t.same(told(), ['earlier, emptied', 'erased, emptied', 'later', 'of bob'])
})

t.test('a snapshot by a version that knew neither readers nor links nor events holds no mentions', async (t) => {
  const folder = t.testdir()
  const [file, target] = [join(folder, 'old.sqlite'), join(folder, 'copy.sqlite')]
  const connection = new BetterSqlite3(file)
  connection.exec('CREATE TABLE Attachment (blobId TEXT)')
  connection.close()
  t.same(dropErasedMentions(file, [erasure('eve', 1)], hash), { count: 0, readers: new Map() })
  takeSnapshot(file, target)
  t.same(faultsIn(target), [])
})

t.test('uploads after the erasure are not erased by it', async (t) => {
  const { client, file } = await sqliteFor(t)
  const later = sidecarFor('later', { epoch: 1 })
  await keep(client, later)
  t.same([...erasedIn(file, [erasure('ada', 1)], hash)], [])
  t.same([...erasedIn(file, [erasure('ada', 2)], hash)], [later.id])
})

t.test('a file that is no database, or none, is said to be so', async (t) => {
  const folder = t.testdir()
  writeFileSync(join(folder, 'text'), 'no database at all, but some text')
  t.match(faultsIn(join(folder, 'text')), [/not a database/])
  t.match(faultsIn(join(folder, 'none')), [/unable to open|does not exist/i])
})
