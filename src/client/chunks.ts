// How much of a file goes into one request. A chunk counts only as a whole, so on a slow or broken connection chunks are small.

/** A request should take about this long: what a cut costs, at most. */
const wantedMs = 4000
const firstBytes = 1024 ** 2
const leastBytes = 64 * 1024

export type Chunks = {
  readonly bytes: number
  /** One took `ms`. */
  sent: (ms: number) => void
  /** One was lost on the way. */
  lost: () => void
}

export function createChunks (mostBytes: number): Chunks {
  let bytes = Math.min(firstBytes, mostBytes)
  const resize = (factor: number) => { bytes = Math.min(mostBytes, Math.max(leastBytes, bytes * factor)) }
  return {
    get bytes () { return bytes },
    sent (ms) {
      if (ms < wantedMs / 2) resize(2)
      else if (ms > wantedMs * 2) resize(0.5)
    },
    lost () { resize(0.5) },
  }
}
