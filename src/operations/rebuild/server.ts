// The new database on its way into one that is no file: made as a file, and copied into the server in one transaction. Killed at any
// point, the old rows are there, or the new ones.
import { randomUUID } from 'node:crypto'
import { copyFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import type { DatabaseAddress } from '../../config.ts'
import { openDatabase } from '../../records/database.ts'
import { damagedMark } from '../../records/leftovers.ts'
import { emptyLog } from '../../records/old-database.ts'
import { passing } from '../../records/snapshot.ts'
import { openSource, openTarget } from '../../records/transfer/open.ts'
import { settingIn } from '../../records/transfer/rows.ts'
import { databaseKey } from '../../records/volume.ts'
import type { FileSystem } from '../../storage/fs.ts'
import { makeFolder } from '../../storage/make-folder.ts'
import type { Storage } from '../../storage/open.ts'
import { createDurable, type Durable } from '../../storage/volume/durable.ts'
import { withWork } from '../backup/work.ts'
import { giveRows, takeRows } from '../carrying.ts'
import { isMade } from '../workplace.ts'
import { complete, syncFile, type Replacement } from './replacement.ts'

type Options = {
  readonly fs: FileSystem
  readonly storage: { readonly staging: Pick<Storage['staging'], 'folder'> }
  readonly database: DatabaseAddress
  /** Of a SQLite database that there is not: an old one that may be wanted yet is kept beside it, as a file. */
  readonly databaseFile: string
}

/** Does `use` with the path of a SQLite file that holds the old rows, if there are any. */
export async function withReplacement<T> ({ fs, storage, database, databaseFile }: Options, use: (old: string, replacement: Replacement) => Promise<T>): Promise<T> {
  return withWork({ fs, storage }, async ({ folder }) => {
    const old = join(folder, 'old.sqlite')
    if (await isMade(fs, database)) await takeOld(database, old)
    const file = join(folder, 'new.sqlite')
    return use(old, {
      file,
      // It goes with the folder.
      discard: async () => {},
      async putInPlace (isOldKept) {
        const durable = createDurable({ fs, onSyncFailure: () => {} })
        await complete(fs, durable, file)
        const keptAs = isOldKept ? await keep(fs, durable, old, databaseFile) : undefined
        await giveRows(file, database)
        return keptAs
      },
    })
  })
}

/** Segments and answers are of no use to the new one. */
async function takeOld (database: DatabaseAddress, file: string): Promise<void> {
  // It may be of an earlier version.
  await (await openDatabase({ address: database, requireMount: false, connections: 1 })).close()
  await takeRows(database, file, passing)
  await takeId(database, file)
}

/** No part of what is transferred; but with it the old rows say whether the home was theirs. */
async function takeId (database: DatabaseAddress, file: string): Promise<void> {
  const from = await openSource(database)
  const id = await settingIn(from, databaseKey).finally(() => from.close())
  if (id === undefined) return
  const to = await openTarget({ kind: 'sqlite', file })
  await to.setSetting(databaseKey, id).then(() => to.commit()).finally(() => to.close())
}

/** Durable when it returns: the old rows go with the commit that follows. */
async function keep (fs: FileSystem, durable: Durable, old: string, databaseFile: string): Promise<string> {
  const aside = `${databaseFile}${damagedMark}${randomUUID()}`
  emptyLog(old)
  await makeFolder(fs, dirname(aside))
  await copyFile(old, aside)
  await syncFile(fs, durable, aside)
  await durable.syncFolder(dirname(aside))
  return aside
}
