// What processes that died left behind: their staging folders, and in an object store uploads in parts that nobody completes; and journals in too many pieces.
import { createAttempts } from './attempts.ts'
import { compactJournals } from './objects/compacting.ts'
import type { Objects } from './objects/objects.ts'
import type { Staging } from './volume/staging.ts'

/** No upload to the store takes as long. */
const unfinishedMs = 86_400_000

type Options = { readonly staging: Pick<Staging, 'removeDead'>, readonly objects: Objects | undefined, readonly now?: () => Date }

/** Returns how much of it went. */
export function createLeftovers ({ staging, objects, now = () => new Date() }: Options): () => Promise<number> {
  if (objects === undefined) return staging.removeDead
  return async () => {
    const attempts = createAttempts()
    const folders = await attempts.attempt(staging.removeDead)
    const unfinished = await attempts.attempt(() => objects.sweepUnfinished(new Date(now().getTime() - unfinishedMs)))
    await attempts.attempt(() => compactJournals(objects))
    attempts.end()
    return (folders ?? 0) + (unfinished ?? 0)
  }
}
