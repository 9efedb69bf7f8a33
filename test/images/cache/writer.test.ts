import { setImmediate } from 'node:timers/promises'
import { test, type Test } from 'tap'
import { entryOf, factsOf } from '../../../src/images/cache/entry.ts'
import { placeOf, type Place } from '../../../src/images/cache/layout.ts'
import { createWriter, type IsWanted } from '../../../src/images/cache/writer.ts'
import { newBlobId } from '../../../src/storage/ids.ts'
import { errnoError } from '../../fixtures/faults.ts'
import { name, rendered } from './fixtures/cache.ts'

type Step = () => unknown

/** A writer into a list, each of whose steps a test can hold up or make fail. */
function setUp (t: Test, steps: { checkSpace?: Step, take?: () => boolean | Promise<boolean>, write?: Step, forget?: Step } = {}) {
  const written: Place[] = []
  const forgotten: string[] = []
  const taken: boolean[] = []
  const warnings: unknown[] = []
  const writer = createWriter({
    files: {
      async write (place) { await steps.write?.(); written.push(place) },
      async forget (blobId) { await steps.forget?.(); forgotten.push(blobId) },
    },
    room: { take: async () => await (steps.take?.() ?? true) ? (isUsed: boolean) => { taken.push(isUsed) } : undefined },
    checkSpace: async () => { await steps.checkSpace?.() },
    warn: (error) => warnings.push((error as { code?: string }).code),
  })
  const place = placeOf(newBlobId(), name)
  async function keep (at: Place = place, size = 1000, isWanted: IsWanted = async () => true) {
    const picture = rendered(size)
    const entry = entryOf(await factsOf(picture), picture.bytes)
    writer.keep(at, entry, picture.bytes, isWanted)
    return entry
  }
  const idle = async () => { while (writer.waitingBytes > 0) await setImmediate() }
  t.teardown(() => writer.close())
  return { writer, written, forgotten, taken, warnings, place, keep, idle }
}

const failing = (code: string) => () => { throw errnoError(code) }

test('what is kept can be had until it is written, and is written once there is room', async (t) => {
  const { writer, written, taken, place, keep, idle } = setUp(t)
  const entry = await keep()
  t.equal(writer.get(place), entry)
  t.equal(writer.get(placeOf(place.blobId, 'other')), undefined)
  t.equal(writer.waitingBytes, 1000)
  await idle()
  t.equal(writer.get(place), undefined)
  t.strictSame(written, [place])
  t.strictSame(taken, [true])
})

test('of one variant that is put twice the later one is had', async (t) => {
  const { writer, written, place, keep, idle } = setUp(t)
  await keep()
  const later = await keep()
  t.equal(writer.get(place), later)
  await idle()
  t.equal(written.length, 2)
  t.equal(writer.get(place), undefined)
})

test('without room, without space or with a fault it is not kept, and nothing fails', async (t) => {
  const cases = [
    [{ take: () => false }, [], []],
    [{ checkSpace: failing('STORAGE_FULL') }, ['STORAGE_FULL'], []],
    [{ write: failing('ENOSPC') }, ['ENOSPC'], [false]],
    [{ write: failing('EROFS') }, ['EROFS'], [false]],
    [{ write: failing('EACCES') }, ['EACCES'], [false]],
    [{ write: failing('ENOENT') }, [], [false]],
  ] as const
  for (const [steps, warned, given] of cases) {
    const { written, warnings, taken, keep, idle } = setUp(t, steps)
    await keep()
    await idle()
    t.strictSame([written, warnings, taken], [[], warned, given])
  }
})

test('what is too large, and what a slow disk has too much of, is not waited for', async (t) => {
  const gate = Promise.withResolvers<void>()
  const { writer, written, keep, idle } = setUp(t, { write: () => gate.promise })
  const megabytes = 1024 ** 2
  await keep(undefined, 32 * megabytes)
  t.equal(writer.waitingBytes, 0)
  for (let at = 0; at < 9; at += 1) await keep(placeOf(newBlobId(), name), 10 * megabytes)
  t.equal(writer.waitingBytes, 60 * megabytes)
  gate.resolve()
  await idle()
  t.equal(written.length, 6)
})

test('what was removed meanwhile is removed again, also when that cannot be told', async (t) => {
  const isWanted = [async () => false, async () => { throw new Error('no database') }]
  for (const [at, wanted] of isWanted.entries()) {
    const { written, forgotten, taken, place, keep, idle } = setUp(t)
    await keep(place, 1000, async () => { t.equal(written.length, 1, 'asked when it is there'); return wanted() })
    await idle()
    t.strictSame([forgotten, taken], [[place.blobId], [false]], `${at}`)
  }
  const { warnings, taken, keep, idle } = setUp(t, { forget: failing('EIO') })
  await keep(undefined, 1000, async () => false)
  await idle()
  t.strictSame([warnings, taken], [['EIO'], [false]])
})

test('closing waits for the one being written, and leaves the rest', async (t) => {
  const gate = Promise.withResolvers<void>()
  const { writer, written, place, keep } = setUp(t, { write: () => gate.promise })
  for (const variant of ['a', 'b', 'c']) await keep(placeOf(place.blobId, variant))
  for (let at = 0; at < 5; at += 1) await setImmediate()
  const closed = writer.close()
  gate.resolve()
  await closed
  t.strictSame(written, [placeOf(place.blobId, 'a')])
  t.equal(writer.waitingBytes, 0)
  await keep()
  t.equal(writer.waitingBytes, 0)
})
