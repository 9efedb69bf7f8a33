// Counts the jobs of pictures in the metrics, whatever becomes of them.
import type { Processes } from '../images/processes/pool.ts'
import { JobLost } from '../images/processes/start.ts'
import { errnoOf } from '../storage/failures.ts'
import type { Metrics } from './metrics.ts'

/** Done; refused, for what is wrong with the picture; busy, when its turn did not come; lost with its process; failed for other reasons, as of the volume. */
export type JobOutcome = 'done' | 'refused' | 'busy' | 'lost' | 'failed'

export function countingJobs (run: Processes['run'], metrics: Pick<Metrics, 'pictureJobEnded'>): Processes['run'] {
  return (name, input, turn) => {
    const job = run(name, input, turn)
    job.then(() => metrics.pictureJobEnded(name, 'done'), (error: unknown) => metrics.pictureJobEnded(name, outcomeOf(error)))
    return job
  }
}

function outcomeOf (error: unknown): JobOutcome {
  if (error instanceof JobLost) return 'lost'
  const code = errnoOf(error) ?? ''
  if (code === 'IMAGES_BUSY') return 'busy'
  return /^(IMAGE|METADATA)_/.test(code) ? 'refused' : 'failed'
}
