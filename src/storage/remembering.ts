// A Store that has small blobs, and small parts of large ones, in memory: those read last. A blob never changes (I3), so what is there is what its file has.
import { buffer } from 'node:stream/consumers'
import { LRUCache } from 'lru-cache'
import { StorageUnavailable } from '../errors.ts'
import type { BlobId } from './ids.ts'
import { readPart } from './part.ts'
import type { BlobAddress, ByteRange, Store } from './store.ts'

/** Larger ones come from their files as fast as clients take them, and would push out too many others. Bytes. */
export const mostWholeBytes = 512 * 1024

/** Of larger parts a client that takes its time would hold the memory. Bytes. */
export const mostPartBytes = 64 * 1024

/** What one costs beside its bytes: key, buffer, and its part of the maps. Bytes. */
const overheadBytes = 512

type PartKey = `${BlobId} ${number}-${number}`

type Key = BlobId | PartKey

const partKey = ({ id }: BlobAddress, { start, end }: ByteRange): PartKey => `${id} ${start}-${end}`

export function rememberingStore (store: Store, maxBytes: number): Store {
  const kept = new LRUCache<Key, Buffer>({ maxSize: Math.max(1, maxBytes), sizeCalculation: ({ length }) => length + overheadBytes, dispose: (_bytes, key) => forgetPart(key) })
  const loadings = new Map<BlobId, Promise<Buffer>>()
  const parts = new Map<BlobId, Set<PartKey>>()
  /** What was read before one is not kept after it. */
  let removals = 0
  const readWhole = store.readWhole ?? (async (address: BlobAddress) => buffer(await store.read(address)))

  async function read (address: BlobAddress, size: number): Promise<Buffer> {
    const bytes = await readWhole(address, size)
    if (bytes.length !== size) throw new StorageUnavailable({ cause: new Error(`the blob ${address.id} has ${bytes.length} bytes instead of ${size}`) })
    return bytes
  }

  function forget (id: BlobId): void {
    removals += 1
    loadings.delete(id)
    kept.delete(id)
    for (const key of parts.get(id) ?? []) kept.delete(key)
    parts.delete(id)
  }

  function keepPart (id: BlobId, key: PartKey, bytes: Buffer): void {
    kept.set(key, bytes)
    if (kept.has(key)) parts.set(id, (parts.get(id) ?? new Set()).add(key))
  }

  function forgetPart (key: Key): void {
    const id = key.slice(0, 36) as BlobId
    const keys = parts.get(id)
    keys?.delete(key as PartKey)
    if (keys?.size === 0) parts.delete(id)
  }

  const partReader = (openFile: NonNullable<Store['openFile']>): NonNullable<Store['readPart']> => async (address, size, range) => {
    const { id } = address
    const before = removals
    const bytes = await readPart(await openFile(address, size), range)
    if (before === removals) keepPart(id, partKey(address, range), bytes)
    return bytes
  }

  return {
    ...store,

    remembered: (address) => kept.get(address.id),

    rememberedPart: (address, range) => kept.get(partKey(address, range)),

    ...(store.openFile !== undefined && { readPart: partReader(store.openFile) }),

    readWhole (address, size) {
      const { id } = address
      const bytes = kept.get(id)
      if (bytes !== undefined) return Promise.resolve(bytes)
      const loading = loadings.get(id)
      if (loading !== undefined) return loading
      const loaded = read(address, size).then((bytes) => {
        // Unless it was removed meanwhile.
        if (loadings.get(id) === loaded && size <= mostWholeBytes) kept.set(id, bytes)
        return bytes
      }).finally(() => { if (loadings.get(id) === loaded) loadings.delete(id) })
      loadings.set(id, loaded)
      return loaded
    },

    async remove (address) {
      forget(address.id)
      await store.remove(address)
      forget(address.id)
    },

    async removeForGood (address) {
      forget(address.id)
      await store.removeForGood(address)
      forget(address.id)
    },
  }
}
