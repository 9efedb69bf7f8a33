import t from 'tap'
import { checksPerWindow, createWatchdog } from '../../src/transfer/watchdog.ts'

const idleMs = 800

/** A client that does `step` in each check interval, for `steps` of them; returns when it was found to have stalled. */
function run (steps: number, minBytesPerSecond: number, step: (watchdog: ReturnType<typeof createWatchdog>, clock: { now: number }, index: number) => void) {
  const clock = { now: 1_000 }
  const watchdog = createWatchdog({ idleMs, minBytesPerSecond }, () => clock.now)
  for (let index = 0; index < steps; index++) {
    step(watchdog, clock, index)
    clock.now += idleMs / checksPerWindow
    if (watchdog.isStalled()) return clock.now - 1_000
  }
  return undefined
}

t.test('a client that sends nothing has stalled after idleMs', async (t) => {
  t.equal(run(100, 0, () => {}), idleMs)
})

t.test('a client that stops sending has stalled idleMs later, give or take a check', async (t) => {
  const stalledAt = run(100, 0, (watchdog, _clock, index) => { if (index < 5) watchdog.received(1) })
  t.equal(stalledAt, 5 * 100 - 100 + idleMs + 100)
})

t.test('without a minimum rate the slowest client may go on', async (t) => {
  t.equal(run(1000, 0, (watchdog) => watchdog.received(1)), undefined)
})

t.test('a client under the minimum rate has stalled, one at it has not', async (t) => {
  t.equal(run(1000, 1024, (watchdog) => watchdog.received(102)), idleMs)
  t.equal(run(1000, 1024, (watchdog) => watchdog.received(103)), undefined)
})

t.test('the rate is that of the last idleMs: a fast start buys no time', async (t) => {
  const stalledAt = run(1000, 1024, (watchdog, _clock, index) => watchdog.received(index === 0 ? 1e9 : 1))
  t.equal(stalledAt, idleMs + 100)
})

t.test('time in which the client is kept waiting does not count', async (t) => {
  const stalledAt = run(100, 1024, (watchdog, clock) => {
    watchdog.hold()
    watchdog.hold()
    clock.now += 60_000
    watchdog.release()
    watchdog.release()
    watchdog.received(110)
  })
  t.equal(stalledAt, undefined)
})

t.test('a check while the client is kept waiting finds no stall', async (t) => {
  const clock = { now: 0 }
  const watchdog = createWatchdog({ idleMs, minBytesPerSecond: 1024 }, () => clock.now)
  watchdog.hold()
  for (clock.now = 0; clock.now < 100 * idleMs; clock.now += 100) t.notOk(watchdog.isStalled())
  watchdog.release()
  clock.now += idleMs
  t.ok(watchdog.isStalled())
})
