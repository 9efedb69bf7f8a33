// When an event that was not taken is tried again, and when it is given up.

/** Longer than sending takes at most: when a process dies meanwhile, another takes over after that. */
export const heldForMs = 30_000

/** With less of that left, sending might take longer than it is held. */
export const leftMs = 15_000

const firstPauseMs = 1000
const longestPauseMs = 60 * 60_000
/** A receiver may ask for more than we would wait, but not for ever. */
const longestAskedMs = 24 * 60 * 60_000

const triedForMs = 3 * 24 * 60 * 60_000
/** Also those get a chance that had to wait all the time for an earlier one of their owner. */
const leastAttempts = 8

/**
 * How long to wait, in milliseconds, after `attempts` that failed: twice as long each time, up to an hour, of which a part is left to
 * chance, so that those that failed together do not come back together. `random`: from 0 to below 1.
 */
export function pauseAfter (attempts: number, { retryAfterMs = 0, random = Math.random() }: { retryAfterMs?: number | undefined, random?: number } = {}): number {
  const longest = Math.min(longestPauseMs, firstPauseMs * 2 ** (attempts - 1))
  return Math.max(longest * (0.5 + random / 2), Math.min(retryAfterMs, longestAskedMs))
}

/** After some three days. */
export const isHopeless = ({ createdAt }: { createdAt: Date }, attempts: number, at: Date): boolean =>
  attempts >= leastAttempts && at.getTime() - createdAt.getTime() >= triedForMs
