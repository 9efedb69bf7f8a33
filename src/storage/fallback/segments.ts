// Segments of resumable uploads of a deployment that moves: new ones go to the own home, each is read where it is, and all of an upload goes from both.
import { ResumableGone } from '../../errors.ts'
import type { Segment, Segments } from '../segments.ts'

export function createFallbackSegments (own: Segments, other: Segments): Segments {
  /** Where each of them is. */
  async function found (segments: readonly Segment[]): Promise<Array<{ readonly segment: Segment, readonly home: Segments }> | undefined> {
    const all: Array<{ segment: Segment, home: Segments }> = []
    for (const segment of segments) {
      const home = await own.areThere([segment]) ? own : await other.areThere([segment]) ? other : undefined
      if (home === undefined) return undefined
      all.push({ segment, home })
    }
    return all
  }

  return {
    open: own.open,
    whole: own.whole,
    uploads: own.uploads,

    async * read (segments) {
      if (await own.areThere(segments)) return yield * own.read(segments)
      const all = await found(segments)
      if (all === undefined) throw new ResumableGone()
      for (const { segment, home } of all) yield * home.read([segment])
    },

    areThere: async (segments) => await own.areThere(segments) || await found(segments) !== undefined,

    async remove (uploadId) {
      await other.remove(uploadId)
      await own.remove(uploadId)
    },
    async removeForGood (uploadId) {
      await other.removeForGood(uploadId)
      await own.removeForGood(uploadId)
    },
  }
}
