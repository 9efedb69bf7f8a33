// A folder with all that it lies in. Durable is not its business.
import { dirname } from 'node:path'
import { errnoOf } from './failures.ts'
import type { FileSystem } from './fs.ts'

/** Not `recursive`, which tries for ever where a folder says ENOENT of what is made in it, as /proc does. */
export async function makeFolder (fs: Pick<FileSystem, 'mkdir'>, path: string): Promise<void> {
  const make = () => fs.mkdir(path, { mode: 0o750 }).catch((error: unknown) => {
    if (errnoOf(error) !== 'EEXIST') throw error
  })
  await make().catch(async (error: unknown) => {
    if (errnoOf(error) !== 'ENOENT' || path === dirname(path)) throw error
    await makeFolder(fs, dirname(path))
    await make()
  })
}
