// For commands, in which nobody waits for one picture: what the processes were too busy for is asked again.
import type { Processes } from '../images/processes/pool.ts'
import { errnoOf } from '../storage/failures.ts'

/** Milliseconds before each further try: a machine whose memory ran out needs some time. */
const waitsMs = [1000, 5000, 20_000]

/** The end of a sentence about a picture. */
export const notLookedAt = 'it was not looked at now, as the processes that do it were too busy, or killed as memory ran out: run this again'

export const isBusy = (error: unknown): boolean => errnoOf(error) === 'IMAGES_BUSY'

/** @throws what a job throws; ImagesBusy after the last try */
export function patiently ({ run }: Pick<Processes, 'run'>, pause: (ms: number) => Promise<unknown>): Pick<Processes, 'run'> {
  return {
    async run (...asked) {
      for (const ms of waitsMs) {
        try {
          return await run(...asked) as never
        } catch (error) {
          if (!isBusy(error)) throw error
          await pause(ms)
        }
      }
      return await run(...asked) as never
    },
  }
}
