// Removes from a backup folder the blobs that no snapshot of it names: of snapshots that went, of erased owners, of interrupted runs.
import type { FileSystem } from '../../storage/fs.ts'
import { blobPath } from '../../storage/volume/layout.ts'
import type { Progress } from '../progress.ts'
import { blobsRoot } from './layout.ts'
import { unnamedBlobs, UnprovenSnapshot } from './unnamed.ts'

/**
 * Returns how many went; undefined, and nothing went, when a snapshot cannot be believed: nobody knows which blobs it names.
 * Nobody else may write in the folder meanwhile.
 */
export async function removeUnreferenced (fs: FileSystem, dir: string, progress: Progress): Promise<number | undefined> {
  progress.step('Clearing up')
  let removed = 0
  try {
    for await (const blob of unnamedBlobs(fs, dir, progress)) {
      for (const extension of blob.extensions) await fs.unlink(blobPath(blobsRoot(dir), { ...blob, extension }))
      removed += 1
    }
    return removed
  } catch (error) {
    if (!(error instanceof UnprovenSnapshot)) throw error
    progress.say(`The snapshot ${error.snapshot} in ${dir} is damaged, so no file was removed that may belong to it. "upload-gateway verify ${dir} --snapshot ${error.snapshot}" says what is wrong with it; remove its folder if it is of no use.`)
    return undefined
  }
}
