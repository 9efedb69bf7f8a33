import { setImmediate } from 'node:timers/promises'
import { test } from 'tap'
import { createCacheBudget } from '../../src/plugins/cache-budget.ts'
import { coordinationDouble } from '../fixtures/coordination.ts'

function setUp ({ leads = false, isShared = true } = {}) {
  const double = coordinationDouble({ leads })
  const seen: string[] = []
  const budget = createCacheBudget({ coordination: double.coordination, isShared })
  const cache = {
    note: (bytes: number) => { seen.push(`noted ${bytes}`) },
    async count () {
      seen.push('counted')
      throw new Error('the volume is gone')
    },
  }
  budget.attend(cache, (error) => { seen.push(String(error)) })
  return { ...double, ...budget, seen }
}

test('on a shared volume the one that leads keeps it and hears of the others, and counts when it begins to', async (t) => {
  const { isKeeper, onKept, told, hear, lead, coordination, seen } = setUp()
  t.equal(isKeeper(), false)
  onKept(4096)
  onKept(4096)
  t.strictSame(told, [['cached', '4096 0'], ['cached', '4096 1']], 'two of the same size are two')
  t.strictSame(seen, [], 'its own it has counted')
  lead()
  t.equal(isKeeper(), true)
  hear('cached', '8192 5')
  coordination.tell('cached', '1 0')
  onKept(4096)
  t.equal(told.length, 3)
  await setImmediate()
  t.strictSame(seen, ['counted', 'noted 8192', 'Error: the volume is gone'])
})

test('where each has a cache of its own, each keeps it, and nobody is told', (t) => {
  const { isKeeper, onKept, told, hear, lead, seen } = setUp({ isShared: false })
  t.equal(isKeeper(), true)
  onKept(4096)
  hear('cached', '1 1')
  lead()
  t.strictSame([told, seen], [[], []])
  t.end()
})
