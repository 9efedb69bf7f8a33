import { test } from 'tap'
import { occasionally } from '../../../src/images/cache/occasional.ts'

test('each kind of trouble is told at once, and again after a minute', (t) => {
  const told: string[] = []
  let nowMs = 0
  const warn = occasionally((error, message) => told.push(`${String(error)} ${message}`), () => new Date(nowMs))
  for (const at of [0, 1, 59_999, 60_000, 60_001]) {
    nowMs = at
    warn(at, 'one')
  }
  warn('x', 'other')
  t.strictSame(told, ['0 one', '60000 one', 'x other'])
  t.end()
})
