// What happens to a picture once another is in its place.
import type { Settling } from '../records/sidecars.ts'
import type { BlobId } from '../storage/ids.ts'

export type Retire = (replaced: BlobId | undefined) => Promise<void>

/** `warn` hears of one whose sidecar could not be written; the sweep writes it. */
export function createRetiring ({ settling, warn }: { settling: Pick<Settling, 'settle'>, warn: (error: unknown, message: string) => void }): Retire {
  /** The new picture is durable and committed: the old one's sidecar may follow later, but normally it is now. */
  return async (replaced) => {
    if (replaced === undefined) return
    await settling.settle(replaced).catch((error: unknown) => warn(error, 'the sidecar of a replaced avatar was not written yet'))
  }
}
