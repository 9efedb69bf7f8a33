// Puts a finished snapshot into a backup folder: copied beside its place first, so that it appears whole or not at all.
import { randomUUID } from 'node:crypto'
import { dirname, join } from 'node:path'
import type { FileSystem } from '../../storage/fs.ts'
import type { BackupFolder } from './folder.ts'
import { replacedSuffix, snapshotRoot, snapshotsFolder } from './layout.ts'
import { pour, withRegular } from './regular-file.ts'

/** `files` of the folder `work` become the snapshot `name`, in place of one that is there. Durable when it returns. */
export async function placeSnapshot (fs: FileSystem, { dir, folder, durable }: BackupFolder, name: string, work: string, files: readonly string[]): Promise<void> {
  const fresh = join(folder, randomUUID())
  for (const file of files) await copyDurably(fs, durable, join(work, file), join(fresh, file), folder)
  const target = snapshotRoot(dir, name)
  const parent = join(dir, snapshotsFolder)
  const isThere = await fs.stat(target).then(() => true, () => false)
  if (isThere) await fs.rename(target, target + replacedSuffix)
  await fs.rename(fresh, target)
  await durable.syncFolder(parent)
  if (isThere) await fs.rm(target + replacedSuffix, { recursive: true, force: true })
}

async function copyDurably (fs: FileSystem, durable: BackupFolder['durable'], source: string, target: string, root: string): Promise<void> {
  await durable.folder(dirname(target), root)
  await withRegular(fs, source, async (handle, size) => {
    const out = await fs.open(target, 'wx', (await handle.stat()).mode & 0o640)
    try {
      await pour(handle, size, out)
      await durable.sync(out)
    } finally {
      await out.close()
    }
  })
  await durable.syncFolder(dirname(target))
}
