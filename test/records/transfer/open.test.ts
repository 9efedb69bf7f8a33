import t from 'tap'
import { openSource, openTarget } from '../../../src/records/transfer/open.ts'
import { sqliteFor } from '../fixtures/database.ts'

t.test('a file is opened as the embedded database', async (t) => {
  const { file } = await sqliteFor(t)
  for (const open of [openSource, openTarget]) {
    const side = await open({ kind: 'sqlite', file })
    t.ok(side.tables.some(({ name }) => name === 'Blob'))
    await side.close()
  }
})

t.test('a URL is where a PostgreSQL would be', async (t) => {
  // Nothing listens on the port that none can have.
  for (const open of [openSource, openTarget]) await t.rejects(open({ kind: 'postgresql', url: 'postgres://ada:secret@127.0.0.1:1/uploads' }), { name: 'ConfigError', message: /^PostgreSQL at 127\.0\.0\.1:1, database "uploads" as "ada" cannot be reached.* that DATABASE_URL names/ })
  for (const open of [openSource, openTarget]) await t.rejects(open({ kind: 'postgresql', url: 'postgres://ada:secret@127.0.0.1:1/uploads', setting: '--from' }), { name: 'ConfigError', message: /cannot be reached.* that --from names/ })
})
