// Counts one upload in the metrics, whatever becomes of it.
import type { Kind } from '../storage/store.ts'
import type { Metrics } from './metrics.ts'

/** Runs `work`, which resolves with what it kept; `bytesOf` says how much that was, or undefined when nothing was kept anew: then it is not counted. */
export type CountUpload = <T>(work: () => Promise<T>, bytesOf: (kept: T) => number | undefined) => Promise<T>

export function countingUploads (metrics: Pick<Metrics, 'uploadKept' | 'uploadLost'>, kind: Kind): CountUpload {
  return async (work, bytesOf) => {
    const startedAt = performance.now()
    const seconds = () => (performance.now() - startedAt) / 1000
    try {
      const kept = await work()
      const bytes = bytesOf(kept)
      if (bytes !== undefined) metrics.uploadKept(kind, bytes, seconds())
      return kept
    } catch (error) {
      metrics.uploadLost(kind, error, seconds())
      throw error
    }
  }
}
