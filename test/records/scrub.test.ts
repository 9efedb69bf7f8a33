import { readFileSync, statSync } from 'node:fs'
import { test } from 'tap'
import { scrub } from '../../src/records/scrub.ts'
import { isOnPostgres, onSqliteOnly } from '../fixtures/database-server.ts'
import { sidecarFor } from '../storage/fixtures/volume.ts'
import { databaseFor, keep } from './fixtures/database.ts'

const secretName = 'a-name-that-nobody-else-has'
/** Whether it is in the database, and in its log. */
const place = (file: string) => [file, `${file}-wal`].map((path) => readFileSync(path).includes(secretName))

test('of deleted rows nothing is left in the files of the database, among thousands of others', { skip: onSqliteOnly }, async (t) => {
  const { client, file } = await databaseFor(t)
  for (let index = 0; index < 600; index += 1) {
    const isTheirs = index % 7 === 0
    const ownerId = isTheirs ? secretName : `user-${index}`
    await keep(client, sidecarFor('x', { kind: 'attachment', recordId: `r${index}`, ownerId, creatorId: ownerId, filename: isTheirs ? `${secretName}.pdf` : 'b.pdf', visibility: 'private', aliases: [`/i/${ownerId}/${index}`] }))
  }
  t.ok(place(file).includes(true))
  await client.blob.deleteMany({ where: { ownerId: secretName } })
  t.ok(place(file).includes(true), 'the log still has it')
  t.equal(await scrub(client, { isThorough: true }), true)
  t.strictSame(place(file), [false, false])
  t.equal(statSync(`${file}-wal`).size, 0)
})

test('while somebody reads from the log it cannot be cut, and this is told after a while', { skip: onSqliteOnly }, async (t) => {
  const { client, connect } = await databaseFor(t)
  await client.setting.create({ data: { key: 'a', value: '1' } })
  const reader = connect()
  reader.exec('BEGIN')
  reader.prepare('SELECT * FROM Setting').all()
  await client.setting.create({ data: { key: 'b', value: '1' } })
  t.equal(await scrub(client, { tries: 2 }), false)
  reader.exec('COMMIT')
  t.equal(await scrub(client), true)
})

test('in PostgreSQL what was deleted is taken out of the tables, if it is to be now', { skip: isOnPostgres ? false : 'of PostgreSQL' }, async (t) => {
  const { client } = await databaseFor(t)
  const vacuums = async () => client.$queryRaw<Array<{ relname: string }>>`SELECT "relname" FROM "pg_stat_user_tables" WHERE "vacuum_count" > 0 ORDER BY "relname"`
  t.equal(await scrub(client), true)
  t.strictSame(await vacuums(), [])
  t.equal(await scrub(client, { isThorough: true }), true)
  t.match((await vacuums()).map(({ relname }) => relname), ['Account', 'Alias', 'Answer', 'Attachment', 'Avatar', 'Blob'])
})
