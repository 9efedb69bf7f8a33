import { test } from 'tap'
import { createWindow } from '../../src/plugins/rate-window.ts'

function windowAt (startMs: number) {
  let ms = startMs
  return { window: createWindow(() => ms), pass: (seconds: number) => { ms += seconds * 1000 } }
}

test('in no minute is more used than the limit, wherever the minute begins', (t) => {
  const { window, pass } = windowAt(0)
  t.equal(window.waitSeconds('ada', 3, 5), 0)
  window.charge('ada', 3, 5)
  pass(50)
  window.charge('ada', 2, 5)
  t.equal(window.left('ada', 5), 0)
  t.equal(window.resetSeconds('ada'), 60)
  pass(9)
  t.equal(window.waitSeconds('ada', 1, 5), 1, 'a minute of the clock is over, one since the first is not')
  pass(1)
  t.equal(window.waitSeconds('ada', 3, 5), 0)
  t.equal(window.waitSeconds('ada', 4, 5), 50, 'the second part is still counted')
  t.equal(window.left('ada', 5), 3)
  t.end()
})

test('after the seconds that it says, and not before, the same passes', (t) => {
  const { window, pass } = windowAt(123.4)
  for (let second = 0; second < 5; second += 1) {
    window.charge('ada', 10, 50)
    pass(1.7)
  }
  for (const amount of [1, 11, 35, 50]) {
    const seconds = window.waitSeconds('ada', amount, 50)
    t.ok(seconds > 0, `${amount} has to wait`)
    pass(seconds - 1)
    t.ok(window.waitSeconds('ada', amount, 50) > 0, `${amount} does not pass a second earlier`)
    pass(1)
    t.equal(window.waitSeconds('ada', amount, 50), 0, `${amount} passes after ${seconds} s`)
  }
  t.end()
})

test('what is larger than the whole limit passes when nothing else counts, and counts for as much longer', (t) => {
  const { window, pass } = windowAt(0)
  t.equal(window.waitSeconds('ada', 30, 10), 0)
  window.charge('ada', 30, 10)
  t.equal(window.left('ada', 10), 0)
  t.equal(window.waitSeconds('ada', 1, 10), 180, 'three minutes of the limit')
  pass(179)
  t.equal(window.waitSeconds('ada', 30, 10), 1)
  pass(1)
  t.equal(window.waitSeconds('ada', 30, 10), 0)
  const { more } = window.charge('ada', 10, 10)
  pass(10)
  more(0)
  more(10)
  more(10)
  t.equal(window.waitSeconds('ada', 10, 10), 170, 'the same when it comes in parts: three minutes from the first')
  pass(169)
  t.equal(window.resetSeconds('ada'), 1)
  more(1)
  t.equal(window.waitSeconds('ada', 10, 10), 60, 'and what comes last counts for a minute all the same')
  t.end()
})

test('what comes slowly counts for a minute, and no longer, as long as it is no more than the limit', (t) => {
  const { window, pass } = windowAt(0)
  const { more } = window.charge('ada', 1, 100)
  for (let second = 1; second <= 600; second += 1) {
    pass(1)
    more(1)
  }
  t.equal(window.left('ada', 100), 40)
  pass(59)
  t.equal(window.left('ada', 100), 99)
  pass(1)
  t.equal(window.left('ada', 100), 100)
  more(5)
  t.equal(window.left('ada', 100), 95, 'also when there was nothing for a while')
  pass(0.5)
  more(5)
  pass(59.5)
  t.equal(window.left('ada', 100), 90, 'what comes within a second counts as one, until a minute after its last byte')
  t.end()
})

test('a minute is sixty seconds to the millisecond, and no answer says 61', (t) => {
  for (const startMs of [0, 123.4, 999, 999.999]) {
    const { window, pass } = windowAt(startMs)
    window.charge('ada', 10, 10)
    t.equal(window.waitSeconds('ada', 1, 10), 60)
    t.equal(window.resetSeconds('ada'), 60)
    pass(59.001)
    t.equal(window.waitSeconds('ada', 1, 10), 1, 'not a moment earlier, whatever second it began in')
    pass(0.998)
    t.equal(window.waitSeconds('ada', 1, 10), 1)
    pass(0.001)
    t.equal(window.waitSeconds('ada', 1, 10), 0)
  }
  t.end()
})

test('a hundred thousand bytes one by one, far beyond the limit, cost little', (t) => {
  const { window } = windowAt(0)
  for (let nth = 0; nth < 1000; nth += 1) window.charge('ada', 1, 100)
  const { more } = window.charge('ada', 1, 100)
  const start = performance.now()
  for (let byte = 0; byte < 100_000; byte += 1) more(1)
  const ms = performance.now() - start
  t.ok(ms < 5000, `${ms} ms`)
  t.end()
})

test('what did not come is given back, once its time has passed too', (t) => {
  const { window, pass } = windowAt(0)
  const first = window.charge('ada', 6, 10)
  const second = window.charge('ada', 4, 10)
  first.giveBack(5)
  t.equal(window.left('ada', 10), 5)
  first.giveBack(100)
  t.equal(window.left('ada', 10), 6, 'never more than was charged')
  pass(60)
  t.equal(window.left('ada', 10), 10)
  second.giveBack(4)
  t.equal(window.left('ada', 10), 10)
  const large = window.charge('ada', 100, 10)
  t.equal(window.resetSeconds('ada'), 600)
  large.giveBack(95)
  t.equal(window.resetSeconds('ada'), 60, 'and does not count for longer than what came')
  t.equal(window.left('ada', 10), 5)
  t.end()
})

test('callers count for themselves, and whoever used nothing for a while is forgotten', (t) => {
  const { window, pass } = windowAt(0)
  window.charge('ada', 1, 1)
  t.equal(window.waitSeconds('bob', 1, 1), 0)
  t.equal(window.waitSeconds('ada', 1, 1), 60)
  window.forget()
  t.equal(window.waitSeconds('ada', 1, 1), 60, 'not before')
  pass(60)
  window.forget()
  t.equal(window.resetSeconds('ada'), 0)
  t.equal(window.waitSeconds('ada', 1, 1), 0)
  t.end()
})
