import { join } from 'node:path'
import BetterSqlite3 from 'better-sqlite3'
import { test, type Test } from 'tap'
import { Prisma } from '../../src/generated/prisma/client.ts'
import { breaks, isTaken, querying } from '../../src/records/failures.ts'
import { createGroupCommit } from '../../src/records/group-commit.ts'
import { DurableSqlite } from '../../src/records/sqlite.ts'
import type { Commit } from '../../src/records/statements.ts'
import { folderFor } from '../storage/fixtures/volume.ts'

/** `turns`: how many transactions of the database it took. */
async function setUp (t: Test) {
  const file = join(await folderFor(t), 'db.sqlite')
  let taken = 0
  let commit: Commit = () => Promise.reject(new Error('not connected'))
  const factory = new DurableSqlite({ url: `file:${file}` }, {
    busyForMs: 50,
    onConnected ({ connection, alone, between }) {
      const counted = () => {
        taken += 1
        return alone()
      }
      commit = createGroupCommit({ connection, alone: counted, between })
    },
  })
  const adapter = await factory.connect()
  t.teardown(() => adapter.dispose())
  await adapter.executeScript('CREATE TABLE entry (name TEXT PRIMARY KEY, size INTEGER NOT NULL); CREATE TABLE child (name TEXT REFERENCES entry DEFERRABLE INITIALLY DEFERRED)')
  const other = new BetterSqlite3(file)
  t.teardown(() => other.close())
  return {
    adapter, other, commit,
    names: () => other.prepare('SELECT name FROM entry ORDER BY name').pluck().all(),
    turns: () => taken,
  }
}

const entry = (name: string, size: number | null = 1) => Prisma.sql`INSERT INTO entry VALUES (${name}, ${size})`

const outcomes = async (all: ReadonlyArray<Promise<void>>) => (await Promise.allSettled(all)).map((result) => result.status === 'fulfilled' || String((result.reason as Error).message))

test('those that come at once are committed at once, and each alone is refused', async (t) => {
  const { commit, names, turns } = await setUp(t)
  await commit([entry('there')])
  t.equal(turns(), 1)
  const all = [commit([entry('a'), entry('b')]), commit([entry('c'), entry('there')]), commit([entry('d')]), commit([entry('e'), entry('f', null)])]
  const [first, second, third, fourth] = await Promise.allSettled(all)
  t.equal(turns(), 2)
  t.strictSame(names(), ['a', 'b', 'd', 'there'])
  t.match([first, third], [{ status: 'fulfilled' }, { status: 'fulfilled' }])
  if (second?.status !== 'rejected' || fourth?.status !== 'rejected') return t.fail('they are refused')
  t.ok(isTaken(second.reason))
  t.ok(breaks(fourth.reason, 'size'))
  t.notOk(breaks(fourth.reason, 'name'))
  t.notOk(breaks(second.reason, 'size'))
})

test('each is answered when it is there for others to see', async (t) => {
  const { commit, names } = await setUp(t)
  for (let round = 0; round < 3; round += 1) {
    await Promise.all(Array.from({ length: 100 }, async (_, index) => {
      await commit([entry(`${round}-${index}`)])
      t.ok(names().includes(`${round}-${index}`))
    }))
  }
  t.equal(names().length, 300)
})

test('what SQLite rolls back as a whole has failed for all, and the next are none the worse for it', async (t) => {
  const { commit, names } = await setUp(t)
  await commit([entry('there')])
  const all = [commit([entry('a')]), commit([Prisma.sql`INSERT OR ROLLBACK INTO entry VALUES ('there', 1)`]), commit([entry('b')])]
  t.strictSame(await outcomes(all), Array.from({ length: 3 }, () => 'UNIQUE constraint failed: entry.name'))
  t.strictSame(names(), ['there'])
  await commit([entry('c')])
  t.strictSame(names(), ['c', 'there'])
})

test('a COMMIT that fails has failed for all but those who have heard why before', async (t) => {
  const { commit, names } = await setUp(t)
  const all = [commit([entry('a'), entry('a')]), commit([Prisma.sql`INSERT INTO child VALUES ('nobody')`]), commit([entry('b')])]
  t.strictSame(await outcomes(all), ['UNIQUE constraint failed: entry.name', 'FOREIGN KEY constraint failed', 'FOREIGN KEY constraint failed'])
  t.strictSame(names(), [])
  await commit([entry('c')])
  t.strictSame(names(), ['c'])
})

test('a full disk is told as one', async (t) => {
  const { adapter, commit, names } = await setUp(t)
  await adapter.executeScript('PRAGMA max_page_count = 10')
  await t.rejects(querying(() => commit([entry('x'.repeat(100_000))])), { code: 'STORAGE_FULL' })
  t.strictSame(names(), [])
})

test('what another process holds for too long fails, and nothing of it is left', async (t) => {
  const { commit, other, names } = await setUp(t)
  other.exec('BEGIN IMMEDIATE')
  t.strictSame(await outcomes([commit([entry('a')]), commit([entry('b')])]), ['database is locked', 'database is locked'])
  other.exec('ROLLBACK')
  t.strictSame(names(), [])
  await commit([entry('c')])
  t.strictSame(names(), ['c'])
})

test('a transaction of Prisma\'s and theirs wait for each other', async (t) => {
  const { adapter, commit, names } = await setUp(t)
  const transaction = await adapter.startTransaction()
  const run = (sql: string) => transaction.executeRaw({ sql, args: [], argTypes: [] })
  await run("INSERT INTO entry VALUES ('rolled back', 1)")
  const committed = commit([entry('a')])
  await run('ROLLBACK')
  await transaction.rollback()
  await committed
  t.strictSame(names(), ['a'])
})
