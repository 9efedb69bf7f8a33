// The mark of a restore on the volume that it fills: until it is done, nothing else may take the volume for whole.
import { join } from 'node:path'
import { ConfigError } from '../config.ts'
import { errnoOf } from './failures.ts'
import type { FileSystem } from './fs.ts'
import type { Role } from './volume/instance.ts'
import { restoreFile } from './volume/layout.ts'

export const restoreRole: Role = { work: 'restore', isExclusive: true }

/** @throws ConfigError when a restore of the volume is under way, or was interrupted */
export async function refuseUnfinishedRestore (fs: FileSystem, root: string, role: Role): Promise<void> {
  if (role.work === restoreRole.work) return
  const isMarked = await fs.readFile(join(root, restoreFile)).then(() => true, (error: unknown) => {
    if (errnoOf(error) === 'ENOENT' || errnoOf(error) === 'ENOTDIR') return false
    throw error
  })
  if (isMarked) throw new ConfigError(`The volume ${root} is not restored to the end yet. Wait for the restore that is running; or, if it was interrupted, run it again: it goes on where it was. To begin anew instead, empty the volume.`)
}
