// Long work in the background that requests should hardly notice: after each piece it rests.
import { setTimeout } from 'node:timers/promises'

/** Awaited after each piece; rejects with the signal's reason. */
export type Pace = (signal: AbortSignal | undefined) => Promise<void>

/** For a command, which nobody else waits for. */
export const withoutRest: Pace = async (signal) => signal?.throwIfAborted()

/** Works for `share` of the time, at most, where no rest would be longer than `longestRestMs`. One for each piece of work: it begins now, and what a piece takes counts from the end of the rest before it. */
export function createPace (share: number, longestRestMs = Infinity): Pace {
  let since = performance.now()
  return async (signal) => {
    signal?.throwIfAborted()
    await setTimeout(Math.min((performance.now() - since) * (1 / share - 1), longestRestMs), undefined, { signal }).catch(() => signal?.throwIfAborted())
    since = performance.now()
  }
}
