// Brings a backup back: into an empty volume, with whoever was erased since erased again, and all of it proved before it is done.
import { join } from 'node:path'
import type { Config } from '../../config.ts'
import { nameOf } from '../../records/address.ts'
import { leapEpoch } from '../../records/owners.ts'
import { ifAbsent } from '../../storage/failures.ts'
import { fileSystem, type FileSystem } from '../../storage/fs.ts'
import { restoreRole } from '../../storage/restoring.ts'
import { createDurable } from '../../storage/volume/durable.ts'
import { claimFile, databaseFolder, erasuresFile, identityFile, restoreFile, tombstonesFile } from '../../storage/volume/layout.ts'
import { erasureAt, requireLedger } from '../../users/service.ts'
import { atHome } from '../at-home.ts'
import { requireBackup } from '../backup/folder.ts'
import { holdForReading } from '../backup/hold.ts'
import { restoreKeys } from '../backup/keys.ts'
import type { Ledgers } from '../backup/ledgers.ts'
import { uniteLines } from '../backup/lines.ts'
import { readText } from '../backup/snapshots.ts'
import { filling, writing } from '../backup/writing.ts'
import { refuseDuringMove } from '../during-move.ts'
import type { Finding, Verification } from '../finding.ts'
import type { Progress } from '../progress.ts'
import { Refusal } from '../refusal.ts'
import type { Findings } from '../verify/observed.ts'
import { verifyVolume } from '../verify.ts'
import { withSecrets } from '../secrets.ts'
import { atWork, type WorkplaceConfig } from '../workplace.ts'
import { bringBlobs, lookForBlobs, placeOf } from './bring-blobs.ts'
import { bringDatabase } from './bring-database.ts'
import { refuseInside } from './inside.ts'
import { openSource, type Source } from './source.ts'
import { openTarget, readMark, type Target } from './target.ts'

export type RestoreReport = {
  readonly snapshot: string
  /** When the snapshot was made. */
  readonly createdAt: string
  /** Of the volume, or the store's address. */
  readonly root: string
  readonly files: number
  readonly bytes: number
  readonly seconds: number
  /** Null when there were too few bytes to tell. */
  readonly secondsPerGigabyte: number | null
  readonly ledgers: readonly string[]
  /** A ledger outside of the backup was found that knows at least what the backup knows: erasures since the backup are known. */
  readonly isLedgerCurrent: boolean
  /** A sentence about each ledger that may be the wrong one, or an old one. */
  readonly ledgerDoubts: readonly string[]
  readonly erasures: number
  /** What was in the snapshot of users who are erased, and is gone again. */
  readonly erasedFiles: number
  readonly keys: readonly string[]
  /** What the backup did not have whole, and ledgers that are not. */
  readonly damaged: readonly Finding[]
  readonly moreDamaged: number
  /** Of the volume, as it is now. */
  readonly verification: Verification
}

export type RestoreConfig = WorkplaceConfig & Pick<Config, 'requireMount'>

export type RestoreOptions = {
  readonly snapshot?: string
  /** Another place than UPLOADS_DIR, with the database in it. */
  readonly into?: string
  /** Further ledgers of erasures. */
  readonly ledgers?: readonly string[]
  readonly withoutLedger?: boolean
  /** Restores what is whole though something is damaged. */
  readonly isPartial?: boolean
  readonly progress: Progress
  readonly fs?: FileSystem
  readonly now?: () => Date
}

/** Of less, a time for a gigabyte says nothing. */
const meaningfulBytes = 10_000_000

const toMilliseconds = (seconds: number): number => Math.round(seconds * 1000) / 1000

/** Safe to kill at any moment; run again, it goes on. @throws Refusal, ConfigError with what to do */
export const restore = (config: RestoreConfig, dir: string, options: RestoreOptions): Promise<RestoreReport> =>
  atHome(config, options.fs, (home) => restoreFrom(home, config, dir, options))

async function restoreFrom (home: FileSystem, config: RestoreConfig, dir: string, options: RestoreOptions): Promise<RestoreReport> {
  const { into, progress } = options
  // Another place is a folder of this machine, whatever the home is.
  const fs = into === undefined ? home : home.objects === undefined ? home.move?.own ?? home : fileSystem
  refuseDuringMove(fs, 'restore')
  const startedAt = performance.now()
  const root = into ?? config.uploadsDir
  const place = into === undefined ? { ...config, root } : elsewhere(config, into)
  await requireBackup(fs, dir)
  await refuseInside({ root, dir, uploadsDir: config.uploadsDir })
  const hold = await holdForReading({ fs, dir, role: { work: 'restore', isExclusive: false }, progress })
  try {
    const mark = await readMark(fs, root)
    const source = await openSource({ fs: home, dir, config, root, isLedgerOwn: mark?.isLedgerCurrent === false, name: options.snapshot, named: options.ledgers ?? [], withoutLedger: options.withoutLedger ?? false, progress })
    sayDoubts(source.ledgers, progress)
    if (options.isPartial !== true) refuseDamagedLedger(source.ledgers)
    if (options.isPartial !== true) refuseDamaged(await lookForBlobs({ fs, ...source, progress }), source, 'Nothing was restored')
    const { damaged, ...brought } = await filling(placeOf(root), () => bring(fs, place, source, options))
    const finished = await filling({ ...placeOf(root), name: `The disk of ${root} or of ${nameOf(place.database)}` }, () => finish(fs, options.withoutLedger === true ? { ...place, erasureLedger: undefined } : place, options))
    const seconds = (performance.now() - startedAt) / 1000
    const { name, record } = source.snapshot
    return {
      snapshot: name, createdAt: record.createdAt, root: fs.objects?.name ?? root, files: record.blobs, bytes: record.bytes, seconds: toMilliseconds(seconds),
      secondsPerGigabyte: record.bytes < meaningfulBytes ? null : toMilliseconds(seconds / (record.bytes / 1e9)),
      ledgers: source.ledgers.paths, isLedgerCurrent: source.ledgers.isCurrent, ledgerDoubts: source.ledgers.doubts, erasures: source.ledgers.erasures.length,
      ...brought, damaged: [...source.ledgers.damaged.map((finding) => ({ ...finding, mend: mendedLater })), ...damaged], ...finished,
    }
  } finally {
    await hold?.release()
  }
}

type Place = RestoreConfig & { readonly root: string }

function elsewhere (config: RestoreConfig, root: string): Place {
  const file = join(root, databaseFolder, 'gateway.sqlite')
  // The second place of the ledger is that of the volume in use: read, but not written.
  return { ...config, root, objectStore: undefined, fallback: undefined, isReadOnly: false, uploadsDir: root, database: { kind: 'sqlite', file }, databaseFile: file, requireMount: false, erasureLedger: undefined }
}

/** For people, of a failed write. */
const databasePlace = ({ database }: Pick<Place, 'database'>): string => database.kind === 'sqlite' ? `The folder of the database ${database.file}` : nameOf(database)

async function bring (fs: FileSystem, { root, database, databaseFile, requireMount }: Place, source: Source, { isPartial = false, progress }: RestoreOptions) {
  const { name, record } = source.snapshot
  const target = await openTarget({ fs, root, database, requireMount, wanted: { snapshot: name, volume: record.volume, isLedgerCurrent: source.ledgers.isCurrent }, progress })
  try {
    if (!target.isContinued && fs.objects === undefined) await refuseTooSmall(fs, root, record.bytes)
    const place = placeOf(root)
    // Of a run that was killed at its end: this one brings the database anew.
    await fs.unlink(join(root, claimFile)).catch(ifAbsent(undefined))
    await writing(place, () => bringJournals(fs, source, target))
    const damaged = await bringBlobs({ fs, ...source, progress }, target)
    if (!isPartial) refuseDamaged(damaged, source, 'The restore is not done, and no gateway starts on it')
    progress.step('Restoring the database')
    await writing({ ...place, name: databasePlace({ database }) }, () => bringDatabase(fs, source.snapshot.root, target))
    const keys = await withSecrets({ database, databaseFile }, (secrets) => restoreKeys(source.snapshot.root, secrets), { isKept: true })
    // Last: before it, nothing takes this for a volume.
    await writing(place, async () => target.place(join(root, identityFile), await readText(fs, join(source.snapshot.root, identityFile)) ?? ''))
    return { keys, damaged: damaged.list, moreDamaged: damaged.count() - damaged.list.length }
  } finally {
    await target.release()
  }
}

const mendedLater = 'Erase them again; or put a whole copy of it in the place of ERASURE_LEDGER, which the gateway carries out at its next start.'

function sayDoubts ({ isCurrent, doubts }: Ledgers, progress: Progress): void {
  for (const doubt of doubts) progress.say(doubt)
  if (!isCurrent) progress.say('No newer ledger of erasures than the backup\'s own was found, which does not know who was erased after it was made. Name a newer one with --ledger, if there is one.')
}

function refuseDamagedLedger ({ damaged: [first] }: Ledgers): void {
  if (first === undefined) return
  throw new Refusal(`${first.path}: ${first.detail} Nothing was restored, as they would be back. Put a whole copy of this file in its place, and run this again; or, if there is none, restore with --partial and erase them again.`)
}

function refuseDamaged (findings: Findings, { dir }: Source, state: string): void {
  if (findings.count() === 0) return
  const listed = findings.list.slice(0, 10).map(({ path, detail }) => `\n  ${path}: ${detail}`)
  throw new Refusal(`${findings.count()} files of the backup are missing or damaged:${listed.join('')}\n${state}. Put them there from another copy of the backup and run this again; or restore all others with --partial. "upload-gateway verify ${dir}" lists them all.`)
}

async function refuseTooSmall (fs: FileSystem, root: string, bytes: number): Promise<void> {
  const { bavail, bsize } = await fs.statfs(root)
  if (bavail * bsize >= bytes) return
  await fs.unlink(join(root, restoreFile))
  throw new Refusal(`The volume ${root} is too small: the backup has ${bytes} bytes, and ${bavail * bsize} are free. Mount a larger one, or name another place with --into, and run this again.`)
}

/** First, so that whoever is erased is known even if nothing else gets here. */
async function bringJournals (fs: FileSystem, { snapshot, ledgers }: Source, { root, durable }: Target): Promise<void> {
  await uniteLines({ fs, durable, target: join(root, erasuresFile), sources: ledgers.paths })
  // Of this snapshot alone, which has all from before it: later ones name what is now there again.
  await uniteLines({ fs, durable, target: join(root, tombstonesFile), sources: [join(snapshot.root, tombstonesFile)] })
}

/** Erases again who was erased, proves what is there, and takes the mark away. */
async function finish (fs: FileSystem, place: Place, { progress, now }: RestoreOptions) {
  return atWork(place, { ...restoreRole, fs, ...(now !== undefined && { now }) }, async (workplace) => {
    progress.step('Erasing who is in the ledger of erasures')
    await requireLedger({ fs, root: place.root, secondPlace: place.erasureLedger, erasures: workplace.storage.erasures })
    const { blobs } = await erasureAt(workplace).replay({ isFull: true })
    await leapEpoch(workplace.client, workplace.now())
    await workplace.tombstones.readIn()
    await workplace.settling.settleDue({ isStart: true })
    const verification = await verifyVolume(workplace, { progress })
    await fs.unlink(join(place.root, restoreFile))
    await createDurable({ fs, onSyncFailure: () => {} }).syncFolder(place.root)
    return { erasedFiles: blobs, verification }
  })
}
