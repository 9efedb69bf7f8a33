// One upload in flight on the volume: bytes are batched, hashed and counted on their way to staging.
import { createHash } from 'node:crypto'
import { storing } from '../failures.ts'
import type { FileHandle, FileSystem } from '../fs.ts'
import type { StagedFile } from '../store.ts'
import { writeAll, type Durable } from './durable.ts'
import type { Staging } from './staging.ts'

/** One write of 1 MiB costs about what one of 64 KiB does. */
const batchBytes = 1024 ** 2

/** A client that sends single bytes must not fill the memory with a Buffer for each: 200 times what it sent. */
const batchChunks = 1024

type Written = { readonly size: number, readonly sha256: string }

/** A staged file as the volume sees it: what publish needs beyond the contract. */
export type VolumeStagedFile = StagedFile & {
  /** Makes the bytes durable and closes the file. Throws when they are not the ones that `expected` says. */
  seal (expected: Written): Promise<void>
  /** The bytes are under their final name now; discard has nothing left to do. */
  release (): void
}

type Options = {
  fs: FileSystem
  durable: Durable
  staging: Pick<Staging, 'within'>
  path: string
  /** Throws StorageFull when the reserve of free space is touched; asked before each batch. */
  checkSpace: () => Promise<void>
}

export async function createStagedFile ({ fs, durable, staging, path, checkSpace }: Options): Promise<VolumeStagedFile> {
  const handle = await storing(() => staging.within(() => durable.create(path)))
  const hash = createHash('sha256')
  let batch: Buffer[] = []
  let batched = 0
  let written = 0
  let finished: Written | undefined
  let hasHole = false
  let state: 'open' | 'closed' | 'released' = 'open'

  async function flush (): Promise<void> {
    if (batched === 0) return
    const chunks = batch
    const position = written
    written += batched
    batch = []
    batched = 0
    try {
      await checkSpace()
      await writeAll(handle, chunks, position)
    } catch (error) {
      hasHole = true
      throw error
    }
  }

  async function close (): Promise<void> {
    if (state !== 'open') return
    state = 'closed'
    await handle.close()
  }

  return {
    path,
    get size () { return written + batched },
    write: (chunk) => storing(async () => {
      hash.update(chunk)
      batch.push(chunk)
      batched += chunk.length
      if (batched >= batchBytes || batch.length >= batchChunks) await flush()
    }),
    finish: () => storing(async () => {
      await flush()
      if (hasHole) throw new Error('A write failed before: the file has a hole.')
      finished = { size: written, sha256: hash.digest('hex') }
      return finished
    }),
    head: (length) => storing(() => readHead(handle, Math.min(length, written))),
    seal: ({ size, sha256 }) => storing(async () => {
      if (finished?.size !== size || finished.sha256 !== sha256) throw new Error('The sidecar does not say what was written.')
      await durable.sync(handle)
      await close()
    }),
    release () { state = 'released' },
    async discard () {
      if (state === 'released') return
      await close().catch(() => {})
      state = 'released'
      await fs.unlink(path).catch(() => {})
    },
  }
}

async function readHead (handle: FileHandle, length: number): Promise<Buffer> {
  const head = Buffer.allocUnsafe(length)
  let filled = 0
  while (filled < length) {
    const { bytesRead } = await handle.read(head, filled, length - filled, filled)
    if (bytesRead === 0) break
    filled += bytesRead
  }
  return head.subarray(0, filled)
}
