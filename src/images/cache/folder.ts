// What is done to the cache folder: files put in place and taken away. It may be removed at any time, and others may have put links in it.
import { dirname, join, relative } from 'node:path'
import { errnoOf } from '../../storage/failures.ts'
import type { FileSystem } from '../../storage/fs.ts'
import type { BlobId } from '../../storage/ids.ts'
import { createDurable, writeAll } from '../../storage/volume/durable.ts'
import { blobFolder, entryPath, isTemporary, shardFolder, temporaryPath, type Place } from './layout.ts'
import type { Found } from './walk.ts'

/** So that backup programs leave it out: https://bford.info/cachedir/. Our own backups know of it anyway. */
const tag = { name: 'CACHEDIR.TAG', text: 'Signature: 8a477f597d28d172789f06886806bc55\n# Smaller versions of uploaded pictures, made by Upload Gateway. They are made again when they are gone.\n' }

const fileMode = 0o640
const folderMode = 0o750

export type Folder = ReturnType<typeof createFolder>

export function createFolder ({ fs, folder }: { fs: FileSystem, folder: string }) {
  const durable = createDurable({ fs, onSyncFailure: () => {} })

  /** Whether `path` is not behind a link within the cache folder; that one may be a link itself. @throws ENOENT when it is not there */
  async function isInside (path: string): Promise<boolean> {
    const [root, real] = await Promise.all([fs.realpath(folder), fs.realpath(path)])
    return real === join(root, relative(folder, path))
  }

  const holds = (path: string): Promise<boolean> => isInside(path).catch((error: unknown) => {
    if (isMissing(error)) return false
    throw error
  })

  /** One by one: were the folder above the cache not there, it would not be made either. */
  const makeOne = (path: string): Promise<void> => fs.mkdir(path, { mode: folderMode }).catch(ifThere)

  /** The cache folder itself, with its tag. */
  async function make (): Promise<void> {
    await makeOne(folder)
    await writeNew(join(folder, tag.name), [Buffer.from(tag.text)]).catch(ifThere)
  }

  /** Nothing of it stays when that fails. */
  async function writeNew (path: string, chunks: readonly Buffer[]): Promise<void> {
    const handle = await fs.open(path, 'wx', fileMode)
    try {
      await writeAll(handle, chunks, 0)
      await handle.close()
    } catch (error) {
      await handle.close().catch(() => {})
      await fs.unlink(path).catch(() => {})
      throw error
    }
  }

  async function putInPlace (temporary: string, place: Place): Promise<void> {
    const blob = blobFolder(folder, place.blobId)
    await makeOne(dirname(blob))
    await makeOne(blob)
    if (!await isInside(blob)) throw new Error(`Nothing is kept in ${blob}: it is a link, or behind one.`)
    await fs.rename(temporary, entryPath(folder, place))
  }

  return {
    make,

    /** Whether the folder that `place` is in is there, and really in the cache. */
    holds: (place: Place): Promise<boolean> => holds(dirname(entryPath(folder, place))),

    /** A file with these bytes, whole or not at all unless the power fails: nothing is fsynced, and readers check. @throws what the file system says */
    async write (place: Place, chunks: readonly Buffer[]): Promise<void> {
      await make()
      const temporary = temporaryPath(folder, place.blobId)
      await writeNew(temporary, chunks)
      try {
        // Another process may have taken away the last file of that folder, and the folder, just before.
        await putInPlace(temporary, place).catch((error: unknown) => isMissing(error) ? putInPlace(temporary, place) : Promise.reject(error))
      } catch (error) {
        await fs.unlink(temporary).catch(() => {})
        throw error
      }
    },

    /** Removes a file that was not used since it was found. Whether it is gone. @throws what the file system says */
    async evict (found: Found): Promise<boolean> {
      const path = entryPath(folder, found)
      const stat = await fs.stat(path).catch(ifMissing(undefined))
      if (stat === undefined) return true
      if (stat.mtimeMs !== found.modifiedAtMs) return false
      await fs.unlink(path).catch(ifMissing(undefined))
      // Where it was not the last one, it stays.
      await fs.rmdir(dirname(path)).catch(() => {})
      return true
    },

    /** Removes what lies there, whatever it is; not what a link leads to. */
    async drop (place: Place): Promise<void> {
      if (await holds(blobFolder(folder, place.blobId))) await fs.rm(entryPath(folder, place), { recursive: true, force: true })
    },

    /** Removes all that is kept of a blob, and half-written files of processes that died; no power cut brings it back. */
    async forget (blobId: BlobId): Promise<void> {
      const names = await fs.readdir(folder).catch(ifMissing([]))
      for (const name of names) if (isTemporary(name, blobId)) await fs.rm(join(folder, name), { force: true })
      const shard = shardFolder(folder, blobId)
      if (!await holds(shard)) return
      const wasThere = await fs.rm(blobFolder(folder, blobId), { recursive: true }).then(() => true, ifMissing(false))
      if (wasThere) await durable.syncFolder(shard)
    },
  }
}

const isMissing = (error: unknown): boolean => errnoOf(error) === 'ENOENT'

const ifMissing = <T>(value: T) => (error: unknown): T => {
  if (isMissing(error)) return value
  throw error
}

const ifThere = (error: unknown): void => {
  if (errnoOf(error) !== 'EEXIST') throw error
}
