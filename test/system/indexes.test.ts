// With very many rows, what users wait for is found in an index: on both databases, by what they say themselves of the queries that are sent.
import { join } from 'node:path'
import BetterSqlite3 from 'better-sqlite3'
import pg from 'pg'
import t, { type Test } from 'tap'
import { createAttachmentRecords } from '../../src/attachments/records.ts'
import { createAvatarRecords } from '../../src/avatars/records.ts'
import type { UserId } from '../../src/callers/caller.ts'
import { databaseAddress } from '../../src/config.ts'
import { openDatabase, type Database } from '../../src/records/database.ts'
import { createEvents } from '../../src/records/events.ts'
import { createLinkRecords } from '../../src/records/links.ts'
import { createOwners } from '../../src/records/owners.ts'
import { createQuota } from '../../src/records/quota.ts'
import { createTrashRecords } from '../../src/records/trash.ts'
import type { BlobId } from '../../src/storage/ids.ts'
import { createKeyedHash } from '../../src/storage/keyed-hash.ts'
import { temporaryFolder } from '../helper.ts'
import { postgres } from './postgres.ts'

const rows = Number(process.env['INDEX_TEST_ROWS'] ?? 200_000)
const now = () => new Date()
const hash = createKeyedHash('a volume')

/** Of every four rows one is theirs. */
const owner = 'hoarder' as UserId
const other = 'user-10' as UserId

/** How a database makes of n a text that sorts as it does, and a time of its own. */
type Spelling = { readonly numbers: string, readonly digits: string, readonly time: string }

/** The same rows for both, of n = 1 to `rows`. */
function columns ({ digits, time }: Spelling) {
  const ownerId = `CASE WHEN n % 4 = 0 THEN '${owner}' ELSE 'user-' || (n % 20000) END`
  const kind = "CASE WHEN n % 50 = 10 THEN 'avatar' ELSE 'attachment' END"
  const state = "CASE WHEN n % 50 = 10 THEN 'superseded' WHEN n % 10 = 1 THEN 'deleted' ELSE 'live' END"
  return {
    blobs: `SELECT ${digits}, ${kind}, 'bin', ${state}, ${ownerId}, 'application/octet-stream', 1000, ${digits}, ${time}, ${time} FROM numbers`,
    attachments: `SELECT ${digits}, ${digits}, ${ownerId}, 'a.bin', 'private', 'ticket', CAST(n % 5000 AS TEXT), CASE WHEN n % 10 = 1 THEN ${time} END, ${time} FROM numbers WHERE n % 50 <> 10`,
    owners: `SELECT 'owner ' || ${digits}, 1 FROM numbers`,
  }
}

function filling (spelling: Spelling): string {
  const { numbers } = spelling
  const { blobs, attachments, owners } = columns(spelling)
  return `
    ${numbers} INSERT INTO "Blob" ("id", "kind", "extension", "state", "ownerId", "contentType", "size", "sha256", "stateAt", "createdAt") ${blobs};
    ${numbers} INSERT INTO "Attachment" ("id", "blobId", "ownerId", "filename", "visibility", "contextType", "contextId", "deletedAt", "createdAt") ${attachments};
    ${numbers} INSERT INTO "Owner" ("key", "commits") ${owners};`
}

/** Opened, filled, and how it would find what a query asks for. */
type Filled = { readonly database: Database, readonly asked: string[], plan (query: string): Promise<string> }

async function filledSqlite (t: Test): Promise<Filled> {
  const file = join(await temporaryFolder(t), 'gateway.sqlite')
  const asked = listenTo(t, BetterSqlite3.prototype as unknown as Listened, 'prepare')
  const database = await openDatabase({ address: { kind: 'sqlite', file }, requireMount: false, connections: 1 })
  t.teardown(() => database.close())
  const connection = new BetterSqlite3(file)
  t.teardown(() => connection.close())
  connection.exec(`PRAGMA synchronous = OFF; DROP TRIGGER "Blob_insert_Usage";
    ${filling({ numbers: `WITH RECURSIVE numbers (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < ${rows})`, digits: "substr('0000000' || n, -7)", time: "strftime('%Y-%m-%dT%H:%M:%S.000+00:00', 1767225600 + n, 'unixepoch')" })}`)
  return {
    database, asked,
    async plan (query) {
      const values = [...query.matchAll(/\?/g)].map(() => null)
      return connection.prepare<null[], { detail: string }>(`EXPLAIN QUERY PLAN ${query}`).all(...values).map(({ detail }) => detail).join('\n')
    },
  }
}

async function filledPostgres (t: Test): Promise<Filled> {
  const { client, url } = await postgres(t)
  const asked = listenTo(t, pg.Client.prototype as unknown as Listened, 'query')
  const database = await openDatabase({ address: databaseAddress(url, ''), requireMount: false, connections: 2 })
  t.teardown(() => database.close())
  await client.query(`ALTER TABLE "Blob" DISABLE TRIGGER USER;
    ${filling({ numbers: `WITH numbers AS (SELECT n FROM generate_series(1, ${rows}) AS n)`, digits: "lpad(CAST(n AS TEXT), 7, '0')", time: "to_timestamp(1767225600 + n) AT TIME ZONE 'UTC'" })}
    ANALYZE`)
  return {
    database, asked,
    // Without their values, as for a statement that is prepared once: what holds then holds for every owner.
    async plan (query) {
      await client.query('SET plan_cache_mode = force_generic_plan')
      await client.query(`PREPARE "asked" AS ${query}`)
      const { rows: [told] } = await client.query<{ count: string }>("SELECT CAST(array_length(parameter_types, 1) AS TEXT) AS count FROM pg_prepared_statements WHERE name = 'asked'")
      const values = Array.from({ length: Number(told?.count ?? 0) }, () => 'NULL').join()
      const { rows } = await client.query<{ 'QUERY PLAN': string }>(`EXPLAIN (COSTS OFF) EXECUTE "asked"${values === '' ? '' : `(${values})`}`)
      await client.query('DEALLOCATE "asked"')
      return rows.map((row) => row['QUERY PLAN']).join('\n')
    },
  }
}

type Listened = Record<string, (this: unknown, query: unknown, ...rest: unknown[]) => unknown>

/** The text of every query that passes, until the test ends. */
function listenTo (t: Test, driver: Listened, method: string): string[] {
  const asked: string[] = []
  const passing = driver[method]
  if (passing === undefined) throw new Error(`the driver has no ${method}`)
  driver[method] = function (query, ...rest) {
    asked.push(typeof query === 'string' ? query : String((query as { text?: unknown }).text))
    return passing.call(this, query, ...rest)
  }
  t.teardown(() => { driver[method] = passing })
  return asked
}

for (const [name, fill] of [['SQLite', filledSqlite], ['PostgreSQL', filledPostgres]] as const) {
  t.test(`${name} with ${rows} files`, { timeout: 600_000 }, async (t) => {
    const { database: { client, commit }, asked, plan } = await fill(t)
    const owners = createOwners({ client, hash })
    const attachments = createAttachmentRecords({ client, owners, now })
    const avatars = createAvatarRecords({ client, owners, now })
    const quota = createQuota({ client, owners, limitsFor: () => ({ quotaBytes: 1, quotaFiles: 1 }), trashMaxBytes: 0 })
    const events = createEvents({ hash, now, isWanted: true })

    /** The plans of all that `work` asks the large tables for. */
    async function plansOf (work: () => Promise<unknown>): Promise<string[]> {
      asked.length = 0
      await work()
      const questions = [...new Set(asked)].filter((query) => /^\s*(SELECT|UPDATE|DELETE|INSERT)/.test(query) && /["`](Blob|Attachment|Owner|Usage|Avatar|Event|Alias|Link)["`]/.test(query))
      const plans: string[] = []
      for (const question of questions) plans.push(await plan(question))
      return plans
    }

    /** No table is read from its beginning to its end, and nothing of unknown length is sorted. */
    const scans = (plans: readonly string[]) => plans.filter((text) => /Seq Scan on "(Blob|Attachment|Owner)"|SCAN (Blob|Attachment|Owner)\b(?! USING)/.test(text))
    const sorts = (plans: readonly string[]) => plans.filter((text) => /^\s*(->\s+)?Sort$|USE TEMP B-TREE FOR ORDER BY/m.test(text))

    for (const before of [undefined, '0150000']) {
      const plans = await plansOf(() => attachments.list({ ownerId: owner, limit: 51, before }))
      t.match(plans[0], /Attachment_ownerId_deletedAt_id_idx/, `the list of an owner${before === undefined ? '' : ', a later page'}`)
      t.same([...scans(plans), ...sorts(plans)], [])
      t.equal((await attachments.list({ ownerId: owner, limit: 51, before })).length, 51)
    }
    const ofContext = await plansOf(() => attachments.list({ ownerId: other, contextType: 'ticket', contextId: '10', limit: 51 }))
    t.match(ofContext[0], /Attachment_(contextType_contextId|ownerId)_deletedAt_id_idx/, 'the list of a context')
    t.same(scans(ofContext), [])

    const versions = await plansOf(() => avatars.earlier(other, 5))
    t.match(versions[0], /Blob_ownerId_kind_state_idx/, 'the versions of a user\'s picture')
    t.same(scans(versions), [])

    const trash = await plansOf(() => createTrashRecords(client).list({}, 50))
    t.match(trash[0], /Blob_state_stateAt_idx/, 'the trash')
    t.same([...scans(trash), ...sorts(trash)], [])

    for (const [what, work] of [
      ['a file', () => attachments.find('0000004')],
      ['its change', async () => attachments.change(await attachments.findAll(['0000004']).then(([row]) => row ?? t.fail('it is not there') as never), { alt: 'a' })],
      ['its way to the trash', async () => attachments.remove(await attachments.findAll(['0000008']).then(([row]) => row ?? t.fail('it is not there') as never))],
      ['many files', () => attachments.findAll(Array.from({ length: 100 }, (_, index) => String(index).padStart(7, '0')))],
      ['the current picture', () => avatars.current(other)],
      ['a version', () => avatars.shownVersion(other, '0000010' as BlobId)],
      ['the time of a change of it', () => avatars.changeTime(other)],
      ['an old URL', () => avatars.byAlias('/i/none.png')],
      ['the commit of an upload', () => commit([owners.entering(owner, 0), ...quota.settling({ callerId: owner, ownerIds: [owner] }).statements()])],
      ['what is told of it', () => commit(events.telling([{ type: 'attachment.created', ownerId: owner, epoch: 0, data: {} }]))],
      ['the room for it', () => quota.usage(owner)],
      ['the links to it', () => createLinkRecords({ client, now }).of('0000004')],
    ] as const) {
      const plans = await plansOf(work)
      t.not(plans.length, 0, what)
      t.same(scans(plans), [], `${what}: no table is read through`)
    }
  })
}
