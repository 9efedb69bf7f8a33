import { setImmediate } from 'node:timers/promises'
import { test } from 'tap'
import { createUserTurns } from '../../src/records/user-turns.ts'

test('of one user one is at work at a time, in the order in which they came; others do not wait', async (t) => {
  const { take } = createUserTurns()
  const done: string[] = []
  const first = Promise.withResolvers<void>()
  const all = [
    take('ada', async () => {
      await first.promise
      done.push('ada 1')
    }),
    take('ada', async () => { done.push('ada 2') }),
    take('bob', async () => { done.push('bob') }),
    take('ada', async () => { done.push('ada 3') }),
  ]
  await all[2]
  t.strictSame(done, ['bob'])
  first.resolve()
  await Promise.all(all)
  t.strictSame(done, ['bob', 'ada 1', 'ada 2', 'ada 3'])
})

test('what failed is told to whoever asked for it, and is over', async (t) => {
  const { take } = createUserTurns()
  const failed = take('ada', async () => { throw new Error('no') })
  const next = take('ada', async () => 'done')
  await t.rejects(failed, { message: 'no' })
  t.equal(await next, 'done')
  await setImmediate()
  t.equal(await take('ada', async () => 'again'), 'again')
})
