import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { dropBlobs, dropErasedAccounts, erasedIn, faultsIn, openSnapshot, settleInOneFile, takeSnapshot } from '../../src/records/snapshot.ts'
import { createKeyedHash } from '../../src/storage/keyed-hash.ts'
import { newBlobId } from '../../src/storage/ids.ts'
import { sidecarFor } from '../storage/fixtures/volume.ts'
import { databaseFor, keep } from './fixtures/database.ts'

const hash = createKeyedHash('a volume')
const erasure = (owner: string, epoch: number) => ({ id: `${owner} ${epoch}`, epoch, owner: hash('owner', owner), volume: '', at: '' })

t.test('a snapshot is the database at one moment, in one file, while others write', async (t) => {
  const { client, file } = await databaseFor(t)
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
  const { client, file } = await databaseFor(t)
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

t.test('uploads after the erasure are not erased by it', async (t) => {
  const { client, file } = await databaseFor(t)
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
