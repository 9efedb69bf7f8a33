// Randomness that can be had again: the same seed, the same choices.
import { createHash } from 'node:crypto'

export type Random = {
  /** A whole number from 0 up to, and without, `end`. */
  below (end: number): number
  /** True with this probability. */
  chance (probability: number): boolean
  /** @throws when there is none to choose from */
  pick<T> (choices: readonly T[]): T
  /** Bytes between these two: small ones as often as large. */
  size (min: number, max: number): number
}

export function createRandom (seed: string): Random {
  let state = createHash('sha256').update(seed).digest().readUInt32LE()

  /** Mulberry32: good enough to choose what comes next. */
  function fraction (): number {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }

  const below = (end: number) => Math.floor(fraction() * end)
  return {
    below,
    chance: (probability) => fraction() < probability,
    pick (choices) {
      const choice = choices[below(choices.length)]
      if (choice === undefined) throw new Error('There is nothing to choose from.')
      return choice
    },
    size: (min, max) => Math.floor(min * (max / min) ** fraction()),
  }
}
