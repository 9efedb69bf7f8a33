// Clean-up of many things, where one that fails must not keep the others from their turn.
import { errnoOf } from './failures.ts'

/** So many failures are no matter of single things any more. */
const maxFailures = 20

export type Attempts = ReturnType<typeof createAttempts>

export function createAttempts () {
  const failures: unknown[] = []

  function failed (): Error | undefined {
    if (failures.length === 0) return undefined
    // What failed may have been a clean-up of many things itself.
    const all: unknown[] = failures.flatMap((failure) => failure instanceof AggregateError ? failure.errors : [failure])
    const [first] = all
    return new AggregateError(all, `${all.length} failed; the first: ${first instanceof Error ? first.message : String(first)}`, { cause: first })
  }

  return {
    /** Runs `work`; undefined when it failed. Throws only when the rest would fail too. */
    async attempt<T> (work: () => Promise<T>): Promise<T | undefined> {
      try {
        return await work()
      } catch (error) {
        // A locked database is waited for, each time.
        if (errnoOf(error) === 'DATABASE_UNAVAILABLE') throw error
        failures.push(error)
        if (failures.length >= maxFailures) throw failed() ?? error
        return undefined
      }
    },

    /** What failed so far, as one. */
    failure: failed,

    /** To be called at the end. Throws when anything failed. */
    end (): void {
      const failure = failed()
      if (failure !== undefined) throw failure
    },
  }
}
