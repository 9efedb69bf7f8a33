// Runs of bytes of resumable uploads that are not finished, each in a file of its own on the volume. Which of them count is the rows' business.
import { dirname, join } from 'node:path'
import { ResumableGone, StorageUnavailable } from '../errors.ts'
import { errnoOf, storing } from './failures.ts'
import { readOrdinary, type FileHandle, type FileSystem } from './fs.ts'
import { asUploadId, type UploadId } from './ids.ts'
import { createBatches } from './volume/batches.ts'
import type { Durable } from './volume/durable.ts'
import { resumableFolder, segmentPath, uploadFolder, type SegmentAddress } from './volume/layout.ts'

export type { SegmentAddress } from './volume/layout.ts'

/** One that counts, with so many bytes: the file may have more, which nobody was told of. */
export type Segment = SegmentAddress & { readonly bytes: number }

/** A segment being written. Exactly one of close and keep ends it. */
export type SegmentFile = {
  /** Appends a chunk; await it before the next. Throws StorageFull, StorageUnavailable. */
  write (chunk: Buffer): Promise<void>
  /** Returns how many bytes are durable: all that were written before it was called. More may be written meanwhile. */
  flush (): Promise<number>
  close (): Promise<void>
  /** Closes it with its first `bytes`, which are durable; with 0 it is removed. */
  keep (bytes: number): Promise<void>
}

export type Segments = ReturnType<typeof createSegments>

const readBytes = 1024 ** 2

type Options = { fs: FileSystem, durable: Durable, root: string, /** Whether what is mounted there is the volume that this began with. */ isVolumeThere: () => Promise<boolean>, /** Throws StorageFull when the reserve of free space is touched. */ checkSpace: () => Promise<void> }

export function createSegments ({ fs, durable, root, isVolumeThere, checkSpace }: Options) {
  const parent = join(root, resumableFolder)

  /** An empty folder where the volume was a moment ago says nothing of what is on it, and keeps nothing. */
  async function requireVolume (): Promise<void> {
    if (!await isVolumeThere()) throw new StorageUnavailable({ cause: new Error('the folder of uploads is not the volume that was there at the start') })
  }

  async function hasAll (segments: readonly Segment[]): Promise<boolean> {
    for (const segment of segments) {
      const { size } = await fs.stat(segmentPath(root, segment)).catch(missing)
      if (size < segment.bytes) return false
    }
    return true
  }

  /** Also asked of the volume when it has come back meanwhile. */
  const areThere = (segments: readonly Segment[]): Promise<boolean> => storing(async () => {
    if (await hasAll(segments)) return true
    await requireVolume()
    return hasAll(segments)
  })

  /** Not remembered as other folders are: there is one for each upload. */
  async function makeFolder (uploadId: UploadId): Promise<void> {
    await requireVolume()
    await durable.folder(parent, root)
    await fs.mkdir(uploadFolder(root, uploadId), { mode: 0o750 }).catch((error: unknown) => {
      if (errnoOf(error) === 'ENOENT') durable.forgetFolders()
      if (errnoOf(error) !== 'EEXIST') throw error
    })
    await durable.syncFolder(parent)
  }

  async function create (address: SegmentAddress): Promise<FileHandle> {
    await makeFolder(address.uploadId)
    return durable.create(segmentPath(root, address))
  }

  const removeFolder = async (uploadId: UploadId): Promise<void> => {
    await fs.rm(uploadFolder(root, uploadId), { recursive: true, force: true, maxRetries: 5 })
  }

  return {
    /** A new file. Throws StorageFull, StorageUnavailable. */
    async open (address: SegmentAddress): Promise<SegmentFile> {
      const path = segmentPath(root, address)
      const handle = await storing(() => create(address))
      const batches = createBatches(handle, checkSpace)
      let hasEntry = false
      let failure: { readonly error: unknown } | undefined

      async function sync (): Promise<void> {
        await durable.sync(handle)
        if (!hasEntry) await durable.syncFolder(dirname(path))
        hasEntry = true
      }

      return {
        write: (chunk) => storing(() => batches.add(chunk)),
        flush: () => storing(async () => {
          const bytes = await batches.flush()
          // What an fsync failed for may be lost, and the next says nothing of it (I6).
          if (failure !== undefined) throw failure.error
          await sync().catch((error: unknown) => {
            failure = { error }
            throw error
          })
          return bytes
        }),
        async close () {
          await batches.stop()
          await handle.close()
        },
        // What comes after them counts for nothing in any case.
        async keep (bytes) {
          await batches.stop()
          if (bytes > 0) await handle.truncate(bytes).catch(() => {})
          await handle.close().catch(() => {})
          if (bytes === 0) await fs.unlink(path).catch(() => {})
        },
      }
    },

    /** The bytes of these, one after the other; a chunk is good until the next is asked for. @throws ResumableGone when one is missing or short: rows say it is there, as after a restore; StorageUnavailable */
    async * read (segments: readonly Segment[]): AsyncGenerator<Buffer> {
      if (!await areThere(segments)) throw new ResumableGone()
      const buffer = Buffer.allocUnsafeSlow(readBytes)
      for (const segment of segments) {
        const handle = await storing(() => fs.open(segmentPath(root, segment), readOrdinary))
        try {
          let left = segment.bytes
          while (left > 0) {
            const { bytesRead } = await storing(() => handle.read(buffer, 0, Math.min(left, buffer.length), segment.bytes - left))
            if (bytesRead === 0) throw new StorageUnavailable({ cause: new Error('a segment has become shorter while it was read') })
            left -= bytesRead
            yield buffer.subarray(0, bytesRead)
          }
        } finally {
          await handle.close()
        }
      }
    },

    /** Whether all of them are there, with all their bytes. Throws StorageUnavailable, also while the volume is not mounted. */
    areThere,

    /** All of an upload. */
    remove: (uploadId: UploadId): Promise<void> => storing(() => removeFolder(uploadId)),

    /** The same, and no power cut brings it back. */
    removeForGood: (uploadId: UploadId): Promise<void> => storing(async () => {
      await removeFolder(uploadId)
      await durable.syncFolder(parent).catch(missing)
    }),

    /** The uploads that have a folder, whatever the rows say. */
    uploads: (): Promise<UploadId[]> => storing(async () => {
      const names = await fs.readdir(parent).catch((error: unknown) => {
        missing(error)
        return []
      })
      return names.map(asUploadId).filter((id) => id !== undefined)
    }),
  }
}

/** What is missing has no bytes. */
function missing (error: unknown): { size: number } {
  if (errnoOf(error) !== 'ENOENT') throw error
  return { size: -1 }
}
