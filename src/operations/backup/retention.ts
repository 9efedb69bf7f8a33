// Removes snapshots that are too old to keep. The blobs that only they named are cleared up afterwards.
import { randomUUID } from 'node:crypto'
import { join } from 'node:path'
import type { FileSystem } from '../../storage/fs.ts'
import type { Progress } from '../progress.ts'
import type { BackupFolder } from './folder.ts'
import { findSnapshots, type FoundSnapshot } from './snapshots.ts'
import { alteredFiles } from './verify.ts'

/** All that are older than the newest `keep` that are whole; each goes at once, so that none is ever half there. Returns their names. */
export async function removeOlder (fs: FileSystem, { dir, folder }: Pick<BackupFolder, 'dir' | 'folder'>, keep: number, progress: Pick<Progress, 'say'>): Promise<string[]> {
  const old = await olderThan(fs, dir, keep, progress)
  for (const { root } of old) {
    const doomed = join(folder, randomUUID())
    await fs.rename(root, doomed)
    await fs.rm(doomed, { recursive: true, force: true })
  }
  return old.map(({ name }) => name)
}

/** A damaged one is no backup: to count it would cost one that is. */
async function olderThan (fs: FileSystem, dir: string, keep: number, progress: Pick<Progress, 'say'>): Promise<FoundSnapshot[]> {
  const all = await findSnapshots(fs, dir)
  let whole = 0
  for (let index = all.length - 1; index > 0; index -= 1) {
    const snapshot = all[index]
    if (snapshot === undefined) continue
    if ((await alteredFiles(fs, dir, snapshot)).length === 0) whole += 1
    else progress.say(`The snapshot ${snapshot.name} is damaged, so it is not one of the ${keep} that are kept: "upload-gateway verify ${dir}" says what is wrong with it.`)
    if (whole === keep) return all.slice(0, index)
  }
  return []
}
