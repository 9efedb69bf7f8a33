// Committing the rows of new blobs, when the answer of the database may be lost on the way (I7).
import { UploadConflict } from '../errors.ts'
import { errnoOf } from '../storage/failures.ts'
import type { BlobId } from '../storage/ids.ts'
import type { PrismaClient } from './database.ts'
import { isTaken, querying } from './failures.ts'

/**
 * Runs `transaction`, which inserts the rows of `ids`, all or none. When its answer is lost, the rows decide; a blob
 * whose commit stays unknown is left alone, and the sweep finds out. `refuseErased` says whether it failed because an owner was erased.
 * @throws OwnerErased, when certainly no row is there nor will be; UploadConflict when the sweep took an id first; stale
 * and taken errors of other rows pass.
 */
export async function committing (client: PrismaClient, ids: readonly BlobId[], transaction: () => Promise<unknown>, refuseErased: () => Promise<void> = async () => {}): Promise<void> {
  try {
    await querying(transaction)
  } catch (error) {
    // Before the rows are read: once the erasure is there to be seen, no commit from before it can come.
    const erased = await refuseErased().catch((reason: unknown) => reason)
    const rows = await querying(() => client.blob.findMany({ where: { id: { in: [...ids] } }, select: { state: true } })).catch(() => [])
    if (rows.some(({ state }) => state === 'swept')) throw new UploadConflict({ cause: error })
    if (rows.length === 0 && isOwnerErased(erased)) throw erased
    if (rows.length < ids.length || isTaken(error)) throw error
  }
}

/** The upload came to nothing, for good: what is on the volume of it has no row and will have none. */
export const isOwnerErased = (error: unknown): boolean => errnoOf(error) === 'OWNER_ERASED'

/** For transactions with blobs of several owners: `one` for each of them, always in the same order, so that no two wait for each other. */
export function eachOwner<T> (ownerIds: readonly string[], one: (ownerId: string) => T): T[] {
  return [...new Set(ownerIds)].sort().map(one)
}
