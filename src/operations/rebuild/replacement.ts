// The new database on its way to its place: beside the old one while it is made, then there by one rename. Killed at any
// point, the old one or none is in the place, never half of either.
import { randomUUID } from 'node:crypto'
import { dirname } from 'node:path'
import { damagedMark, rebuildMark, removeUnfinished } from '../../records/leftovers.ts'
import { emptyLog } from '../../records/old-database.ts'
import { companions, faultsIn } from '../../records/snapshot.ts'
import type { FileSystem } from '../../storage/fs.ts'
import { createDurable, type Durable } from '../../storage/volume/durable.ts'
import { isThere } from '../workplace.ts'

export type Replacement = {
  /** Of the new database, while it is made. */
  readonly file: string
  /**
   * Puts the new database, closed and complete, in the place of the old one. An old one that may be wanted yet is kept beside it,
   * under the name that is returned. @throws when the new one is not whole
   */
  putInPlace (isOldKept: boolean): Promise<string | undefined>
  /** Takes back what was made; nothing when it is in its place. */
  discard (): Promise<void>
}

/** Also removes what earlier runs left that were killed: with nobody else at work there, it is nobody's. */
export async function prepareReplacement ({ fs, place }: { fs: FileSystem, place: string }): Promise<Replacement> {
  const durable = createDurable({ fs, onSyncFailure: () => {} })
  await removeUnfinished(fs, place)
  const file = `${place}${rebuildMark}${randomUUID()}`
  return {
    file,
    discard: () => removeWithCompanions(fs, file),
    async putInPlace (isOldKept) {
      await complete(fs, durable, file)
      const isInTheWay = await isThere(fs, place)
      const keptAs = isInTheWay && (isOldKept || !hasEmptyLog(place)) ? await setAside(fs, place) : undefined
      // A log that is left belongs to no database any more, and SQLite would apply it to the next one of that name.
      for (const companion of companions) await removeIfThere(fs, place + companion)
      await durable.syncFolder(dirname(place))
      await fs.rename(file, place)
      await durable.syncFolder(dirname(place))
      return keptAs
    },
  }
}

/** One file without a log, sound and durable. */
export async function complete (fs: FileSystem, durable: Durable, file: string): Promise<void> {
  emptyLog(file)
  const faults = faultsIn(file)
  if (faults.length > 0) throw new Error(`The new database is not sound, so the old one was left alone. SQLite says: ${faults.join(', ')}.`)
  await syncFile(fs, durable, file)
}

/** What was written to it through other handles, too. */
export async function syncFile (fs: FileSystem, durable: Durable, file: string): Promise<void> {
  const handle = await fs.open(file, 'r+')
  try {
    await durable.sync(handle)
  } finally {
    await handle.close()
  }
}

/** Until the rename, the old one must be as good as it was: with its log in the file, or not at all. */
function hasEmptyLog (place: string): boolean {
  try {
    emptyLog(place)
    return true
  } catch {
    return false
  }
}

/** The file before its log: a database without its log would be half of itself, a log without its database is nothing. */
async function setAside (fs: FileSystem, place: string): Promise<string> {
  const aside = `${place}${damagedMark}${randomUUID()}`
  for (const companion of ['', ...companions]) if (await isThere(fs, place + companion)) await fs.rename(place + companion, aside + companion)
  return aside
}

async function removeWithCompanions (fs: FileSystem, file: string): Promise<void> {
  for (const companion of ['', ...companions]) await removeIfThere(fs, file + companion)
}

const removeIfThere = (fs: FileSystem, path: string): Promise<void> => fs.rm(path, { force: true })
