// Where a path leads, and whether that is within a folder.
import { realpath } from 'node:fs/promises'
import { basename, dirname, isAbsolute, join, relative } from 'node:path'
import { errnoOf } from './failures.ts'

/** Whether `path` is in `folder`, or is it; both real paths. */
export function isWithin (folder: string, path: string): boolean {
  const way = relative(folder, path)
  return way === '' || (!isAbsolute(way) && way !== '..' && !way.startsWith('../'))
}

/** Where it is, or would be once it is made, with every link followed. @throws when it cannot be told, as with links in a ring */
export async function realPlace (path: string): Promise<string> {
  // Not of the path made plain: ".." behind a link leads elsewhere than it seems.
  return realpath(path).catch(async (error: unknown) => {
    const parent = dirname(path)
    if (errnoOf(error) !== 'ENOENT' || parent === path) throw error
    return join(await realPlace(parent), basename(path))
  })
}
