// The uploads volume as a Store: staging, publishing, sidecars, reading and removing, in the orders that survive a crash.
import { randomUUID } from 'node:crypto'
import type { Dirent } from 'node:fs'
import { dirname, join } from 'node:path'
import type { Readable } from 'node:stream'
import { StorageUnavailable } from '../../errors.ts'
import { errnoOf, ifAbsent, storing } from '../failures.ts'
import { readOrdinary, type FileSystem } from '../fs.ts'
import { decodeSidecar, encodeSidecar, type Sidecar } from '../sidecar.ts'
import type { Space } from '../space.ts'
import type { BlobAddress, ByteRange, StagedFile, Store } from '../store.ts'
import type { Durable } from './durable.ts'
import { adoptFile } from './adopted-file.ts'
import { blobPath, dayFolder, sidecarPath, variantsFolder } from './layout.ts'
import { createStagedFile, type VolumeStagedFile } from './staged-file.ts'
import type { Staging } from './staging.ts'

/** Reads of 64 KiB reach a third of the speed; of 1 MiB, they leave more garbage than the collector keeps up with. */
const readBytes = 256 * 1024

type Options = { fs: FileSystem, durable: Durable, space: Space, root: string, staging: Pick<Staging, 'folder' | 'within'>, /** Sidecars may come before their blobs, which are in the other home of a move. */ isMoving?: boolean }

/** Also where something else is in the place of the cache: it is no part of what is to go. */
const noVariants = new Set(['ENOENT', 'ENOTDIR', 'ELOOP'])

export function createVolume ({ fs, durable, space, root, staging, isMoving = false }: Options): Store {
  const staged = new WeakMap<StagedFile, VolumeStagedFile>()

  const unlinkIfThere = (path: string) => fs.unlink(path).catch(ifAbsent(undefined))

  const newSidecarPath = () => join(staging.folder, `${randomUUID()}.sidecar.json`)

  async function publish (file: VolumeStagedFile, sidecar: Sidecar): Promise<void> {
    const path = blobPath(root, sidecar)
    const folder = dirname(path)
    const stagedSidecar = newSidecarPath()
    let isVisible = false
    try {
      await all([file.seal(sidecar), staging.within(() => durable.writeNew(stagedSidecar, encodeSidecar(sidecar))), durable.folder(folder, root), refuseTaken(path)])
      isVisible = true
      await fs.rename(file.path, path)
      file.release()
      await fs.rename(stagedSidecar, sidecarPath(root, sidecar))
      await durable.syncFolder(folder)
    } catch (error) {
      if (errnoOf(error) === 'ENOENT') durable.forgetFolders()
      // No row points here yet, and none will: nothing is lost by taking it back.
      await Promise.allSettled([fs.unlink(stagedSidecar), file.discard(), isVisible && remove(sidecar)])
      throw error
    }
  }

  /** I3: rename would replace what is there, and a failure later would take it away. */
  async function refuseTaken (path: string): Promise<void> {
    const isTaken = await fs.stat(path).then(() => true, ifAbsent(false))
    if (isTaken) throw new Error(`There is a blob already: ${path}.`)
  }

  /** Whether there were variants. */
  async function remove (address: BlobAddress): Promise<boolean> {
    await unlinkIfThere(sidecarPath(root, address))
    await unlinkIfThere(blobPath(root, address))
    // After the blob, of which nothing can be made any more.
    return fs.rm(variantsFolder(root, address), { recursive: true, maxRetries: 5 }).then(() => true, (error: unknown) => {
      if (!noVariants.has(errnoOf(error) ?? '')) throw error
      return false
    })
  }

  const listings = new Map<string, Promise<Dirent[] | undefined>>()

  /** Undefined when it is not there. Those who ask at the same time share a listing: a day may have a hundred thousand files. */
  function listed (folder: string): Promise<Dirent[] | undefined> {
    const pending = listings.get(folder)
    if (pending !== undefined) return pending
    const listing = fs.readdir(folder, { withFileTypes: true }).catch(ifAbsent(undefined)).finally(() => listings.delete(folder))
    listings.set(folder, listing)
    return listing
  }

  return {
    reserve: (bytes) => space.reserve(bytes),

    async stage () {
      const file = await createStagedFile({ fs, durable, staging, path: join(staging.folder, randomUUID()), checkSpace: () => space.check() })
      staged.set(file, file)
      return file
    },

    async adopt (whole) {
      const file = await adoptFile({ fs, staging, path: join(staging.folder, randomUUID()) }, whole)
      if (file !== undefined) staged.set(file, file)
      return file
    },

    publish: (file, sidecar) => storing(async () => {
      const own = staged.get(file)
      if (own === undefined) throw new TypeError('this file was not staged here')
      await publish(own, sidecar)
    }),

    writeSidecar: (sidecar) => storing(async () => {
      const path = sidecarPath(root, sidecar)
      const fresh = newSidecarPath()
      try {
        await staging.within(() => durable.writeNew(fresh, encodeSidecar(sidecar)))
        if (isMoving) await durable.folder(dirname(path), root)
        await fs.rename(fresh, path)
      } catch (error) {
        await fs.unlink(fresh).catch(() => {})
        throw error
      }
      await durable.syncFolder(dirname(path))
    }),

    readSidecar: (address) => storing(async () => {
      const text = await fs.readFile(sidecarPath(root, address), { encoding: 'utf8', flag: readOrdinary }).catch(ifAbsent(''))
      const sidecar = decodeSidecar(text)
      return sidecar?.id === address.id && sidecar.kind === address.kind ? sidecar : undefined
    }),

    read: (address, range) => storing(() => open(fs, blobPath(root, address), range)),

    ...(fs.readWhole !== undefined && { readWhole: wholeReader(fs.readWhole, root) }),

    ...(fs.openFile !== undefined && { openFile: fileOpener(fs.openFile, root) }),

    async localFile (address) {
      const path = blobPath(root, address)
      const isThere = () => fs.stat(path).then(() => true, (error: unknown) => errnoOf(error) !== 'ENOENT')
      return { path, isThere, release: async () => {} }
    },

    remove: (address) => storing(async () => { await remove(address) }),

    removeForGood: (address) => storing(async () => {
      if (await remove(address)) await durable.syncFolder(dirname(variantsFolder(root, address)))
      const folder = dayFolder(root, address)
      const entries = await listed(folder)
      if (entries === undefined) return
      for (const { name } of entries.filter((entry) => entry.name.startsWith(address.id) && !entry.isDirectory())) await unlinkIfThere(join(folder, name))
      await durable.syncFolder(folder)
    }),
  }
}

async function open (fs: FileSystem, path: string, range: ByteRange | undefined): Promise<Readable> {
  const handle = await fs.open(path, readOrdinary).catch(missing(path))
  return handle.createReadStream({ ...range, highWaterMark: readBytes })
}

const wholeReader = (readWhole: NonNullable<FileSystem['readWhole']>, root: string): NonNullable<Store['readWhole']> => (address, size) => {
  const path = blobPath(root, address)
  return storing(() => readWhole(path, size).catch(missing(path)))
}

const fileOpener = (openFile: NonNullable<FileSystem['openFile']>, root: string): NonNullable<Store['openFile']> => (address, size) => {
  const path = blobPath(root, address)
  return storing(async () => {
    const file = await openFile(path).catch(missing(path))
    if (file.size === size) return file
    file.close()
    throw new Error(`the blob ${path} has ${file.size} bytes instead of ${size}`)
  })
}

const missing = (path: string) => (error: unknown): never => {
  if (errnoOf(error) !== 'ENOENT') throw error
  throw new StorageUnavailable({ cause: new Error(`the blob ${path} is missing`, { cause: error }) })
}

/** Waits for all even when one fails, so that no write goes on behind a failed upload; then throws the first failure. */
async function all (work: Array<Promise<void>>): Promise<void> {
  await Promise.allSettled(work)
  await Promise.all(work)
}
