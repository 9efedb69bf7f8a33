import { setTimeout } from 'node:timers/promises'
import { test } from 'tap'
import { aheadOfOthers, besideOthers } from '../../src/records/naming.ts'
import { isOnPostgres } from '../fixtures/database-server.ts'
import { databaseFor } from './fixtures/database.ts'
import { inPrisma } from '../../src/records/statements.ts'

test('where one transaction comes after the other, there is nothing to wait for', { skip: isOnPostgres && 'of SQLite' }, async (t) => {
  const { client } = await databaseFor(t)
  t.strictSame([...besideOthers(client), ...aheadOfOthers(client)], [])
})

test('many name readers at once; an erasure becomes known when they are done, and they begin when it is', { skip: isOnPostgres ? false : 'of PostgreSQL' }, async (t) => {
  const { client } = await databaseFor(t)
  const order: string[] = []
  const lasting = (name: string, statements: ReturnType<typeof besideOthers>) =>
    client.$transaction([...inPrisma(client, statements), client.$queryRaw`SELECT CAST(pg_sleep(0.3) AS TEXT)`]).then(() => order.push(name))
  const holders = async () => (await client.$queryRaw<unknown[]>`SELECT 1 FROM pg_locks WHERE "locktype" = 'advisory' AND "granted"`).length
  async function until (count: number): Promise<void> {
    while (await holders() !== count) await setTimeout(5)
  }

  const named = [lasting('one', besideOthers(client)), lasting('another', besideOthers(client))]
  await until(2)
  const erased = lasting('erased', aheadOfOthers(client))
  await Promise.all(named)
  await until(1)
  await Promise.all([erased, lasting('later', besideOthers(client))])
  t.strictSame(order.slice(0, 2).sort(), ['another', 'one'])
  t.strictSame(order.slice(2), ['erased', 'later'])
})
