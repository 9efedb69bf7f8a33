import { join } from 'node:path'
import t from 'tap'
import { giveRows, takeRows } from '../../src/operations/carrying.ts'
import { openSqlite } from '../../src/records/embedded.ts'
import { sidecarFor } from '../storage/fixtures/volume.ts'
import { keep, sqliteFor } from '../records/fixtures/database.ts'

t.test('rows are taken and given', async (t) => {
  const [from, to] = [await sqliteFor(t), await sqliteFor(t)]
  await keep(from.client, sidecarFor('kept'))
  const file = join(t.testdir(), 'rows.sqlite')
  await takeRows(from.address, file)
  await giveRows(file, to.address)
  t.equal(await to.client.blob.count(), 1)
})

t.test('what keeps them is a sentence, but for what is wrong with a disk', async (t) => {
  const { client, address } = await sqliteFor(t)
  const file = join(t.testdir(), 'rows.sqlite')
  await client.$executeRawUnsafe('INSERT INTO "Tombstone" VALUES (\'k\', \'yesterday\')')
  await t.rejects(takeRows(address, file), { name: 'Refusal', message: /^The rows of \S+gateway\.sqlite cannot be copied: The column createdAt of the table Tombstone .* by hand\. Nothing was changed; mend that and run this again\.$/ })
  await (await openSqlite({ file, requireMount: false })).close()
  await t.rejects(giveRows(file, { kind: 'postgresql', url: 'postgres://ada:secret@127.0.0.1:1/uploads' }), { name: 'ConfigError', message: /^PostgreSQL at .* cannot be reached/ })
  await t.rejects(takeRows({ kind: 'sqlite', file: `${file}-absent` }, `${file}-copy`), { code: 'SQLITE_CANTOPEN' })
})
