// Removes snapshots that are too old to keep. The blobs that only they named are cleared up afterwards.
import { randomUUID } from 'node:crypto'
import { join } from 'node:path'
import type { FileSystem } from '../../storage/fs.ts'
import type { BackupFolder } from './folder.ts'
import { findSnapshots } from './snapshots.ts'

/** All that are older than the newest `keep` that prove themselves; each goes at once, so that none is ever half there. Returns their names. */
export async function removeOlder (fs: FileSystem, { dir, folder }: Pick<BackupFolder, 'dir' | 'folder'>, keep: number): Promise<string[]> {
  const all = await findSnapshots(fs, dir)
  const oldest = all.filter(({ record }) => record !== undefined).at(-keep)
  const old = all.filter(({ name }) => oldest !== undefined && name < oldest.name)
  for (const { root } of old) {
    const doomed = join(folder, randomUUID())
    await fs.rename(root, doomed)
    await fs.rm(doomed, { recursive: true, force: true })
  }
  return old.map(({ name }) => name)
}
