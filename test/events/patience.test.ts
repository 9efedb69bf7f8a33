import { test } from 'tap'
import { isHopeless, pauseAfter } from '../../src/events/patience.ts'

const minute = 60_000
const hour = 60 * minute
const day = 24 * hour

test('it is waited twice as long each time, up to an hour, and never twice the same', (t) => {
  const least = Array.from({ length: 15 }, (_, index) => pauseAfter(index + 1, { random: 0 }) / 500)
  t.strictSame(least, [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048, 3600, 3600, 3600])
  t.equal(pauseAfter(1000, { random: 0.9999 }) < hour, true)
  t.equal(pauseAfter(3, { random: 0.5 }), 3000)
  t.equal(new Set(Array.from({ length: 20 }, () => pauseAfter(13))).size > 10, true, 'those that failed together do not come back together')
  t.end()
})

test('a receiver may ask for longer, within reason, and not for less', (t) => {
  t.equal(pauseAfter(1, { retryAfterMs: 2 * hour }), 2 * hour)
  t.equal(pauseAfter(1, { retryAfterMs: 100 * day }), day)
  t.equal(pauseAfter(10, { retryAfterMs: 1000, random: 0 }), 256_000)
  t.end()
})

test('it is hopeless after three days, if it was tried often enough by then', (t) => {
  const createdAt = new Date(0)
  t.equal(isHopeless({ createdAt }, 8, new Date(3 * day)), true)
  t.equal(isHopeless({ createdAt }, 80, new Date(3 * day - 1)), false)
  t.equal(isHopeless({ createdAt }, 7, new Date(30 * day)), false, 'one that had to wait for another gets its chance')
  t.end()
})
