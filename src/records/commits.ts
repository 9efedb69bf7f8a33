// Committing the rows of new blobs, when the answer of the database may be lost on the way (I7).
import { UploadConflict } from '../errors.ts'
import type { BlobId } from '../storage/ids.ts'
import type { PrismaClient } from './database.ts'
import { isTaken, querying } from './failures.ts'

/**
 * Runs `transaction`, which inserts the rows of `ids`, all or none. When its answer is lost, the rows decide; a blob
 * whose commit stays unknown is left alone, and the sweep finds out.
 * @throws UploadConflict when the sweep took an id first; stale and taken errors of other rows pass.
 */
export async function committing (client: PrismaClient, ids: readonly BlobId[], transaction: () => Promise<unknown>): Promise<void> {
  try {
    await querying(transaction)
  } catch (error) {
    const rows = await querying(() => client.blob.findMany({ where: { id: { in: [...ids] } }, select: { state: true } })).catch(() => [])
    if (rows.some(({ state }) => state === 'swept')) throw new UploadConflict({ cause: error })
    if (rows.length < ids.length || isTaken(error)) throw error
  }
}
