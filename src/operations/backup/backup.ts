// Backs up volume and database while the gateway runs: the database as it is at one moment, then the blobs it knows.
import { join } from 'node:path'
import type { Writable } from 'node:stream'
import type { DatabaseAddress } from '../../config.ts'
import { passing, takeSnapshot } from '../../records/snapshot.ts'
import { volumeHash } from '../../storage/erasures.ts'
import type { FileSystem } from '../../storage/fs.ts'
import { takeRows } from '../carrying.ts'
import type { Finding } from '../finding.ts'
import type { Progress } from '../progress.ts'
import { Refusal } from '../refusal.ts'
import type { Findings } from '../verify/observed.ts'
import { atWork, type Workplace, type WorkplaceConfig } from '../workplace.ts'
import { completeSnapshot } from './complete.ts'
import { copyBlobs } from './copy-blobs.ts'
import type { Destination } from './destination.ts'
import { dropGone } from './drop-gone.ts'
import { openBackupFolder, refuseWithin, type BackupFolder } from './folder.ts'
import { databaseCopy, snapshotName } from './layout.ts'
import { removeOlder } from './retention.ts'
import { compareRows } from './rows.ts'
import { toFolder } from './to-folder.ts'
import { toTar } from './to-tar.ts'
import { removeUnreferenced } from './unreferenced.ts'
import { withWork } from './work.ts'

export type BackupReport = {
  readonly snapshot: string
  /** Files of users in the snapshot, and their bytes. */
  readonly files: number
  readonly bytes: number
  /** Those that had to be copied. */
  readonly copiedFiles: number
  readonly copiedBytes: number
  /** Those in the folder that were read again and proved, and of these the ones that were damaged and are copied anew. */
  readonly rereadFiles: number
  readonly mendedFiles: number
  /** Removed for good or erased while the backup ran, and so not in it. */
  readonly goneFiles: number
  readonly erasedFiles: number
  /** Those that were copied before they were erased, and are there though the snapshot does not name them. */
  readonly erasedFilesLeft: number
  readonly removedSnapshots: readonly string[]
  /** Files that no snapshot names any more; null when that could not be told. */
  readonly removedFiles: number | null
  readonly seconds: number
  readonly findings: readonly Finding[]
  readonly moreFindings: number
}

type Options = {
  readonly to: { readonly dir: string } | { readonly output: Writable }
  /** With the keys that the gateway made for itself. */
  readonly withKeys?: boolean
  /** So many snapshots stay; all when absent. */
  readonly keep?: number
  readonly progress: Progress
  readonly fs?: FileSystem
  readonly now?: () => Date
  /** Between 0 and 1, 1 excluded. */
  readonly random?: () => number
}

/** @throws Refusal when volume or destination cannot be used; what was copied to a folder stays for the next run */
export async function backup (config: WorkplaceConfig, options: Options): Promise<BackupReport> {
  const { to, progress, fs, now } = options
  return atWork(config, { work: 'backup', onlyReads: true, progress, ...(fs !== undefined && { fs }), ...(now !== undefined && { now }) }, async (workplace) => {
    const startedAt = performance.now()
    if ('dir' in to) await refuseWithin(to.dir, config.uploadsDir)
    const { destination, folder } = await open(workplace, to, progress)
    try {
      const { erasedKept, ...snapshot } = await take(workplace, destination, options)
      const cleared = folder === undefined ? { removedSnapshots: [], removedFiles: 0 } : await clearUp(workplace.fs, folder, options)
      // What is in a stream cannot be taken back, and what cannot be cleared up stays.
      const erasedFilesLeft = folder === undefined || cleared.removedFiles === null ? erasedKept : 0
      return { ...snapshot, ...cleared, erasedFilesLeft, seconds: (performance.now() - startedAt) / 1000 }
    } finally {
      await destination.close()
    }
  })
}

async function open ({ fs, storage, now }: Workplace, to: Options['to'], progress: Progress): Promise<{ destination: Destination, folder?: BackupFolder }> {
  const volume = volumeHash(storage.hash)
  if ('output' in to) return { destination: await toTar({ fs, output: to.output, volume, createdAt: now() }) }
  const folder = await openBackupFolder({ fs, dir: to.dir, work: 'backup', volume, now, progress })
  return { folder, destination: await toFolder(fs, folder) }
}

async function take (workplace: Workplace, destination: Destination, { withKeys = false, progress, random }: Options) {
  const createdAt = workplace.now()
  return withWork(workplace, async (work) => {
    progress.step('Copying the database')
    await work.writing(() => copyRecords(workplace.address, join(work.folder, databaseCopy)))
    const copied = await copyBlobs(workplace, work, destination, { progress, ...(random !== undefined && { random }) })
    progress.step('Completing the snapshot')
    const dropped = await work.writing(() => dropGone(workplace, work.folder, copied.missing))
    const findings = joined(copied.findings, dropped.findings)
    const { record, files, ledgerFindings } = await work.writing(() => completeSnapshot({ workplace, work: work.folder, createdAt, withKeys, erased: dropped.erased, findings: findings.list.length + findings.more }))
    await refuseUnlike(workplace.fs, work.folder)
    const snapshot = snapshotName(createdAt, destination.newest)
    await destination.publish(snapshot, work.folder, files)
    return {
      snapshot,
      files: record.blobs,
      bytes: record.bytes,
      copiedFiles: copied.files,
      copiedBytes: copied.bytes,
      rereadFiles: copied.reread,
      mendedFiles: copied.mended,
      goneFiles: dropped.gone,
      erasedFiles: dropped.erased.length,
      erasedKept: dropped.erased.filter(({ id }) => !copied.faulty.has(id)).length,
      findings: [...findings.list, ...ledgerFindings],
      moreFindings: findings.more,
    }
  })
}

/** As they are at one moment; of PostgreSQL, too, as a SQLite file. */
const copyRecords = async (from: DatabaseAddress, file: string): Promise<unknown> =>
  from.kind === 'sqlite' ? takeSnapshot(from.file, file) : takeRows(from, file, passing)

/** Nobody could restore it. */
async function refuseUnlike (fs: FileSystem, work: string): Promise<void> {
  const [fault] = (await compareRows(fs, work, work)).list
  if (fault !== undefined) throw new Refusal(`The snapshot could not be restored, so it was not made: ${fault.path}: ${fault.detail} Older snapshots are as they were. Run "upload-gateway verify", mend what it finds, and run this again.`)
}

function joined (...all: Findings[]): { list: Finding[], more: number } {
  const list = all.flatMap((findings) => findings.list)
  return { list, more: all.reduce((sum, findings) => sum + findings.count(), 0) - list.length }
}

async function clearUp (fs: FileSystem, folder: BackupFolder, { keep, progress }: Pick<Options, 'keep' | 'progress'>) {
  const removedSnapshots = keep === undefined ? [] : await removeOlder(fs, folder, keep, progress)
  return { removedSnapshots, removedFiles: await removeUnreferenced(fs, folder.dir, progress) ?? null }
}
