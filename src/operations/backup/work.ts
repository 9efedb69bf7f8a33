// Where a snapshot is put together: a folder of this process that goes with it, on a file system that SQLite can work on.
import { statfsSync } from 'node:fs'
import { mkdtemp } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { refuseUnsafe } from '../../records/embedded.ts'
import type { FileSystem } from '../../storage/fs.ts'
import type { Workplace } from '../workplace.ts'
import { openTemporary } from './temporary.ts'
import { writing } from './writing.ts'

const prefix = 'upload-gateway-backup-'

export type Work = {
  readonly folder: string
  /** Says of a failure in the folder what it means. */
  writing<T> (step: () => T | Promise<T>): Promise<T>
}

/** In a staging folder, of the volume or of the backup, which is cleared even when this process is killed; elsewhere where that is on a network. */
export async function withWork<T> ({ fs, storage }: Pick<Workplace, 'fs'> & { readonly storage: { readonly staging: { readonly folder: string } } }, use: (work: Work) => Promise<T>): Promise<T> {
  const { folder: staging } = storage.staging
  const isFit = isFitForSqlite(staging)
  const place = { name: `The folder ${isFit ? staging : tmpdir()}, which a copy of the database is made in,`, afterwards: 'older snapshots are as they were.' }
  const { folder, close } = await writing(place, () => isFit ? openStaged(fs, staging) : openTemporary({ fs, prefix }))
  try {
    return await use({ folder, writing: (step) => writing(place, step) })
  } finally {
    await close()
  }
}

async function openStaged (fs: FileSystem, parent: string): ReturnType<typeof openTemporary> {
  const folder = await mkdtemp(join(parent, prefix))
  return { folder, close: () => fs.rm(folder, { recursive: true, force: true }) }
}

function isFitForSqlite (folder: string): boolean {
  try {
    refuseUnsafe(folder, statfsSync(folder).type, false)
    return true
  } catch {
    return false
  }
}
