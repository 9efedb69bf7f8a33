// What can be done of a server's own files about rows that were deleted for good. Deletes none.
import { Prisma } from '../../generated/prisma/client.ts'
import type { PrismaClient } from '../database.ts'

/** All with names or ids of users that an erasure may have deleted rows of, or changed; the others have hashes only. */
const tables = Prisma.raw('"Blob", "Attachment", "Avatar", "Alias", "Account", "Link", "Answer", "Usage", "Resumable", "Segment", "Event", "Setting"')

/**
 * No query finds a row once its deletion is committed. Its bytes stay in the table until a vacuum takes the row out of its page, which
 * the server does by itself in time; `isThorough`: now, unless somebody else is at it. It waits for nobody, and gives no space back to
 * the file system, which would stop all others. The write-ahead log, its archives and the server's backups keep what they have, for as
 * long as the operator keeps them. Returns true: there is nothing to try again.
 */
export async function vacuum (client: Pick<PrismaClient, '$executeRaw'>, { isThorough }: { isThorough: boolean }): Promise<true> {
  // Without the right to it, or in the middle of something, it is left to the server.
  if (isThorough) await client.$executeRaw`VACUUM (SKIP_LOCKED, TRUNCATE FALSE) ${tables}`.catch(() => {})
  return true
}
