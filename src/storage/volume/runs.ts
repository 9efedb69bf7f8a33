// Files of resumable uploads that hold all bytes from the first on, and that this process wrote alone: it knows their sha-256, and may go on with them. Which bytes count is the rows' business.
import type { Stats } from 'node:fs'
import type { UploadId } from '../ids.ts'
import type { Segment } from '../segments.ts'
import type { Hashing } from './hashing.ts'

/** How a file was left: who finds it otherwise does not know what is in it. */
export type Left = Pick<Stats, 'ino' | 'size' | 'mtimeMs'>

export const isAsLeft = (now: Left, { ino, size, mtimeMs }: Left): boolean => now.ino === ino && now.size === size && now.mtimeMs === mtimeMs

export type Run = { readonly segment: Segment, /** Of all its bytes. */ readonly hashing: Hashing, readonly left: Left }

/** The bytes of all others are read again, once. */
const mostRuns = 1000

export function createRuns (most = mostRuns) {
  const runs = new Map<UploadId, Run>()

  /** From now on it is the caller's. */
  function take (uploadId: UploadId): Run | undefined {
    const run = runs.get(uploadId)
    runs.delete(uploadId)
    return run
  }

  const drop = (uploadId: UploadId): void => take(uploadId)?.hashing.drop()

  return {
    /** The run of an upload when it is all that counts of it, and nothing else does; otherwise it is forgotten. */
    takeAll (uploadId: UploadId, counted: readonly Segment[]): Run | undefined {
      const [first] = counted
      const own = runs.get(uploadId)?.segment
      if (counted.length === 1 && first?.start === own?.start && first?.epoch === own?.epoch && first?.bytes === own?.bytes) return take(uploadId)
      drop(uploadId)
      return undefined
    },

    has: (uploadId: UploadId): boolean => runs.has(uploadId),

    keep (run: Run): void {
      drop(run.segment.uploadId)
      for (const uploadId of runs.keys()) if (runs.size >= most) drop(uploadId)
      runs.set(run.segment.uploadId, run)
    },

    drop,
  }
}
