import { setImmediate } from 'node:timers/promises'
import { test } from 'tap'
import { createTurns } from '../../../src/operations/import/turns.ts'

test('work with a name in common waits for the one before, also where that fails; other work does not', async (t) => {
  const inTurn = createTurns()
  const log: string[] = []
  const gate = Promise.withResolvers<void>()
  const first = inTurn(['a', 'b'], async () => { await gate.promise; log.push('first'); throw new Error('no') })
  const second = inTurn(['b', 'c'], async () => { log.push('second') })
  const third = inTurn(['c'], async () => { log.push('third') })
  await inTurn(['d'], async () => { log.push('other') })
  await setImmediate()
  t.strictSame(log, ['other'])
  gate.resolve()
  await t.rejects(first, { message: 'no' })
  await Promise.all([second, third])
  t.strictSame(log, ['other', 'first', 'second', 'third'])
  t.equal(await inTurn([], async () => 7), 7)
})
