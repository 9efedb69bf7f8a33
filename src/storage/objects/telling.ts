// Calls of an object store whose failures say what they mean. What that is, each store knows itself.
import type { Key } from './objects.ts'

/** Awaits `work`; what it throws is what it means, or the reason of the signal that ended it. */
export const createTelling = (meaning: (error: unknown, key: Key) => Error) => async <T>(key: Key, signal: AbortSignal | undefined, work: () => Promise<T>): Promise<T> => {
  try {
    return await work()
  } catch (error) {
    signal?.throwIfAborted()
    throw meaning(error, key)
  }
}
