import { existsSync, statSync } from 'node:fs'
import { join } from 'node:path'
import BetterSqlite3 from 'better-sqlite3'
import t from 'tap'
import { conditionOf, refusedSetting } from '../../src/records/condition.ts'
import { createVolumeRecord } from '../../src/records/volume.ts'
import { sidecarFor } from '../storage/fixtures/volume.ts'
import { sqliteFor, keep } from './fixtures/database.ts'

t.test('a sound database says what it is', async (t) => {
  const { client, file } = await sqliteFor(t)
  t.match(conditionOf(file), { volumeId: undefined, newestAt: undefined })
  await createVolumeRecord(client).remember('abc')
  const sidecar = sidecarFor('x', { createdAt: '2026-11-22T10:00:00.000Z' })
  await keep(client, sidecar)
  const condition = conditionOf(file)
  t.match(condition, { journalMode: 'wal', refusedSetting: undefined, faults: { length: 0 }, pending: { length: 0 }, unknown: { length: 0 }, volumeId: 'abc' })
  t.equal(new Date(condition.newestAt ?? '').toISOString(), sidecar.createdAt)
  t.equal(condition.bytes, statSync(file).size)
  t.ok(condition.logBytes > 0)
})

t.test('one that was never migrated has all of that before it', async (t) => {
  const file = join(t.testdir(), 'empty.sqlite')
  new BetterSqlite3(file).exec('CREATE TABLE x (y)').close()
  t.match(conditionOf(file), { journalMode: 'delete', logBytes: 0, pending: [/_init/, /_operations/], volumeId: undefined, newestAt: undefined })
})

t.test('one that is not there is not made', async (t) => {
  const file = join(t.testdir(), 'none.sqlite')
  t.throws(() => conditionOf(file), { code: 'SQLITE_CANTOPEN' })
  t.notOk(existsSync(file))
})

t.test('a setting that does not hold is told', async (t) => {
  t.match(refusedSetting({ pragma: (source: string) => source.startsWith('journal_mode') ? 'wal' : '0' }), /did not take "synchronous = FULL"/)
})
