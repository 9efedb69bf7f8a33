import t from 'tap'
import { isSnapshotName, snapshotName } from '../../../src/operations/backup/layout.ts'

t.test('snapshots are named so that they sort by time', async (t) => {
  const name = snapshotName(new Date('2026-11-22T01:02:03.004Z'))
  t.equal(name, '20261122T010203.004Z')
  t.ok(isSnapshotName(name))
  for (const other of ['', 'x', `${name}.replaced`, `../${name}`]) t.notOk(isSnapshotName(other), other)
})

t.test('a clock that was set back does not make a newer snapshot look older', async (t) => {
  const newest = '20261122T010203.999Z'
  t.equal(snapshotName(new Date('2020-01-01T00:00:00Z'), newest), '20261122T010204.000Z')
  t.equal(snapshotName(new Date('2026-11-22T01:02:03.999Z'), newest), '20261122T010204.000Z')
  t.equal(snapshotName(new Date('2027-01-01T00:00:00Z'), newest), '20270101T000000.000Z')
})
