// One upload in flight on the volume: bytes are batched, hashed and counted on their way to staging.
import { storing } from '../failures.ts'
import type { FileHandle, FileSystem } from '../fs.ts'
import type { StagedFile } from '../store.ts'
import { createBatches } from './batches.ts'
import type { Durable } from './durable.ts'
import { createHashing } from './hashing.ts'
import type { Staging } from './staging.ts'

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
  const hashing = createHashing()
  const batches = createBatches(handle, checkSpace, { pass: hashing.update, sync: () => durable.sync(handle) })
  let finished: Written | undefined
  let state: 'open' | 'closed' | 'released' = 'open'

  async function close (): Promise<void> {
    if (state !== 'open') return
    state = 'closed'
    await batches.stop()
    await handle.close()
  }

  return {
    path,
    get size () { return batches.size },
    write: (chunk) => storing(() => batches.add(chunk)),
    finish: () => storing(async () => {
      finished = { size: await batches.flush(), sha256: await hashing.digest() }
      return finished
    }),
    head: (length) => storing(async () => {
      const bytes = Math.min(length, finished?.size ?? 0)
      const { head } = batches
      return head !== undefined && head.length >= bytes ? head.subarray(0, bytes) : readHead(handle, bytes)
    }),
    seal: ({ size, sha256 }) => storing(async () => {
      if (finished?.size !== size || finished.sha256 !== sha256) throw new Error('The sidecar does not say what was written.')
      await durable.sync(handle)
      await close()
    }),
    release () { state = 'released' },
    async discard () {
      if (state === 'released') return
      await close().catch(() => {})
      hashing.drop()
      state = 'released'
      await fs.unlink(path).catch(() => {})
    },
  }
}

export async function readHead (handle: FileHandle, length: number): Promise<Buffer> {
  const head = Buffer.allocUnsafe(length)
  let filled = 0
  while (filled < length) {
    const { bytesRead } = await handle.read(head, filled, length - filled, filled)
    if (bytesRead === 0) break
    filled += bytesRead
  }
  return head.subarray(0, filled)
}
