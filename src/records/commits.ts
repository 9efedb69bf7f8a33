// Committing the rows of new blobs, when the answer of the database may be lost on the way (I7).
import { UploadConflict } from '../errors.ts'
import type { Prisma } from '../generated/prisma/client.ts'
import { errnoOf } from '../storage/failures.ts'
import type { BlobId } from '../storage/ids.ts'
import type { PrismaClient } from './database.ts'
import { isTaken, querying } from './failures.ts'

/**
 * What is committed with the rows of an upload, or not at all: its owner's quota, the answer to its Idempotency-Key, whatever else
 * must not be without it.
 */
export type Alongside = {
  /** After the rows; made anew for each attempt. One that must not hold breaks a constraint. */
  statements (): Prisma.Sql[]
  /** When the transaction failed, with what: whether it was because of one of these. @throws the reason, as one of `refusals`; nothing of the transaction is there then, nor will be */
  refuse (error?: unknown): Promise<void>
}

export const nothing: Alongside = { statements: () => [], refuse: async () => {} }

export const together = (all: readonly Alongside[]): Alongside => ({
  statements: () => all.flatMap((one) => one.statements()),
  async refuse (error) {
    for (const one of all) await one.refuse(error)
  },
})

/**
 * Runs `transaction`, which inserts the rows of `ids`, all or none. When its answer is lost, the rows decide; a blob
 * whose commit stays unknown is left alone, and the sweep finds out. `refuse` says whether it failed for one of the `refusals`.
 * @throws that, when certainly no row is there nor will be; UploadConflict when the sweep took an id first; stale
 * and taken errors of other rows pass.
 */
export async function committing (client: PrismaClient, ids: readonly BlobId[], transaction: () => Promise<unknown>, refuse: (error: unknown) => Promise<void> = async () => {}): Promise<void> {
  try {
    await querying(transaction)
  } catch (error) {
    // Before the rows are read: once the erasure is there to be seen, no commit from before it can come.
    const refused = await refuse(error).catch((reason: unknown) => reason)
    const rows = await querying(() => client.blob.findMany({ where: { id: { in: [...ids] } }, select: { state: true } })).catch(() => undefined)
    // What cannot be looked at may be there: its answer would speak against it.
    if (rows === undefined) throw isOwnerErased(refused) ? refused : error
    if (rows.some(({ state }) => state === 'swept')) throw new UploadConflict({ cause: error })
    if (rows.length === 0 && isRefused(refused)) throw refused
    if (rows.length < ids.length || isTaken(error)) throw error
  }
}

/** Codes of why nothing of a transaction is there, nor will be. */
const refusals = ['OWNER_ERASED', 'READER_ERASED', 'QUOTA_EXCEEDED', 'ALREADY_ANSWERED', 'RESUMABLE_GONE', 'PICTURE_REPLACED']

/** What is on the volume of such an upload has no row, and none will come of this transaction. */
export const isRefused = (error: unknown): boolean => refusals.includes(String(errnoOf(error)))

export const isOwnerErased = (error: unknown): boolean => errnoOf(error) === 'OWNER_ERASED'

/** Without those readers it may be committed. */
export const isReaderErased = (error: unknown): boolean => errnoOf(error) === 'READER_ERASED'

/** For transactions with blobs of several owners: `one` for each of them, always in the same order, so that no two wait for each other. */
export function eachOwner<T> (ownerIds: readonly string[], one: (ownerId: string) => T): T[] {
  return [...new Set(ownerIds)].sort().map(one)
}
