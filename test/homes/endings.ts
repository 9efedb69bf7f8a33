// The teardowns of a run that no tap watches: all of them are done, the last one first, whatever becomes of the others.
import type { Test } from 'tap'

export function createEndings () {
  const endings: (() => unknown)[] = []
  return {
    /** For fixtures that ask for nothing else. */
    t: { teardown: (end: () => unknown) => { endings.unshift(end) } } as Test,

    /** Resolves with what failed. */
    async end (): Promise<unknown[]> {
      const failures: unknown[] = []
      for (const ending of endings) {
        try {
          await ending()
        } catch (error) {
          failures.push(error)
        }
      }
      return failures
    },
  }
}
