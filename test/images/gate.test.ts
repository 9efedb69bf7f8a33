import { setImmediate as turn } from 'node:timers/promises'
import t from 'tap'
import { createGate } from '../../src/images/gate.ts'

t.test('only so many tasks run at once, and all of them run, in order', async (t) => {
  const gate = createGate(3)
  let running = 0
  let most = 0
  const started: number[] = []
  const results = await Promise.all(Array.from({ length: 50 }, (_, index) => gate(async () => {
    started.push(index)
    most = Math.max(most, ++running)
    await turn()
    running--
    return index
  })))
  t.equal(most, 3)
  t.same(results, Array.from({ length: 50 }, (_, index) => index))
  t.same(started, results)
})

t.test('a task that fails makes room for the next', async (t) => {
  const gate = createGate(1)
  const failing = gate(async () => { throw new Error('no') })
  const next = gate(async () => 'yes')
  await t.rejects(failing, { message: 'no' })
  t.equal(await next, 'yes')
  t.equal(await gate(async () => 'and again'), 'and again')
})
