import { join } from 'node:path'
import { test } from 'tap'
import { openDatabase } from '../../src/records/database.ts'
import { folderFor } from '../storage/fixtures/volume.ts'

test('a file is opened as a SQLite database, which can be asked and closed', async (t) => {
  const file = join(await folderFor(t), 'db.sqlite')
  const database = await openDatabase({ address: { kind: 'sqlite', file }, requireMount: false, connections: 1 })
  t.equal(database.kind, 'sqlite')
  await database.check()
  await database.close()
})

test('a PostgreSQL that cannot be reached is refused with a sentence that does not show its password', async (t) => {
  const opening = openDatabase({ address: { kind: 'postgresql', url: 'postgres://gateway:no-one-may-see@127.0.0.1:1/uploads' }, requireMount: false, connections: 1 })
  await t.rejects(opening, { name: 'ConfigError', message: /^PostgreSQL at 127\.0\.0\.1:1, database "uploads" as "gateway" cannot be reached/ })
  t.notMatch(String(await opening.catch((error: unknown) => error)), /no-one-may-see/)
})

test('the refusal says what named the database', async (t) => {
  const address = { kind: 'postgresql', url: 'postgres://gateway@127.0.0.1:1/uploads' } as const
  await t.rejects(openDatabase({ address, requireMount: false, connections: 1 }), { message: /that DATABASE_URL names its host and port\.$/ })
  await t.rejects(openDatabase({ address: { ...address, setting: '--to' }, requireMount: false, connections: 1 }), { message: /that --to names its host and port\.$/ })
})
