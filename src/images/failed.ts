// Which pictures could not be shown a moment ago: each further try would hold a process for as long, and whoever has the address can ask.
import { LRUCache } from 'lru-cache'
import { ImagesBusy, ImageTooSlow, withHeaders } from '../errors.ts'
import type { BlobId } from '../storage/ids.ts'
import { isOfThePicture, meaningOf } from './job-failures.ts'

export type Shown = {
  readonly blobId: BlobId
  /** It was decoded when it came in: what goes wrong now may be of the moment. */
  readonly isProven: boolean
}

const mostRemembered = 10_000

const seconds = { proven: 60, unproven: 600 }

/** `nowMs`: milliseconds, of a clock that is never set. */
export function createFailed (nowMs: () => number) {
  const failed = new LRUCache<BlobId, Error>({ max: mostRemembered, ttl: seconds.unproven * 1000, ttlResolution: 0, perf: { now: nowMs } })

  return {
    /** @throws what it failed with */
    refuse ({ blobId }: Shown): void {
      const error = failed.get(blobId)
      if (error !== undefined) throw error
    },

    /** What a job failed with, as what it means; remembered when it would come to the same again. */
    note ({ blobId, isProven }: Shown, failure: unknown): unknown {
      // What `refuse` threw says nothing new.
      if (!isOfThePicture(failure) || failure === failed.get(blobId)) return failure
      const meaning = meaningOf(failure) as Error
      const error = isProven && meaning instanceof ImageTooSlow ? withHeaders(new ImagesBusy({ cause: failure }), { 'Retry-After': String(seconds.proven) }) : meaning
      failed.set(blobId, error, { ttl: 1000 * (isProven ? seconds.proven : seconds.unproven) })
      return error
    },
  }
}
