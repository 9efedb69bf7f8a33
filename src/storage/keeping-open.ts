// A Store whose files stay open for a moment, those used last: who asks for one part of a large blob asks for others. A blob never changes (I3).
import { LRUCache } from 'lru-cache'
import type { OpenFile } from './fs.ts'
import type { BlobId } from './ids.ts'
import type { Store } from './store.ts'

/** Descriptors; connections.ts leaves more than these. */
const mostKept = 32

/** What another process removes takes its space until then. */
const standardIdleMs = 2000

type Shared = { readonly opening: Promise<OpenFile>, users: number, isKept: boolean, readonly idle: NodeJS.Timeout }

export function keepingOpen (store: Store, { most = mostKept, idleMs = standardIdleMs }: { most?: number, idleMs?: number } = {}): Store {
  const { openFile } = store
  if (openFile === undefined) return store

  const kept = new LRUCache<BlobId, Shared>({
    max: most,
    dispose (shared) {
      shared.isKept = false
      clearTimeout(shared.idle)
      closeUnused(shared)
    },
  })

  /** One that could not be opened need not be closed. */
  function closeUnused ({ isKept, users, opening }: Shared): void {
    if (!isKept && users === 0) opening.then((file) => file.close(), () => {})
  }

  /** Another may have come in its place. */
  function forget (id: BlobId, shared: Shared): void {
    if (kept.peek(id) === shared) kept.delete(id)
  }

  function begin (id: BlobId, opening: Promise<OpenFile>): Shared {
    const idle = setTimeout(() => { if (shared.users === 0) forget(id, shared) }, idleMs).unref()
    const shared: Shared = { opening, users: 0, isKept: true, idle }
    kept.set(id, shared)
    return shared
  }

  function leave (shared: Shared): void {
    shared.users -= 1
    if (shared.isKept) shared.idle.refresh()
    closeUnused(shared)
  }

  return {
    ...store,

    async openFile (address, size) {
      const { id } = address
      const shared = kept.get(id) ?? begin(id, openFile(address, size))
      shared.users += 1
      try {
        const file = await shared.opening
        return {
          size: file.size,
          // What fails may be right again for who opens it anew, as on a network mount whose server has started again.
          read: (into, length, position, done) => file.read(into, length, position, (error, count) => {
            if (error !== null) forget(id, shared)
            done(error, count)
          }),
          close: () => leave(shared),
        }
      } catch (error) {
        forget(id, shared)
        leave(shared)
        throw error
      }
    },

    async remove (address) {
      kept.delete(address.id)
      await store.remove(address)
      kept.delete(address.id)
    },

    async removeForGood (address) {
      kept.delete(address.id)
      await store.removeForGood(address)
      kept.delete(address.id)
    },
  }
}
