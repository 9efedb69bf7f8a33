import { setImmediate } from 'node:timers/promises'
import { test } from 'tap'
import { createLease, leasedStore } from '../../src/storage/lease.ts'
import { openVolume, publish } from './fixtures/volume.ts'

test('what was seen a moment ago counts, and all who ask at once wait for one look', async (t) => {
  let [looks, nowMs] = [0, 0]
  const lease = createLease(async () => { looks += 1; await setImmediate() }, () => nowMs)
  await lease()
  nowMs = 4_999
  await lease()
  t.equal(looks, 0)
  nowMs = 5_000
  await Promise.all(Array.from({ length: 100 }, lease))
  t.equal(looks, 1)
  await lease()
  t.equal(looks, 1)
})

test('while the machine is suspended the clock stands still, but not that on the wall', async (t) => {
  let looks = 0
  const lease = createLease(async () => { looks += 1 }, () => 0)
  const { now } = Date
  t.teardown(() => { Date.now = now })
  Date.now = () => now() + 60_000
  await lease()
  t.equal(looks, 1)
})

test('a look that fails is not counted as one', async (t) => {
  let [looks, nowMs] = [0, 0]
  const lease = createLease(async () => { looks += 1; throw new Error('no answer') }, () => nowMs)
  nowMs = 5_000
  for (const count of [1, 2]) {
    await t.rejects(lease(), { code: 'STORAGE_UNAVAILABLE', cause: { message: 'no answer' } })
    t.equal(looks, count)
  }
})

test('a process that stood still while it published has not published', async (t) => {
  const { store } = await openVolume(t)
  let isTaken = false
  const slow = leasedStore({ ...store, async publish (...of) { await store.publish(...of); isTaken = true } }, async () => { if (isTaken) throw new Error('taken') })
  await t.rejects(publish(slow, 'hello'), { message: 'taken' })
})
