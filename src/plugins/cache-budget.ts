// Who keeps the budget of the picture cache: on a shared volume the gateway that leads, which hears what the others put there; elsewhere each has a cache of its own.
import type { VariantCache } from '../images/cache/cache.ts'
import type { Coordination } from '../records/coordination.ts'

type Options = { coordination: Pick<Coordination, 'id' | 'leads' | 'onLead' | 'tell' | 'hear'>, isShared: boolean }

export function createCacheBudget ({ coordination, isShared }: Options) {
  const isKeeper = () => !isShared || coordination.leads()
  let puts = 0

  return {
    isKeeper,

    /** So many bytes were put into the folder. */
    onKept (bytes: number): void {
      // With a number, as of two that are the same only one might be heard.
      if (!isKeeper()) coordination.tell('cached', `${bytes} ${puts++}`)
    },

    /** `cache` hears of the others from now on. */
    attend (cache: Pick<VariantCache, 'note' | 'count'>, warn: (error: unknown, message: string) => void): void {
      if (!isShared) return
      coordination.hear('cached', (text, from) => { if (from !== coordination.id) cache.note(Number.parseInt(text)) })
      coordination.onLead(() => { cache.count().catch((error: unknown) => warn(error, 'The picture cache could not be counted.')) })
    },
  }
}
