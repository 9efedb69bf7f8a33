// Who holds a resumable upload in another process, as far as that was heard: it is told to end, and waited for until it has flushed. What it did not hear of, the epochs in the rows decide.
import { LRUCache } from 'lru-cache'
import type { Coordination } from '../records/coordination.ts'
import type { UploadId } from '../storage/ids.ts'

/** A holder that does not answer, because it died or hangs, is overtaken: what it has not flushed by then does not count. */
const patienceMs = 2_000

const mostRemembered = 10_000

export type Elsewhere = ReturnType<typeof createElsewhere>

/** What a process does with an upload: nothing, waits for the one before, or takes bytes. */
type Phase = 'waiting' | 'working' | undefined

export function createElsewhere ({ id: own, tell, hear }: Pick<Coordination, 'id' | 'tell' | 'hear'>) {
  const holders = new LRUCache<string, string>({ max: mostRemembered })
  const waiting = new Map<string, () => void>()
  let phaseOf: (id: string) => Phase = () => undefined
  let end: (id: string) => void = () => {}

  hear('holding', (id, from) => {
    if (from === own) return
    holders.set(id, from)
    const phase = phaseOf(id)
    // Of two that wait for a third, one must not end the other and be ended by it.
    if (phase === 'working' || (phase === 'waiting' && from > own)) end(id)
  })
  hear('letGo', (id, from) => {
    if (holders.get(id) !== from) return
    holders.delete(id)
    waiting.get(id)?.()
  })
  hear('reconnected', () => holders.clear())

  return {
    /** `phaseOf`: what this process does with an upload; `end` ends that. */
    watch (watched: { phaseOf: (id: string) => Phase, end: (id: string) => void }): void {
      phaseOf = watched.phaseOf
      end = watched.end
    },

    /** Who has it elsewhere ends now. Resolves when that one has let go, or does not answer, or `signal` aborts. */
    async take (id: UploadId, signal: AbortSignal): Promise<void> {
      tell('holding', id)
      if (!holders.has(id)) return
      const { promise, resolve } = Promise.withResolvers<void>()
      const timer = setTimeout(() => {
        holders.delete(id)
        resolve()
      }, patienceMs)
      waiting.set(id, resolve)
      signal.addEventListener('abort', () => resolve(), { once: true })
      await promise
      clearTimeout(timer)
      waiting.delete(id)
    },

    letGo: (id: UploadId): void => tell('letGo', id),
  }
}
