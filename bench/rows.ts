// Whether the gateway slows down as its database grows: uploads, reads, lists and deletes upon a million rows against a thousand, on SQLite and on PostgreSQL.
// Side by side in one run, in rounds: on a machine with other work, the ratios are what counts. The goal: p50 at most 1.2 ×, p99 at most 2 ×.
//   node bench/rows.ts [rounds, 20] [requests of each kind in a round, 40] [rows, 1000000]
// Some five minutes. It needs root and Debian's postgresql, and 3 GB in the temporary folder.
import { randomBytes, randomInt } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { Agent } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import process from 'node:process'
import BetterSqlite3 from 'better-sqlite3'
import pg from 'pg'
import { attachmentIn, call, json } from '../test/system/client.ts'
import { bearer, start, type Gateway, type Settings } from '../test/system/gateway.ts'
import { postgres } from '../test/system/postgres.ts'
import { filling, ordinaryOwners, sqlite, type Dialect } from './kit/filling.ts'
import { head, print, row } from './kit/table.ts'

const [rounds = 20, each = 40, many = 1_000_000] = process.argv.slice(2).map(Number)
const few = 1000
const operations = ['upload', 'read', 'list', 'list of one with many', 'delete'] as const
/** Nothing in the background: the rows that are made here have no files. */
const settings = { SWEEP_INTERVAL_SECONDS: '86400', AUDIT_INTERVAL_SECONDS: '0' }
const agent = new Agent({ keepAlive: true })

type Operation = typeof operations[number]

const postgresql: Dialect = {
  numbers: (count) => `generate_series(1::bigint, ${count}) AS numbers(n)`,
  hex: (expression, digits) => `lpad(to_hex((${expression})::bigint), ${digits}, '0')`,
  ago: (seconds) => `(now() AT TIME ZONE 'utc' - make_interval(secs => (${seconds})::int))`,
  no: 'false',
}

const usage = `INSERT INTO "Usage" ("ownerId", "bytes", "files", "trashBytes")
  SELECT "ownerId", coalesce(sum("size") FILTER (WHERE "state" = 'live'), 0), count(*) FILTER (WHERE "state" = 'live'), coalesce(sum("size") FILTER (WHERE "state" <> 'live'), 0) FROM "Blob" GROUP BY "ownerId"`

const teardowns: (() => unknown)[] = []
const t = { teardown: (end: () => unknown) => { teardowns.unshift(end) } }

/** A gateway upon so many rows. */
type Side = { readonly gateway: Gateway, readonly rows: number, readonly samples: Map<Operation, number[][]> }

async function side (rows: number, given: Settings, fill: () => Promise<unknown>): Promise<Side> {
  const folder = await mkdtemp(join(root, 'volume-'))
  // It makes the tables.
  await (await start(t, folder, { ...settings, ...given })).stop()
  await fill()
  return { gateway: await start(t, folder, { ...settings, ...given }), rows, samples: new Map(operations.map((operation) => [operation, []])) }
}

async function onSqlite (rows: number): Promise<Side> {
  const file = join(root, `${rows}.sqlite`)
  return side(rows, { DATABASE_URL: `file:${file}` }, async () => {
    const connection = new BetterSqlite3(file)
    for (const statement of filling(sqlite, rows)) connection.exec(statement)
    connection.close()
  })
}

async function onPostgres (server: Awaited<ReturnType<typeof postgres>>, rows: number): Promise<Side> {
  const url = await server.create(`rows_${rows}`)
  return side(rows, { DATABASE_URL: url }, async () => {
    const client = new pg.Client({ connectionString: url })
    await client.connect()
    // In one transaction, each change of one owner's usage would look at all before it.
    await client.query('ALTER TABLE "Blob" DISABLE TRIGGER USER')
    for (const statement of filling(postgresql, rows)) await client.query(statement)
    await client.query(usage)
    await client.query('ALTER TABLE "Blob" ENABLE TRIGGER USER')
    // As it does by itself when it has run for a while.
    await client.query('VACUUM (ANALYZE)')
    await client.query('CHECKPOINT')
    await client.end()
  })
}

async function ask ({ gateway }: Side, user: string, path: string, { method = 'GET', body, wanted = 200 }: { method?: string, body?: Buffer, wanted?: number } = {}) {
  const headers = { ...await bearer(user), ...(body !== undefined && { 'content-type': 'application/octet-stream' }) }
  const answer = await call(gateway, path, { method, headers, agent, ...(body !== undefined && { body }) })
  if (answer.status !== wanted) throw new Error(`${method} ${path} was answered with ${answer.status}: ${answer.body}`)
  return answer
}

/** One round: how long each request took, in milliseconds. */
async function measure (side: Side, isCounted: boolean): Promise<void> {
  const took = new Map<Operation, number[]>(operations.map((operation) => [operation, []]))
  async function timing<T> (operation: Operation, work: () => Promise<T>): Promise<T> {
    const at = performance.now()
    const result = await work()
    took.get(operation)?.push(performance.now() - at)
    return result
  }
  for (let turn = 0; turn < each; turn += 1) {
    const user = `u${randomInt(ordinaryOwners(side.rows))}`
    const body = randomBytes(10_000)
    const { id, url } = attachmentIn(await timing('upload', () => ask(side, user, '/api/attachments', { method: 'POST', body, wanted: 201 })))
    const { body: read } = await timing('read', () => ask(side, user, url))
    if (!read.equals(body)) throw new Error('Other bytes came back.')
    const { attachments } = json(await timing('list', () => ask(side, user, '/api/attachments')))
    if (attachments[0].id !== id) throw new Error('The list does not begin with the newest.')
    const page = json(await timing('list of one with many', () => ask(side, 'many', '/api/attachments')))
    if (page.nextCursor === null) throw new Error('There is but one page of many.')
    await timing('delete', () => ask(side, user, `/api/attachments/${id}`, { method: 'DELETE', wanted: 204 }))
  }
  if (isCounted) for (const [operation, values] of took) side.samples.get(operation)?.push(values)
}

function percentile (values: readonly number[], part: number): number {
  const sorted = values.toSorted((one, other) => one - other)
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))] ?? NaN
}

/** The ratio of medians is that of each round, and then the median of those: what else the machine did was the same for both. */
function compare (name: string, small: Side, large: Side): void {
  for (const operation of operations) {
    const [ones, others] = [large.samples.get(operation) ?? [], small.samples.get(operation) ?? []]
    const halves = percentile(ones.map((values, round) => percentile(values, 0.5) / percentile(others[round] ?? [], 0.5)), 0.5)
    const tails = percentile(ones.flat(), 0.99) / percentile(others.flat(), 0.99)
    const of = (values: readonly number[][]) => `${percentile(values.flat(), 0.5).toFixed(2)} / ${percentile(values.flat(), 0.99).toFixed(2)}`
    print(row(name, operation, of(others), of(ones), `${halves.toFixed(2)} ×${halves > 1.2 ? ' !' : ''}`, `${tails.toFixed(2)} ×${tails > 2 ? ' !' : ''}`))
  }
}

const root = await mkdtemp(join(tmpdir(), 'upload-gateway-bench-'))
try {
  const server = await postgres(t, { isSynced: true })
  const startedAt = performance.now()
  const [sqliteFew, sqliteMany] = [await onSqlite(few), await onSqlite(many)]
  const [postgresFew, postgresMany] = [await onPostgres(server, few), await onPostgres(server, many)]
  const sides = [sqliteFew, sqliteMany, postgresFew, postgresMany]
  print(`${few} rows and ${many}, filled in ${((performance.now() - startedAt) / 1000).toFixed(0)} s; ${rounds} rounds of ${each} requests of each kind, one after the other.\n`)
  // The first requests of a process are slow.
  for (const one of sides) await measure(one, false)
  for (let round = 0; round < rounds; round += 1) {
    for (const one of round % 2 === 0 ? sides : sides.toReversed()) await measure(one, true)
  }
  print(head('database', 'request', `${few} rows, p50 / p99 in ms`, `${many} rows`, 'p50', 'p99'))
  compare('SQLite', sqliteFew, sqliteMany)
  compare('PostgreSQL', postgresFew, postgresMany)
} finally {
  agent.destroy()
  for (const end of teardowns) await end()
  await rm(root, { recursive: true, force: true })
}
