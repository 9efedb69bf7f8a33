import { test } from 'tap'
import { isPostgres } from '../../src/records/kind.ts'
import { isOnPostgres } from '../fixtures/database-server.ts'
import { databaseFor } from './fixtures/database.ts'

test('a client is known by the database that it speaks to', async (t) => {
  const { client, kind } = await databaseFor(t)
  t.equal(isPostgres(client), isOnPostgres)
  t.equal(kind, isOnPostgres ? 'postgresql' : 'sqlite')
})
