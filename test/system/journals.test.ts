// Journals on a volume of several machines, which orders nothing: whoever appends does so alone among all on one PostgreSQL, or not at all.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import process from 'node:process'
import { test } from 'tap'
import { readConfig } from '../../src/config.ts'
import { atWork } from '../../src/operations/workplace.ts'
import { createTurns } from '../../src/records/postgres/turns.ts'
import { fileSystem } from '../../src/storage/fs.ts'
import { createDurable } from '../../src/storage/volume/durable.ts'
import { createJournal } from '../../src/storage/volume/journal.ts'
import { build, temporaryFolder } from '../helper.ts'
import { lossyWayTo } from './fixtures/lossy-way.ts'
import { until } from './machine.ts'
import { postgres } from './postgres.ts'

const script = join(import.meta.dirname, 'fixtures/appending.ts')

async function appendFrom (path: string, names: readonly string[], count: number, url: string): Promise<Array<number | null>> {
  const children = names.map((name) => spawn(process.execPath, [script, path, name, String(count), url], { stdio: 'inherit' }))
  return Promise.all(children.map(async (child) => (await once(child, 'exit'))[0]))
}

const entriesOf = async (path: string) => createJournal({
  fs: fileSystem, path,
  durable: createDurable({ fs: fileSystem, onSyncFailure: () => {} }),
  isEntry: (value: unknown): value is { name: string, n: number } => typeof value === 'object',
}).read()

test('processes that append at once to a file that orders nothing lose no line', async (t) => {
  const { url } = await postgres(t)
  const path = join(await temporaryFolder(t), 'journal.ndjson')
  t.strictSame(await appendFrom(path, ['a', 'b'], 150, url), [0, 0])
  const { entries, damagedLines } = await entriesOf(path) ?? { entries: [], damagedLines: -1 }
  t.equal(damagedLines, 0)
  for (const name of ['a', 'b']) t.strictSame(entries.filter((entry) => entry.name === name).map(({ n }) => n), Array.from({ length: 150 }, (_, n) => n), name)
  const beside = join(await temporaryFolder(t), 'journal.ndjson')
  t.strictSame(await appendFrom(beside, ['a', 'b'], 150, ''), [0, 0])
  const { length } = (await entriesOf(beside))?.entries ?? []
  t.ok(length < 300, `without turns only ${length} of 300 lines are left: such a file is seen to order nothing`)
})

test('a turn that another has is waited for, in the order of this process, and what takes too long is refused and not done', async (t) => {
  const { url, client } = await postgres(t)
  const [one, other] = [createTurns(url), createTurns(url, { waitMs: 300 })]
  const held = Promise.withResolvers<void>()
  const done: string[] = []
  const first = one('journals', async () => {
    await held.promise
    done.push('first')
  })
  await until('the lock is held', async () => (await client.query("SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND granted")).rowCount === 1)
  const second = one('journals', async () => { done.push('second') })
  await t.rejects(other('journals', async () => { done.push('never') }), { code: 'DATABASE_UNAVAILABLE', statusCode: 503, cause: { message: /at "journals"/ } })
  t.equal(await other('something else', async () => 'done'), 'done', 'another name is another turn')
  t.strictSame(done, [])
  const third = createTurns(url)('journals', async () => { done.push('third') })
  held.resolve()
  await Promise.all([first, second, third])
  t.strictSame(done.toSorted(), ['first', 'second', 'third'])
  t.ok(done.indexOf('first') < done.indexOf('second'))
  await t.rejects(one('journals', async () => { throw new Error('the volume is gone') }), { message: 'the volume is gone' })
  t.equal(await other('journals', async () => 'done'), 'done', 'and what fails gives its turn back')
  await until('no connection stays', async () => (await client.query("SELECT 1 FROM pg_stat_activity WHERE application_name = 'upload-gateway coordination'")).rowCount === 0)
})

test('one that is at work for long keeps its turn; one whose connection is lost has failed', async (t) => {
  const { url } = await postgres(t)
  const address = new URL(url)
  const way = await lossyWayTo(t, Number(address.port))
  address.port = String(way.port)
  const turns = createTurns(url, { waitMs: 300 })
  const held = Promise.withResolvers<void>()
  const began = Promise.withResolvers<void>()
  const long = createTurns(address.href)('journals', async () => {
    began.resolve()
    await held.promise
  })
  await began.promise
  const refused = { code: 'DATABASE_UNAVAILABLE' }
  // Longer than the server keeps a session that says nothing.
  for (const end = Date.now() + 8_000; Date.now() < end;) await t.rejects(turns('journals', async () => {}), refused)
  way.forget()
  await until('the turn is free', () => turns('journals', async () => true).catch(() => false))
  held.resolve()
  await t.rejects(long, refused)
})

test('without a database nothing is appended', async (t) => {
  const server = await postgres(t)
  await server.kill()
  let isDone = false
  await t.rejects(createTurns(server.url)('journals', async () => { isDone = true }), { code: 'DATABASE_UNAVAILABLE', statusCode: 503 })
  t.notOk(isDone)
})

test('gateways and commands take turns at the ledger of erasures and the tombstones', async (t) => {
  const { url } = await postgres(t)
  const settings = { DATABASE_URL: url, UPLOADS_DIR: await temporaryFolder(t), DISK_RESERVE: '0' }
  const { app } = await build(t, settings)
  const held = Promise.withResolvers<void>()
  const began = Promise.withResolvers<void>()
  const holding = createTurns(url)('journals', () => {
    began.resolve()
    return held.promise
  })
  await began.promise
  const done: string[] = []
  const at = new Date()
  const gateway = app.storage.tombstones.add(['a'], at).then(() => done.push('gateway'))
  const command = atWork(readConfig(settings), { work: 'audit' }, async ({ storage }) => {
    await storage.tombstones.add(['b'], at)
    await storage.erasures.append({ id: 'x', epoch: 1, owner: 'o', volume: 'v', at: at.toISOString() })
    done.push('command')
  })
  await until('both wait', async () => (await app.database.client.$queryRaw<unknown[]>`SELECT 1 FROM pg_stat_activity WHERE application_name = 'upload-gateway coordination'`).length >= 4)
  t.strictSame(done, [])
  held.resolve()
  await Promise.all([holding, gateway, command])
  t.strictSame(done.toSorted(), ['command', 'gateway'])
  t.strictSame((await app.storage.tombstones.read()).keys, new Set(['a', 'b']))
})
