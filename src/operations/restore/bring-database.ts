// Brings the database of a snapshot to its place, which is empty or holds what an interrupted restore put there.
import { randomUUID } from 'node:crypto'
import { dirname, join } from 'node:path'
import { removeUnfinished, restoredMark } from '../../records/leftovers.ts'
import { companions } from '../../records/snapshot.ts'
import type { FileSystem } from '../../storage/fs.ts'
import { makeFolder } from '../../storage/open.ts'
import { databaseCopy } from '../backup/layout.ts'
import { pour, withRegular } from '../backup/regular-file.ts'
import type { Target } from './target.ts'

export async function bringDatabase (fs: FileSystem, snapshotRoot: string, { databaseFile, durable, isContinued, claimDatabase }: Target): Promise<void> {
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
