// Asking again what PostgreSQL has ended because two transactions stood in each other's way: nothing of it was done then, and nothing is wrong with it.
import { setTimeout } from 'node:timers/promises'

/** One of the two goes on, so each time there are fewer of them. */
const attempts = 10
const longestPauseMs = 10

/**
 * Awaits `query`, and again after 40P01 deadlock_detected and 40001 serialization_failure: then the database says itself that it has
 * rolled back. For what begins anew when it is called anew. What may have been committed is never tried twice (I7).
 */
export async function retrying<T> (query: () => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await query()
    } catch (error) {
      if (!isConflict(error) || attempt === attempts) throw error
      await setTimeout(Math.random() * longestPauseMs * attempt)
    }
  }
}

/** As the adapter of Prisma says it, of its own queries and of those in SQL. */
function isConflict (error: unknown): boolean {
  const { meta } = (error ?? {}) as { meta?: { driverAdapterError?: { cause?: { kind?: unknown } } } }
  return meta?.driverAdapterError?.cause?.kind === 'TransactionWriteConflict'
}
