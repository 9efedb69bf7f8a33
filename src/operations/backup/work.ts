// Where a snapshot is put together: a folder of this process that goes with it, on a file system that SQLite can work on.
import { statfsSync } from 'node:fs'
import { mkdtemp } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { refuseUnsafe } from '../../records/database.ts'
import type { FileSystem } from '../../storage/fs.ts'
import type { Workplace } from '../workplace.ts'
import { writing } from './writing.ts'

export type Work = {
  readonly folder: string
  /** Says of a failure in the folder what it means. */
  writing<T> (step: () => T | Promise<T>): Promise<T>
}

/** In the staging of the volume, which is removed even when this process is killed; elsewhere where that is on a network. */
export function withWork<T> ({ fs, storage }: Pick<Workplace, 'fs'> & { readonly storage: { readonly staging: { readonly folder: string } } }, use: (work: Work) => Promise<T>): Promise<T> {
  const { folder } = storage.staging
  return isFitForSqlite(folder) ? using(fs, folder, use) : withTemporaryWork(fs, use)
}

export const withTemporaryWork = <T>(fs: FileSystem, use: (work: Work) => Promise<T>): Promise<T> => using(fs, tmpdir(), use)

async function using<T> (fs: FileSystem, parent: string, use: (work: Work) => Promise<T>): Promise<T> {
  const place = { name: `The folder ${parent}, which a copy of the database is made in,`, afterwards: 'older snapshots are as they were.' }
  const folder = await writing(place, () => mkdtemp(join(parent, 'upload-gateway-backup-')))
  try {
    return await use({ folder, writing: (step) => writing(place, step) })
  } finally {
    await fs.rm(folder, { recursive: true, force: true })
  }
}

function isFitForSqlite (folder: string): boolean {
  try {
    refuseUnsafe(folder, statfsSync(folder).type, false)
    return true
  } catch {
    return false
  }
}
