import { existsSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import BetterSqlite3 from 'better-sqlite3'
import t from 'tap'
import { carryAccounts, emptyLog, lookAtOld } from '../../src/records/old-database.ts'
import { createVolumeRecord } from '../../src/records/volume.ts'
import { databaseFor } from './fixtures/database.ts'

const at = new Date('2026-11-22T12:00:00.123Z')
const account = (id: string) => ({ id, email: `${id}@example.com`, displayName: id, passwordHash: '$argon2id$x', tokenGeneration: 2, createdAt: at, updatedAt: at })

t.test('what is there is told without changing it', async (t) => {
  const { client, file } = await databaseFor(t)
  t.strictSame(lookAtOld(file), { is: 'readable', isOurs: true, volumeId: undefined })
  await createVolumeRecord(client).remember('abc')
  t.strictSame(lookAtOld(file), { is: 'readable', isOurs: true, volumeId: 'abc' })

  const folder = t.testdir()
  t.strictSame(lookAtOld(join(folder, 'none')), { is: 'absent' })
  t.notOk(existsSync(join(folder, 'none')))
  writeFileSync(join(folder, 'empty'), '')
  t.strictSame(lookAtOld(join(folder, 'empty')), { is: 'readable', isOurs: true, volumeId: undefined })
  writeFileSync(join(folder, 'garbage'), 'no database at all'.repeat(1000))
  t.match(lookAtOld(join(folder, 'garbage')), { is: 'damaged', reason: /not a database/ })
})

t.test('a database of another program is told apart', async (t) => {
  const file = join(t.testdir(), 'other.sqlite')
  const other = new BetterSqlite3(file)
  other.exec('CREATE TABLE Setting (name TEXT)')
  other.close()
  t.strictSame(lookAtOld(file), { is: 'readable', isOurs: false, volumeId: undefined })
})

t.test('accounts come over as they are, however many', async (t) => {
  const [old, fresh] = [await databaseFor(t), await databaseFor(t)]
  const accounts = Array.from({ length: 1101 }, (_, index) => account(`user-${index}`))
  await old.client.account.createMany({ data: accounts })
  t.strictSame(await carryAccounts(old.file, fresh.client), { count: 1101, failure: undefined })
  t.strictSame(await fresh.client.account.findUnique({ where: { id: 'user-7' } }), account('user-7'))
  t.equal(await fresh.client.account.count(), 1101)
})

t.test('a database that never had accounts has none', async (t) => {
  const { client } = await databaseFor(t)
  const file = join(t.testdir(), 'empty.sqlite')
  writeFileSync(file, '')
  t.strictSame(await carryAccounts(file, client), { count: 0, failure: undefined })
})

t.test('accounts that cannot be read are told of; a new database that fails is another matter', async (t) => {
  const [old, fresh] = [await databaseFor(t), await databaseFor(t)]
  const file = join(t.testdir(), 'old.sqlite')
  const other = new BetterSqlite3(file)
  other.exec('CREATE TABLE Account (id TEXT, email TEXT)')
  other.close()
  t.match(await carryAccounts(file, fresh.client), { count: 0, failure: /no such column/ })
  await old.client.account.create({ data: account('ada') })
  await fresh.client.account.create({ data: account('ada') })
  await t.rejects(carryAccounts(old.file, fresh.client), { code: 'P2002' })
})

t.test('the log of a database is emptied into it, unless somebody is at work with it', async (t) => {
  const { client, file, connect } = await databaseFor(t)
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
