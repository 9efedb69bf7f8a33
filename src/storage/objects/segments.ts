// Segments of unfinished resumable uploads in an object store: what comes is spooled here, and each flush puts it as one more piece of its segment.
import { randomUUID } from 'node:crypto'
import { join } from 'node:path'
import { ResumableGone } from '../../errors.ts'
import { storing } from '../failures.ts'
import type { FileHandle, FileSystem } from '../fs.ts'
import { asUploadId, type UploadId } from '../ids.ts'
import type { Segment, SegmentFile, Segments } from '../segments.ts'
import { createBatches, type Batches } from '../volume/batches.ts'
import type { Durable } from '../volume/durable.ts'
import { resumableFolder, segmentPath, uploadFolder, type SegmentAddress } from '../volume/layout.ts'
import type { Staging } from '../volume/staging.ts'
import { fileOf, grownOf, partKey, readGrown, type Grown } from './grown.ts'
import type { Found, Key, Objects } from './objects.ts'
import { removeBelow } from './removing.ts'

type Options = { objects: Objects, fs: FileSystem, durable: Durable, staging: Pick<Staging, 'folder' | 'within'>, /** Throws StorageFull when the reserve of free space is touched. */ checkSpace: () => Promise<void> }

const uploadPrefix = (uploadId: UploadId): string => `${uploadFolder('', uploadId)}/`

/** In the order of the bytes. */
const pieceName = (from: number): string => String(from).padStart(16, '0')

/** What came since the last flush. */
type Spool = { readonly path: string, readonly handle: FileHandle, readonly batches: Batches }

export function createObjectSegments ({ objects, fs, durable, staging, checkSpace }: Options): Segments {
  async function open (address: SegmentAddress): Promise<SegmentFile> {
    const key: Key = segmentPath('', address)
    let durableBytes = 0
    /** Where each piece begins that is there, or may be. */
    const begun = new Set<number>()
    let spool: Spool | undefined = await openSpool()

    async function openSpool (): Promise<Spool> {
      const path = join(staging.folder, randomUUID())
      const handle = await staging.within(() => durable.create(path))
      return { path, handle, batches: createBatches(handle, checkSpace) }
    }

    async function dropSpool (): Promise<void> {
      if (spool === undefined) return
      const { path, handle, batches } = spool
      spool = undefined
      await batches.stop()
      await handle.close().catch(() => {})
      await fs.unlink(path).catch(() => {})
    }

    async function flush (): Promise<number> {
      if (spool === undefined) return durableBytes
      const { path, batches } = spool
      const bytes = await batches.flush()
      if (bytes === 0) return durableBytes
      // The same once more when the one before failed: it may have been put.
      begun.add(durableBytes)
      await objects.putFile(partKey(key, pieceName(durableBytes)), { path, size: bytes })
      durableBytes += bytes
      await dropSpool()
      return durableBytes
    }

    let flushing: Promise<unknown> = Promise.resolve()

    return {
      address,
      write: (chunk) => storing(async () => {
        // What comes now is for the next piece.
        await flushing.catch(() => {})
        spool ??= await openSpool()
        await spool.batches.add(chunk)
      }),
      flush () {
        const flushed = storing(flush)
        flushing = flushed
        return flushed
      },
      close: dropSpool,
      // What comes after them counts for nothing in any case; nor does the quota know of it.
      async keep (bytes) {
        await dropSpool()
        const ended = [...begun].filter((from) => from >= bytes)
        await Promise.allSettled(ended.map((from) => objects.remove(partKey(key, pieceName(from)))))
      },
    }
  }

  /** Undefined when one is missing or short. */
  async function found (segments: readonly Segment[]): Promise<Array<{ readonly segment: Segment, readonly grown: Grown }> | undefined> {
    const all: Array<{ segment: Segment, grown: Grown }> = []
    const byUpload = new Map<UploadId, Map<Key, Found[]>>()
    for (const segment of segments) {
      const listed = byUpload.get(segment.uploadId) ?? await listUpload(segment.uploadId)
      byUpload.set(segment.uploadId, listed)
      const parts = listed.get(segmentPath('', segment))
      if (parts === undefined) return undefined
      const grown = grownOf(parts)
      if (grown.size < segment.bytes) return undefined
      all.push({ segment, grown })
    }
    return all
  }

  /** What there is of each of its segments, in one listing. */
  async function listUpload (uploadId: UploadId): Promise<Map<Key, Found[]>> {
    const parts: Found[] = []
    for await (const page of objects.list(uploadPrefix(uploadId))) parts.push(...page)
    return Map.groupBy(parts, ({ key }) => fileOf(key))
  }

  const remove = (uploadId: UploadId): Promise<void> => storing(() => removeBelow(objects, uploadPrefix(uploadId)))

  return {
    open: (address) => storing(() => open(address)),

    async * read (segments) {
      const all = await storing(() => found(segments))
      if (all === undefined) throw new ResumableGone()
      for (const { segment, grown } of all) {
        const bytes = readGrown(objects, grown, { start: 0, end: segment.bytes - 1 })[Symbol.asyncIterator]()
        try {
          for (;;) {
            const { value, done } = await storing(() => bytes.next())
            if (done === true) break
            yield value
          }
        } finally {
          await bytes.return?.()
        }
      }
    },

    /** Its bytes are elsewhere. */
    whole: async () => undefined,

    areThere: (segments) => storing(async () => await found(segments) !== undefined),

    remove,
    removeForGood: remove,

    uploads: () => storing(async () => {
      const ids: UploadId[] = []
      for await (const { prefixes } of objects.level(`${resumableFolder}/`)) {
        ids.push(...prefixes.map((prefix) => asUploadId(prefix.slice(resumableFolder.length + 1, -1))).filter((id) => id !== undefined))
      }
      return ids
    }),
  }
}
