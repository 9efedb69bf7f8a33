// Runs of bytes of resumable uploads that are not finished, in files on the volume: each in one of its own, unless it goes on where this process ended. Which of them count is the rows' business.
import { constants } from 'node:fs'
import { dirname, join } from 'node:path'
import { ResumableGone, StorageUnavailable } from '../errors.ts'
import { errnoOf, storing } from './failures.ts'
import { readOrdinary, type FileHandle, type FileSystem } from './fs.ts'
import { asUploadId, type UploadId } from './ids.ts'
import type { Whole } from './volume/adopted-file.ts'
import { createBatches } from './volume/batches.ts'
import type { Durable } from './volume/durable.ts'
import { createHashing, type Hashing } from './volume/hashing.ts'
import { resumableFolder, segmentPath, uploadFolder, type SegmentAddress } from './volume/layout.ts'
import { createRuns, isAsLeft, type Run } from './volume/runs.ts'

export type { SegmentAddress } from './volume/layout.ts'

/** One that counts, with so many bytes: the file may have more, which nobody was told of. */
export type Segment = SegmentAddress & { readonly bytes: number }

/** What is known of an upload whose bytes may all go into one file. */
export type Growing = {
  /** Of the whole; undefined while it is not known. */
  readonly length: number | undefined
  /** What counts of it. */
  readonly counted: () => Promise<readonly Segment[]>
}

/** A segment being written. Exactly one of close and keep ends it. */
export type SegmentFile = {
  /** Where it begins may be before the bytes that it was opened for. */
  readonly address: SegmentAddress
  /** Appends a chunk; await it before the next. Throws StorageFull, StorageUnavailable. */
  write (chunk: Buffer): Promise<void>
  /** Returns how many bytes of the segment are durable: all that were written before it was called. More may be written meanwhile. */
  flush (): Promise<number>
  close (): Promise<void>
  /** Closes it with its first `bytes`, which are durable; with 0 it is removed. */
  keep (bytes: number): Promise<void>
}

export type Segments = ReturnType<typeof createSegments>

const readBytes = 1024 ** 2

/** To go on with a file. */
const writeOrdinary = constants.O_RDWR | (constants.O_NOFOLLOW ?? 0)

/** A file to be written to. */
type Opened = { readonly address: SegmentAddress, readonly handle: FileHandle, /** Bytes that it has. */ readonly from: number, /** Of all its bytes, when they may become the whole. */ readonly hashing: Hashing | undefined }

type Options = { fs: FileSystem, durable: Durable, root: string, /** Whether what is mounted there is the volume that this began with. */ isVolumeThere: () => Promise<boolean>, /** Throws StorageFull when the reserve of free space is touched. */ checkSpace: () => Promise<void> }

export function createSegments ({ fs, durable, root, isVolumeThere, checkSpace }: Options) {
  const parent = join(root, resumableFolder)
  const runs = createRuns()

  /** An empty folder where the volume was a moment ago says nothing of what is on it, and keeps nothing. */
  async function requireVolume (): Promise<void> {
    if (!await isVolumeThere()) throw new StorageUnavailable({ cause: new Error('the folder of uploads is not the volume that was there at the start') })
  }

  /** Where another machine has written to it, a network file system may say for a minute how long it was; not to who opens it. */
  async function statOpened (path: string): Promise<{ size: number }> {
    const handle = await fs.open(path, readOrdinary)
    return handle.stat().finally(() => handle.close())
  }

  async function hasAll (segments: readonly Segment[], stat: (path: string) => Promise<{ size: number }>): Promise<boolean> {
    for (const segment of segments) {
      const { size } = await stat(segmentPath(root, segment)).catch(missing)
      if (size < segment.bytes) return false
    }
    return true
  }

  /** Also asked of the volume when it has come back meanwhile. */
  const areThere = (segments: readonly Segment[]): Promise<boolean> => storing(async () => {
    if (await hasAll(segments, (path) => fs.stat(path))) return true
    await requireVolume()
    return hasAll(segments, statOpened)
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

  async function create (address: SegmentAddress, growing: Growing | undefined): Promise<Opened> {
    await makeFolder(address.uploadId)
    const handle = await durable.create(segmentPath(root, address))
    const isFirst = growing !== undefined && address.start === 0
    return { address, handle, from: 0, hashing: isFirst ? createHashing({ bytes: growing.length ?? Infinity }) : undefined }
  }

  /** Undefined when it is not there as it was left. */
  async function reopen ({ segment, left }: Run): Promise<FileHandle | undefined> {
    const handle = await fs.open(segmentPath(root, segment), writeOrdinary).catch(() => undefined)
    const now = await handle?.stat().catch(() => undefined)
    if (now !== undefined && isAsLeft(now, left)) return handle
    await handle?.close().catch(() => {})
    return undefined
  }

  /** The file of all that came before, if this process has written it, and it is as it was left. */
  async function goOn ({ uploadId, start }: SegmentAddress, { counted }: Growing): Promise<Opened | undefined> {
    if (start === 0 || !runs.has(uploadId)) return undefined
    const run = runs.takeAll(uploadId, await counted())
    if (run === undefined) return undefined
    const { segment: address, hashing } = run
    const handle = address.bytes === start ? await reopen(run) : undefined
    if (handle !== undefined) return { address, handle, from: start, hashing }
    hashing.drop()
    return undefined
  }

  const removeFolder = async (uploadId: UploadId): Promise<void> => {
    runs.drop(uploadId)
    await fs.rm(uploadFolder(root, uploadId), { recursive: true, force: true, maxRetries: 5 })
  }

  return {
    /** A new file; `growing`: or the one of all bytes before, to go on with. Throws StorageFull, StorageUnavailable, and what `counted` does. */
    async open (wanted: SegmentAddress, growing?: Growing): Promise<SegmentFile> {
      const { address, handle, from, hashing } = (growing && await goOn(wanted, growing)) ?? await storing(() => create(wanted, growing))
      const path = segmentPath(root, address)
      const batches = createBatches(handle, checkSpace, { from, ...(hashing && { pass: hashing.update }) })
      let bytes = from
      let hasEntry = from > 0
      let failure: { readonly error: unknown } | undefined

      async function sync (): Promise<void> {
        await durable.sync(handle)
        if (!hasEntry) await durable.syncFolder(dirname(path))
        hasEntry = true
      }

      /** Where all that was written is durable. What counts of that is looked up before it is used. */
      async function leave (): Promise<void> {
        if (hashing === undefined) return
        const isWhole = failure === undefined && bytes > 0 && bytes === batches.size
        const left = isWhole ? await handle.stat().catch(() => undefined) : undefined
        if (left === undefined) return hashing.drop()
        const { uploadId, start, epoch } = address
        runs.keep({ segment: { uploadId, start, epoch, bytes }, hashing, left })
      }

      return {
        address,
        write: (chunk) => storing(() => batches.add(chunk)),
        flush: () => storing(async () => {
          const written = await batches.flush()
          // What an fsync failed for may be lost, and the next says nothing of it (I6).
          if (failure !== undefined) throw failure.error
          await sync().catch((error: unknown) => {
            failure = { error }
            throw error
          })
          bytes = written
          return bytes
        }),
        async close () {
          await batches.stop()
          await leave()
          await handle.close()
        },
        // What comes after them counts for nothing in any case.
        async keep (bytes) {
          await batches.stop()
          hashing?.drop()
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

    /** Undefined unless these are one file that this process has written from its beginning to its end. */
    async whole (segments: readonly Segment[]): Promise<Whole | undefined> {
      const [only] = segments
      const run = only && runs.takeAll(only.uploadId, segments)
      const sha256 = await run?.hashing.digest().catch(() => undefined)
      return run === undefined || sha256 === undefined ? undefined : { path: segmentPath(root, run.segment), sha256, left: run.left }
    },

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
