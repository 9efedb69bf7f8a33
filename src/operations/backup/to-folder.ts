// A folder as the destination of a backup: blobs under their final names are whole and stay, and a snapshot appears at once.
import { randomUUID } from 'node:crypto'
import { dirname, join } from 'node:path'
import type { FileHandle, FileSystem } from '../../storage/fs.ts'
import type { Sidecar } from '../../storage/sidecar.ts'
import { writeAll } from '../../storage/volume/durable.ts'
import { blobPath } from '../../storage/volume/layout.ts'
import { Refusal } from '../refusal.ts'
import type { Destination, Kept } from './destination.ts'
import { placeOf, type BackupFolder } from './folder.ts'
import { hashFault, readFault, sizeFault, type BlobFault } from './inspect-blob.ts'
import { blobsRoot } from './layout.ts'
import { placeSnapshot } from './place-snapshot.ts'
import { hashing, withRegular } from './regular-file.ts'
import { findSnapshots } from './snapshots.ts'
import { writing } from './writing.ts'

export async function toFolder (fs: FileSystem, folder: BackupFolder): Promise<Destination> {
  const { dir, durable } = folder
  const place = placeOf(dir)
  const newest = (await findSnapshots(fs, dir)).at(-1)?.name
  const touched = new Set<string>()

  async function copy (sidecar: Sidecar, handle: FileHandle, size: number): Promise<BlobFault | undefined> {
    const target = blobPath(blobsRoot(dir), sidecar)
    const partial = join(folder.folder, `${randomUUID()}.partial`)
    const out = await writing(place, () => durable.create(partial))
    try {
      let at = 0
      const hashed = await hashing(handle, size, async (chunk) => {
        await writing(place, () => writeAll(out, [chunk], at))
        at += chunk.length
      })
      const fault = hashFault(hashed, sidecar)
      if (fault === undefined) {
        await writing(place, async () => {
          await durable.sync(out)
          await durable.folder(dirname(target), dir)
          await fs.rename(partial, target)
        })
        touched.add(dirname(target))
      }
      return fault
    } finally {
      await out.close()
      await fs.unlink(partial).catch(() => {})
    }
  }

  return {
    atOnce: 8,
    newest,

    async keep (sidecar, source): Promise<Kept | BlobFault> {
      if (await sizeAt(fs, blobPath(blobsRoot(dir), sidecar)) === sidecar.size) return 'there'
      try {
        return await withRegular(fs, source, async (handle, size) =>
          size === sidecar.size ? await copy(sidecar, handle, size) ?? 'copied' : sizeFault(size, sidecar))
      } catch (error) {
        if (error instanceof Refusal) throw error
        return readFault(error)
      }
    },

    publish: (name, work, files) => writing(place, async () => {
      for (const path of touched) await durable.syncFolder(path)
      await placeSnapshot(fs, folder, name, work, files)
    }),

    close: () => folder.release(),
  }
}

/** Undefined when there is no ordinary file. */
const sizeAt = (fs: FileSystem, path: string): Promise<number | undefined> => fs.stat(path).then((stat) => stat.isFile() ? stat.size : undefined, () => undefined)
