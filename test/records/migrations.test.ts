import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import BetterSqlite3 from 'better-sqlite3'
import { test, type Test } from 'tap'
import { Prisma } from '../../src/generated/prisma/client.ts'
import { migrate, newerSentence, shippedMigrations, type Migration } from '../../src/records/migrations.ts'
import { folderFor } from '../storage/fixtures/volume.ts'
import { sqliteFor } from './fixtures/database.ts'

const one: Migration = { name: '1_one', sql: 'CREATE TABLE parent (id TEXT PRIMARY KEY); CREATE TABLE child (id TEXT REFERENCES parent (id));' }
const two: Migration = { name: '2_two', sql: "INSERT INTO parent VALUES ('a'); INSERT INTO child VALUES ('a');" }

async function setUp (t: Test) {
  const file = join(await folderFor(t), 'db.sqlite')
  const connection = new BetterSqlite3(file)
  t.teardown(() => connection.close())
  const tables = () => connection.prepare("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name").pluck().all()
  const applied = () => connection.prepare('SELECT migration_name FROM _prisma_migrations ORDER BY started_at, migration_name').pluck().all()
  return { file, connection, tables, applied }
}

test('a fresh database gets all migrations in order, and none again', async (t) => {
  const { connection, applied } = await setUp(t)
  t.strictSame(migrate(connection, [one, two]).applied, ['1_one', '2_two'])
  t.strictSame(migrate(connection, [one, two]).applied, [])
  t.strictSame(applied(), ['1_one', '2_two'])
  t.equal(connection.pragma('foreign_keys', { simple: true }), 1)
})

test('an older database gets what it lacks', async (t) => {
  const { connection } = await setUp(t)
  migrate(connection, [one])
  t.strictSame(migrate(connection, [one, two]).applied, ['2_two'])
})

test('rows are kept in Prisma\'s own table, as Prisma writes them', async (t) => {
  const { connection } = await setUp(t)
  migrate(connection, [one])
  t.match(connection.prepare('SELECT * FROM _prisma_migrations').get(), {
    id: /^[0-9a-f-]{36}$/, checksum: /^[0-9a-f]{64}$/, migration_name: '1_one', finished_at: /^\d{4}-.*\+00:00$/, rolled_back_at: null, logs: null, applied_steps_count: 1,
  })
})

test('one that fails leaves the database as it was, and no transaction open', async (t) => {
  const { connection, tables } = await setUp(t)
  const broken = { name: '2_broken', sql: 'CREATE TABLE third (id TEXT); INSERT INTO nowhere VALUES (1);' }
  t.throws(() => migrate(connection, [one, broken]), /no such table: nowhere/)
  t.strictSame(tables(), [])
  t.equal(connection.inTransaction, false)
  t.equal(connection.pragma('foreign_keys', { simple: true }), 1)
  t.strictSame(migrate(connection, [one, two]).applied, ['1_one', '2_two'])
})

test('one that breaks a foreign key leaves the database as it was', async (t) => {
  const { connection, tables } = await setUp(t)
  t.throws(() => migrate(connection, [one, { name: '2_widow', sql: "INSERT INTO child VALUES ('nobody')" }]), /point at nothing/)
  t.strictSame(tables(), [])
})

test('rows that were removed by hand keep no start from its way when there is nothing to migrate', async (t) => {
  const { connection } = await setUp(t)
  migrate(connection, [one, two])
  connection.pragma('foreign_keys = OFF')
  connection.exec('DELETE FROM parent')
  t.strictSame(migrate(connection, [one, two]).applied, [])
})

test('one may rebuild a table that others point at', async (t) => {
  const { connection } = await setUp(t)
  migrate(connection, [one, two])
  const rebuild = { name: '3_rebuild', sql: 'PRAGMA foreign_keys=OFF; CREATE TABLE fresh (id TEXT PRIMARY KEY, more TEXT); INSERT INTO fresh (id) SELECT id FROM parent; DROP TABLE parent; ALTER TABLE fresh RENAME TO parent; PRAGMA foreign_keys=ON;' }
  t.strictSame(migrate(connection, [one, two, rebuild]).applied, ['3_rebuild'])
  t.strictSame(connection.prepare('SELECT * FROM child').all(), [{ id: 'a' }])
})

test('a database that an edited or a half-way migration has touched is refused and left alone', async (t) => {
  const { connection, applied } = await setUp(t)
  migrate(connection, [one, two])
  t.throws(() => migrate(connection, [one, { ...two, sql: `${two.sql} ` }]), /2_two is not the one that was applied/)
  connection.exec("UPDATE _prisma_migrations SET finished_at = NULL WHERE migration_name = '2_two'")
  t.throws(() => migrate(connection, [one, two]), /2_two failed half-way/)
  t.strictSame(applied(), ['1_one', '2_two'])
  connection.exec("UPDATE _prisma_migrations SET rolled_back_at = '2026-01-01' WHERE migration_name = '2_two'; DELETE FROM child; DELETE FROM parent")
  t.strictSame(migrate(connection, [one, two]).applied, ['2_two'], 'one that was rolled back is applied again')
})

test('what only a later version knows is told, and refused only when the database requires it', async (t) => {
  const { connection, applied } = await setUp(t)
  migrate(connection, [one, { name: '2_setting', sql: 'CREATE TABLE "Setting" ("key" TEXT PRIMARY KEY, "value" TEXT)' }])
  t.strictSame(migrate(connection, [one]), { applied: [], newer: ['2_setting'] })
  t.strictSame(migrate(connection, [one, two]), { applied: ['2_two'], newer: ['2_setting'] })
  t.match(newerSentence(['2_setting']), /newer than this version of the gateway: it has 2_setting/)
  t.equal(newerSentence([]), undefined)
  const require = (name: string) => connection.prepare('INSERT OR REPLACE INTO "Setting" VALUES (?, ?)').run('requiredMigration', name)
  require('1_one')
  t.strictSame(migrate(connection, [one]).applied, [])
  require('2_setting')
  t.throws(() => migrate(connection, [one]), /newer than this version.*has migration 2_setting\. Start the version/)
  t.strictSame(applied(), ['1_one', '2_setting', '2_two'])
})

test('a database that another process is migrating, or a full disk, is told by its own error', async (t) => {
  const { file, connection } = await setUp(t)
  const other = new BetterSqlite3(file)
  t.teardown(() => other.close())
  other.exec('BEGIN IMMEDIATE')
  connection.pragma('busy_timeout = 10')
  t.throws(() => migrate(connection, [one]), { code: 'SQLITE_BUSY' })
  t.equal(connection.pragma('foreign_keys', { simple: true }), 1)
  other.exec('ROLLBACK')
  connection.pragma('max_page_count = 4')
  t.throws(() => migrate(connection, [one, { name: '2_large', sql: 'INSERT INTO parent VALUES (hex(zeroblob(100000)))' }]), { code: 'SQLITE_FULL' })
  t.equal(connection.inTransaction, false)
})

test('the shipped migrations are sorted, and make exactly the models of the schema', async (t) => {
  const names = shippedMigrations().map(({ name }) => name)
  t.strictSame(names, names.toSorted())
  t.ok(names.length >= 1)
  const { connect } = await sqliteFor(t)
  const connection = connect()
  const columns = (table: string) => connection.pragma(`table_info("${table}")`) as Array<{ name: string, notnull: number, pk: number, dflt_value: string | null }>
  const schema = readFileSync(new URL('../../prisma/schema.prisma', import.meta.url), 'utf8')
  const models = [...schema.matchAll(/^model (\w+) \{\n([^}]*)\}/gm)].map(([, name = '', body = '']) => ({ name, fields: [...body.matchAll(/^ {2}(\w+) +(String|Int|BigInt|DateTime|Boolean)(\?)?(?: |$)([^\n/]*)/gm)] }))
  t.strictSame(models.map(({ name }) => name).toSorted(), Object.keys(Prisma.ModelName).toSorted())
  for (const { name, fields } of models) {
    const expected = fields.map(([, field = '', , optional, attributes = '']) => ({ field, isRequired: optional === undefined, isId: attributes.includes('@id'), hasDefault: attributes.includes('@default') && !attributes.includes('autoincrement') }))
    const actual = columns(name).map(({ name: field, notnull, pk, dflt_value: value }) => ({ field, isRequired: notnull === 1, isId: pk === 1, hasDefault: value !== null }))
    t.strictSame(actual, expected, name)
  }
})

test('every model is written and read back with every field', async (t) => {
  const { client } = await sqliteFor(t)
  const at = new Date('2026-11-21T10:11:12.345Z')
  const blob = { id: 'b', kind: 'attachment', extension: 'pdf', state: 'live', ownerId: 'ada', creatorId: 'bot', contentType: 'application/pdf', size: 2n ** 53n + 1n, sha256: 'f'.repeat(64), width: 1, height: 2, stateAt: at, revision: 3, sidecarDueAt: at, createdAt: at, epoch: 7, source: 'system-m:/i/a.png', sourceSha256: 'e'.repeat(64), thumbhash: 'aGk=', metadataRemoved: 'location,exif', keepsMetadata: true, crop: '0,0,0.5,1', originalId: 'o', scan: 'clean', scanSignature: '27000' }
  const attachment = { id: 'a', blobId: 'b', ownerId: 'ada', filename: 'Grüße 👋.pdf', visibility: 'private', contextType: 'ticket', contextId: '7', alt: 'x', deletedAt: at, createdAt: at, readers: 'bob,eve', readersEpoch: 3, expiresAt: at }
  const avatar = { userId: 'ada', blobId: 'b' }
  const alias = { path: '/i/p/a.png', blobId: 'b' }
  const account = { id: 'ada', email: 'ada@example.org', displayName: 'Ada', passwordHash: 'x', tokenGeneration: 4, createdAt: at, updatedAt: at }
  const setting = { key: 'volumeId', value: 'v' }
  const owner = { key: 'o', epoch: 3, commits: 4, choices: 6, choice: 5 }
  const erasure = { epoch: 3, id: 'e', ownerKey: 'o', createdAt: at, finishedAt: at }
  const tombstone = { key: 't', createdAt: at }
  const link = { id: 'l', attachmentId: 'a', creatorId: 'ada', expiresAt: at, revokedAt: at, createdAt: at }
  const answer = { key: 'k', fingerprint: 'f', status: 201, headers: '{}', body: '{}', epoch: 0, ownerKeys: 'o', createdAt: at }
  const usage = { ownerId: 'ada', bytes: 2n ** 53n + 1n, files: 1, trashBytes: 0n }
  const resumable = { id: 'u', ownerId: 'ada', creatorId: 'bot', scopes: '[]', kind: 'attachment', length: 2n ** 53n + 1n, offset: 2n ** 53n + 1n, epoch: 2, state: 'receiving', metadata: 'filename YQ==', parts: '[]', blobId: 'n', recordId: 'm', digests: '{}', erasureEpoch: 3, failure: 'X', finishAt: at, completeAt: at, choice: 6, heldUntil: at, createdAt: at, expiresAt: at }
  const segment = { id: 's', uploadId: 'u', start: 1n, bytes: 2n ** 53n + 1n }
  const event = { seq: 1, id: 'v', type: 'attachment.created', ownerKey: 'o', payload: '{}', epoch: 3, createdAt: at, attempts: 2, dueAt: at, deadAt: at }
  await client.blob.create({ data: blob })
  await client.attachment.create({ data: attachment })
  await client.avatar.create({ data: avatar })
  await client.alias.create({ data: alias })
  await client.account.create({ data: account })
  await client.setting.create({ data: setting })
  await client.owner.create({ data: owner })
  await client.erasure.create({ data: erasure })
  await client.tombstone.create({ data: tombstone })
  await client.link.create({ data: link })
  await client.answer.create({ data: answer })
  await client.resumable.create({ data: resumable })
  await client.segment.create({ data: segment })
  await client.event.create({ data: event })
  t.strictSame(await client.blob.findMany({ include: { attachment: true, avatar: true, aliases: true } }), [{ ...blob, attachment, avatar, aliases: [alias] }])
  t.strictSame(await client.attachment.findMany({ include: { blob: true } }), [{ ...attachment, blob }])
  t.strictSame(await client.account.findMany(), [account])
  t.strictSame(await client.setting.findMany(), [setting])
  t.strictSame([await client.owner.findMany(), await client.erasure.findMany(), await client.tombstone.findMany()], [[owner], [erasure], [tombstone]])
  t.strictSame([await client.link.findMany(), await client.answer.findMany(), await client.usage.findMany()], [[link], [answer], [usage]])
  t.strictSame([await client.resumable.findMany({ include: { segments: true } }), await client.event.findMany()], [[{ ...resumable, segments: [segment] }], [event]])

  const bare = { ...blob, id: 'c', ownerId: null, creatorId: null, width: null, height: null, sidecarDueAt: null, source: null, sourceSha256: null, thumbhash: null, metadataRemoved: null, crop: null, originalId: null, scan: null, scanSignature: null }
  await client.blob.create({ data: bare })
  t.strictSame(await client.blob.findUnique({ where: { id: 'c' } }), bare)
  await client.blob.delete({ where: { id: 'b' } })
  t.strictSame([await client.attachment.count(), await client.avatar.count(), await client.alias.count(), await client.link.count()], [0, 0, 0, 0], 'what belongs to a blob goes with it')
})

test('what owners have is counted with whatever happens to blobs, and from what was there before', async (t) => {
  const { connection } = await setUp(t)
  const shipped = shippedMigrations()
  const before = shipped.slice(0, shipped.findIndex(({ name }) => name === '20261123000000_reliable'))
  migrate(connection, before)
  const insert = connection.prepare("INSERT INTO Blob (id, kind, extension, state, ownerId, contentType, size, sha256, stateAt, createdAt) VALUES (?, 'attachment', 'bin', ?, ?, '', ?, '', 0, 0)")
  const usage = () => Object.fromEntries((connection.prepare('SELECT * FROM "Usage" ORDER BY ownerId').all() as Array<{ ownerId: string, bytes: number, files: number, trashBytes: number }>).map(({ ownerId, bytes, files, trashBytes }) => [ownerId, [bytes, files, trashBytes]]))
  insert.run('a', 'live', 'ada', 10)
  insert.run('b', 'deleted', 'ada', 5)
  insert.run('c', 'superseded', 'bob', 7)
  insert.run('d', 'purging', 'eve', 7)
  insert.run('e', 'pending', null, 7)
  insert.run('f', 'deleted', 'eve', 0)
  migrate(connection, shipped)
  t.strictSame(usage(), { ada: [10, 1, 5], bob: [0, 0, 7] })

  for (const [id, state, owner, size] of [['g', 'live', 'ada', 1], ['h', 'live', 'kim', 0], ['i', 'superseded', 'kim', 3], ['j', 'deleted', 'lea', 0], ['k', 'purging', 'lea', 9], ['l', 'live', null, 9], ['m', 'swept', null, 0]] as const) insert.run(id, state, owner, size)
  t.strictSame(usage(), { ada: [11, 2, 5], bob: [0, 0, 7], kim: [0, 1, 3] })

  const update = (id: string, change: string) => connection.exec(`UPDATE Blob SET ${change} WHERE id = '${id}'`)
  update('a', "state = 'deleted'")
  update('b', "state = 'live', size = 6")
  update('e', "state = 'live', ownerId = 'eve'")
  update('g', "revision = 2, ownerId = 'ada'")
  t.strictSame(usage(), { ada: [7, 2, 10], bob: [0, 0, 7], eve: [7, 1, 0], kim: [0, 1, 3] })
  update('c', "ownerId = 'ada'")
  update('e', "state = 'purging'")
  update('i', "state = 'swept', ownerId = NULL")
  update('h', 'size = 4')
  t.strictSame(usage(), { ada: [7, 2, 17], kim: [4, 1, 0] }, 'who has nothing any more is not named')
  connection.exec("DELETE FROM Blob WHERE id IN ('b', 'c', 'd')")
  t.strictSame(usage(), { ada: [1, 1, 10], kim: [4, 1, 0] })
  connection.exec('DELETE FROM Blob')
  t.strictSame(usage(), {})
})

test('each unique value is unique', async (t) => {
  const { client } = await sqliteFor(t)
  const at = new Date()
  const blob = (id: string) => client.blob.create({ data: { id, kind: 'avatar', extension: 'png', state: 'live', contentType: '', size: 0n, sha256: '', stateAt: at, createdAt: at } })
  const account = (id: string, email: string) => client.account.create({ data: { id, email, displayName: '', passwordHash: '', createdAt: at, updatedAt: at } })
  await blob('b')
  await client.avatar.create({ data: { userId: 'ada', blobId: 'b' } })
  await account('ada', 'ada@example.org')
  for (const again of [() => blob('b'), () => client.avatar.create({ data: { userId: 'bob', blobId: 'b' } }), () => account('bob', 'ada@example.org')]) {
    await t.rejects(Promise.resolve(again()), { code: 'P2002' })
  }
  await t.rejects(client.avatar.create({ data: { userId: 'eve', blobId: 'nowhere' } }), { code: 'P2003' })
})
