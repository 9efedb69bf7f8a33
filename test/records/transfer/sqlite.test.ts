import BetterSqlite3 from 'better-sqlite3'
import t, { type Test } from 'tap'
import { copyRows } from '../../../src/records/transfer/rows.ts'
import { openSqliteSource, openSqliteTarget } from '../../../src/records/transfer/sqlite.ts'
import { sqliteFor } from '../fixtures/database.ts'

async function rowsOf (t: Test, file: string, name: string) {
  const source = openSqliteSource(file)
  t.teardown(() => source.close())
  const table = source.tables.find((one) => one.name === name)
  if (table === undefined) throw new Error(`no table ${name}`)
  const cells: unknown[] = []
  for await (const page of source.rows(table)) cells.push(...page.map((row) => Object.fromEntries(table.columns.map((column, index) => [column.name, row[index]]))))
  return cells
}

t.test('times are the same however they were written', async (t) => {
  const { file, connect } = await sqliteFor(t)
  const insert = connect().prepare('INSERT INTO "Tombstone" VALUES (?, ?)')
  for (const [key, createdAt] of [['a', '2026-11-22T10:00:00.120+00:00'], ['b', Date.UTC(2026, 10, 22, 10, 0, 0, 120)], ['c', '2026-11-22T11:00:00.120+01:00']]) insert.run(key, createdAt)
  t.strictSame((await rowsOf(t, file, 'Tombstone')).map((row) => (row as { createdAt: unknown }).createdAt), Array(3).fill('2026-11-22T10:00:00.120Z'))
})

t.test('what no gateway wrote is refused, with where it is', async (t) => {
  const wrong = [
    ['INSERT INTO "Tombstone" VALUES (\'k\', \'yesterday\')', 'Tombstone', 'createdAt', 'a time'],
    ['INSERT INTO "Setting" VALUES (\'k\', x\'00\')', 'Setting', 'value', 'text'],
    ['INSERT INTO "Owner" ("key", "epoch") VALUES (\'k\', \'many\')', 'Owner', 'epoch', 'a whole number'],
    ['INSERT INTO "Blob" ("id", "kind", "extension", "state", "contentType", "size", "sha256", "stateAt", "createdAt", "keepsMetadata") VALUES (\'i\', \'avatar\', \'png\', \'pending\', \'\', 1, \'\', 0, 0, 2)', 'Blob', 'keepsMetadata', 'true or false'],
  ] as const
  for (const [sql, table, column, kind] of wrong) {
    const { file, connect } = await sqliteFor(t)
    connect().exec(sql)
    await t.rejects(rowsOf(t, file, table), { name: 'NotTransferable', message: `The column ${column} of the table ${table} holds what is not ${kind}: somebody changed it by hand.` })
  }
})

t.test('a row that points at nothing is not committed', async (t) => {
  const [from, to] = [await sqliteFor(t), await sqliteFor(t)]
  const connection = from.connect()
  connection.pragma('foreign_keys = OFF')
  connection.exec('INSERT INTO "Alias" VALUES (\'/i/x\', \'nothing\')')
  const [source, target] = [openSqliteSource(from.file), openSqliteTarget(to.file)]
  t.teardown(() => source.close())
  await copyRows({ source, target })
  await t.rejects(target.commit(), { name: 'NotTransferable', message: 'A row of the table Alias points at none of Blob.' })
  await target.close()
  t.equal(await to.client.alias.count(), 0)
})

t.test('a setting is set, whether it was there or not', async (t) => {
  const { file, client } = await sqliteFor(t)
  await client.setting.create({ data: { key: 'a', value: 'old' } })
  const target = openSqliteTarget(file)
  for (const key of ['a', 'b']) await target.setSetting(key, 'new')
  await target.setCounter('Tombstone', '7')
  await target.commit()
  await target.close()
  t.strictSame((await client.setting.findMany()).map(({ key, value }) => [key, value]), [['a', 'new'], ['b', 'new']])
})

t.test('nobody else writes meanwhile, and no database is made', async (t) => {
  const { file } = await sqliteFor(t)
  const target = openSqliteTarget(file)
  const other = new BetterSqlite3(file, { timeout: 0 })
  t.throws(() => other.exec('INSERT INTO "Setting" VALUES (\'a\', \'b\')'), { code: 'SQLITE_BUSY' })
  other.close()
  await target.close()
  t.throws(() => openSqliteSource(`${file}-absent`), { code: 'SQLITE_CANTOPEN' })
  t.throws(() => openSqliteTarget(`${file}-absent`), { code: 'SQLITE_CANTOPEN' })
})
