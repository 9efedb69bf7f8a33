// A folder as the destination of a backup: blobs under their final names are whole and stay, and a snapshot appears at once.
import { dirname } from 'node:path'
import type { FileSystem } from '../../storage/fs.ts'
import { blobPath } from '../../storage/volume/layout.ts'
import { copyBlob, syncIfThere } from './copy-blob.ts'
import type { Destination, Kept } from './destination.ts'
import { placeOf, type BackupFolder } from './folder.ts'
import { inspectBlob, type BlobFault } from './inspect-blob.ts'
import { blobsRoot } from './layout.ts'
import { placeSnapshot } from './place-snapshot.ts'
import { findSnapshots } from './snapshots.ts'
import { writing } from './writing.ts'

export async function toFolder (fs: FileSystem, folder: BackupFolder): Promise<Destination> {
  const { dir, durable } = folder
  const place = placeOf(dir)
  const newest = (await findSnapshots(fs, dir)).at(-1)?.name
  const touched = new Set<string>()

  return {
    atOnce: 8,
    newest,

    async keep (sidecar, source, isDoubted): Promise<Kept | BlobFault> {
      const target = blobPath(blobsRoot(dir), sidecar)
      // Also of one that is there: a run that was killed may not have got as far.
      touched.add(dirname(target))
      const isThere = await sizeAt(fs, target) === sidecar.size
      if (isThere && !isDoubted) return 'there'
      // Its size says nothing of bytes that rotted, or that a failing disk never wrote.
      if (isThere && await inspectBlob(fs, dir, sidecar, { isHashed: true, onBytes: () => {} }) === undefined) return 'proved'
      return await copyBlob({ fs, durable, source, blobs: blobsRoot(dir), root: dir, staging: folder.folder, place }, sidecar) ?? (isThere ? 'mended' : 'copied')
    },

    publish: (name, work, files) => writing(place, async () => {
      for (const path of touched) await syncIfThere(durable, path)
      await placeSnapshot(fs, folder, name, work, files)
    }),

    close: () => folder.release(),
  }
}

/** Undefined when there is no ordinary file. */
const sizeAt = (fs: FileSystem, path: string): Promise<number | undefined> => fs.stat(path).then((stat) => stat.isFile() ? stat.size : undefined, () => undefined)
