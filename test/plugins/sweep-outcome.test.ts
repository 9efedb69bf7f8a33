import { test } from 'tap'
import { tellingSweeps } from '../../src/plugins/sweep-outcome.ts'
import { SweepStopped } from '../../src/storage/sweep.ts'

const nothing = { staging: 0, sidecars: 0, orphans: 0, pending: 0, trash: 0, quota: 0, forgotten: 0 }

test('a sweep that ran to its end is told as such, one that was held up too, and another failure is neither', async (t) => {
  const { signal } = new AbortController()
  const told: string[] = []
  const metrics = { sweepEnded: (outcome: string) => { told.push(outcome) } }
  t.equal(await tellingSweeps(metrics, async () => nothing)(signal), nothing)
  t.strictSame(told, ['done'])
  const stopped = new SweepStopped('too much')
  await t.rejects(tellingSweeps(metrics, () => Promise.reject(stopped))(signal), stopped)
  t.strictSame(told, ['done', 'stopped'])
  await t.rejects(tellingSweeps(metrics, () => Promise.reject(new Error('no volume')))(signal), { message: 'no volume' })
  t.strictSame(told, ['done', 'stopped'])
})
