import { copyFileSync, existsSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import BetterSqlite3 from 'better-sqlite3'
import t, { type Test } from 'tap'
import { checkDatabase } from '../../../src/operations/doctor/database.ts'
import { createVolumeRecord } from '../../../src/records/volume.ts'
import { fileSystem } from '../../../src/storage/fs.ts'
import { createFaults } from '../../fixtures/faults.ts'
import { sqliteFor, keep } from '../../records/fixtures/database.ts'
import { folderFor, openVolume, sidecarFor } from '../../storage/fixtures/volume.ts'

const settings = (databaseFile: string, uploadsDir: string, requireMount = false) => ({ database: { kind: 'sqlite', file: databaseFile }, databaseFile, databaseConnections: 10, uploadsDir, requireMount } as const)

const statfs = (type: number) => (async () => ({ type })) as unknown as typeof fileSystem.statfs

async function setUp (t: Test) {
  const { root, volumeId } = await openVolume(t)
  const database = await sqliteFor(t)
  const look = async ({ databaseFile = database.file, uploadsDir = root, requireMount = false }: { databaseFile?: string, uploadsDir?: string, requireMount?: boolean } = {}, now = () => new Date()) => {
    const checks = await checkDatabase({ config: settings(databaseFile, uploadsDir, requireMount), fs: fileSystem, now })
    return { checks, named: (name: string) => checks.find((check) => check.name === name) }
  }
  return { ...database, root, volumeId, look, execute: (sql: string) => database.connect().exec(sql) }
}

t.test('a database that is as it should be', async (t) => {
  const { client, volumeId, look } = await setUp(t)
  await createVolumeRecord(client).remember(volumeId)
  await keep(client, sidecarFor('x'))
  const { checks } = await look()
  t.strictSame(checks.filter(({ level }) => level !== 'ok'), [])
  t.match(checks.find(({ name }) => name === 'settings'), { detail: /synchronous=FULL/ })
})

t.test('what it says that users have is held against their records', async (t) => {
  const { client, execute, look, named } = await setUp(t).then((place) => ({ ...place, named: async () => (await place.look()).named('usage') }))
  await keep(client, sidecarFor('x'))
  await keep(client, sidecarFor('y'))
  t.match(await named(), { level: 'ok' })
  execute("INSERT INTO \"Usage\" VALUES ('nobody', 1, 1, 0); UPDATE \"Usage\" SET bytes = bytes + 1 WHERE ownerId <> 'nobody'")
  t.match(await named(), { level: 'problem', detail: /Of 2 users/, change: /rebuild/ })
  execute('DROP TABLE "Usage"')
  t.match((await look()).named('usage'), { level: 'ok' }, 'an older database has none yet')
})

t.test('one that is not there is not made', async (t) => {
  const { root, look } = await setUp(t)
  const none = join(root, 'none.sqlite')
  t.match((await look({ databaseFile: none })).checks, [{ level: 'problem', detail: /no database at/, change: /rebuild/ }])
  t.match((await look({ databaseFile: none, uploadsDir: await folderFor(t) })).checks, [{ level: 'unknown', detail: /first start/ }])
  t.notOk(existsSync(none))
})

t.test('one that this user may not read is neither missing nor damaged', async (t) => {
  const { root, file } = await setUp(t)
  const denied = async (databaseFile: string, on: 'open' | 'readFile') => {
    const { fs, inject } = createFaults()
    inject({ on, errno: 'EACCES', forever: true })
    return checkDatabase({ config: settings(databaseFile, root), fs, now: () => new Date() })
  }
  const change = 'Run this as the user that runs the gateway.'
  t.strictSame(await denied(file, 'open'), [{ area: 'database', name: 'file', level: 'problem', detail: `${file} may not be read by this user (EACCES).`, change }])
  t.match(await denied(join(root, 'none.sqlite'), 'readFile'), [{ level: 'problem', detail: /may not be read by this user/, change }], 'nobody knows whether there is a volume')
  writeFileSync(join(root, 'upload-gateway.json'), '{')
  t.match(await checkDatabase({ config: settings(join(root, 'none.sqlite'), root), fs: fileSystem, now: () => new Date() }), [{ level: 'problem', detail: /though there is a volume/ }])
})

t.test('one that is damaged, wholly or in part, is told', async (t) => {
  const { root, file, client, look } = await setUp(t)
  const copy = join(root, 'copy.sqlite')
  writeFileSync(copy, 'no database '.repeat(1000))
  t.match((await look({ databaseFile: copy })).checks, [{ level: 'problem', detail: /cannot be read: .*not a database/, change: /rebuild/ }])
  await client.$disconnect()
  copyFileSync(file, copy)
  const bytes = readFileSync(copy)
  writeFileSync(copy, bytes.fill(0xff, bytes.length - 4096))
  const { named } = await look({ databaseFile: copy })
  t.match(named('soundness'), { level: 'problem', detail: /SQLite says/ })
})

t.test('one of another volume, of none, or of another version is told', async (t) => {
  const { client, root, look, execute } = await setUp(t)
  t.match((await look()).named('volume'), { level: 'warning', detail: /no volume yet/ })
  await createVolumeRecord(client).remember('abc')
  t.match((await look()).named('volume'), { level: 'problem', detail: /belongs to another volume: to abc/ })
  rmSync(join(root, 'upload-gateway.json'))
  t.match((await look()).named('volume'), { level: 'problem', detail: /belongs to the volume abc, which is not at/ })
  execute("INSERT INTO _prisma_migrations (id, checksum, migration_name) VALUES ('x', '', 'later')")
  t.match((await look()).named('version'), { level: 'warning', detail: /newer version.*gets along with: later/ })
  execute("INSERT INTO \"Setting\" VALUES ('requiredMigration', 'later')")
  t.match((await look()).named('version'), { level: 'problem', detail: /newer version.*it has later/ })
  execute("DELETE FROM _prisma_migrations WHERE migration_name = 'later' OR migration_name LIKE '%init'")
  t.match((await look()).named('version'), { level: 'warning', detail: /_init/ })
})

t.test('a clock that is behind the records is told', async (t) => {
  const { client, look } = await setUp(t)
  t.match((await look()).named('clock'), { level: 'unknown' })
  await keep(client, sidecarFor('x'))
  t.match((await look()).named('clock'), { level: 'ok', detail: /^The clock of this machine is later than the newest upload/ })
  t.match((await look({}, () => new Date('2020-01-01'))).named('clock'), { level: 'problem', detail: /in the future/, change: /NTP/ })
})

t.test('a log that grows, and a journal mode that the gateway will change, are told', async (t) => {
  const { root, look } = await setUp(t)
  const file = join(root, 'plain.sqlite')
  const connection = new BetterSqlite3(file)
  connection.exec('CREATE TABLE Setting (key TEXT, value TEXT)')
  connection.close()
  t.match((await look({ databaseFile: file })).named('settings'), { level: 'ok', detail: /journal mode is delete/ })
  writeFileSync(`${file}-wal`, '')
  truncateSync(`${file}-wal`, 300 * 1024 ** 2)
  t.match((await look({ databaseFile: file })).named('log'), { level: 'warning', detail: /Its log has 314\.6 MB/ })
})

t.test('a file system on which SQLite loses what it commits is told', async (t) => {
  const { file, root } = await setUp(t)
  const checks = await checkDatabase({ config: settings(file, root), fs: { ...fileSystem, statfs: statfs(0x6969) }, now: () => new Date() })
  t.match(checks.find(({ name }) => name === 'place'), { level: 'problem', detail: /NFS/ })
})
