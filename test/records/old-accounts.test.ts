import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import BetterSqlite3 from 'better-sqlite3'
import t from 'tap'
import { carryAccounts } from '../../src/records/old-accounts.ts'
import { sqliteFor } from './fixtures/database.ts'

const at = new Date('2026-11-22T12:00:00.123Z')
const account = (id: string) => ({ id, email: `${id}@example.com`, displayName: id, passwordHash: '$argon2id$x', tokenGeneration: 2, createdAt: at, updatedAt: at })

t.test('accounts come over as they are, however many', async (t) => {
  const [old, fresh] = [await sqliteFor(t), await sqliteFor(t)]
  const accounts = Array.from({ length: 1101 }, (_, index) => account(`user-${index}`))
  await old.client.account.createMany({ data: accounts })
  t.strictSame(await carryAccounts(old.file, fresh.client), { count: 1101, failure: undefined })
  t.strictSame(await fresh.client.account.findUnique({ where: { id: 'user-7' } }), account('user-7'))
  t.equal(await fresh.client.account.count(), 1101)
})

t.test('a database that never had accounts has none', async (t) => {
  const { client } = await sqliteFor(t)
  const file = join(t.testdir(), 'empty.sqlite')
  writeFileSync(file, '')
  t.strictSame(await carryAccounts(file, client), { count: 0, failure: undefined })
})

t.test('rows that are damaged keep no other out, and are counted without a word of what is in them', async (t) => {
  const [old, fresh] = [await sqliteFor(t), await sqliteFor(t)]
  const names = ['id', 'email', 'name', 'hash', 'generation', 'created', 'updated', 'odd', 'whole', 'last']
  await old.client.account.createMany({ data: names.map(account) })
  const connection = old.connect()
  for (const [column, value, id] of [['email', "x'00ff'", 'email'], ['displayName', "x'00'", 'name'], ['passwordHash', "''", 'hash'], ['tokenGeneration', "'many'", 'generation'], ['createdAt', "'garbage'", 'created'], ['updatedAt', '1e300', 'updated'], ['tokenGeneration', '9007199254740993', 'odd'], ['id', "'no user'", 'id']] as const) {
    connection.exec(`UPDATE Account SET ${column} = ${value} WHERE id = '${id}'`)
  }
  t.strictSame(await carryAccounts(old.file, fresh.client), { count: 2, failure: '8 of their rows are damaged' })
  t.strictSame((await fresh.client.account.findMany({ orderBy: { id: 'asc' } })).map(({ id }) => id), ['last', 'whole'])
})

t.test('of two rows with one address, as in a database whose index is damaged, one comes over', async (t) => {
  const fresh = await sqliteFor(t)
  const file = join(t.testdir(), 'old.sqlite')
  const old = new BetterSqlite3(file)
  old.exec('CREATE TABLE Account (id, email, displayName, passwordHash, tokenGeneration, createdAt, updatedAt)')
  for (const [id, email] of [['ada', 'a@example.com'], ['eve', 'a@example.com'], ['bob', 'b@example.com']]) old.prepare("INSERT INTO Account VALUES (?, ?, '', 'x', 0, 1, 1)").run(id, email)
  old.close()
  t.strictSame(await carryAccounts(file, fresh.client), { count: 2, failure: '1 of their rows are damaged' })
  t.strictSame((await fresh.client.account.findMany({ orderBy: { id: 'asc' } })).map(({ id }) => id), ['ada', 'bob'])
})

t.test('accounts that cannot be read are told of; a new database that fails is another matter', async (t) => {
  const [old, fresh] = [await sqliteFor(t), await sqliteFor(t)]
  const file = join(t.testdir(), 'old.sqlite')
  writeFileSync(file, 'no database at all'.repeat(1000))
  t.match(await carryAccounts(file, fresh.client), { count: 0, failure: /not a database/ })
  await old.client.account.create({ data: account('ada') })
  fresh.connect().exec('DROP TABLE Account')
  await t.rejects(carryAccounts(old.file, fresh.client), { code: 'DATABASE_UNAVAILABLE' })
})
