import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { holderIn, journaledIn, nothingJournaled } from '../../src/records/old-journaled.ts'
import { floorKey } from '../../src/records/owners.ts'
import { sidecarFor } from '../storage/fixtures/volume.ts'
import { sqliteFor, keep } from './fixtures/database.ts'

const at = new Date('2026-11-22T12:00:00.123Z')

t.test('erasures, owners that were erased, tombstones and the epoch are read', async (t) => {
  const { client, file } = await sqliteFor(t)
  t.strictSame(journaledIn(file), nothingJournaled)
  await client.erasure.create({ data: { id: 'e', epoch: 3, ownerKey: 'key of ada', createdAt: at } })
  await client.owner.createMany({ data: [{ key: 'key of ada', epoch: 3 }, { key: 'key of bob', epoch: 2 }, { key: 'key of eve', commits: 7 }] })
  const keys = Array.from({ length: 1200 }, (_, index) => `key ${String(index).padStart(4, '0')}`)
  await client.tombstone.createMany({ data: keys.map((key) => ({ key, createdAt: at })) })
  await client.setting.create({ data: { key: floorKey, value: '10' } })
  t.strictSame(journaledIn(file), { erasures: [{ id: 'e', epoch: 3, owner: 'key of ada', at: at.toISOString() }], owners: new Map([['key of ada', 3], ['key of bob', 2]]), tombstones: keys, epochFloor: 10, failure: undefined })
})

t.test('what is damaged is counted, and the rest is read', async (t) => {
  const { client, file, connect } = await sqliteFor(t)
  await client.erasure.createMany({ data: [1, 2, 3].map((epoch) => ({ id: String(epoch), epoch, ownerKey: 'o', createdAt: at })) })
  await client.owner.createMany({ data: [{ key: 'a', epoch: 1 }, { key: 'b', epoch: 2 }] })
  await client.tombstone.createMany({ data: [{ key: 'a', createdAt: at }, { key: 'b', createdAt: at }] })
  connect().exec(`UPDATE Erasure SET createdAt = 'garbage' WHERE epoch = 1; UPDATE Erasure SET ownerKey = x'00' WHERE epoch = 2;
    UPDATE Owner SET epoch = 'x' WHERE key = 'a'; UPDATE Tombstone SET key = x'00' WHERE key = 'a'; INSERT INTO Setting VALUES ('epochFloor', 'garbage')`)
  t.match(journaledIn(file), { erasures: [{ epoch: 3 }], owners: new Map([['b', 2]]), tombstones: ['b'], epochFloor: 0, failure: '4 of its rows are damaged' })
  connect().exec('ALTER TABLE Setting RENAME TO Other')
  t.match(journaledIn(file), { erasures: { length: 0 }, failure: /no such table/ })
})

t.test('whose an attachment id was is told, where that can be read', async (t) => {
  const { client, file } = await sqliteFor(t)
  const sidecar = sidecarFor('x', { kind: 'attachment', recordId: 'r', filename: 'a', visibility: 'private' })
  await keep(client, sidecar)
  t.equal(holderIn(file)('r'), sidecar.id)
  t.equal(holderIn(file)('other'), undefined)
  const garbage = join(t.testdir(), 'garbage')
  writeFileSync(garbage, 'no database at all'.repeat(1000))
  t.equal(holderIn(garbage)('r'), undefined)
})
