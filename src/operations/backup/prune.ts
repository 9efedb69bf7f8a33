// Takes erased owners out of a backup folder: out of every snapshot's database, manifest and files.
import { copyFile } from 'node:fs/promises'
import { join } from 'node:path'
import { dropErasedAccounts, dropErasedMentions, erasedIn } from '../../records/snapshot.ts'
import { volumeHash } from '../../storage/erasures.ts'
import type { FileSystem } from '../../storage/fs.ts'
import type { HomeConfig } from '../../storage/home.ts'
import { identityAt } from '../../storage/identity.ts'
import { createKeyedHash, type KeyedHash } from '../../storage/keyed-hash.ts'
import { erasuresFile } from '../../storage/volume/layout.ts'
import { atHome } from '../at-home.ts'
import type { Finding } from '../finding.ts'
import type { Progress } from '../progress.ts'
import { Refusal } from '../refusal.ts'
import { createJournals, proveSnapshot } from './complete.ts'
import { dropFromSnapshot } from './drop-gone.ts'
import { openBackupFolder, placeOf, readBackupFile, type BackupFolder } from './folder.ts'
import { databaseCopy, keysFolder, manifestFile } from './layout.ts'
import { readLedgers, type Ledgers } from './ledgers.ts'
import { DamagedManifest } from './manifest.ts'
import { placeSnapshot } from './place-snapshot.ts'
import { findSnapshots, type FoundSnapshot } from './snapshots.ts'
import { removeUnreferenced } from './unreferenced.ts'
import { damagedFile, verifySnapshotFiles } from './verify.ts'
import { withWork } from './work.ts'
import { writing } from './writing.ts'

export type PruneReport = {
  readonly snapshots: number
  /** Those that held uploads or accounts of erased owners, or named them elsewhere. */
  readonly prunedSnapshots: readonly string[]
  /** Uploads of erased owners, counted in each snapshot, their accounts, and places where they were named on files of others or in events. */
  readonly erasedUploads: number
  readonly erasedAccounts: number
  readonly erasedMentions: number
  /** Files that no snapshot names any more; null when that could not be told. */
  readonly removedFiles: number | null
  readonly erasures: number
  readonly ledgers: readonly string[]
  readonly findings: readonly Finding[]
}

type Options = { readonly ledgers?: readonly string[], readonly progress: Progress, readonly fs?: FileSystem, readonly now?: () => Date }

/** Safe to kill: a snapshot is replaced whole. @throws Refusal when it is no backup, no ledger can be found, or one cannot be read */
export const pruneErased = (config: HomeConfig, dir: string, options: Options): Promise<PruneReport> =>
  atHome(config, options.fs, (fs) => pruneFrom(fs, config, dir, options))

async function pruneFrom (fs: FileSystem, config: HomeConfig, dir: string, { ledgers: named = [], progress, now = () => new Date() }: Options): Promise<PruneReport> {
  const backup = await readBackupFile(fs, dir)
  if (backup === undefined) throw new Refusal(`${dir} is no backup folder. Name one that "upload-gateway backup" has filled.`)
  const folder = await openBackupFolder({ fs, dir, work: 'backup prune', volume: backup.volume, now, progress })
  try {
    const snapshots = await findSnapshots(fs, dir)
    const hash = await hashFor(fs, snapshots, backup.volume)
    const ledgers = await readLedgers({ fs, hash, config, named, snapshots })
    if (!ledgers.isCurrent) throw new Refusal(`${ledgers.doubts.join(' ') || `No ledger of erasures was found outside of ${dir}: neither on the uploads volume ${config.uploadsDir} nor in ERASURE_LEDGER.`} Name the newest one with --ledger FILE.`)
    for (const doubt of ledgers.doubts) progress.say(doubt)
    const { findings, ...pruned } = await pruneAll({ fs, folder, hash, ledgers, progress, now }, snapshots)
    return { ...pruned, findings: [...ledgers.damaged, ...findings], erasures: ledgers.erasures.length, ledgers: ledgers.paths }
  } finally {
    await folder.release()
  }
}

/** Every snapshot carries the identity of its volume, and with it the key of the ledger. */
async function hashFor (fs: FileSystem, snapshots: readonly FoundSnapshot[], volume: string): Promise<KeyedHash> {
  for (const { root } of snapshots) {
    const identity = await identityAt(fs, root).catch(() => undefined)
    const hash = identity === undefined ? undefined : createKeyedHash(identity.volumeId)
    if (hash !== undefined && volumeHash(hash) === volume) return hash
  }
  throw new Refusal('No snapshot of this backup says which volume it is of, so nobody can tell who is erased. Put one back from another copy of this backup.')
}

type Task = { fs: FileSystem, folder: BackupFolder, hash: KeyedHash, ledgers: Ledgers, progress: Progress, now: () => Date }

async function pruneAll (task: Task, snapshots: readonly FoundSnapshot[]): Promise<Omit<PruneReport, 'erasures' | 'ledgers'>> {
  const { fs, folder, progress } = task
  const findings: Finding[] = []
  const prunedSnapshots: string[] = []
  let [erasedUploads, erasedAccounts, erasedMentions] = [0, 0, 0]
  for (const snapshot of snapshots) {
    // Proved anew afterwards: what is damaged must not look whole by that.
    const faults = await verifySnapshotFiles(fs, folder.dir, snapshot, progress)
    findings.push(...faults)
    if (faults.length > 0) continue
    const pruned = await pruneOne(task, snapshot).catch((error: unknown) => {
      if (error instanceof DamagedManifest) return undefined
      throw error
    })
    if (pruned === undefined) {
      findings.push(damagedFile(folder.dir, snapshot, manifestFile, 'A line of it does not prove itself, so nothing was taken out of this snapshot.'))
      continue
    }
    const { uploads, accounts, mentions } = pruned
    if (uploads + accounts + mentions > 0) prunedSnapshots.push(snapshot.name)
    erasedUploads += uploads
    erasedAccounts += accounts
    erasedMentions += mentions
  }
  const removedFiles = await writing(placeOf(folder.dir), () => removeUnreferenced(fs, folder.dir, progress)) ?? null
  return { snapshots: snapshots.length, prunedSnapshots, erasedUploads, erasedAccounts, erasedMentions, removedFiles, findings }
}

async function pruneOne ({ fs, folder, hash, ledgers, now }: Task, { name, root, record }: FoundSnapshot) {
  if (record === undefined) return { uploads: 0, accounts: 0, mentions: 0 }
  return withWork({ fs, storage: { staging: folder } }, async (work) => {
    const file = join(work.folder, databaseCopy)
    const files = Object.keys(record.files)
    await work.writing(() => copyFile(join(root, databaseCopy), file))
    const ids = erasedIn(file, ledgers.erasures, hash)
    const accounts = await work.writing(() => dropErasedAccounts(file, ledgers.erasures, hash))
    const mentions = await work.writing(() => dropErasedMentions(file, ledgers.erasures, hash, { isForGood: true }))
    const counts = { uploads: ids.size, accounts, mentions: mentions.count }
    if (ids.size + accounts + mentions.count === 0) return counts
    const known = [...new Set([...files, erasuresFile])]
    const journals = createJournals(fs, work.folder)
    await work.writing(async () => {
      if (files.some((path) => path.startsWith(`${keysFolder}/`))) await fs.mkdir(join(work.folder, keysFolder), { mode: 0o700 })
      for (const path of files.filter((one) => one !== databaseCopy)) await copyFile(join(root, path), join(work.folder, path))
      await journals.entomb(await dropFromSnapshot(fs, work.folder, ids, mentions), hash, now())
      await journals.unite(erasuresFile, ledgers.paths)
    })
    const proved = await work.writing(() => proveSnapshot(fs, work.folder, known, record))
    await writing(placeOf(folder.dir), () => placeSnapshot(fs, folder, name, work.folder, proved.files))
    return counts
  })
}
