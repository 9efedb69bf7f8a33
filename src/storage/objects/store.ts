// An object store as a Store: bytes in flight are files of this machine, and publishing puts them. In as few calls as the invariants allow.
import { randomUUID } from 'node:crypto'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { text } from 'node:stream/consumers'
import { StorageUnavailable } from '../../errors.ts'
import { errnoOf, storing } from '../failures.ts'
import type { FileSystem } from '../fs.ts'
import { decodeSidecar, encodeSidecar, type Sidecar } from '../sidecar.ts'
import type { Space } from '../space.ts'
import type { BlobAddress, StagedFile, Store } from '../store.ts'
import type { Durable } from '../volume/durable.ts'
import { blobPath, sidecarPath, variantsFolder } from '../volume/layout.ts'
import { createStagedFile, type VolumeStagedFile } from '../volume/staged-file.ts'
import type { Staging } from '../volume/staging.ts'
import { createDownloads } from './downloads.ts'
import { ObjectMissing, ObjectTaken, type Objects } from './objects.ts'
import { removeBelow } from './removing.ts'

type Options = {
  objects: Objects
  /** Of this machine, for what is in flight. */
  fs: FileSystem
  durable: Durable
  space: Space
  root: string
  staging: Pick<Staging, 'folder' | 'within'>
  /** Whoever reads a blob as it is may be sent to the store itself. */
  isRedirecting: boolean
}

/** Also where something else is in the place of the cache: it is no part of what is to go. */
const noVariants = new Set(['ENOENT', 'ENOTDIR', 'ELOOP'])

const blobKey = (address: BlobAddress) => blobPath('', address)
const sidecarKey = (address: Pick<BlobAddress, 'kind' | 'id'>) => sidecarPath('', address)

export function createObjectStore ({ objects, fs, durable, space, root, staging, isRedirecting }: Options): Store {
  const staged = new WeakMap<StagedFile, VolumeStagedFile>()
  const download = createDownloads({ objects, fs, durable, staging, checkSpace: () => space.check() })

  // Durable is what is in the store: a power cut here takes only what was never acknowledged.
  const unsynced: Durable = { ...durable, sync: async () => {} }

  /** In this order: no crash leaves a sidecar without its blob. */
  async function publish (file: VolumeStagedFile, sidecar: Sidecar): Promise<void> {
    let isOurs = false
    try {
      await file.seal(sidecar)
      isOurs = true
      // I3: with a blob of that name there, nothing happens.
      await objects.putFile(blobKey(sidecar), { path: file.path, size: sidecar.size, sha256: sidecar.sha256 }, { ifAbsent: true }).catch((error: unknown) => {
        isOurs = !(error instanceof ObjectTaken)
        throw error
      })
      await objects.putBytes(sidecarKey(sidecar), Buffer.from(encodeSidecar(sidecar)))
      await file.discard()
    } catch (error) {
      // No row points here yet, and none will. What was not answered may have been done.
      await Promise.allSettled([file.discard(), isOurs && remove(sidecar)])
      throw error
    }
  }

  /** Sidecar first. */
  async function remove (address: BlobAddress): Promise<void> {
    await objects.remove(sidecarKey(address))
    await objects.remove(blobKey(address))
    // After the blob, of which nothing can be made any more.
    await fs.rm(variantsFolder(root, address), { recursive: true, maxRetries: 5 }).catch((error: unknown) => {
      if (!noVariants.has(errnoOf(error) ?? '')) throw error
    })
  }

  /** A row said that it is there: it is not missing, but lost or out of reach. */
  const reading = <T>(address: BlobAddress, work: () => Promise<T>): Promise<T> => storing(() => work().catch((error: unknown) => {
    throw error instanceof ObjectMissing ? new StorageUnavailable({ cause: new Error(`the blob ${blobKey(address)} is missing`, { cause: error }) }) : error
  }))

  return {
    reserve: (bytes) => space.reserve(bytes),

    async stage () {
      const file = await createStagedFile({ fs, durable: unsynced, staging, path: join(staging.folder, randomUUID()), checkSpace: () => space.check() })
      staged.set(file, file)
      return file
    },

    publish: (file, sidecar) => storing(async () => {
      const own = staged.get(file)
      if (own === undefined) throw new TypeError('this file was not staged here')
      await publish(own, sidecar)
    }),

    writeSidecar: (sidecar) => storing(() => objects.putBytes(sidecarKey(sidecar), Buffer.from(encodeSidecar(sidecar)))),

    readSidecar: (address) => storing(async () => {
      const found = await objects.read(sidecarKey(address)).then((bytes) => text(bytes), (error: unknown) => {
        if (!(error instanceof ObjectMissing)) throw error
        return ''
      })
      const sidecar = decodeSidecar(found)
      return sidecar?.id === address.id && sidecar.kind === address.kind ? sidecar : undefined
    }),

    read: (address, range) => reading(address, () => objects.read(blobKey(address), range).catch((error: unknown) => {
      // As of a file: behind the end there is nothing.
      if (error instanceof RangeError) return Readable.from([])
      throw error
    })),

    localFile: (address) => reading(address, () => download(address)),

    ...(isRedirecting && { presign: (address, seconds, headers) => storing(() => objects.presign(blobKey(address), seconds, headers)) } satisfies Pick<Store, 'presign'>),

    remove: (address) => storing(() => remove(address)),

    removeForGood: (address) => storing(async () => {
      await remove(address)
      // Also what an audit put aside of it, and whatever else has its name.
      await removeBelow(objects, blobKey(address).slice(0, -address.extension.length - 1))
    }),
  }
}
