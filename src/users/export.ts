// All files of one user as a tar, with manifests: streamed, a file at a time. What is lost or damaged is told there, and keeps none of the others.
import { createHash } from 'node:crypto'
import { pipeline } from 'node:stream/promises'
import { Readable } from 'node:stream'
import { pack, type Pack } from 'tar-stream'
import type { UserId } from '../callers/caller.ts'
import { errnoOf } from '../storage/failures.ts'
import type { BlobId } from '../storage/ids.ts'
import type { Store } from '../storage/store.ts'
import { cleanFilename } from '../transfer/filename.ts'
import type { ExportedBlob, ExportRecords } from './records.ts'

/** A manifest of more would take memory that a user can make us need. */
const filesPerManifest = 5000

/** A folder of thousands may be gone: so many are named, and the others counted. */
const namedFaults = 20

/** A tar knows no time before 1970; it has room for some until 2242, but tar-stream counts the seconds in 32 bits. */
const lastTarTimeMs = (2 ** 31 - 1) * 1000

const zeros = Buffer.alloc(64 * 1024)

const trash = ['superseded', 'deleted']

type Status = 'whole' | 'missing' | 'damaged'

const problems: Readonly<Record<Status, string | null>> = {
  whole: null,
  missing: 'It is not in this archive: the service has lost it, or cannot read it.',
  damaged: 'Its bytes are not those that were uploaded: it was damaged while the service kept it. What could not be read of it is zeros.',
}

/** What is wrong with one file, for operators. */
export type ExportFault = { readonly id: BlobId, readonly status: Status, readonly reason: string }

/** Hears of one export what was wrong: the first of them, and how many there were. */
export type OnFaults = (first: readonly ExportFault[], count: number) => void

export type Exports = ReturnType<typeof createExports>

export function createExports ({ store, records, now, manifestFiles = filesPerManifest }: { store: Pick<Store, 'read'>, records: ExportRecords, now: () => Date, manifestFiles?: number }) {
  /** @throws when it is not there, cannot be read, or is not as long as it was */
  async function open (blob: ExportedBlob): Promise<Readable> {
    let atEnd = 0
    // The last byte, and the one after it that ought not to be there.
    for await (const chunk of await store.read(blob, { start: Math.max(0, blob.size - 1), end: blob.size })) atEnd += chunk.length
    if (atEnd !== Math.min(1, blob.size)) throw new Error(`the file is not ${blob.size} bytes long`)
    return store.read(blob)
  }

  /** What the manifest says of it; undefined when it was purged since it was listed. */
  async function put (tar: Pack, blob: ExportedBlob, faults: Faults): Promise<Listed | undefined> {
    const bytes = await open(blob).catch(reasonOf)
    if (typeof bytes === 'string') {
      if (!await records.isThere(blob.id)) return undefined
      faults.add({ id: blob.id, status: 'missing', reason: bytes })
      return describe(blob, null, 'missing')
    }
    const path = pathOf(blob)
    try {
      const reason = await pour(bytes, blob, tar.entry({ name: path, size: blob.size, mtime: tarTime(new Date(blob.createdAt)) }))
      if (reason === undefined) return describe(blob, path, 'whole')
      faults.add({ id: blob.id, status: 'damaged', reason })
      return describe(blob, path, 'damaged')
    } finally {
      // The tar may have ended before it took anything.
      bytes.destroy()
    }
  }

  async function fill (tar: Pack, userId: UserId, first: readonly ExportedBlob[], faults: Faults): Promise<void> {
    const manifest = createManifest(tar, userId, now)
    for (let page = first; page.length > 0; page = await records.page(userId, page.at(-1)?.id)) {
      for (const blob of page) {
        const listed = await put(tar, blob, faults)
        if (listed === undefined) continue
        manifest.add(listed)
        if (manifest.size >= manifestFiles) manifest.write({ isLast: false })
      }
    }
    manifest.write({ isLast: true })
    tar.finalize()
  }

  return {
    /** Ends with an error, and not with the end of a tar, when the database fails or a file grows while it is read. Destroy it to stop. */
    async tarOf (userId: UserId, onFaults: OnFaults = () => {}): Promise<Readable> {
      // Before anything is answered, so that a failing database still has a status.
      const first = await records.page(userId)
      const tar = pack()
      const stream = Readable.from(tar, { objectMode: false })
      const faults = createFaults()
      fill(tar, userId, first, faults)
        .catch((error: unknown) => stream.destroy(error instanceof Error ? error : new Error(String(error))))
        .finally(() => { if (faults.count() > 0) onFaults(faults.first, faults.count()) })
      return stream
    },
  }
}

type Faults = ReturnType<typeof createFaults>

function createFaults () {
  const first: ExportFault[] = []
  let count = 0
  return {
    first,
    count: (): number => count,
    add (fault: ExportFault): void {
      count += 1
      if (first.length < namedFaults) first.push(fault)
    },
  }
}

const tarTime = (at: Date): Date => new Date(Math.min(Math.max(at.getTime(), 0), lastTarTimeMs))

/** Unique by the id, whatever the names are; nothing in it can lead out of the folder it is unpacked in. */
function pathOf ({ kind, id, recordId, extension, filename, state }: ExportedBlob): string {
  const name = kind === 'avatar' ? `avatars/${id}.${extension}` : `attachments/${recordId ?? id}/${cleanFilename(filename ?? '') ?? `file.${extension}`}`
  return trash.includes(state) ? `trash/${name}` : name
}

type Listed = ReturnType<typeof describe>

/** `path`: in the tar; null when it is not there. */
function describe ({ kind, id, recordId, filename, contentType, size, sha256, state, createdAt, stateAt, visibility, contextType, contextId, alt, width, height, aliases }: ExportedBlob, path: string | null, status: Status) {
  return { path, status, problem: problems[status], kind, id: recordId ?? id, filename, contentType, size, sha256, width, height, state, createdAt, stateAt, visibility, contextType, contextId, alt, oldPaths: aliases }
}

/** manifest.json and, where there are very many files, manifest-2.json and so on: each says of the files before it. */
function createManifest (tar: Pack, userId: UserId, now: () => Date) {
  let files: Listed[] = []
  let part = 1
  const exportedAt = now()
  const count = (status: Status) => files.filter((file) => file.status === status).length
  return {
    get size () { return files.length },
    add (file: Listed): void { files.push(file) },
    write ({ isLast }: { isLast: boolean }): void {
      const manifest = { userId, exportedAt: exportedAt.toISOString(), part, isLast, missing: count('missing'), damaged: count('damaged'), files }
      tar.entry({ name: part === 1 ? 'manifest.json' : `manifest-${part}.json`, mtime: tarTime(exportedAt) }, `${JSON.stringify(manifest, null, 1)}\n`)
      files = []
      part += 1
    },
  }
}

/** A tar has said already how long the file is: what cannot be read of it becomes zeros. Returns what is wrong with its bytes. */
async function pour (bytes: Readable, { size, sha256 }: ExportedBlob, entry: NodeJS.WritableStream): Promise<string | undefined> {
  const hash = createHash('sha256')
  let failure: string | undefined
  await pipeline(async function * (): AsyncGenerator<Buffer> {
    let left = size
    try {
      for await (const chunk of bytes) {
        hash.update(chunk)
        left -= chunk.length
        yield chunk
      }
    } catch (error) {
      failure = reasonOf(error)
    }
    for (; left > 0; left -= zeros.length) yield zeros.subarray(0, left)
  }, entry)
  const actual = hash.digest('hex')
  return failure ?? (actual === sha256 ? undefined : `the bytes have the sha-256 ${actual}`)
}

/** The causes say what the operating system or the store does: the last one often too little by itself. */
function reasonOf (error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  if (error.cause === undefined) return error.message
  return errnoOf(error) === 'STORAGE_UNAVAILABLE' ? reasonOf(error.cause) : `${error.message}: ${reasonOf(error.cause)}`
}
