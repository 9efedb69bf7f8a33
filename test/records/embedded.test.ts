import { existsSync } from 'node:fs'
import { mkdir, readFile, stat, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import BetterSqlite3 from 'better-sqlite3'
import { test } from 'tap'
import { openSqlite, refuseUnsafe, viewRefusal } from '../../src/records/embedded.ts'
import { folderFor, openBelow } from '../storage/fixtures/volume.ts'
import { sqliteFor } from './fixtures/database.ts'

test('a database is made with its folder, migrated, and there again after the next start', async (t) => {
  const { client, file, close, check } = await sqliteFor(t)
  await check()
  await client.setting.create({ data: { key: 'a', value: '1' } })
  await close()
  const again = await openSqlite({ file, requireMount: false })
  t.teardown(() => again.close())
  t.strictSame(await again.client.setting.findMany(), [{ key: 'a', value: '1' }])
  for (const path of [dirname(file), file, `${file}-wal`]) t.equal((await stat(path)).mode & 0o007, 0, `${path} is not for everybody to read`)
})

test('the connection of the client is durable: synchronous FULL, in a WAL', async (t) => {
  const { client } = await sqliteFor(t)
  t.match(await client.$queryRawUnsafe('PRAGMA synchronous'), [{ synchronous: 2n }])
  t.match(await client.$queryRawUnsafe('PRAGMA journal_mode'), [{ journal_mode: 'wal' }])
  t.match(await client.$queryRawUnsafe('PRAGMA foreign_keys'), [{ foreign_keys: 1n }])
})

test('one that cannot be read because nothing can be written beside it is refused with what to do', async (t) => {
  const error = Object.assign(new Error('unable to open database file'), { code: 'SQLITE_CANTOPEN' })
  t.match(viewRefusal('/nowhere/gateway.sqlite', error), { name: 'ConfigError', message: /^The database \/nowhere\/gateway\.sqlite cannot be read where it is: .*Copy it .*DATABASE_URL/, cause: error })
  t.equal(viewRefusal('/nowhere/gateway.sqlite', new Error('file is not a database')), undefined)
  const folder = await folderFor(t)
  t.equal(viewRefusal(join(folder, 'none.sqlite'), error), undefined)
  await t.rejects(openSqlite({ file: join(folder, 'none.sqlite'), requireMount: false, isReadOnly: true }), { name: 'ConfigError', message: /none\.sqlite cannot be used: unable to open/ })
})

test('what is to be done alone is done at once, as all are on one machine', async (t) => {
  const { exclusively } = await sqliteFor(t)
  t.equal(await exclusively('journals', async () => 'done'), 'done')
})

test('closing leaves nothing open, and no log beside the file', async (t) => {
  const folder = await folderFor(t)
  const database = await openSqlite({ file: join(folder, 'db.sqlite'), requireMount: false })
  await database.client.setting.count()
  await database.close()
  t.strictSame(openBelow(folder), [])
  await t.rejects(stat(join(folder, 'db.sqlite-wal')), { code: 'ENOENT' })
})

test('a database that cannot answer fails its check', async (t) => {
  const { check, connect } = await sqliteFor(t)
  connect().exec('DROP TABLE "Setting"')
  await t.rejects(check())
})

test('network file systems are refused by what they say they are', (t) => {
  for (const [type, name] of [[0x6969, 'NFS'], [0xfe534d42, 'SMB'], [0xff534d42, 'CIFS'], [0x01021997, '9p'], [0x65735546, 'FUSE']] as const) {
    // statfs(2) has a signed field on some machines.
    for (const said of [type, type | 0]) {
      t.throws(() => refuseUnsafe('/v/db.sqlite', said, false), { name: 'ConfigError', message: new RegExp(`/v/db.sqlite is on a ${name} file system.*DATABASE_URL`) })
    }
  }
  for (const type of [0xef53, 0x58465342, 0x9123683e, 0x01021994]) t.doesNotThrow(() => refuseUnsafe('/v/db.sqlite', type, true))
  t.end()
})

test('a container\'s own layers are refused only where a mount is required', (t) => {
  t.throws(() => refuseUnsafe('/v/db.sqlite', 0x794c7630, true), { name: 'ConfigError', message: /container's own layers/ })
  t.throws(() => refuseUnsafe('/v/db.sqlite', 0x794c7630, true, '--to'), { message: /or set --to to a file on one\.$/ })
  t.throws(() => refuseUnsafe('/v/db.sqlite', 0x6969, false, '--to'), { message: /Set --to to a file on a local disk/ })
  t.doesNotThrow(() => refuseUnsafe('/v/db.sqlite', 0x794c7630, false))
  t.end()
})

test('what is no database is refused with a sentence, left as it is, and not left open', async (t) => {
  const folder = await folderFor(t)
  const file = join(folder, 'db.sqlite')
  await writeFile(file, 'this is a letter, and no database at all. '.repeat(100))
  await t.rejects(openSqlite({ file, requireMount: false }), { name: 'ConfigError', message: /db\.sqlite cannot be used: file is not a database/ })
  t.match(await readFile(file, 'utf8'), /^this is a letter/)
  await mkdir(join(folder, 'folder.sqlite'))
  if (existsSync('/proc/self')) await t.rejects(openSqlite({ file: '/proc/x/db.sqlite', requireMount: false }), { name: 'ConfigError', message: /^The database \/proc\/x\/db\.sqlite cannot be used: ENOENT/ }, 'nor does it try for ever')
  await t.rejects(openSqlite({ file: join(folder, 'folder.sqlite'), requireMount: false }), { name: 'ConfigError', message: /cannot be used: unable to open/ })
  await t.rejects(openSqlite({ file: join(file, 'below', 'db.sqlite'), requireMount: false }), { name: 'ConfigError', message: /cannot be used: ENOTDIR/ })
  t.strictSame(openBelow(folder), [])
})

test('a database of a newer version is used, and told of, unless it requires that version', async (t) => {
  const { client, file, close } = await sqliteFor(t)
  const connection = new BetterSqlite3(file)
  t.teardown(() => connection.close())
  connection.exec("INSERT INTO _prisma_migrations (id, checksum, finished_at, migration_name) VALUES ('x', 'x', '2027-01-01', '20270101000000_more')")
  const said: string[] = []
  const again = await openSqlite({ file, requireMount: false, warn: (message) => { said.push(message) } })
  await again.check()
  await again.close()
  t.match(said, [/newer than this version of the gateway: it has 20270101000000_more\./])
  await client.setting.create({ data: { key: 'requiredMigration', value: '20270101000000_more' } })
  await t.rejects(openSqlite({ file, requireMount: false }), { name: 'ConfigError', message: /newer than this version of the gateway can work with: it has migration 20270101000000_more/ })
  await client.setting.update({ where: { key: 'requiredMigration' }, data: { value: '20261123000000_reliable' } })
  await (await openSqlite({ file, requireMount: false })).close()
  await close()
})
