// The Store of a deployment that moves: writes go to the own home, reads go on in the other one where the own has nothing yet, and what is
// removed goes from both.
import { StorageUnavailable } from '../../errors.ts'
import { errnoOf } from '../failures.ts'
import type { BlobAddress, Store } from '../store.ts'

/** No URL of an object store is given out meanwhile: nobody knows in which home a blob is. */
export function createFallbackStore (own: Store, other: Pick<Store, 'read' | 'readSidecar' | 'localFile' | 'remove' | 'removeForGood'>): Omit<Store, 'presign'> {
  /** What the own home says of a blob that neither has. */
  async function elsewhere<T> (work: () => Promise<T>, otherwise: () => Promise<T>): Promise<T> {
    try {
      return await work()
    } catch (error) {
      if (!isMissing(error)) throw error
      return otherwise().catch((failure: unknown) => { throw isMissing(failure) ? error : failure })
    }
  }

  /** Copied from the one to the other meanwhile, it is still there. */
  async function localFile (address: BlobAddress) {
    const file = await own.localFile(address)
    if (await file.isThere()) return file
    await file.release()
    return other.localFile(address)
  }

  return {
    reserve: own.reserve,
    stage: own.stage,
    ...(own.adopt !== undefined && { adopt: own.adopt }),
    publish: own.publish,
    writeSidecar: own.writeSidecar,
    read: (address, range) => elsewhere(() => own.read(address, range), () => other.read(address, range)),
    localFile: (address) => elsewhere(() => localFile(address), () => other.localFile(address)),

    /** The newer of the two: whoever changed it last may write to the one home or to the other. */
    async readSidecar (address) {
      const [one, two] = await Promise.all([own.readSidecar(address), other.readSidecar(address)])
      return (two?.revision ?? 0) > (one?.revision ?? 0) ? two : one
    },

    // The other first: interrupted, it is found again by the own.
    async remove (address) {
      await other.remove(address)
      await own.remove(address)
    },
    async removeForGood (address) {
      await other.removeForGood(address)
      await own.removeForGood(address)
    },
  }
}

/** Of a blob that is not in a home, as its Store says it. */
export const isMissing = (error: unknown): boolean =>
  error instanceof StorageUnavailable && error.cause instanceof Error && errnoOf(error.cause.cause) === 'ENOENT'
