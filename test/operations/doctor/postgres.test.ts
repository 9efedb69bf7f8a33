import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { ConfigError } from '../../../src/config.ts'
import { checkDatabase } from '../../../src/operations/doctor/database.ts'
import { checkPostgres } from '../../../src/operations/doctor/postgres.ts'
import type { PostgresCondition } from '../../../src/records/postgres/condition.ts'
import { fileSystem, type FileSystem } from '../../../src/storage/fs.ts'
import { folderFor, openVolume } from '../../storage/fixtures/volume.ts'

async function setUp (t: Test) {
  const { root, volumeId } = await openVolume(t)
  const databaseFile = join(root, 'gateway.sqlite')
  const config = { database: { kind: 'postgresql', url: 'postgres://ada:secret@127.0.0.1:1/uploads' }, databaseFile, databaseConnections: 10, uploadsDir: root, requireMount: false } as const
  const good: PostgresCondition = { version: '17.2', bytes: 12_345_678, off: [], isMade: true, pending: [], unknown: [], required: undefined, miscounted: 0, volumeId, databaseId: 'this', newestAt: '2026-11-22T10:00:00.000Z', connectionsLeft: 80, maxConnections: 100, clockMs: -3 }
  const look = async (others: Partial<PostgresCondition> = {}, fs: FileSystem = fileSystem) => {
    const checks = await checkPostgres({ config, fs, now: () => new Date('2026-11-22T10:00:01Z'), look: async () => ({ ...good, ...others }) })
    return { checks, named: (name: string) => checks.find((check) => check.name === name) }
  }
  return { root, config, databaseFile, look }
}

t.test('a database that is as it should be', async (t) => {
  const { look } = await setUp(t)
  const { checks, named } = await look()
  t.strictSame(checks.filter(({ level }) => level !== 'ok'), [])
  t.match(named('server'), { detail: 'PostgreSQL at 127.0.0.1:1, database "uploads" as "ada": version 17.2, 12.3 MB.' })
  t.match(named('connections'), { detail: '80 of 100 connections are free; each gateway opens up to 11.' })
})

t.test('each thing that is not right is said with what to change', async (t) => {
  const { root, look, databaseFile } = await setUp(t)
  t.match((await look({ off: ['fsync'] })).named('durability'), { level: 'problem', detail: /^fsync is off there/, change: /^Set fsync to on/ })
  t.match((await look({ off: ['fsync', 'full_page_writes'] })).named('durability'), { level: 'problem', detail: /^fsync and full_page_writes are off/ })
  t.match((await look({ connectionsLeft: 10 })).named('connections'), { level: 'warning', change: /DATABASE_CONNECTIONS/ })
  t.match((await look({ clockMs: 5400 })).named('server clock'), { level: 'warning', detail: /5 s ahead of/ })
  t.match((await look({ clockMs: -5400 })).named('server clock'), { level: 'warning', detail: /5 s behind/ })
  t.match((await look({ miscounted: 2 })).named('usage'), { level: 'problem', detail: /Of 2 users/ })
  t.match((await look({ pending: ['a'] })).named('version'), { level: 'warning', detail: /next start .*: a\./ })
  t.match((await look({ unknown: ['z'] })).named('version'), { level: 'warning', detail: /gets along with: z\./ })
  t.match((await look({ unknown: ['z'], required: 'z' })).named('version'), { level: 'problem', detail: /it has z\./ })
  t.match((await look({ volumeId: 'another' })).named('volume'), { level: 'problem', detail: /belongs to another volume/ })
  writeFileSync(join(root, 'database.json'), JSON.stringify({ database: 'other', name: 'PostgreSQL at db', since: '2026-11-22T12:00:00Z' }))
  t.match((await look()).named('volume'), { level: 'problem', detail: /belongs to another database: since 2026-11-22T12:00:00Z to PostgreSQL at db\.$/, change: /^Set DATABASE_URL to the one/ })
  t.match((await look({ volumeId: undefined, databaseId: undefined })).named('volume'), { level: 'problem', detail: /belongs to another database/ })
  t.match((await look({ databaseId: 'other' })).named('volume'), { level: 'ok' })
  const other = await folderFor(t)
  writeFileSync(join(other, 'database.json'), JSON.stringify({ database: 'older', name: 'PostgreSQL at db', since: '2026-11-22T12:00:00Z' }))
  const moving = { ...fileSystem, move: { own: fileSystem, other: { ...fileSystem, setting: 'STORAGE_FALLBACK_URL' }, root: other } }
  t.match((await look({ databaseId: 'other' }, moving)).named('volume'), { level: 'problem', detail: new RegExp(`^STORAGE_FALLBACK_URL ${other} belongs to another database`), change: /^It is an old home of this volume.* Set STORAGE_FALLBACK_URL to that/ })
  t.match((await look({ newestAt: '2026-11-22T11:00:00Z' })).named('clock'), { level: 'problem', detail: /3599 s in the future/ })
  writeFileSync(databaseFile, '')
  t.match((await look()).named('old database'), { level: 'warning', detail: /nobody who is erased is erased there/ })
})

t.test('one on which no gateway was started has nothing to compare', async (t) => {
  const { look } = await setUp(t)
  const { checks, named } = await look({ isMade: false })
  t.match(named('tables'), { level: 'unknown', detail: /first start/ })
  t.strictSame([named('volume'), named('usage')], [undefined, undefined])
  t.equal(checks.length, 6)
})

t.test('a server that does not answer is one problem', async (t) => {
  const { config } = await setUp(t)
  t.match(await checkPostgres({ config, fs: fileSystem, now: () => new Date(), look: () => Promise.reject(new ConfigError('It refuses the password.')) }), [{ name: 'server', level: 'problem', detail: 'It refuses the password.' }])
  const checks = await checkDatabase({ config, fs: fileSystem, now: () => new Date() })
  t.match(checks, [{ area: 'database', name: 'server', level: 'problem', detail: /PostgreSQL at 127\.0\.0\.1:1, database "uploads" as "ada" cannot be reached/ }])
  t.equal(checks.length, 1)
})
