// Making files and folder entries survive a power cut: write all, fsync, fsync the folder. Nothing about what they mean.
import { dirname } from 'node:path'
import { errnoOf, isFull } from '../failures.ts'
import type { FileHandle, FileSystem } from '../fs.ts'

const fileMode = 0o640
const folderMode = 0o750

/** Windows opens no folders, and some network file systems have nothing to fsync in one. */
const withoutFolderSync = new Set(['EINVAL', 'ENOTSUP', 'EISDIR', 'EPERM'])

const hasNoFolderSync = (error: unknown): boolean => withoutFolderSync.has(errnoOf(error) ?? '')

export type Durable = ReturnType<typeof createDurable>

/** `onSyncFailure` hears of every fsync that failed for another reason than a full disk: it is never retried (I6). */
export function createDurable ({ fs, onSyncFailure }: { fs: FileSystem, onSyncFailure: (error: unknown) => void }) {
  const folders = new Map<string, Promise<void>>()

  async function sync (handle: FileHandle, isTolerated: (error: unknown) => boolean = () => false): Promise<void> {
    try {
      await handle.sync()
    } catch (error) {
      if (isTolerated(error)) return
      if (!isFull(error)) onSyncFailure(error)
      throw error
    }
  }

  async function syncNow (path: string): Promise<void> {
    const handle = await fs.open(path, 'r').catch((error: unknown) => {
      if (!hasNoFolderSync(error)) throw error
    })
    if (handle === undefined) return
    try {
      await sync(handle, hasNoFolderSync)
    } finally {
      await handle.close()
    }
  }

  /** The fsync of a folder that is under way, and the one after it, for all who come meanwhile: what they did it may have missed, or have taken with it when it fails (I6). */
  const syncs = new Map<string, { underWay: Promise<void>, next?: Promise<void> }>()

  function syncFolder (path: string): Promise<void> {
    const sync = syncs.get(path)
    if (sync === undefined) {
      const underWay = syncNow(path).finally(() => { if (syncs.get(path)?.underWay === underWay) syncs.delete(path) })
      syncs.set(path, { underWay })
      return underWay
    }
    return (sync.next ??= sync.underWay.then(() => { syncs.delete(path); return syncFolder(path) }))
  }

  async function makeFolder (path: string, root: string): Promise<void> {
    if (path === root) return
    await folder(dirname(path), root)
    await fs.mkdir(path, { mode: folderMode }).catch((error: unknown) => {
      if (errnoOf(error) !== 'EEXIST') throw error
    })
    // Also when it was there: a process that died may have made it without getting this far.
    await syncFolder(dirname(path))
  }

  /** Makes `path` and its parents up to `root` exist durably; once per process, and shared by all who wait for it. */
  function folder (path: string, root: string): Promise<void> {
    const known = folders.get(path)
    if (known !== undefined) return known
    const made = makeFolder(path, root).catch((error: unknown) => {
      folders.delete(path)
      throw error
    })
    folders.set(path, made)
    return made
  }

  return {
    sync: (handle: FileHandle): Promise<void> => sync(handle),
    syncFolder,
    folder,

    /** For when a folder turns out to be gone: the next to need one makes it anew. */
    forgetFolders (): void { folders.clear() },

    create: (path: string): Promise<FileHandle> => fs.open(path, 'wx+', fileMode),

    /** A new file with this text, durable but for its folder entry. Removed again when that fails. */
    async writeNew (path: string, text: string): Promise<void> {
      const handle = await fs.open(path, 'wx', fileMode)
      try {
        await writeAll(handle, [Buffer.from(text)], 0)
        await sync(handle)
        await handle.close()
      } catch (error) {
        await handle.close().catch(() => {})
        // An object store tells only now that there was one before.
        if (errnoOf(error) !== 'EEXIST') await fs.unlink(path).catch(() => {})
        throw error
      }
    },
  }
}

/** writev may write less than it was given, as at a disk limit: the rest is written until it is all there or fails. */
export async function writeAll (handle: FileHandle, chunks: readonly Buffer[], position: number): Promise<void> {
  let rest = chunks
  let at = position
  while (rest.length > 0) {
    const { bytesWritten } = await handle.writev(rest, at)
    if (bytesWritten === 0 && rest.some((chunk) => chunk.length > 0)) throw new Error('The volume took no bytes and gave no reason.')
    at += bytesWritten
    rest = after(rest, bytesWritten)
  }
}

function after (chunks: readonly Buffer[], count: number): Buffer[] {
  let skip = count
  const rest: Buffer[] = []
  for (const chunk of chunks) {
    if (skip < chunk.length) rest.push(skip === 0 ? chunk : chunk.subarray(skip))
    skip = Math.max(0, skip - chunk.length)
  }
  return rest
}
