// PostgreSQL as the database: starts that are refused, starts at once, and what its triggers count.
import { appendFile, readFile, writeFile } from 'node:fs/promises'
import { createServer, type AddressInfo } from 'node:net'
import { once } from 'node:events'
import pg from 'pg'
import t, { type Test } from 'tap'
import { openPostgres } from '../../src/records/postgres/open.ts'
import { sidecarFor } from '../storage/fixtures/volume.ts'
import { temporaryFolder } from '../helper.ts'
import { keep } from '../records/fixtures/database.ts'
import { attachmentIn, get, postAttachment } from './client.ts'
import { start, startRefused } from './gateway.ts'
import { postgres, type Postgres } from './postgres.ts'

const password = 'no-one-may-see'

const within = async (url: string, ...statements: string[]): Promise<void> => {
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  for (const statement of statements) await client.query(statement)
  await client.end()
}

/** The server wants a password of this user from now on. */
async function lock (server: Postgres, user: string): Promise<void> {
  const { rows: [row] } = await server.client.query<{ hba_file: string }>('SHOW hba_file')
  const file = row?.hba_file ?? ''
  const rules = await readFile(file, 'utf8')
  await writeFile(file, `host all ${user} 127.0.0.1/32 scram-sha-256\n`)
  await appendFile(file, rules)
  await server.client.query('SELECT pg_reload_conf()')
}

async function silentServer (t: Test): Promise<number> {
  const server = createServer((socket) => { t.teardown(() => socket.destroy()) }).listen(0, '127.0.0.1')
  t.teardown(() => server.close())
  await once(server, 'listening')
  return (server.address() as AddressInfo).port
}

t.test('a start that is refused says what to do, and never shows the password', { timeout: 240_000 }, async (t) => {
  const server = await postgres(t)
  const folder = await temporaryFolder(t)
  const place = new URL(server.url)
  const at = (database: string, { user = 'gateway', secret = password, port = place.port, query = '' } = {}) => `postgres://${user}${secret === '' ? '' : `:${secret}`}@127.0.0.1:${port}/${database}${query}`
  await server.client.query(`CREATE ROLE gateway LOGIN PASSWORD '${password}'`)
  await server.client.query('CREATE ROLE sleeper')
  await lock(server, 'gateway')
  for (const name of ['locked', 'careless', 'standing', 'newer', 'edited']) {
    await server.create(name)
    await server.client.query(`ALTER DATABASE "${name}" OWNER TO gateway`)
  }
  await server.create('foreign')
  await server.client.query('ALTER DATABASE careless SET synchronous_commit = off')
  await server.client.query('ALTER DATABASE standing SET default_transaction_read_only = on')
  await server.client.query("CREATE DATABASE ascii ENCODING 'SQL_ASCII' TEMPLATE template0 OWNER gateway")
  for (const name of ['newer', 'edited']) await (await openPostgres({ url: at(name), connections: 1 })).close()
  await within(at('newer'), "INSERT INTO \"_prisma_migrations\" (id, checksum, finished_at, migration_name) VALUES ('x', 'x', now(), '20990101000000_more')", "INSERT INTO \"Setting\" VALUES ('requiredMigration', '20990101000000_more')")
  await within(at('edited'), "UPDATE \"_prisma_migrations\" SET checksum = 'x'")

  const refused: ReadonlyArray<readonly [url: string, sentence: RegExp]> = [
    [at('locked', { port: '1' }), /^PostgreSQL at 127\.0\.0\.1:1, database "locked" as "gateway" cannot be reached \(.*ECONNREFUSED.*\)\. See that it runs/],
    [at('locked', { port: String(await silentServer(t)) }), /does not answer\. See that it runs/],
    [at('locked', { secret: 'another' }), /refuses the password\. Set the right one in DATABASE_URL/],
    [at('locked', { secret: '' }), /wants a password, and DATABASE_URL has none/],
    [at('locked', { user: 'sleeper', secret: '' }), /refuses this user: role "sleeper" is not permitted to log in/],
    [at('locked', { query: '?sslmode=verify-full' }), /cannot be reached over TLS: The server does not support SSL connections/],
    [at('locked', { query: '?schema=nowhere' }), /has no such schema as DATABASE_URL says/],
    [at('nowhere'), /database "nowhere" as "gateway" does not exist\. Make it with "CREATE DATABASE"/],
    [at('foreign'), /may not do what is needed: permission denied for schema public\. Let that user own the database/],
    [at('careless'), /synchronous_commit is off there/],
    [at('standing'), /takes no writes/],
    [at('ascii'), /its encoding is SQL_ASCII/],
    [at('newer'), /newer than this version of the gateway can work with: it has migration 20990101000000_more/],
    [at('edited'), /Migration 20\d+_init is not the one that was applied/],
  ]
  for (const [url, sentence] of refused) {
    const { code, stderr } = await startRefused(folder, { DATABASE_URL: url })
    t.match({ code, stderr }, { code: 1, stderr: sentence }, sentence.source)
    t.equal(stderr.trimEnd().split('\n').length, 1, 'one sentence, and no stack')
    t.notMatch(stderr, new RegExp(password))
  }
})

t.test('of eight gateways that start at once on an empty database one migrates, and all work', { timeout: 120_000 }, async (t) => {
  const server = await postgres(t)
  const url = await server.create('fresh')
  const folder = await temporaryFolder(t)
  const gateways = await Promise.all(Array.from({ length: 8 }, () => start(t, folder, { DATABASE_URL: url, DATABASE_CONNECTIONS: '3' })))
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  t.teardown(() => client.end())
  const { rows } = await client.query('SELECT migration_name, applied_steps_count, finished_at IS NOT NULL AS finished FROM "_prisma_migrations"')
  t.strictSame(rows.map(({ applied_steps_count: steps, finished }) => [steps, finished]), rows.map(() => [1, true]))
  t.equal(new Set(rows.map(({ migration_name: name }) => name)).size, rows.length)
  for (const [index, gateway] of gateways.entries()) {
    const answer = await postAttachment(gateway, 'ada', Buffer.from(`of gateway ${index}`))
    t.equal(answer.status, 201)
    const other = gateways[(index + 1) % gateways.length]
    if (other !== undefined) t.equal((await get(other, attachmentIn(answer).url, 'ada')).body.toString(), `of gateway ${index}`)
  }
  for (const gateway of gateways) t.equal((await gateway.stop()).code, 0)
})

t.test('a database of a newer version is used, and told of', async (t) => {
  const server = await postgres(t)
  const url = await server.create('newer')
  await (await openPostgres({ url, connections: 1 })).close()
  await within(url, "INSERT INTO \"_prisma_migrations\" (id, checksum, finished_at, migration_name) VALUES ('x', 'x', now(), '20990101000000_more')", 'ALTER TABLE "Blob" ADD COLUMN "more" TEXT')
  const said: string[] = []
  const { client, close } = await openPostgres({ url, connections: 1, warn: (message) => { said.push(message) } })
  await keep(client, sidecarFor('x'))
  await close()
  t.match(said, [/newer than this version of the gateway: it has 20990101000000_more/])
})

t.test('what owners have is counted with whatever happens to blobs, also by many at once', async (t) => {
  const server = await postgres(t)
  const { client, close } = await openPostgres({ url: await server.create('counted'), connections: 8 })
  t.teardown(close)
  const at = new Date()
  const row = (id: string, state: string, ownerId: string | null, size: number) => ({ id, kind: 'attachment', extension: 'bin', state, ownerId, contentType: '', size: BigInt(size), sha256: '', stateAt: at, createdAt: at })
  const usage = async () => Object.fromEntries((await client.usage.findMany({ orderBy: { ownerId: 'asc' } })).map(({ ownerId, bytes, files, trashBytes }) => [ownerId, [Number(bytes), files, Number(trashBytes)]]))
  for (const [id, state, owner, size] of [['a', 'live', 'ada', 10], ['b', 'deleted', 'ada', 5], ['c', 'superseded', 'bob', 7], ['d', 'purging', 'eve', 7], ['e', 'pending', null, 7], ['f', 'deleted', 'eve', 0], ['g', 'live', 'ada', 1], ['h', 'live', 'kim', 0], ['i', 'superseded', 'kim', 3]] as const) await client.blob.create({ data: row(id, state, owner, size) })
  t.strictSame(await usage(), { ada: [11, 2, 5], bob: [0, 0, 7], kim: [0, 1, 3] })
  await client.blob.update({ where: { id: 'a' }, data: { state: 'deleted' } })
  await client.blob.update({ where: { id: 'b' }, data: { state: 'live', size: 6 } })
  await client.blob.update({ where: { id: 'e' }, data: { state: 'live', ownerId: 'eve' } })
  await client.blob.update({ where: { id: 'g' }, data: { revision: 2, ownerId: 'ada' } })
  t.strictSame(await usage(), { ada: [7, 2, 10], bob: [0, 0, 7], eve: [7, 1, 0], kim: [0, 1, 3] })
  await client.blob.update({ where: { id: 'c' }, data: { ownerId: 'ada' } })
  await client.blob.update({ where: { id: 'e' }, data: { state: 'purging' } })
  await client.blob.update({ where: { id: 'i' }, data: { state: 'swept', ownerId: null } })
  await client.blob.update({ where: { id: 'h' }, data: { size: 4 } })
  t.strictSame(await usage(), { ada: [7, 2, 17], kim: [4, 1, 0] }, 'who has nothing any more is not named')

  const many = Array.from({ length: 40 }, (_, index) => `m${index}`)
  await Promise.all(many.map((id) => client.blob.create({ data: row(id, 'live', 'lea', 2) })))
  t.match(await usage(), { lea: [80, 40, 0] })
  await Promise.all(many.map((id, index) => index % 2 === 0 ? client.blob.delete({ where: { id } }) : client.blob.update({ where: { id }, data: { state: 'deleted' } })))
  t.match(await usage(), { lea: [0, 0, 40] })
  await client.blob.deleteMany()
  t.strictSame(await usage(), {})
})

t.test('a schema with capitals is that one, and not the one of the same letters without', { timeout: 60_000 }, async (t) => {
  const server = await postgres(t)
  await within(server.url, 'CREATE SCHEMA "Files"', 'CREATE SCHEMA files')
  const database = await openPostgres({ url: `${server.url}?schema=Files`, connections: 2 })
  t.teardown(() => database.close())
  await database.client.setting.create({ data: { key: 'one', value: 'of Files' } })
  t.strictSame(await database.client.$queryRaw`SELECT "value" FROM "Setting"`, [{ value: 'of Files' }], 'for raw SQL as well')
})

t.test('text is compared byte by byte, whatever the collation of the database is', async (t) => {
  const server = await postgres(t)
  await server.client.query("CREATE DATABASE sorted LOCALE_PROVIDER icu ICU_LOCALE 'en' LOCALE 'C' TEMPLATE template0")
  const url = new URL(server.url)
  url.pathname = '/sorted'
  const { client, close } = await openPostgres({ url: url.href, connections: 1 })
  t.teardown(close)
  const keys = ['B', 'Z-a', 'a', 'a-b', 'aB', 'ab', 'ä', 'ｚ', '😀']
  await client.setting.createMany({ data: keys.map((key) => ({ key, value: '' })) })
  t.strictSame((await client.setting.findMany({ orderBy: { key: 'asc' } })).map(({ key }) => key), keys)
  t.strictSame((await client.setting.findMany({ where: { key: { gt: 'a' } }, orderBy: { key: 'asc' } })).map(({ key }) => key), keys.slice(3))
  t.strictSame(await client.setting.findMany({ where: { key: 'a\0' } }), [], 'what PostgreSQL has no text for is found nowhere')
})

const types: Readonly<Record<string, string>> = { String: 'text', Int: 'integer', BigInt: 'bigint', DateTime: 'timestamp(3) without time zone', Boolean: 'boolean' }

t.test('the shipped migrations make exactly the models of the schema', async (t) => {
  const server = await postgres(t)
  const url = await server.create('models')
  await (await openPostgres({ url, connections: 1 })).close()
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  t.teardown(() => client.end())
  const { rows: columns } = await client.query<{ model: string, field: string, type: string, required: boolean, collation: string | null }>(`SELECT c.relname AS model, a.attname AS field, format_type(a.atttypid, a.atttypmod) AS type, a.attnotnull AS required, l.collname AS collation
    FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid LEFT JOIN pg_collation l ON l.oid = a.attcollation
    WHERE c.relnamespace = 'public'::regnamespace AND c.relkind = 'r' AND c.relname <> '_prisma_migrations' AND a.attnum > 0 AND NOT a.attisdropped`)
  const { rows: indexes } = await client.query<{ name: string }>("SELECT indexname AS name FROM pg_indexes WHERE schemaname = 'public' AND tablename <> '_prisma_migrations'")

  const schema = await readFile(new URL('../../prisma/schema.prisma', import.meta.url), 'utf8')
  const models = [...schema.matchAll(/^model (\w+) \{\n([^}]*)\}/gm)].map(([, model = '', body = '']) => ({ model, body, fields: [...body.matchAll(/^ {2}(\w+) +(String|Int|BigInt|DateTime|Boolean)(\?)?(?: |$)([^\n/]*)/gm)] }))
  const expected = models.flatMap(({ model, fields }) => fields.map(([, field = '', type = '', optional]) => `${model}.${field} ${types[type]}${optional === undefined ? ' not null' : ''}${type === 'String' ? ' C' : ''}`))
  t.strictSame(columns.map(({ model, field, type, required, collation }) => `${model}.${field} ${type}${required ? ' not null' : ''}${collation === null ? '' : ` ${collation}`}`).sort(), expected.sort())
  const expectedIndexes = models.flatMap(({ model, body, fields }) => [
    `${model}_pkey`,
    ...fields.filter(([, , , , attributes = '']) => attributes.includes('@unique')).map(([, field = '']) => `${model}_${field}_key`),
    ...[...body.matchAll(/@@index\(\[([^\]]+)\]\)/g)].map(([, list = '']) => `${model}_${list.split(', ').join('_')}_idx`),
  ])
  t.strictSame(indexes.map(({ name }) => name).sort(), expectedIndexes.sort())
})
