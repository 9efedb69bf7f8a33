// A file of an old folder as a candidate reads it.
import { lstat } from 'node:fs/promises'
import { join } from 'node:path'
import { openOldFile, readOldFile } from '../../storage/old-folder.ts'
import { tooLarge, type Candidate } from './candidate.ts'
import { datedBy, type Dated } from './old-date.ts'

/** `path` is relative to `root`, a real path. */
export function readerOf (root: string, path: string): Candidate['read'] {
  return async function * (maxBytes) {
    const file = await openOldFile(root, path)
    try {
      if (file.size > maxBytes) throw tooLarge(maxBytes, file.size)
      yield * readOldFile(file)
    } finally {
      await file.handle.close()
    }
  }
}

/** Of a file that is not read; nothing where it is gone by now. */
export async function sizeOfFile (root: string, path: string): Promise<{ size?: number }> {
  return lstat(join(root, path)).then(({ size }) => ({ size }), () => ({}))
}

/** When it was made: as the older system said, or by its old path, or else by its own time. */
export async function dateOfFile (root: string, path: string, oldPath: string, now: Date, said?: Date | null): Promise<Dated> {
  // A file that is gone by now is refused when it is read.
  const mtime = await lstat(join(root, path)).then((stats) => stats.mtime, () => undefined)
  return datedBy({ said, path: oldPath, mtime, now })
}
