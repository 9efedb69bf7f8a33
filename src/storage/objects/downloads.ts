// Files of this machine with the bytes of blobs in a store, for what reads files and not streams. Those who ask meanwhile share one.
import { randomUUID } from 'node:crypto'
import { join } from 'node:path'
import pLimit from 'p-limit'
import { StorageUnavailable } from '../../errors.ts'
import { isFull } from '../failures.ts'
import type { FileSystem } from '../fs.ts'
import type { BlobAddress, LocalFile } from '../store.ts'
import { createBatches } from '../volume/batches.ts'
import type { Durable } from '../volume/durable.ts'
import { blobPath } from '../volume/layout.ts'
import type { Staging } from '../volume/staging.ts'
import type { Key, Objects } from './objects.ts'

type Options = { objects: Pick<Objects, 'read' | 'head'>, fs: Pick<FileSystem, 'unlink'>, durable: Durable, staging: Pick<Staging, 'folder' | 'within'>, /** Throws StorageFull when the reserve of free space is touched. */ checkSpace: () => Promise<void> }

/** On the disk at once, until they are released: enough for all processes that decode pictures, however many are asked for. */
const mostFiles = 16

/** As many as may wait for a process. */
const mostWaiting = 256

type Shared = { readonly file: Promise<LocalFile>, users: number }

export function createDownloads ({ objects, fs, durable, staging, checkSpace }: Options) {
  /** Of one picture many sizes may be wanted at once. */
  const downloads = new Map<Key, Shared>()
  const turns = pLimit(mostFiles)

  async function download (key: Key): Promise<LocalFile> {
    const path = join(staging.folder, randomUUID())
    const release = async () => { await fs.unlink(path).catch(() => {}) }
    const bytes = await objects.read(key)
    try {
      const handle = await staging.within(() => durable.create(path))
      const batches = createBatches(handle, checkSpace)
      try {
        for await (const chunk of bytes) await batches.add(chunk as Buffer)
        await batches.flush()
      } finally {
        await batches.stop()
        await handle.close()
      }
      return { path, isThere: async () => await objects.head(key) !== undefined, release }
    } catch (error) {
      bytes.destroy()
      await release()
      // That the disk of this machine is full says nothing of the storage to one who only reads.
      throw isFull(error) ? new StorageUnavailable({ cause: error }) : error
    }
  }

  /** Its turn lasts until it is released. */
  function inTurn (key: Key): Promise<LocalFile> {
    return new Promise((resolve, reject) => {
      if (turns.pendingCount >= mostWaiting) throw new StorageUnavailable({ cause: new Error(`${mostWaiting} downloads wait already`) })
      turns(async () => {
        const { promise: isReleased, resolve: released } = Promise.withResolvers<void>()
        const file = await download(key)
        resolve({ ...file, release: () => file.release().finally(released) })
        await isReleased
      }).catch(reject)
    })
  }

  /** @throws what the store says, ObjectMissing too; StorageUnavailable when the disk of this machine is full, or too many wait already */
  return async (address: BlobAddress): Promise<LocalFile> => {
    const key = blobPath('', address)
    const shared = downloads.get(key) ?? { file: inTurn(key), users: 0 }
    downloads.set(key, shared)
    shared.users += 1

    function leave (): boolean {
      shared.users -= 1
      if (shared.users > 0) return false
      downloads.delete(key)
      return true
    }

    try {
      const file = await shared.file
      return { ...file, release: async () => { if (leave()) await file.release() } }
    } catch (error) {
      leave()
      throw error
    }
  }
}
