// Copying one blob, proved on the way, to where it is whole or absent: into a backup, and back out of one.
import { randomUUID } from 'node:crypto'
import { dirname, join } from 'node:path'
import { errnoOf } from '../../storage/failures.ts'
import type { FileSystem } from '../../storage/fs.ts'
import type { Sidecar } from '../../storage/sidecar.ts'
import type { Durable } from '../../storage/volume/durable.ts'
import { blobPath } from '../../storage/volume/layout.ts'
import { Refusal } from '../refusal.ts'
import { hashFault, readFault, sizeFault, type BlobFault } from './inspect-blob.ts'
import { pour, withRegular } from './regular-file.ts'
import { writing, type WrittenPlace } from './writing.ts'

type Copying = {
  readonly fs: FileSystem
  readonly durable: Durable
  readonly source: string
  /** Below which the blob gets its place, and the folder that is there already. */
  readonly blobs: string
  readonly root: string
  /** For what is not whole yet. */
  readonly staging: string
  readonly place: WrittenPlace
}

/**
 * Durable but for its folder entry. Returns what is wrong with the source.
 * @throws Refusal when the place takes no more
 */
export async function copyBlob (copying: Copying, sidecar: Sidecar): Promise<BlobFault | undefined> {
  try {
    return await copyProved(copying, sidecar)
  } catch (error) {
    if (error instanceof Refusal) throw error
    return readFault(error)
  }
}

async function copyProved ({ fs, durable, source, blobs, root, staging, place }: Copying, sidecar: Sidecar): Promise<BlobFault | undefined> {
  const target = blobPath(blobs, sidecar)
  const partial = join(staging, `${randomUUID()}.partial`)
  return withRegular(fs, source, async (handle, size) => {
    if (size !== sidecar.size) return sizeFault(size, sidecar)
    const out = await writing(place, () => durable.create(partial))
    try {
      const fault = hashFault(await pour(handle, size, out, (write) => writing(place, write)), sidecar)
      if (fault !== undefined) return fault
      await writing(place, async () => {
        await durable.sync(out)
        await durable.folder(dirname(target), root)
        await fs.rename(partial, target)
      })
    } finally {
      await out.close()
      await fs.unlink(partial).catch(() => {})
    }
  })
}

/** A folder in which nothing could be kept was never made. */
export async function syncIfThere (durable: Durable, folder: string): Promise<void> {
  await durable.syncFolder(folder).catch((error: unknown) => {
    if (errnoOf(error) !== 'ENOENT') throw error
  })
}
