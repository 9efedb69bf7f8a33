import { setImmediate } from 'node:timers/promises'
import t from 'tap'
import { atOnce } from '../../../src/operations/backup/at-once.ts'

t.test('all are worked on, so many at once', async (t) => {
  const done: number[] = []
  let [running, most] = [0, 0]
  await atOnce(3, [1, 2, 3, 4, 5, 6, 7], async (item) => {
    running += 1
    most = Math.max(most, running)
    await setImmediate()
    running -= 1
    done.push(item)
  })
  t.same(done.sort(), [1, 2, 3, 4, 5, 6, 7])
  t.equal(most, 3)
})

t.test('a failure is told when nothing goes on any more, and nothing more is begun', async (t) => {
  const begun: number[] = []
  let running = 0
  await t.rejects(atOnce(2, [1, 2, 3, 4, 5], async (item) => {
    begun.push(item)
    running += 1
    try {
      if (item === 1) throw new Error('the first')
      await setImmediate()
      throw new Error('a later one')
    } finally {
      running -= 1
    }
  }), { message: 'the first' })
  t.equal(running, 0)
  t.same(begun, [1, 2])
})
