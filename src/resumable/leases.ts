// Who holds a resumable upload: a later request, in this process or another, ends the one before it, and waits for what that has flushed. Knows no rows.
import { ResumableTakenOver } from '../errors.ts'
import type { UploadId } from '../storage/ids.ts'
import type { Elsewhere } from './elsewhere.ts'

type Holder = { readonly controller: AbortController, readonly done: Promise<void>, isWorking: boolean }

export type Leases = ReturnType<typeof createLeases>

export function createLeases (elsewhere: Elsewhere) {
  const holders = new Map<string, Holder>()

  elsewhere.watch({
    phaseOf (id) {
      const holder = holders.get(id)
      return holder && (holder.isWorking ? 'working' : 'waiting')
    },
    end: (id) => holders.get(id)?.controller.abort(new ResumableTakenOver()),
  })

  return {
    /** Runs `work` as the holder; its signal aborts, with the error to answer with, when it is to end. @throws ResumableTakenOver, and what `work` throws */
    async hold<T> (id: UploadId, work: (signal: AbortSignal) => Promise<T>): Promise<T> {
      const before = holders.get(id)
      const controller = new AbortController()
      const { promise: done, resolve } = Promise.withResolvers<void>()
      const own = { controller, done, isWorking: false }
      holders.set(id, own)
      before?.controller.abort(new ResumableTakenOver())
      try {
        await before?.done
        controller.signal.throwIfAborted()
        await elsewhere.take(id, controller.signal)
        controller.signal.throwIfAborted()
        own.isWorking = true
        return await work(controller.signal)
      } finally {
        elsewhere.letGo(id)
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
