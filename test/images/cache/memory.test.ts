import { test } from 'tap'
import { factsOf } from '../../../src/images/cache/entry.ts'
import { placeOf, type Place } from '../../../src/images/cache/layout.ts'
import { createMemory } from '../../../src/images/cache/memory.ts'
import { newBlobId } from '../../../src/storage/ids.ts'
import { bytesOf, rendered } from './fixtures/cache.ts'

const place = (blobId = newBlobId(), name = 'a.webp') => placeOf(blobId, name)

async function remember (memory: ReturnType<typeof createMemory>, at: Place, size = 1000, seed = 0, markedAtMs = 0) {
  const picture = rendered(size, seed)
  return { picture, entry: memory.set(at, await factsOf(picture), picture.bytes, markedAtMs) }
}

test('what was set is got, until it is replaced', async (t) => {
  const memory = createMemory(1024 ** 2)
  const one = place()
  const two = place(one.blobId, 'b.webp')
  for (const [seed, at] of [one, two, place()].entries()) await remember(memory, at, 1000, seed, 7)
  t.strictSame(await bytesOf(memory.get(two)?.entry), rendered(1000, 1).bytes)
  t.equal(memory.get(two)?.markedAtMs, 7)
  await remember(memory, two, 1000, 5)
  t.strictSame(await bytesOf(memory.get(two)?.entry), rendered(1000, 5).bytes, 'it is replaced')
  t.equal(memory.bytes, 3 * 2024)
})

test('it holds its bound, and lets go of what was used longest ago', async (t) => {
  const memory = createMemory(100_000)
  const hot = place()
  await remember(memory, hot)
  for (let at = 0; at < 1000; at += 1) {
    await remember(memory, place(), (at * 7919) % 9000 + 1)
    t.ok(memory.bytes <= 100_000)
    t.ok(memory.get(hot))
  }
  t.ok(memory.bytes > 80_000)
})

test('what is large is handed out and not remembered', async (t) => {
  const memory = createMemory(10_000_000)
  const at = place()
  const { entry, picture } = await remember(memory, at, 65_537)
  t.strictSame(await bytesOf(entry), picture.bytes)
  t.equal(memory.get(at), undefined)
  const none = createMemory(0)
  await remember(none, at, 1)
  t.equal(none.get(at), undefined)
  t.equal(none.bytes, 0)
})

test('a part of a large buffer does not keep the whole of it', async (t) => {
  const memory = createMemory(10_000_000)
  const message = Buffer.alloc(1_000_000, 'm')
  const bytes = message.subarray(500, 1500)
  const entry = memory.set(place(), await factsOf({ ...rendered(), bytes }), bytes, 0)
  message.fill('x')
  t.strictSame(await bytesOf(entry), Buffer.alloc(1000, 'm'))
})
