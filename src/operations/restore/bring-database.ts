// Brings the database of a snapshot to its place, which is empty or holds what an interrupted restore put there.
import { randomUUID } from 'node:crypto'
import { copyFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { removeUnfinished, restoredMark } from '../../records/leftovers.ts'
import { companions } from '../../records/snapshot.ts'
import type { FileSystem } from '../../storage/fs.ts'
import { makeFolder } from '../../storage/make-folder.ts'
import { databaseCopy } from '../backup/layout.ts'
import { pour, withRegular } from '../backup/regular-file.ts'
import { withWork } from '../backup/work.ts'
import { giveRows } from '../carrying.ts'
import type { Target } from './target.ts'

export const bringDatabase = async (fs: FileSystem, snapshotRoot: string, target: Target): Promise<unknown> =>
  target.database.kind === 'sqlite' ? bringFile(fs, snapshotRoot, target.database.file, target) : bringRows(fs, snapshotRoot, target)

/** By way of a copy: what is in a backup is not opened for writing, and may be on a medium that takes no writes. */
export async function bringRows (fs: FileSystem, snapshotRoot: string, { database, staging, claimDatabase }: Pick<Target, 'database' | 'staging' | 'claimDatabase'>): Promise<void> {
  await withWork({ fs, storage: { staging: { folder: staging } } }, async ({ folder }) => {
    const file = join(folder, databaseCopy)
    await copyFile(join(snapshotRoot, databaseCopy), file)
    await claimDatabase()
    await giveRows(file, database)
  })
}

async function bringFile (fs: FileSystem, snapshotRoot: string, databaseFile: string, { durable, isContinued, claimDatabase }: Target): Promise<void> {
  const folder = dirname(databaseFile)
  await makeFolder(fs, folder)
  // Of a run that was killed: each is as large as the database, and names users.
  if (isContinued) await removeUnfinished(fs, databaseFile)
  const fresh = join(folder, `${restoredMark}${randomUUID()}`)
  await withRegular(fs, join(snapshotRoot, databaseCopy), async (handle, size) => {
    const out = await durable.create(fresh)
    try {
      await pour(handle, size, out)
      await durable.sync(out)
    } finally {
      await out.close()
    }
  }).catch(async (error: unknown) => {
    await fs.unlink(fresh).catch(() => {})
    throw error
  })
  await claimDatabase()
  // Of an interrupted restore: they belong to the database that is replaced now.
  for (const suffix of companions) await fs.rm(databaseFile + suffix, { force: true })
  await fs.rename(fresh, databaseFile)
  await durable.syncFolder(folder)
}
