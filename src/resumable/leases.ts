// Who holds a resumable upload in this process: a later request ends the one before it, and waits for what that has flushed. Knows no rows.
import { ResumableTakenOver } from '../errors.ts'
import type { UploadId } from '../storage/ids.ts'

type Holder = { readonly controller: AbortController, readonly done: Promise<void> }

export type Leases = ReturnType<typeof createLeases>

export function createLeases () {
  const holders = new Map<UploadId, Holder>()

  return {
    /** Runs `work` as the holder; its signal aborts, with the error to answer with, when it is to end. @throws ResumableTakenOver, and what `work` throws */
    async hold<T> (id: UploadId, work: (signal: AbortSignal) => Promise<T>): Promise<T> {
      const before = holders.get(id)
      const controller = new AbortController()
      const { promise: done, resolve } = Promise.withResolvers<void>()
      const own = { controller, done }
      holders.set(id, own)
      before?.controller.abort(new ResumableTakenOver())
      try {
        await before?.done
        controller.signal.throwIfAborted()
        return await work(controller.signal)
      } finally {
        if (holders.get(id) === own) holders.delete(id)
        resolve()
      }
    },

    /** Ends all of them. */
    endAll (reason: Error): void {
      for (const { controller } of holders.values()) controller.abort(reason)
    },
  }
}
