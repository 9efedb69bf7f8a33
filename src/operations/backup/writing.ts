// What a failed write to the place of a backup or a restore means, said once.
import { errnoOf, isFull } from '../../storage/failures.ts'
import { Refusal } from '../refusal.ts'

/** A name for it, and what running the command again does. */
export type WrittenPlace = { readonly name: string, readonly afterwards: string }

/** Awaits `work` on the place; what it throws becomes a Refusal that says which place and what to do. */
export async function writing<T> (place: WrittenPlace, work: () => T | Promise<T>): Promise<T> {
  try {
    return await filling(place, work)
  } catch (error) {
    if (error instanceof Refusal) throw error
    throw new Refusal(`${place.name} cannot be written: ${error instanceof Error ? error.message : String(error)}. Mend that and run this again: ${place.afterwards}`, { cause: error })
  }
}

/** Of what does more than write: only that the place is full is said, and every other failure left as it is. */
export async function filling<T> (place: WrittenPlace, work: () => T | Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    if (isOutOfSpace(error)) throw new Refusal(`${place.name} is full. Free some space there and run this again: ${place.afterwards}`, { cause: error })
    throw error
  }
}

const isOutOfSpace = (error: unknown): boolean => isFull(error) || errnoOf(error) === 'SQLITE_FULL'
