import { test, type Test } from 'tap'
import { createTombstoneRecords } from '../../src/records/tombstones.ts'
import type { Doomed } from '../../src/storage/ledger.ts'
import { newBlobId } from '../../src/storage/ids.ts'
import { openVolume, sidecarFor } from '../storage/fixtures/volume.ts'
import { hide } from './fixtures/by-hand.ts'
import { databaseFor, keep } from './fixtures/database.ts'

async function setUp (t: Test) {
  const { client } = await databaseFor(t)
  const { tombstones, hash, faults } = await openVolume(t)
  const records = createTombstoneRecords({ client, tombstones, hash, now: () => new Date() })
  const doomed = (others: Partial<Doomed> = {}): Doomed => ({ kind: 'avatar', id: newBlobId(), extension: 'png', ownerId: 'ada', source: null, aliases: [], ...others })
  return { client, tombstones, hash, faults, records, doomed }
}

test('what is gone for good is known by its old paths, its source and its owner, and nothing else is', async (t) => {
  const { client, records, doomed } = await setUp(t)
  const current = sidecarFor('new', { ownerId: 'bob', source: 'system-m:users/bob' })
  await keep(client, current)
  await client.avatar.create({ data: { userId: 'bob', blobId: current.id } })
  await records.entomb([doomed({ aliases: ['/i/a.png', '/i/b.png'] }), doomed({ ownerId: 'bob', source: 'system-r:users/2' })])
  t.strictSame([await records.hasPath('/i/a.png'), await records.hasPath('/i/b.png'), await records.hasPath('/i/c.png')], [true, true, false])
  t.strictSame([await records.hasSource('system-r:users/2'), await records.hasSource('/i/a.png')], [true, false])
  t.strictSame([await records.hasAvatar('ada'), await records.hasAvatar('bob')], [true, false], 'what one import brought and another replaced was not bob\'s own choice')
})

test('who removed a picture that an import had brought has none brought again', async (t) => {
  const { records, doomed } = await setUp(t)
  await records.entomb([doomed({ ownerId: 'carol', source: 'system-r:users/3' })])
  t.equal(await records.hasAvatar('carol'), true)
})

test('old paths can be buried alone, where no file is behind them here', async (t) => {
  const { client, tombstones, hash, records, faults } = await setUp(t)
  await keep(client, sidecarFor('here', { aliases: ['/i/here.png'] }))
  faults.inject({ on: 'sync', before: async () => t.equal(await client.tombstone.count(), 0) })
  await records.bury(['/i/a.png', '/i/here.png'])
  t.strictSame([await records.hasPath('/i/a.png'), await records.hasPath('/i/here.png')], [true, false])
  t.strictSame((await tombstones.read()).keys, new Set([hash('path', '/i/a.png')]))
  faults.heal()
  await records.bury(['/i/a.png'])
  await records.bury([])
  t.equal(faults.count('writev'), 0, 'once is enough')
  await records.bury(Array.from({ length: 1100 }, (_, n) => `/i/${n}`))
  t.equal(await client.tombstone.count(), 1101)
})

test('it is on the volume before it is a row, by keyed hash only', async (t) => {
  const { client, tombstones, hash, records, doomed, faults } = await setUp(t)
  faults.inject({ on: 'sync', before: async () => t.equal(await client.tombstone.count(), 0) })
  await records.entomb([doomed({ aliases: ['/i/a.png'] })])
  t.strictSame((await tombstones.read()).keys, new Set([hash('path', '/i/a.png'), hash('avatar', 'ada')]))
  t.strictSame((await client.tombstone.findMany()).map(({ key }) => key).toSorted(), [hash('path', '/i/a.png'), hash('avatar', 'ada')].toSorted())
})

test('what the volume does not take is not remembered, and is told', async (t) => {
  const { client, records, doomed, faults } = await setUp(t)
  faults.inject({ on: 'writev', errno: 'ENOSPC' })
  await t.rejects(records.entomb([doomed()]), { code: 'STORAGE_FULL' })
  t.equal(await client.tombstone.count(), 0)
  await records.entomb([doomed()])
  t.equal(await records.hasAvatar('ada'), true)
})

test('what is known already is not written again', async (t) => {
  const { records, doomed, faults } = await setUp(t)
  await records.entomb([doomed(), doomed()])
  faults.heal()
  await records.entomb([doomed()])
  await records.entomb([])
  t.equal(faults.count('writev'), 0)
})

test('a source that was imported again since is not gone', async (t) => {
  const { client, records, doomed } = await setUp(t)
  await keep(client, sidecarFor('new', { source: 'system-r:users/1' }))
  const purging = sidecarFor('old', { source: 'system-r:users/2', state: 'deleted' })
  await keep(client, purging)
  await client.blob.update({ where: { id: purging.id }, data: { state: 'purging' } })
  await records.entomb([doomed({ source: 'system-r:users/1', aliases: ['/i/1'] }), doomed({ id: purging.id, source: 'system-r:users/2' })])
  t.strictSame([await records.hasSource('system-r:users/1'), await records.hasSource('system-r:users/2'), await records.hasPath('/i/1')], [false, true, true])
})

test('thousands at once are remembered', async (t) => {
  const { client, tombstones, records, doomed, faults } = await setUp(t)
  await records.entomb(Array.from({ length: 1201 }, (_, n) => doomed({ ownerId: `user-${n}`, aliases: [`/i/${n}.png`] })))
  t.equal(await client.tombstone.count(), 2402)
  t.equal((await tombstones.read()).keys.size, 2402)
  t.equal(faults.count('writev'), 3, 'in groups')
  t.equal(await records.hasPath('/i/1200.png'), true)
})

test('two processes that remember the same at once do not hinder each other', async (t) => {
  const { client, tombstones, hash, records, doomed } = await setUp(t)
  const other = createTombstoneRecords({ client, tombstones, hash, now: () => new Date() })
  const many = Array.from({ length: 50 }, (_, n) => doomed({ ownerId: `user-${n}` }))
  await Promise.all([records.entomb(many), other.entomb(many), records.entomb(many.slice(20))])
  t.equal(await client.tombstone.count(), 50)
})

test('the rows are brought back from the volume, each once', async (t) => {
  const { client, tombstones, records, hash } = await setUp(t)
  await tombstones.add([hash('path', '/i/a'), hash('path', '/i/b')], new Date())
  await tombstones.add(Array.from({ length: 1000 }, (_, n) => hash('path', `/i/${n}`)), new Date())
  await tombstones.add([hash('path', '/i/a')], new Date())
  t.equal(await records.readIn(), 1002)
  t.equal(await records.readIn(), 0)
  t.equal(await client.tombstone.count(), 1002)
  t.equal(await records.hasPath('/i/a'), true)
})

test('a database that cannot be asked is said to be so', async (t) => {
  const { client, records, doomed } = await setUp(t)
  await client.$executeRaw`ALTER TABLE "Tombstone" RENAME COLUMN "createdAt" TO "elsewhere"`
  await t.rejects(records.entomb([doomed()]), { code: 'DATABASE_UNAVAILABLE' })
  await hide(client, 'Tombstone')
  await t.rejects(records.hasPath('/i/a'), { code: 'DATABASE_UNAVAILABLE' })
})
