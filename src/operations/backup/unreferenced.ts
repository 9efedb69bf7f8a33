// Removes from a backup folder the blobs that no snapshot of it names: of snapshots that went, of erased owners, of interrupted runs.
import { join } from 'node:path'
import { openSnapshot } from '../../records/snapshot.ts'
import type { FileSystem } from '../../storage/fs.ts'
import { blobPath } from '../../storage/volume/layout.ts'
import { scanVolume } from '../../storage/volume/scan.ts'
import type { Progress } from '../progress.ts'
import { blobsRoot, databaseCopy } from './layout.ts'
import { findSnapshots } from './snapshots.ts'

/**
 * Returns how many went; undefined, and nothing went, when a snapshot cannot be read: nobody knows which blobs it names.
 * Nobody else may write in the folder meanwhile.
 */
export async function removeUnreferenced (fs: FileSystem, dir: string, progress: Progress): Promise<number | undefined> {
  const snapshots = []
  try {
    for (const { root } of await findSnapshots(fs, dir)) snapshots.push(openSnapshot(join(root, databaseCopy)))
    return await remove(fs, dir, snapshots, progress)
  } catch (error) {
    if (!isDatabaseError(error)) throw error
    progress.say(`A snapshot in ${dir} is damaged, so no file was removed that may belong to it. "upload-gateway verify ${dir} --snapshot NAME" says what is wrong with it; remove its folder if it is of no use.`)
    return undefined
  } finally {
    for (const snapshot of snapshots) snapshot.close()
  }
}

async function remove (fs: FileSystem, dir: string, snapshots: ReadonlyArray<ReturnType<typeof openSnapshot>>, progress: Progress): Promise<number> {
  progress.step('Clearing up')
  let removed = 0
  for await (const { blobs } of scanVolume(fs, blobsRoot(dir))) {
    const ids = blobs.map(({ id }) => id)
    const known = new Set(snapshots.flatMap((snapshot) => [...snapshot.known(ids)]))
    for (const blob of blobs.filter(({ id }) => !known.has(id))) {
      for (const extension of blob.extensions) await fs.unlink(blobPath(blobsRoot(dir), { ...blob, extension }))
      removed += 1
    }
    progress.advance(blobs.length)
  }
  return removed
}

const isDatabaseError = (error: unknown): boolean => error instanceof Error && error.name === 'SqliteError'
