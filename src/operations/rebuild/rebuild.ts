// Makes the database anew from the volume: every record, owner, name and old URL from the sidecars, erasures and tombstones
// from their journals. The volume itself is left as it is (promise 2, I9).
import { realpath } from 'node:fs/promises'
import { join } from 'node:path'
import type { Config, DatabaseAddress } from '../../config.ts'
import { nameOf } from '../../records/address.ts'
import { openBulk } from '../../records/bulk.ts'
import { openDatabase, type PrismaClient } from '../../records/database.ts'
import { openSqlite } from '../../records/embedded.ts'
import { openDeferred } from '../../records/deferred.ts'
import { noteWebhook } from '../../records/events.ts'
import { createImportLeftovers } from '../../records/import-leftovers.ts'
import { carryAccounts } from '../../records/old-accounts.ts'
import { lookAtOld, type OldDatabase } from '../../records/old-database.ts'
import { holderIn, journaledIn, nothingJournaled, type OldJournaled } from '../../records/old-journaled.ts'
import { createRebuilding } from '../../records/rebuilding.ts'
import { createTombstoneRecords } from '../../records/tombstones.ts'
import { openSource } from '../../records/transfer/open.ts'
import { settingIn } from '../../records/transfer/rows.ts'
import { createVolumeRecord, volumeKey } from '../../records/volume.ts'
import { claimAt, strangerTo, type Claimant, type ClaimText } from '../../storage/claim.ts'
import { homeName, homeRemedy, type FileSystem } from '../../storage/fs.ts'
import type { HomeConfig } from '../../storage/home.ts'
import { identityAt } from '../../storage/identity.ts'
import { openStorage, type Storage } from '../../storage/open.ts'
import { claimFile, identityFile } from '../../storage/volume/layout.ts'
import { refuseDenied, refuseIfDenied } from '../access.ts'
import { atHome } from '../at-home.ts'
import type { Finding } from '../finding.ts'
import type { Progress } from '../progress.ts'
import { refuseDuringMove } from '../during-move.ts'
import { Refusal } from '../refusal.ts'
import { refuseForeignRoot } from '../volume-user.ts'
import { fill, type Filled } from './fill.ts'
import { prepareReplacement, type Replacement } from './replacement.ts'
import { withReplacement } from './server.ts'

export type RebuildConfig = HomeConfig & Pick<Config, 'database' | 'diskReserveBytes'>

export type Rebuilt = Filled & {
  /** For people: the file of the new database, or where the PostgreSQL is. */
  readonly database: string
  readonly databaseKind: DatabaseAddress['kind']
  /** Of embedded accounts: how many were brought over from the old database, if there was one that a gateway had run with, and why not all were. */
  readonly accounts: { readonly count: number, readonly isOldThere: boolean, readonly failure: string | null }
  /** Where the old database is kept because not all of it could be read, or it was not the one that the home belonged to; null when it is gone. */
  readonly oldDatabase: string | null
  /** For people: the database that the home belonged to, where it was not the one that is replaced; null where it was. */
  readonly formerDatabase: string | null
  readonly ms: number
}

type Options = { readonly fs?: FileSystem, readonly now?: () => Date, readonly monotonicMs?: () => number }

/**
 * Safe to kill at any moment: until the new database is whole and in its place, the old one is.
 * @throws Refusal, ConfigError when there is no volume, when it is another one than the database's, or when it is in use
 */
export const rebuild = (config: RebuildConfig, progress: Progress, options: Options = {}): Promise<Rebuilt> =>
  atHome(config, options.fs, (fs) => rebuildAt(fs, config, progress, options))

async function rebuildAt (fs: FileSystem, config: RebuildConfig, progress: Progress, { now = () => new Date(), monotonicMs = () => performance.now() }: Options): Promise<Rebuilt> {
  const startedAt = monotonicMs()
  refuseDuringMove(fs, 'rebuild')
  const { uploadsDir: root } = config
  const database = await realAddress(config.database)
  if (database.kind === 'sqlite') await refuseDenied(fs, database.file)
  const volumeId = await volumeAt(fs, root, database)
  await refuseForeignRoot(fs, root)
  const onWait = () => progress.say('Another process may live on this volume, in another container or on another host; or this is a copy of a volume on which one lives. Watching for up to 90 s whether it does.')
  const storage = await openStorage({ fs, root, reserveBytes: config.diskReserveBytes, known: { volumeId, knowsFiles: true }, secondLedger: config.erasureLedger, role: { work: 'rebuild', isExclusive: true }, onWait })
  try {
    const work = { fs, root, database, name: nameOf(database), storage, progress, now }
    const made = await (database.kind === 'sqlite' ? replaceFile(work, database.file) : withReplacement({ ...work, database, databaseFile: config.databaseFile }, (place, replacement) => replace({ ...work, place }, replacement)))
    return { ...made, databaseKind: database.kind, ms: Math.round(monotonicMs() - startedAt) }
  } finally {
    await storage.staging.close()
  }
}

/** A rename would replace the link, not what it leads to. */
async function realAddress (address: DatabaseAddress): Promise<DatabaseAddress> {
  return address.kind === 'postgresql' ? address : { kind: 'sqlite', file: await realpath(address.file).catch(() => address.file) }
}

/** `place`: of a SQLite file that holds the old rows, if there are any. `name`: of the database, for people. */
type Task = { fs: FileSystem, root: string, database: DatabaseAddress, place: string, name: string, storage: Storage, progress: Progress, now: () => Date }

async function replaceFile (task: Omit<Task, 'place'>, place: string): Promise<Omit<Rebuilt, 'databaseKind' | 'ms'>> {
  // What belongs to another volume is not even tidied.
  refuseForeign(lookAtOld(place), task)
  return replace({ ...task, place }, await prepareReplacement({ fs: task.fs, place }))
}

async function replace (task: Task, replacement: Replacement): Promise<Omit<Rebuilt, 'databaseKind' | 'ms'>> {
  const { fs, root, place, name, storage, progress } = task
  try {
    const old = lookAtOld(place)
    refuseForeign(old, task)
    const made = await make(replacement.file, task, old)
    progress.step('Checking the new database')
    const { isOldRead, ...report } = made
    const former = strangerTo(old.is === 'readable' ? old.databaseId : undefined, await formerOf(fs, root))
    const keptAs = await replacement.putInPlace(!isOldRead || (former !== undefined && mayBeMissed(old)))
    // After: as long as the new one is not in its place, whoever had the home has it. Killed in between, it is run again.
    await storage.claim.assign(await claimantOf(task.database, name))
    return { ...report, database: name, oldDatabase: keptAs ?? null, formerDatabase: former === undefined || former.name === name ? null : former.name }
  } finally {
    await replacement.discard()
  }
}

/** Which database had the home until now. */
const formerOf = (fs: FileSystem, root: string): Promise<ClaimText | undefined> =>
  claimAt(fs, root).catch(() => ({ database: '', name: `one that nobody knows, as ${claimFile} was damaged`, since: '' }))

/** Of one that was not that of the home. A start that was refused leaves one that belongs to no volume; that in a backup has no id. */
const mayBeMissed = (old: OldDatabase): boolean => old.is === 'readable' && old.volumeId !== undefined && old.databaseId !== undefined

async function claimantOf (address: DatabaseAddress, name: string): Promise<Claimant> {
  const { client, close } = await openDatabase({ address, requireMount: false, connections: 1 })
  return createVolumeRecord(client).claimant({ name, onlyReads: false }).finally(close)
}

/** `isOldRead`: all that only the old database knew is in the new one. */
async function make (file: string, task: Task, old: OldDatabase): Promise<Filled & Pick<Rebuilt, 'accounts'> & { isOldRead: boolean }> {
  const { fs, place, name, storage, now } = task
  const isKnown = old.is === 'readable' && old.volumeId !== undefined
  const journaled = isKnown ? journaledIn(place) : nothingJournaled
  // Whether the database may lie here was settled when the gateway made the old one.
  const database = await openSqlite({ file, requireMount: false })
  const bulk = openBulk(file)
  // Of a rebuild that is killed, the next one removes it as it removes `file`.
  const deferredFile = `${file}-deferred`
  const deferred = openDeferred(deferredFile)
  try {
    const { client } = database
    await createVolumeRecord(client).remember(storage.volumeId)
    await noteWebhook(client, isKnown && old.hasWebhook)
    const tombstones = createTombstoneRecords({ client, tombstones: storage.tombstones, hash: storage.hash, now })
    const filled = await fill({ ...task, old: journaled, rebuilding: createRebuilding({ client, bulk, now, ...(isKnown && { oldHolder: holderIn(place) }) }), deferred, importLeftovers: createImportLeftovers(client), tombstones })
    const accounts = await accountsFrom(old, place, client)
    return { ...filled, findings: [...unreadIn(name, journaled), ...filled.findings], accounts, isOldRead: accounts.failure === null && journaled.failure === undefined }
  } finally {
    deferred.close()
    await fs.rm(deferredFile, { force: true })
    bulk.close()
    await database.close()
  }
}

function unreadIn (path: string, { failure }: OldJournaled): Finding[] {
  if (failure === undefined) return []
  return [{ problem: 'ledger-damaged', path, detail: `Not all erasures and tombstones of the old database could be read (${failure}). Those that are in the journals on the volume count in any case.`, mend: 'If the journals erasures.ndjson and tombstones.ndjson are whole, nothing has to be done. Else put them back from a backup, and run this again.' }]
}

async function accountsFrom (old: OldDatabase, place: string, client: PrismaClient): Promise<Rebuilt['accounts']> {
  if (old.is === 'absent') return { count: 0, isOldThere: false, failure: null }
  if (old.is === 'damaged') return { count: 0, isOldThere: true, failure: old.reason }
  const { count, failure = null } = await carryAccounts(place, client)
  // A start that is refused for want of the right database leaves an empty one, which belongs to no volume.
  return { count, isOldThere: old.volumeId !== undefined, failure }
}

/** Before anything is written, and not to be made here: what it says is the key of the ledger and the tombstones. */
async function volumeAt (fs: FileSystem, root: string, database: DatabaseAddress): Promise<string> {
  const path = join(root, identityFile)
  const identity = await identityAt(fs, root).catch(async (error: unknown) => {
    refuseIfDenied(path, error)
    throw new Refusal(`${path} cannot be read, or is damaged. ${await remedyFor(database)}`, { cause: error })
  })
  if (identity === undefined) throw new Refusal(`There is no uploads volume at ${homeName(fs, root)}: it has no ${identityFile}, without which erasures and tombstones cannot be read. ${fs.objects === undefined ? 'If it is the wrong folder, set UPLOADS_DIR to the volume' : homeRemedy(fs, 'the volume')}. ${await remedyFor(database)}`)
  return identity.volumeId
}

async function remedyFor (database: DatabaseAddress): Promise<string> {
  const volumeId = await volumeIn(database).catch(() => undefined)
  const known = volumeId === undefined ? '' : ` The database ${nameOf(database)} says that the "volumeId" in it was ${volumeId}.`
  return `Put that file back from a backup of this volume, such as a tar of it, and run this again.${known}`
}

async function volumeIn (database: DatabaseAddress): Promise<string | undefined> {
  const side = await openSource(database)
  try {
    return await settingIn(side, volumeKey)
  } finally {
    await side.close()
  }
}

/** What is not this volume's database is not to be thrown away. */
function refuseForeign (old: OldDatabase, { name, root, storage: { volumeId } }: Pick<Task, 'name' | 'root' | 'storage'>): void {
  if (old.is !== 'readable') return
  if (!old.isOurs) throw new Refusal(`${name} is a database of something else than the gateway. Set DATABASE_URL to where the new database is to be.`)
  if (old.volumeId !== undefined && old.volumeId !== volumeId) throw new Refusal(`The database ${name} belongs to another volume: to ${old.volumeId}, while ${root} is ${volumeId}. Set DATABASE_URL to where the new database is to be, or UPLOADS_DIR to that volume.`)
}
