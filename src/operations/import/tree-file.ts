// A file of an old folder as a candidate reads it.
import { lstat } from 'node:fs/promises'
import { join } from 'node:path'
import { openOldFile, readOldFile } from '../../storage/old-folder.ts'
import { tooLarge, type Candidate } from './candidate.ts'
import { dateOf } from './old-date.ts'

/** `path` is relative to `root`, a real path. */
export function readerOf (root: string, path: string): Candidate['read'] {
  return async function * (maxBytes) {
    const file = await openOldFile(root, path)
    try {
      if (file.size > maxBytes) throw tooLarge(maxBytes)
      yield * readOldFile(file)
    } finally {
      await file.handle.close()
    }
  }
}

/** When it was made, by its old path or else by its own time. */
export async function dateOfFile (root: string, path: string, oldPath: string, now: Date): Promise<Date> {
  // A file that is gone by now is refused when it is read.
  const mtime = await lstat(join(root, path)).then((stats) => stats.mtime, () => now)
  return dateOf(oldPath, mtime, now)
}
