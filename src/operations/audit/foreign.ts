// Removes what the gateway never put on the volume, when told to: never through a link, and no folder that holds anything.
import { basename, dirname, join, relative } from 'node:path'
import { detour, inspect } from '../../storage/volume/inspect.ts'
import { isFolderOfUploads } from '../../storage/volume/layout.ts'
import { lookThrough, unlinkFolder } from '../verify/observed.ts'
import { isRight, left, type Mending, type Tools } from './mending.ts'

/** `wantedSizes`: of blobs that are lost still. A file as long may be all that is left of one. */
export async function mendForeign ({ fs, root }: Pick<Tools, 'fs' | 'root'>, path: string, { isAllowed, wantedSizes }: { isAllowed: boolean, wantedSizes: ReadonlySet<number> }): Promise<Mending> {
  const full = join(root, path)
  const around = dirname(path) === '.' ? undefined : await detour(fs, root, dirname(full))
  if (around !== undefined) return left(`${relative(root, around)} is a link or no folder: what is behind it is not on this volume.`)
  const there = await inspect(fs, full)
  if (there.is === 'nothing') return isRight
  if (there.is === 'symbolic link' && isFolderOfUploads(path)) return left(unlinkFolder)
  const isEmpty = there.is !== 'folder' || (await fs.readdir(full)).length === 0
  if (!isEmpty) return left(lookThrough(basename(path)))
  if (there.is === 'file' && wantedSizes.has(there.size)) return left('It is as long as a file that is missing or damaged, and may be what is left of it.')
  if (!isAllowed) return left('It is removed with --remove-foreign.')
  return { action: 'Remove it.', done: 'It was removed.', mend: () => there.is === 'folder' ? fs.rmdir(full) : fs.unlink(full) }
}
