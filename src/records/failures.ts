// What a failed query means. Prisma's errors are wrapped here, once; beyond this folder nobody sees them.
import { DatabaseUnavailable, StorageFull } from '../errors.ts'
import { Prisma } from '../generated/prisma/client.ts'

const prismaCode = (error: unknown): string | undefined =>
  error instanceof Prisma.PrismaClientKnownRequestError ? error.code : undefined

/** A compare-and-set found the row changed or gone. */
export const isStale = (error: unknown): boolean => prismaCode(error) === 'P2025'

/** A unique value, such as a primary key, is taken. */
export const isTaken = (error: unknown): boolean => prismaCode(error) === 'P2002'

/** Awaits `query`; errors other than stale and taken become DatabaseUnavailable, or StorageFull on a full disk. */
export async function querying<T> (query: () => Promise<T>): Promise<T> {
  try {
    return await query()
  } catch (error) {
    if (isStale(error) || isTaken(error)) throw error
    throw isDiskFull(error) ? new StorageFull({ cause: error }) : new DatabaseUnavailable({ cause: error })
  }
}

/** SQLITE_FULL, or PostgreSQL's 53100 disk_full. */
function isDiskFull (error: unknown): boolean {
  const text = error instanceof Error ? error.message : ''
  return /database or disk is full|disk quota exceeded|53100/i.test(text)
}
