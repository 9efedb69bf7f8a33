// Where a backup is restored to: an empty volume, or one on which a restore of the same snapshot was interrupted. Held alone.
import { randomUUID } from 'node:crypto'
import { dirname, join } from 'node:path'
import { Type, type Static } from 'typebox'
import { Check } from 'typebox/schema'
import type { DatabaseAddress } from '../../config.ts'
import { nameOf } from '../../records/address.ts'
import { companions } from '../../records/snapshot.ts'
import { openSource } from '../../records/transfer/open.ts'
import { occupied } from '../../records/transfer/rows.ts'
import { homeName, type FileSystem } from '../../storage/fs.ts'
import { prepareVolume, refuseCompany } from '../../storage/open.ts'
import { restoreRole } from '../../storage/restoring.ts'
import { createDurable, type Durable } from '../../storage/volume/durable.ts'
import { erasuresFile, restoreFile, stagingFolder, tombstonesFile } from '../../storage/volume/layout.ts'
import { openStaging } from '../../storage/volume/staging.ts'
import { namesIn, readText } from '../backup/snapshots.ts'
import type { Progress } from '../progress.ts'
import { Refusal } from '../refusal.ts'
import { refuseForeignRoot } from '../volume-user.ts'
import { isMade, isThere } from '../workplace.ts'

const MarkSchema = Type.Object({
  snapshot: Type.String(),
  volume: Type.String(),
  /** As people are told of it: a file, or where PostgreSQL is. */
  databaseFile: Type.String(),
  /** The ledger there came not from this backup alone. */
  isLedgerCurrent: Type.Boolean(),
  /** The database in its place is ours: it was absent when this was written. */
  hasDatabase: Type.Boolean(),
})

export type Mark = Static<typeof MarkSchema>

export type Target = {
  readonly root: string
  readonly database: DatabaseAddress
  readonly durable: Durable
  /** For what is not finished. */
  readonly staging: string
  /** An earlier run got somewhere. */
  readonly isContinued: boolean
  /** Makes the file durable under `path`, whole or not at all. */
  place (path: string, text: string): Promise<void>
  /** From here on a database in its place is ours. */
  claimDatabase (): Promise<void>
  /** Ends the hold; the mark stays. */
  release (): Promise<void>
}

type Options = { readonly fs: FileSystem, readonly root: string, readonly database: DatabaseAddress, readonly requireMount: boolean, readonly wanted: Omit<Mark, 'hasDatabase' | 'databaseFile'>, readonly progress: Progress }

/** What an operator may leave there on purpose, and what systems put there. */
const mayBeThere: ReadonlySet<string> = new Set([erasuresFile, tombstonesFile, stagingFolder, 'lost+found'])

/** @throws Refusal, ConfigError when the place is not empty, cannot be written or is in use; it is as it was then */
export async function openTarget (options: Options): Promise<Target> {
  const { fs, root, database, requireMount, wanted, progress } = options
  await refuseForeignRoot(fs, root)
  await prepareVolume({ fs, root, requireMount, role: restoreRole, warn: () => {} })
  await refuseOccupied(options)
  const durable = createDurable({ fs, onSyncFailure: () => {} })
  const staging = await openStaging({ fs, durable, root, role: restoreRole, monotonicMs: () => performance.now() })
  const place = async (path: string, text: string): Promise<void> => {
    const fresh = join(staging.folder, randomUUID())
    await durable.writeNew(fresh, text)
    await fs.rename(fresh, path)
    await durable.syncFolder(dirname(path))
  }
  const markAs = (hasDatabase: boolean): Promise<void> => place(join(root, restoreFile), `${JSON.stringify({ ...wanted, databaseFile: nameOf(database), hasDatabase } satisfies Mark)}\n`)
  try {
    await refuseCompany(staging, root, restoreRole, () => progress.say(`Another process may be at work on ${root}, on another host or in another container: watching its heartbeat for up to 90 seconds.`))
    // A gateway that started between the first look and the heartbeat may have left a new identity and database.
    const mark = await refuseOccupied(options)
    if (mark?.hasDatabase !== true) await markAs(false)
    return { root, database, durable, staging: staging.folder, isContinued: mark !== undefined, place, claimDatabase: () => markAs(true), release: () => staging.close() }
  } catch (error) {
    await staging.close()
    throw error
  }
}

async function refuseOccupied ({ fs, root, database, wanted }: Options): Promise<Mark | undefined> {
  const mark = await readMark(fs, root)
  if (mark === undefined) {
    const there = (await namesIn(fs, root)).filter((name) => !mayBeThere.has(name))
    if (there.length > 0) throw new Refusal(`${homeName(fs, root)} is not empty: it has ${there.slice(0, 5).join(', ')}${there.length > 5 ? ' and more' : ''}. A restore never overwrites anything: ${fs.objects === undefined ? 'mount an empty volume' : 'set STORAGE_URL to an empty place'}, or move these away first.`)
  } else if (mark.snapshot !== wanted.snapshot || mark.volume !== wanted.volume || mark.databaseFile !== nameOf(database)) {
    throw new Refusal(`On ${root} a restore of the snapshot ${mark.snapshot}, with its database at ${mark.databaseFile}, was interrupted. Run that again, which goes on where it was; or empty the volume to begin anew.`)
  }
  if (mark?.hasDatabase !== true) await refuseDatabase(fs, database)
  return mark
}

/** Of a restore that is under way, or was interrupted. @throws Refusal when it cannot be believed */
export async function readMark (fs: FileSystem, root: string): Promise<Mark | undefined> {
  const text = await readText(fs, join(root, restoreFile))
  if (text === undefined) return undefined
  try {
    const mark: unknown = JSON.parse(text)
    if (Check(MarkSchema, mark)) return mark
  } catch {}
  throw new Refusal(`${join(root, restoreFile)} is damaged, so it is not known what was being restored there. Empty the volume to begin anew.`)
}

async function refuseDatabase (fs: FileSystem, database: DatabaseAddress): Promise<void> {
  return database.kind === 'sqlite' ? refuseFiles(fs, database.file) : refuseRows(fs, database)
}

/** What a gateway that was started there makes is in nobody's way: settings, and tables without rows. @throws Refusal when there are rows */
export async function refuseRows (fs: FileSystem, database: DatabaseAddress): Promise<void> {
  if (!await isMade(fs, database)) return
  const side = await openSource(database)
  try {
    const tables = await occupied(side)
    if (tables.length > 0) throw new Refusal(`${nameOf(database)} has rows already, in ${tables.join(', ')}. A restore never overwrites anything: set DATABASE_URL to an empty database.`)
  } finally {
    await side.close()
  }
}

/** What belongs to another database would be read into the new one. */
async function refuseFiles (fs: FileSystem, databaseFile: string): Promise<void> {
  for (const path of ['', ...companions].map((suffix) => databaseFile + suffix)) {
    if (await isThere(fs, path)) throw new Refusal(`There is a database already: ${path}. A restore never overwrites anything: move it away first, or set DATABASE_URL to where the restored one is to be.`)
  }
}
