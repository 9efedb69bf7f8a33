// Free space promised to resumable uploads under way in this process. One that nobody has touched for a while gives it back, and asks again.
import type { UploadId } from '../storage/ids.ts'
import type { Reservation, Store } from '../storage/store.ts'

/** Between two requests of a client that goes on. Longer, and who begins many uploads and sends nothing would fill the disk with promises. */
const idleMs = 5 * 60_000

export type Room = ReturnType<typeof createRoom>

export function createRoom ({ reserve }: Pick<Store, 'reserve'>) {
  const promised = new Map<UploadId, { reservation: Reservation, left: number, timer: NodeJS.Timeout }>()

  function release (id: UploadId): void {
    const found = promised.get(id)
    if (found === undefined) return
    promised.delete(id)
    clearTimeout(found.timer)
    found.reservation.release()
  }

  return {
    /** Unless so many bytes are promised already. Throws StorageFull; then none are. */
    async need (id: UploadId, bytes: number): Promise<void> {
      const timer = () => setTimeout(() => release(id), idleMs).unref()
      const found = promised.get(id)
      if (found !== undefined && found.left >= bytes) {
        clearTimeout(found.timer)
        found.timer = timer()
        return
      }
      release(id)
      const reservation = await reserve(bytes)
      release(id)
      promised.set(id, { reservation, left: bytes, timer: timer() })
    },

    consume (id: UploadId, bytes: number): void {
      const found = promised.get(id)
      if (found === undefined) return
      found.left -= bytes
      found.reservation.consume(bytes)
    },

    release,

    releaseAll (): void {
      for (const id of [...promised.keys()]) release(id)
    },
  }
}
