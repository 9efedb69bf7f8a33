import { join } from 'node:path'
import t, { type Test } from 'tap'
import { createAccountRecords, type Account } from '../../src/accounts/records.ts'
import { openDatabase } from '../../src/records/database.ts'
import { databaseAddressFor } from '../fixtures/database-server.ts'

async function open (t: Test) {
  const database = await openDatabase({ address: await databaseAddressFor(t, join(t.testdir(), 'gateway.sqlite')), requireMount: false, connections: 4 })
  t.teardown(() => database.close())
  return { database, records: createAccountRecords(database.client) }
}

const at = new Date(1_800_000_000_000)
const ada: Account = { id: 'a', email: 'ada@x.org', displayName: 'Ada', passwordHash: 'h', tokenGeneration: 0, createdAt: at, updatedAt: at }

t.test('an account is found by its id and its e-mail address', async (t) => {
  const { records } = await open(t)
  t.same(await records.add(ada), ada)
  t.same(await records.byId('a'), ada)
  t.same(await records.byEmail('ada@x.org'), ada)
  t.equal(await records.byId('b'), null)
  t.equal(await records.byEmail('b'), null)
})

t.test('an e-mail address belongs to one account, also when two ask at once', async (t) => {
  const { records } = await open(t)
  const results = await Promise.allSettled(['a', 'b', 'c', 'd'].map((id) => records.add({ ...ada, id })))
  t.equal(results.filter(({ status }) => status === 'fulfilled').length, 1)
  for (const result of results) if (result.status === 'rejected') t.match(result.reason, { code: 'EMAIL_TAKEN', statusCode: 409 })
})

t.test('a change touches what it names', async (t) => {
  const { records } = await open(t)
  await records.add(ada)
  const later = new Date(at.getTime() + 1000)
  t.same(await records.change('a', { displayName: 'Countess', updatedAt: later }), { ...ada, displayName: 'Countess', updatedAt: later })
  t.match(await records.change('a', { email: 'new@x.org', updatedAt: later }), { email: 'new@x.org', displayName: 'Countess' })
  t.equal(await records.change('b', { displayName: 'x', updatedAt: later }), null)
  await records.add({ ...ada, id: 'c' })
  await t.rejects(records.change('c', { email: 'new@x.org', updatedAt: later }), { code: 'EMAIL_TAKEN' })
})

t.test('of two changes of a password made at once one is taken', async (t) => {
  const { records } = await open(t)
  await records.add(ada)
  t.same((await Promise.all([records.changePassword('a', 0, 'x', at), records.changePassword('a', 0, 'y', at)])).sort(), [false, true])
  t.match(await records.byId('a'), { tokenGeneration: 1 })
  t.equal(await records.changePassword('a', 0, 'z', at), false)
  t.equal(await records.changePassword('b', 0, 'z', at), false)
})

t.test('ending tokens counts each time', async (t) => {
  const { records } = await open(t)
  await records.add(ada)
  t.same(await Promise.all([records.endTokens('a', at), records.endTokens('a', at), records.endTokens('b', at)]), [true, true, false])
  t.match(await records.byId('a'), { tokenGeneration: 2 })
})

t.test('a database that does not answer is DATABASE_UNAVAILABLE', async (t) => {
  const { database, records } = await open(t)
  await database.client.$executeRawUnsafe('DROP TABLE "Account"')
  await t.rejects(records.byId('a'), { code: 'DATABASE_UNAVAILABLE', statusCode: 503 })
  await t.rejects(records.add(ada), { code: 'DATABASE_UNAVAILABLE' })
})
