import { join } from 'node:path'
import BetterSqlite3 from 'better-sqlite3'
import { test, type Test } from 'tap'
import { querying } from '../../src/records/failures.ts'
import { DurableSqlite, harden } from '../../src/records/sqlite.ts'
import { folderFor } from '../storage/fixtures/volume.ts'
import { sqliteFor } from './fixtures/database.ts'

const setting = (key: string, value = '') => ({ data: { key, value } })

/** The adapter as Prisma gets it, without Prisma. */
async function adapterFor (t: Test) {
  const file = join(await folderFor(t), 'db.sqlite')
  const factory = new DurableSqlite({ url: `file:${file}` })
  const adapter = await factory.connect()
  t.teardown(() => adapter.dispose())
  const run = (sql: string) => adapter.executeRaw({ sql, args: [], argTypes: [] })
  await run('CREATE TABLE entry (name TEXT PRIMARY KEY)')
  const other = new BetterSqlite3(file)
  t.teardown(() => other.close())
  /** What is committed, as another connection sees it. */
  const names = () => other.prepare('SELECT name FROM entry ORDER BY name').pluck().all()
  return { adapter, factory, run, names, file }
}

const statement = (sql: string) => ({ sql, args: [], argTypes: [] })

test('every connection has synchronous FULL, WAL, foreign keys and no waiting that stops the process, also on reopening a WAL file', async (t) => {
  const { adapter, factory } = await adapterFor(t)
  for (const connection of [adapter, await factory.connect()]) {
    const values = await Promise.all(['journal_mode', 'synchronous', 'foreign_keys', 'busy_timeout'].map(async (name) => (await connection.queryRaw(statement(`PRAGMA ${name}`))).rows[0]?.[0]))
    t.strictSame(values.map(String), ['wal', '2', '1', '0'])
    if (connection !== adapter) await connection.dispose()
  }
})

test('a setting that does not hold refuses the connection', (t) => {
  const memory = new BetterSqlite3(':memory:')
  t.teardown(() => memory.close())
  t.throws(() => harden(memory), /did not take "journal_mode = WAL": it says memory/)
  const { pragma } = memory
  memory.pragma = (sql: string, options?: BetterSqlite3.PragmaOptions) => {
    if (sql === 'journal_mode' && options?.simple === true) return 'wal'
    if (sql === 'synchronous' && options?.simple === true) return 1n
    return pragma.call(memory, sql, options)
  }
  t.throws(() => harden(memory), /did not take "synchronous = FULL": it says 1/)
  t.end()
})

test('what is asked while a transaction is open waits for it, in the order it was asked', async (t) => {
  const { adapter, run, names } = await adapterFor(t)
  const transaction = await adapter.startTransaction()
  await transaction.executeRaw(statement("INSERT INTO entry VALUES ('inside')"))
  const order: string[] = []
  const single = run("INSERT INTO entry VALUES ('single')").then(() => order.push('single'))
  const second = adapter.startTransaction().then(async (other) => {
    order.push('second')
    await other.executeRaw(statement("INSERT INTO entry VALUES ('second')"))
    await other.executeRaw(statement('COMMIT'))
    await other.commit()
  })
  const script = adapter.executeScript("INSERT INTO entry VALUES ('script')").then(() => order.push('script'))
  const read = adapter.queryRaw(statement('SELECT count(*) FROM entry')).then(({ rows }) => order.push(`read ${String(rows[0]?.[0])}`))
  await new Promise((resolve) => setImmediate(resolve))
  t.strictSame(order, [])
  await transaction.executeRaw(statement('ROLLBACK'))
  await transaction.rollback()
  await Promise.all([single, second, script, read])
  t.strictSame(order, ['single', 'second', 'script', 'read 3'])
  t.strictSame(names(), ['script', 'second', 'single'])
})

test('hundreds of transactions and single queries at once: what was acknowledged is there, what failed is not', async (t) => {
  const { client, connect } = await sqliteFor(t)
  await client.setting.create(setting('taken'))
  const acknowledged: string[] = []
  const failed: string[] = []
  const attempt = (keys: string[], work: () => Promise<unknown>) => work().then(() => acknowledged.push(...keys), () => failed.push(...keys))
  await Promise.all(Array.from({ length: 300 }, (_, index) => {
    const [one, two] = [`${index} one`, `${index} two`]
    if (index % 5 === 0) return attempt([one, two], () => client.$transaction([client.setting.create(setting(one)), client.setting.create(setting(two))]))
    if (index % 5 === 1) return attempt([one], () => client.$transaction([client.setting.create(setting(one)), client.setting.create(setting('taken'))]))
    if (index % 5 === 2) {
      return attempt([one], () => client.$transaction(async (inside) => {
        await inside.setting.create(setting(one))
        await new Promise((resolve) => setImmediate(resolve))
        throw new Error('changed its mind')
      }))
    }
    if (index % 5 === 3) return attempt([one], () => client.setting.upsert({ where: { key: one }, create: { key: one, value: '' }, update: {} }))
    return attempt([one], () => client.setting.create(setting(one)))
  }))
  t.equal(acknowledged.length, 240)
  t.equal(failed.length, 120)
  const kept = connect().prepare('SELECT key FROM "Setting" WHERE key <> \'taken\'').pluck().all()
  t.strictSame(new Set(kept), new Set(acknowledged))
})

test('what another process has locked is waited for, while this process goes on', async (t) => {
  const { client, connect } = await sqliteFor(t)
  const other = connect()
  other.exec('BEGIN IMMEDIATE')
  const started = performance.now()
  let ticks = 0
  const ticking = setInterval(() => { ticks += 1 }, 10)
  setTimeout(() => other.exec('ROLLBACK'), 300)
  await Promise.all([
    client.$transaction([client.setting.create(setting('one')), client.setting.create(setting('two'))]),
    client.setting.create(setting('three')),
  ])
  clearInterval(ticking)
  t.ok(performance.now() - started >= 290)
  t.ok(ticks >= 10, `the event loop went on: ${ticks} ticks`)
  t.equal(other.prepare('SELECT count(*) FROM "Setting"').pluck().get(), 3)
})

test('a database that another process has locked fails in time, and works again when it is free', async (t) => {
  const { client, connect } = await sqliteFor(t, { busyForMs: 500 })
  const other = connect()
  other.exec('BEGIN IMMEDIATE')
  const both = () => client.$transaction([client.setting.create(setting('one')), client.setting.create(setting('two'))])
  await t.rejects(querying(both), { code: 'DATABASE_UNAVAILABLE' })
  await t.rejects(querying(() => client.setting.create(setting('three'))), { code: 'DATABASE_UNAVAILABLE' })
  t.equal(await client.setting.count(), 0, 'reads go on')
  other.exec('ROLLBACK')
  await both()
  await client.setting.create(setting('three'))
  t.equal(other.prepare('SELECT count(*) FROM "Setting"').pluck().get(), 3)
})

test('a COMMIT that fails leaves no transaction open under everybody else', async (t) => {
  const { adapter, run, names } = await adapterFor(t)
  await run('CREATE TABLE child (name TEXT REFERENCES entry (name) DEFERRABLE INITIALLY DEFERRED)')
  const transaction = await adapter.startTransaction()
  await transaction.executeRaw(statement("INSERT INTO child VALUES ('nobody')"))
  await t.rejects(transaction.executeRaw(statement('COMMIT')))
  // What Prisma does then.
  await transaction.rollback()
  await run("INSERT INTO entry VALUES ('after')")
  t.strictSame(names(), ['after'])
  const next = await adapter.startTransaction()
  await next.executeRaw(statement('COMMIT'))
  await next.commit()
})

test('a transaction that cannot start leaves none open', async (t) => {
  const { adapter, run, names } = await adapterFor(t)
  await t.rejects(adapter.startTransaction('READ COMMITTED'))
  await run("INSERT INTO entry VALUES ('after')")
  t.strictSame(names(), ['after'])
})

test('a transaction that ends without COMMIT or ROLLBACK is rolled back, and ending twice takes nobody else\'s turn', async (t) => {
  const { adapter, run, names } = await adapterFor(t)
  const first = await adapter.startTransaction()
  await first.executeRaw(statement("INSERT INTO entry VALUES ('first')"))
  await first.rollback()
  const second = await adapter.startTransaction()
  await second.executeRaw(statement("INSERT INTO entry VALUES ('second')"))
  await first.rollback()
  await first.commit()
  const single = run("INSERT INTO entry VALUES ('single')")
  await second.executeRaw(statement('COMMIT'))
  await second.commit()
  await single
  t.strictSame(names(), ['second', 'single'])
})

test('a transaction that SQLite itself has rolled back ends without another error that would hide the first', async (t) => {
  const { adapter, run, names } = await adapterFor(t)
  const transaction = await adapter.startTransaction()
  await transaction.executeRaw(statement("INSERT INTO entry VALUES ('one')"))
  await t.rejects(transaction.executeRaw(statement("INSERT OR ROLLBACK INTO entry VALUES ('one')")), { cause: { kind: 'UniqueConstraintViolation' } })
  t.equal(await transaction.executeRaw(statement('ROLLBACK')), 0)
  await transaction.rollback()
  await run("INSERT INTO entry VALUES ('after')")
  t.strictSame(names(), ['after'])
})

test('a full disk is told as one, out of a transaction and within, and leaves none open', async (t) => {
  const { client, connect } = await sqliteFor(t)
  const pages = await client.$queryRawUnsafe<Array<{ page_count: bigint }>>('PRAGMA page_count')
  await client.$queryRawUnsafe(`PRAGMA max_page_count = ${Number(pages[0]?.page_count) + 2}`)
  const large = 'x'.repeat(100_000)
  await t.rejects(querying(() => client.setting.create(setting('one', large))), { code: 'STORAGE_FULL' })
  await t.rejects(querying(() => client.$transaction([client.setting.create(setting('two')), client.setting.create(setting('three', large))])), { code: 'STORAGE_FULL' })
  await client.setting.create(setting('small'))
  t.strictSame(connect().prepare('SELECT key FROM "Setting"').pluck().all(), ['small'])
})

test('a client that waits in the queue behind a slow transaction gets its turn', async (t) => {
  const { client } = await sqliteFor(t)
  const { promise: isHeld, resolve: release } = Promise.withResolvers<void>()
  const slow = client.$transaction(async (inside) => {
    await inside.setting.create(setting('slow'))
    await isHeld
  })
  const waiting = Promise.all(Array.from({ length: 50 }, (_, index) => client.$transaction([client.setting.create(setting(`waiting ${index}`))])))
  release()
  await Promise.all([slow, waiting])
  t.equal(await client.setting.count(), 51)
})

test('a statement that is known already gives what is there now, whatever became of the tables meanwhile', async (t) => {
  const { adapter, run } = await adapterFor(t)
  const all = () => adapter.queryRaw(statement('SELECT * FROM entry ORDER BY name'))
  const insert = (...args: string[]) => adapter.executeRaw({ sql: 'INSERT INTO entry (name) VALUES (?)', args, argTypes: args.map(() => ({ scalarType: 'string', arity: 'scalar' })) })
  await insert('a')
  t.match(await all(), { columnNames: ['name'], rows: [['a']] })
  await run('ALTER TABLE entry ADD COLUMN size INTEGER')
  t.match(await all(), { rows: [['a', null]] })
  await t.rejects(insert('a'), { cause: { kind: 'UniqueConstraintViolation' } })
  await insert('b')
  const transaction = await adapter.startTransaction()
  await transaction.executeRaw(statement("INSERT INTO entry (name) VALUES ('c')"))
  t.equal((await transaction.queryRaw(statement('SELECT * FROM entry ORDER BY name'))).rows.length, 3)
  await transaction.executeRaw(statement('ROLLBACK'))
  await transaction.rollback()
  t.equal((await all()).rows.length, 2)
  await run('DROP TABLE entry')
  await t.rejects(all(), { cause: { kind: 'TableDoesNotExist' } })
})
