import { test } from 'tap'
import { createPace, withoutRest } from '../../src/storage/pace.ts'

/** The thread does nothing else meanwhile. */
function work (ms: number): void {
  const end = performance.now() + ms
  while (performance.now() < end);
}

test('who works for a part of the time rests for the rest of it', async (t) => {
  const pace = createPace(0.2)
  const startedAt = performance.now()
  for (let piece = 0; piece < 5; piece += 1) {
    work(4)
    await pace(undefined)
  }
  t.ok(performance.now() - startedAt > 90, 'five pieces of 4 ms, and four times as long')
})

test('nobody rests for long after a piece that took long', async (t) => {
  const pace = createPace(0.0001, 20)
  const startedAt = performance.now()
  work(10)
  await pace(undefined)
  t.ok(performance.now() - startedAt < 5000)
})

test('who is told to stop does so within a rest, and before another piece', async (t) => {
  const stopping = new AbortController()
  const reason = new Error('stopping')
  const pace = createPace(0.0001)
  work(4)
  const resting = pace(stopping.signal)
  stopping.abort(reason)
  await t.rejects(resting, reason)
  await t.rejects(pace(stopping.signal), reason)
  await t.rejects(withoutRest(stopping.signal), reason)
  await withoutRest(undefined)
})
