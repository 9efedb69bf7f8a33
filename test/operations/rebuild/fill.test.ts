import { appendFileSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'
import t, { type Test } from 'tap'
import { silent } from '../../../src/operations/progress.ts'
import { fill } from '../../../src/operations/rebuild/fill.ts'
import { openBulk } from '../../../src/records/bulk.ts'
import { openDeferred } from '../../../src/records/deferred.ts'
import { createImportLeftovers } from '../../../src/records/import-leftovers.ts'
import { nothingJournaled, type OldJournaled } from '../../../src/records/old-journaled.ts'
import { createOwners } from '../../../src/records/owners.ts'
import { createRebuilding } from '../../../src/records/rebuilding.ts'
import { createTombstoneRecords } from '../../../src/records/tombstones.ts'
import { createErasures, ledgerPlaces, volumeHash } from '../../../src/storage/erasures.ts'
import { newBlobId } from '../../../src/storage/ids.ts'
import { encodeSidecar, type Sidecar } from '../../../src/storage/sidecar.ts'
import { tombstonesFor } from '../../../src/storage/tombstones.ts'
import { createDurable } from '../../../src/storage/volume/durable.ts'
import { blobPath, sidecarPath } from '../../../src/storage/volume/layout.ts'
import { createErasureRecords } from '../../../src/users/records.ts'
import { sqliteFor } from '../../records/fixtures/database.ts'
import { openVolume, publish, sidecarFor } from '../../storage/fixtures/volume.ts'

const now = () => new Date('2026-11-22T12:00:00.000Z')

async function setUp (t: Test, { second }: { second?: string } = {}) {
  const volume = await openVolume(t)
  const { root, hash, faults } = volume
  const { client, file } = await sqliteFor(t)
  const bulk = openBulk(file)
  const deferred = openDeferred(`${file}-deferred`)
  t.teardown(() => { for (const one of [bulk, deferred]) one.close() })
  const durable = createDurable({ fs: faults.fs, onSyncFailure: () => {} })
  const erasures = createErasures({ fs: faults.fs, durable, hash, paths: ledgerPlaces(root, second) })
  writeFileSync(join(root, 'erasures.ndjson'), '')
  const storage = { ...volume, erasures }
  const tombstones = createTombstoneRecords({ client, tombstones: volume.tombstones, hash, now })
  const erase = (owner: string, epoch: number) => erasures.append({ id: `${owner}-${epoch}`, epoch, owner: hash('owner', owner), volume: volumeHash(hash), at: now().toISOString() })
  return {
    ...volume, client, erase, durable,
    put: (others: Partial<Sidecar> = {}) => publish(volume.store, 'hello', others),
    fill: (old: Omit<OldJournaled, 'failure'> = nothingJournaled, others: Partial<Parameters<typeof fill>[0]> = {}) => fill({ fs: faults.fs, root, storage, tombstones, progress: silent, old, now, rebuilding: createRebuilding({ client, bulk, now }), deferred, importLeftovers: createImportLeftovers(client), ...others }),
    owners: createOwners({ client, hash }),
  }
}

t.test('who was erased stays erased; what they uploaded since comes back', async (t) => {
  const { put, erase, fill, client, owners } = await setUp(t)
  await put({ epoch: 0 })
  await put({ epoch: 1 })
  const since = await put({ epoch: 2 })
  const others = await put({ ownerId: 'bob' })
  await put({ ownerId: null, state: 'pending' })
  await erase('eve', 1)
  await erase('ada', 2)
  t.match(await fill(), { erasures: 2, erased: 2, findings: { length: 1, 0: { problem: 'ledger-damaged', path: 'tombstones.ndjson' } }, totals: { currentAvatars: 2 } })
  t.strictSame((await client.avatar.findMany({ orderBy: { userId: 'asc' } })).map(({ blobId }) => blobId), [since.id, others.id])
  t.ok(await owners.epoch() > 2)
  t.ok(await owners.hasErasures('ada'))
  await t.rejects(owners.refuseErased('ada', 1), { code: 'OWNER_ERASED' })
})

t.test('a ledger that is lost is told, and what it counted is not forgotten', async (t) => {
  const { root, hash, put, fill, client, owners } = await setUp(t)
  await put({ epoch: 3 })
  rmSync(join(root, 'erasures.ndjson'))
  t.match(await fill(), { erasures: 0, findings: [{ problem: 'ledger-damaged', path: 'erasures.ndjson', detail: /is not on the volume/ }] })
  const epoch = await owners.epoch()
  t.ok(epoch > 10_000, 'uploads from here on are above all that the lost one counted')
  await client.blob.deleteMany()
  t.match(await createErasureRecords({ client, now }).begin({ id: 'e', owner: hash('owner', 'ada'), at: now().toISOString() }), { epoch: epoch + 1 }, 'and an erasure is later than all of them, also those that are in flight')
})

t.test('erasures that only the second place knows count too', async (t) => {
  const second = join(t.testdir(), 'ledger.ndjson')
  const { root, put, erase, fill } = await setUp(t, { second })
  await put()
  await erase('ada', 1)
  rmSync(join(root, 'erasures.ndjson'))
  t.match(await fill(), { erasures: 1, erased: 1, totals: { currentAvatars: 0 } })
})

t.test('a ledger that is not all there is told of', async (t) => {
  const second = join(t.testdir(), 'ledger.ndjson')
  const { root, put, erase, fill } = await setUp(t, { second })
  await put()
  await erase('eve', 1)
  appendFileSync(join(root, 'erasures.ndjson'), 'half a li')
  appendFileSync(join(root, 'tombstones.ndjson'), 'half a li')
  rmSync(second)
  const { findings } = await fill()
  t.match(findings, [{ problem: 'ledger-damaged', path: /erasures/, detail: /^1 lines/ }, { problem: 'ledger-damaged', path: second, detail: /ERASURE_LEDGER is not there/ }, { problem: 'ledger-damaged', path: /tombstones/ }])
})

t.test('a ledger that cannot be read stops it: nobody could tell who must stay erased', async (t) => {
  const { put, fill, faults } = await setUp(t)
  await put()
  faults.inject({ on: 'readFile', path: /erasures/, errno: 'EIO' })
  await t.rejects(fill(), { name: 'Refusal', message: /ledger of erasures cannot be read.*EIO/ })
})

t.test('tombstones are read in', async (t) => {
  const { fill, hash, tombstones, client } = await setUp(t)
  const keys = tombstonesFor(hash, sidecarFor('x', { aliases: ['/i/a'] }))
  await tombstones.add(keys, now())
  t.match(await fill(), { tombstones: keys.length, findings: { length: 0 } })
  t.strictSame((await client.tombstone.findMany()).map(({ key }) => key).sort(), keys.toSorted())
})

t.test('when nothing at all can be read it is refused, as the wrong user would make an empty database', async (t) => {
  const { put, fill, faults } = await setUp(t)
  await put()
  await put()
  faults.inject({ on: 'open', path: /sidecar/, errno: 'EACCES', forever: true })
  await t.rejects(fill(), { name: 'Refusal', message: /Of 2 uploads on the volume none could be read.*EACCES/ })
  faults.heal()
  faults.inject({ on: 'open', path: /sidecar/, errno: 'EIO' })
  t.match(await fill(), { findings: [{ problem: 'sidecar-damaged' }], totals: { blobs: [{ count: 1 }] } }, 'one that cannot be read is listed')
})

t.test('what two sidecars claim is told of', async (t) => {
  const { put, fill } = await setUp(t)
  const recordId = newBlobId()
  const [first] = [await put({ kind: 'attachment', recordId, filename: 'a', visibility: 'private', aliases: ['/uploads/a'] }), await put({ kind: 'attachment', recordId, filename: 'b', visibility: 'private', aliases: ['/uploads/a'] })]
  const { findings } = await fill()
  t.strictSame(findings.map(({ problem, id }) => [problem, id]), [['sidecar-differs', first.id], ['sidecar-differs', first.id]])
  t.match(findings.map(({ detail }) => detail).join(), /the attachment id .*was given the new one [0-9a-f-]{36}.*the old URL \/uploads\/a.*goes to the file that is shown/)
})

t.test('what an interrupted import left does not bring back what its user deleted since', async (t) => {
  const { root, put, fill, client, files } = await setUp(t)
  const imported: Partial<Sidecar> = { kind: 'attachment', filename: 'a.txt', visibility: 'public', source: 'system-m:/uploads/a.txt', sourceSha256: 'a', aliases: ['/uploads/a.txt'] }
  const left = await put({ ...imported, recordId: newBlobId() })
  const deleted = await put({ ...imported, recordId: newBlobId(), state: 'deleted', revision: 2 })
  const before = await files()
  const { findings, leftovers } = await fill()
  t.equal(leftovers, 1)
  t.match(findings, [{ problem: 'row-missing', kind: 'attachment', id: left.id, path: relative(root, blobPath(root, left)), detail: /interrupted import left it.*removed here/, mend: /the sweep removes it/ }])
  t.strictSame((await client.blob.findMany()).map(({ id, state, revision }) => [id, state, revision]), [[deleted.id, 'deleted', 2]])
  t.strictSame(await client.alias.findMany(), [{ path: '/uploads/a.txt', blobId: deleted.id }], 'its old URL is still that of what was deleted')
  t.strictSame(await files(), before)
})

t.test('nor when that has gone for good since, as the tombstones say', async (t) => {
  const { put, fill, hash, tombstones, client } = await setUp(t)
  const of = (name: string) => ({ source: `system-m:users/${name}`, sourceSha256: name, ownerId: name, aliases: [`/i/${name}`] })
  const [bySource, byPath, byOwner] = [await put(of('a')), await put(of('b')), await put({ ...of('c'), state: 'superseded' })]
  const other = await put({ ...of('d'), source: 'system-m:/uploads/d', kind: 'attachment', recordId: newBlobId(), filename: 'd', visibility: 'private' })
  const changed = await put({ ...of('e'), revision: 2 })
  await tombstones.add([hash('source', 'system-m:users/a'), hash('path', '/i/b'), ...['c', 'd'].map((name) => hash('avatar', name)), hash('source', 'system-m:users/e')], now())
  const { findings, leftovers } = await fill()
  t.equal(leftovers, 3)
  t.strictSame(findings.map(({ id }) => id), [bySource.id, byPath.id, byOwner.id])
  t.strictSame((await client.blob.findMany({ orderBy: { id: 'asc' } })).map(({ id }) => id), [other.id, changed.id], 'no avatar is an attachment, and what was changed was recorded')
})

t.test('of more imported files than are decided at once none is lost, and nobody erased comes back', async (t) => {
  const { put, fill, client, erase } = await setUp(t)
  const of = (index: number) => ({ source: `system-r:users/${index}`, sourceSha256: 'a', ownerId: `user-${index}`, aliases: [`/uploads/avatars/${index}`] })
  for (let index = 0; index < 520; index += 1) await put(of(index))
  const again = await put(of(7))
  await erase('user-9', 1)
  t.match(await fill(), { erased: 1, leftovers: 1, totals: { currentAvatars: 519, oldUrls: 519 } })
  t.equal((await client.avatar.findUnique({ where: { userId: 'user-7' } }))?.blobId, again.id)
})

t.test('old URLs that two imported files claim are told of', async (t) => {
  const { put, fill } = await setUp(t)
  const [first] = [await put({ source: 'system-r:users/1', aliases: ['/i/a'] }), await put({ source: 'system-r:users/2', ownerId: 'bob', aliases: ['/i/a'] })]
  t.match(await fill(), { leftovers: 0, findings: [{ problem: 'sidecar-differs', id: first.id }] })
})

t.test('a database that fails in the middle ends it', async (t) => {
  const { put, fill, client } = await setUp(t)
  await put()
  await client.$executeRaw`DROP TABLE "Attachment"`
  await client.$executeRaw`DROP TABLE "Blob"`
  await t.rejects(fill(), { code: 'DATABASE_UNAVAILABLE' })
})

t.test('an empty volume gives an empty database', async (t) => {
  const { fill, root } = await setUp(t)
  writeFileSync(join(root, 'notes.txt'), '')
  t.match(await fill(), { totals: { blobs: { length: 0 }, currentAvatars: 0, oldUrls: 0 }, foreign: 1, findings: { length: 0 } })
})

t.test('who only the old database knows to be erased stays erased, and old epochs are not forgotten', async (t) => {
  const { root, put, fill, hash, owners, tombstones } = await setUp(t)
  await put()
  const old = { erasures: [{ id: 'e', epoch: 3, owner: hash('owner', 'ada'), at: now().toISOString() }], owners: new Map(), tombstones: [hash('path', '/i/a')], epochFloor: 2 ** 30 }
  t.match(await fill(old), { erased: 1, erasures: 1, tombstones: 1, findings: [{ problem: 'ledger-damaged', path: 'erasures.ndjson' }, { problem: 'ledger-damaged', path: 'tombstones.ndjson' }], totals: { blobs: { length: 0 } } })
  t.match(readFileSync(join(root, 'erasures.ndjson'), 'utf8'), /"id":"e"/)
  t.strictSame([...(await tombstones.read()).keys], [hash('path', '/i/a')])
  t.ok(await owners.epoch() > 2 ** 30)
})

t.test('one sidecar that is odd keeps no other out, and is named', async (t) => {
  const { root, put, fill } = await setUp(t)
  const [huge, far] = [await put(), await put({ ownerId: 'kim' })]
  writeFileSync(sidecarPath(root, huge), encodeSidecar({ ...huge, size: 1e300 }))
  writeFileSync(sidecarPath(root, far), encodeSidecar({ ...far, epoch: 2 ** 53 - 1 }))
  const [twin, whole] = [await put({ ownerId: 'bob' }), await put({ ownerId: 'eve' })]
  const copy = { ...twin, kind: 'attachment' as const, recordId: newBlobId(), filename: 'a', visibility: 'private' }
  mkdirSync(dirname(blobPath(root, copy)), { recursive: true })
  writeFileSync(blobPath(root, copy), 'hello')
  writeFileSync(sidecarPath(root, copy), encodeSidecar(copy))
  const { findings, totals } = await fill()
  t.strictSame(findings.map(({ problem, kind, id }) => [problem, kind, id]), [['sidecar-damaged', 'avatar', huge.id], ['sidecar-damaged', 'avatar', far.id], ['sidecar-differs', 'attachment', twin.id]])
  t.match(findings.at(-1), { detail: /blob id .* which an avatar has\. This one was not brought back/ })
  t.strictSame(totals.blobs, [{ kind: 'avatar', state: 'live', count: 2 }])
  t.ok(whole)
})

t.test('one that no rows can be made of is named', async (t) => {
  const { put, fill, client } = await setUp(t)
  const [odd] = [await put({ contentType: 'odd/odd' }), await put({ ownerId: 'bob' })]
  await client.$executeRaw`CREATE TRIGGER "odd" BEFORE INSERT ON "Blob" WHEN NEW."contentType" = 'odd/odd' BEGIN SELECT RAISE(ABORT, 'no'); END`
  t.match(await fill(), { findings: [{ problem: 'sidecar-damaged', id: odd.id, detail: 'No record could be made of its sidecar: no.' }], totals: { currentAvatars: 1 } })
})

t.test('a folder that is a link is named before anything is made of the rest', async (t) => {
  const { root, put, fill, client } = await setUp(t)
  await put()
  const year = join(root, 'avatars', '2026')
  renameSync(join(root, 'avatars', readdirSync(join(root, 'avatars'))[0] ?? ''), year)
  renameSync(year, join(root, 'elsewhere'))
  symlinkSync(join(root, 'elsewhere'), year)
  await t.rejects(fill(), { name: 'Refusal', message: /avatars\/2026 is a symbolic link, where the layout of the volume has a folder/ })
  t.equal(await client.blob.count(), 0)
})

t.test('a copy without metadata counts from when it is said to, and then its original does not, in whatever order they come', async (t) => {
  const { put, fill, client } = await setUp(t)
  const kept = await put({ ownerId: 'eve' })
  const draft = await put({ ownerId: 'eve', originalId: kept.id, revision: 2 })
  const attached = { kind: 'attachment', recordId: newBlobId(), filename: 'a', visibility: 'public', ownerId: 'bob', aliases: ['/uploads/a'] } satisfies Partial<Sidecar>
  const original = await put(attached)
  const copy = await put({ ...attached, originalId: original.id, metadataRemoved: ['exif'], revision: 3 })
  // Its clock had been set back.
  const [earlyCopy, late] = [newBlobId(), newBlobId()]
  await put({ id: earlyCopy, originalId: late, metadataRemoved: [], revision: 3 })
  await put({ id: late })
  const { findings, totals } = await fill()
  t.strictSame(findings.map(({ id, problem }) => [id, problem]).toSorted(), [[draft.id, 'row-missing'], [original.id, 'row-missing'], [late, 'row-missing']].toSorted())
  t.match(findings.find(({ id }) => id === original.id), { detail: new RegExp(`Without its metadata it is there as ${copy.id}: a "privacy sweep" that was interrupted left it`) })
  t.match(totals, { currentAvatars: 2, oldUrls: 1 })
  t.strictSame((await client.blob.findMany({ orderBy: { id: 'asc' } })).map(({ id }) => id), [kept.id, copy.id, earlyCopy])
  t.match(await client.attachment.findMany(), [{ id: attached.recordId, blobId: copy.id }])
})

t.test('there may be any number of leftovers', async (t) => {
  const { fill } = await setUp(t)
  const page = Array.from({ length: 1000 }, () => sidecarFor('x'))
  const deferred = { count: () => 200_000, * pages () { for (let count = 0; count < 200; count += 1) yield page } }
  const { leftovers, findings } = await fill(nothingJournaled, { deferred: deferred as never, importLeftovers: { accepted: async () => [] } })
  t.strictSame([leftovers, findings.length], [200_000, 200_000])
})
