import { createHash, randomBytes } from 'node:crypto'
import { test } from 'tap'
import { entryOf, factsOf } from '../../../src/images/cache/entry.ts'
import { bytesOf } from './fixtures/cache.ts'

const about = { contentType: 'image/webp', width: 64, height: 48 }

test('the facts of a variant are its size and hash, and what its maker says', async (t) => {
  for (const size of [1, 1000, 1024 ** 2, 1024 ** 2 + 1, 5_000_000]) {
    const bytes = randomBytes(size)
    t.strictSame(await factsOf({ ...about, bytes }), { ...about, size, sha256: createHash('sha256').update(bytes).digest('hex') })
  }
})

test('of a large one the hash lets others have their turn', async (t) => {
  let turns = 0
  const count = setInterval(() => { turns += 1 }, 0)
  await factsOf({ ...about, bytes: Buffer.alloc(16 * 1024 ** 2) })
  clearInterval(count)
  t.ok(turns > 2, `${turns} turns`)
})

test('it is read whole or in part, as bytes and as often as wanted', async (t) => {
  const bytes = randomBytes(1000)
  const entry = entryOf(await factsOf({ ...about, bytes }), bytes)
  t.strictSame(await bytesOf(entry), bytes)
  t.strictSame(await bytesOf(entry, { start: 0, end: 0 }), bytes.subarray(0, 1))
  t.strictSame(await bytesOf(entry, { start: 10, end: 999 }), bytes.subarray(10))
  t.equal((await entry.read()).readableObjectMode, false)
})
