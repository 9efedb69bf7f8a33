import { setImmediate } from 'node:timers/promises'
import { test } from 'tap'
import { inTurn } from '../../../src/storage/volume/blocks.ts'

test('turns are given in the order in which they are asked for, also when several end at once', async (t) => {
  const ends: Array<() => void> = []
  const others = Array.from({ length: 8 }, () => inTurn(() => new Promise<void>((resolve) => ends.push(resolve)), () => {}))
  const begun: string[] = []
  const ask = (name: string) => inTurn(async () => {}, () => { begun.push(name) })
  const first = ask('first')
  t.strictSame(begun, [])
  for (const end of ends) end()
  // A turn is free before who waited for the one before it goes on.
  const later: Array<Promise<void>> = []
  for (let step = 0; step < 10; step += 1) {
    await Promise.resolve()
    later.push(ask(`later ${step}`))
  }
  await setImmediate()
  await Promise.all([...others, first, ...later])
  t.equal(begun[0], 'first')
})
