import { existsSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import BetterSqlite3 from 'better-sqlite3'
import t from 'tap'
import { emptyLog, isCount, isText, lookAtOld, openOld, rowsAfter, timeIn, using } from '../../src/records/old-database.ts'
import { createVolumeRecord } from '../../src/records/volume.ts'
import { sqliteFor } from './fixtures/database.ts'

const at = new Date('2026-11-22T12:00:00.123Z')
const account = (id: string) => ({ id, email: `${id}@example.com`, displayName: id, passwordHash: '$argon2id$x', tokenGeneration: 2, createdAt: at, updatedAt: at })

t.test('what is there is told without changing it', async (t) => {
  const { client, file } = await sqliteFor(t)
  t.strictSame(lookAtOld(file), { is: 'readable', isOurs: true, volumeId: undefined, databaseId: undefined, hasWebhook: false })
  await createVolumeRecord(client).remember('abc')
  t.strictSame(lookAtOld(file), { is: 'readable', isOurs: true, volumeId: 'abc', databaseId: undefined, hasWebhook: false })

  const folder = t.testdir()
  t.strictSame(lookAtOld(join(folder, 'none')), { is: 'absent' })
  t.notOk(existsSync(join(folder, 'none')))
  writeFileSync(join(folder, 'empty'), '')
  t.strictSame(lookAtOld(join(folder, 'empty')), { is: 'readable', isOurs: true, volumeId: undefined, databaseId: undefined, hasWebhook: false })
  writeFileSync(join(folder, 'garbage'), 'no database at all'.repeat(1000))
  t.match(lookAtOld(join(folder, 'garbage')), { is: 'damaged', reason: /not a database/ })
})

t.test('a database of another program is told apart', async (t) => {
  const file = join(t.testdir(), 'other.sqlite')
  const other = new BetterSqlite3(file)
  other.exec('CREATE TABLE Setting (name TEXT)')
  other.close()
  t.strictSame(lookAtOld(file), { is: 'readable', isOurs: false, volumeId: undefined, databaseId: undefined, hasWebhook: false })
})

t.test('the log of a database is emptied into it, unless somebody is at work with it', async (t) => {
  const { client, file, connect } = await sqliteFor(t)
  await client.account.create({ data: account('ada') })
  t.ok(existsSync(`${file}-wal`))
  t.throws(() => emptyLog(file))
  await client.$disconnect()
  const last = connect()
  last.pragma('journal_mode = WAL')
  last.exec('DELETE FROM Account')
  last.close()
  emptyLog(file)
  t.notOk(existsSync(`${file}-wal`))
  t.equal(new BetterSqlite3(file, { readonly: true }).prepare('SELECT count(*) FROM Account').pluck().get(), 0)
})

t.test('rows are read in the order in which they lie there, whatever is in them', async (t) => {
  const { client, file, connect } = await sqliteFor(t)
  await client.tombstone.createMany({ data: Array.from({ length: 501 }, (_, index) => ({ key: String(index), createdAt: at })) })
  connect().exec("INSERT INTO Erasure (epoch, id, ownerKey, createdAt) VALUES (7, 'e', 'o', 1)")
  using(openOld(file), (connection) => {
    const first = rowsAfter(connection, 'Tombstone', 0)
    t.equal(first.length, 500)
    t.match(rowsAfter(connection, 'Tombstone', first.at(-1)?.rowid ?? 0), [{ key: '500' }])
    t.match(rowsAfter(connection, 'Erasure', 0), [{ rowid: 7, epoch: 7 }])
    t.strictSame(rowsAfter(connection, 'Erasure', 7), [])
  })
  const empty = join(t.testdir(), 'empty')
  writeFileSync(empty, '')
  t.strictSame(using(openOld(empty), (connection) => rowsAfter(connection, 'Owner', 0)), [])
})

t.test('what nobody can have written is told apart', (t) => {
  t.strictSame([0, 7, -1, 1.5, 2 ** 31, '1', null].map(isCount), [true, true, false, false, false, false, false])
  t.strictSame(['a', '', 'a\0', 7, null].map(isText), [true, false, false, false, false])
  t.strictSame([at.toISOString(), at.getTime(), 'never', -1, 1e15, null].map((value) => timeIn(value)?.getTime()), [at.getTime(), at.getTime(), undefined, undefined, undefined, undefined])
  t.end()
})
