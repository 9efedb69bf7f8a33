import { test } from 'tap'
import { partBytes, withMemory } from '../../../src/storage/objects/part-memory.ts'

const never = new AbortController().signal

test('no more than eight parts have memory at once, and it is used again', async (t) => {
  const used = new Set<ArrayBufferLike>()
  let [now, most] = [0, 0]
  await Promise.all(Array.from({ length: 40 }, () => withMemory(partBytes, never, async (bytes) => {
    used.add(bytes.buffer)
    now += 1
    most = Math.max(most, now)
    await new Promise((resolve) => setImmediate(resolve))
    now -= 1
  })))
  t.equal(most, 8)
  t.equal(used.size, 8)
})

test('memory of a part that failed is not given to another one', async (t) => {
  let failed: Buffer | undefined
  const others: Buffer[] = []
  const other = (bytes: Buffer) => new Promise<void>((resolve) => { others.push(bytes); setImmediate(resolve) })
  await Promise.all([
    t.rejects(withMemory(partBytes, never, async (bytes) => {
      failed = bytes
      throw new Error('cut')
    }), { message: 'cut' }),
    ...Array.from({ length: 20 }, () => withMemory(partBytes, never, other)),
  ])
  t.equal(others.length, 20)
  t.notOk(others.some(({ buffer }) => buffer === failed?.buffer))
})

test('a small part has as much as it needs', async (t) => {
  t.equal(await withMemory(3, never, async (bytes) => bytes.length), 3)
})
