// Tells the metrics how a sweep ended.
import { errnoOf } from '../storage/failures.ts'
import type { SweepCounts } from '../storage/sweep.ts'
import type { Metrics } from './metrics.ts'

/** A sweep that fails otherwise says nothing of the brake: the last success gets older, and the log has the error. */
export function tellingSweeps (metrics: Pick<Metrics, 'sweepEnded'>, sweep: (stopping: AbortSignal) => Promise<SweepCounts>): (stopping: AbortSignal) => Promise<SweepCounts> {
  return async (stopping) => {
    try {
      const counts = await sweep(stopping)
      metrics.sweepEnded('done')
      return counts
    } catch (error) {
      if (errnoOf(error) === 'SWEEP_STOPPED') metrics.sweepEnded('stopped')
      throw error
    }
  }
}
