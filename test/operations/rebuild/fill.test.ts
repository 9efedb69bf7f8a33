import { appendFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { silent } from '../../../src/operations/progress.ts'
import { fill } from '../../../src/operations/rebuild/fill.ts'
import { openBulk } from '../../../src/records/bulk.ts'
import { createOwners } from '../../../src/records/owners.ts'
import { createRebuilding } from '../../../src/records/rebuilding.ts'
import { createTombstoneRecords } from '../../../src/records/tombstones.ts'
import { createErasures, ledgerPlaces, volumeHash } from '../../../src/storage/erasures.ts'
import { newBlobId } from '../../../src/storage/ids.ts'
import type { Sidecar } from '../../../src/storage/sidecar.ts'
import { tombstonesFor } from '../../../src/storage/tombstones.ts'
import { createDurable } from '../../../src/storage/volume/durable.ts'
import { createErasureRecords } from '../../../src/users/records.ts'
import { databaseFor } from '../../records/fixtures/database.ts'
import { openVolume, publish, sidecarFor } from '../../storage/fixtures/volume.ts'

const now = () => new Date('2026-11-22T12:00:00.000Z')

async function setUp (t: Test, { second }: { second?: string } = {}) {
  const volume = await openVolume(t)
  const { root, hash, faults } = volume
  const { client, file } = await databaseFor(t)
  const bulk = openBulk(file)
  t.teardown(() => bulk.close())
  const durable = createDurable({ fs: faults.fs, onSyncFailure: () => {} })
  const erasures = createErasures({ fs: faults.fs, durable, hash, paths: ledgerPlaces(root, second) })
  writeFileSync(join(root, 'erasures.ndjson'), '')
  const storage = { ...volume, erasures }
  const tombstones = createTombstoneRecords({ client, tombstones: volume.tombstones, hash, now })
  const erase = (owner: string, epoch: number) => erasures.append({ id: `${owner}-${epoch}`, epoch, owner: hash('owner', owner), volume: volumeHash(hash), at: now().toISOString() })
  return {
    ...volume, client, erase, durable,
    put: (others: Partial<Sidecar> = {}) => publish(volume.store, 'hello', others),
    fill: () => fill({ fs: faults.fs, root, storage, tombstones, progress: silent, rebuilding: createRebuilding({ client, bulk, now }) }),
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
  t.match(await fill(), { erasures: 2, erased: 2, findings: [], totals: { currentAvatars: 2 } })
  t.strictSame((await client.avatar.findMany({ orderBy: { userId: 'asc' } })).map(({ blobId }) => blobId), [since.id, others.id])
  t.equal(await owners.epoch(), 2)
  t.ok(await owners.hasErasures('ada'))
  await t.rejects(owners.refuseErased('ada', 1), { code: 'OWNER_ERASED' })
})

t.test('a ledger that is lost is told, and what it counted is not forgotten', async (t) => {
  const { root, hash, put, fill, client, owners } = await setUp(t)
  await put({ epoch: 3 })
  rmSync(join(root, 'erasures.ndjson'))
  t.match(await fill(), { erasures: 0, findings: [{ problem: 'ledger-damaged', path: 'erasures.ndjson', detail: /is not on the volume/ }] })
  t.equal(await owners.epoch(), 3, 'uploads from here on are no older than those that are there')
  await client.blob.deleteMany()
  t.match(await createErasureRecords({ client, now }).begin({ id: 'e', owner: hash('owner', 'ada'), at: now().toISOString() }), { epoch: 4 }, 'and an erasure is later than all of them, also those that are in flight')
  t.equal(await owners.epoch(), 4)
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
  t.match(await fill(), { tombstones: keys.length, findings: [] })
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
  const [first, second] = [await put({ kind: 'attachment', recordId, filename: 'a', visibility: 'private', aliases: ['/uploads/a'] }), await put({ kind: 'attachment', recordId, filename: 'b', visibility: 'private', aliases: ['/uploads/a'] })]
  const { findings } = await fill()
  t.strictSame(findings.map(({ problem, id }) => [problem, id]), [['sidecar-differs', second.id], ['sidecar-differs', first.id]])
  t.match(findings.map(({ detail }) => detail).join(), /the attachment id .*was given a new one.*the old URL \/uploads\/a.*goes to the file that is shown/)
})

t.test('a database that fails in the middle ends it', async (t) => {
  const { put, fill, client } = await setUp(t)
  const sidecar = await put()
  await client.blob.create({ data: { id: sidecar.id, kind: 'avatar', extension: 'png', state: 'swept', contentType: '', size: 0n, sha256: '', stateAt: now(), createdAt: now() } })
  await t.rejects(fill(), { code: 'DATABASE_UNAVAILABLE' })
})

t.test('an empty volume gives an empty database', async (t) => {
  const { fill, root } = await setUp(t)
  writeFileSync(join(root, 'notes.txt'), '')
  t.match(await fill(), { totals: { blobs: [], currentAvatars: 0, oldUrls: 0 }, foreign: 1, findings: [] })
})
