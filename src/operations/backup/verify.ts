// Proves a backup: of each snapshot its own files and its database against its manifest, and each blob that one of them names.
import { join, relative } from 'node:path'
import pLimit from 'p-limit'
import { faultsIn } from '../../records/snapshot.ts'
import { fileSystem, type FileSystem } from '../../storage/fs.ts'
import { identityFile } from '../../storage/volume/layout.ts'
import type { Finding, Verification } from '../finding.ts'
import type { Progress } from '../progress.ts'
import { Refusal } from '../refusal.ts'
import { sampleOf } from '../sample.ts'
import { createFindings, type Findings } from '../verify/observed.ts'
import { readBackupFile } from './folder.ts'
import { inBackup, inspectBlob } from './inspect-blob.ts'
import { backupFile, databaseCopy, isSnapshotName, manifestFile, snapshotFile, snapshotsFolder } from './layout.ts'
import { namedBlobs, type Named } from './named.ts'
import { hashFile } from './regular-file.ts'
import { compareRows } from './rows.ts'
import { chooseSnapshot, findSnapshots, namesIn, type FoundSnapshot } from './snapshots.ts'
import { lookForUnnamed } from './unnamed.ts'

const atOnce = 8

type Options = {
  /** This one alone. */
  readonly snapshot?: string
  /** Hash this share of the files, from 0 to 1, but more where they are few; the others are compared by size. All when absent. */
  readonly sample?: number
  readonly progress: Progress
  readonly fs?: FileSystem
  /** Between 0 and 1, 1 excluded. */
  readonly random?: () => number
  /** To collect into. */
  readonly findings?: ReturnType<typeof createFindings>
}

/** @throws Refusal when there is no such snapshot */
export async function verifyBackup (dir: string, { snapshot: name, sample = 1, progress, fs = fileSystem, random = Math.random, findings = createFindings() }: Options): Promise<Verification> {
  const newest = await chooseSnapshot(fs, dir, name)
  const snapshots = name === undefined ? await findSnapshots(fs, dir) : [newest]
  findings.add(...await strangeSnapshots(fs, dir, snapshots, name === undefined))
  const readable: FoundSnapshot[] = []
  for (const snapshot of snapshots) if (await isManifestWhole(fs, dir, snapshot, { findings, progress })) readable.push(snapshot)
  const { blobs, bytes } = await totalsOf(fs, readable, progress)
  const part = sampleOf(blobs, sample)
  const counts = { records: 0, hashedFiles: 0, hashedBytes: 0, allBytes: 0 }
  progress.step('Checking files of users', bytes, 'bytes')
  for await (const group of namedBlobs(fs, readable)) await pLimit(atOnce).map(group, check)
  await lookForUnnamed(fs, dir, findings, progress)
  const more = findings.count() - findings.list.length
  return { ...counts, findings: findings.list, ...(more > 0 && { moreFindings: more }) }

  async function check ({ sidecar, snapshots: naming }: Named): Promise<void> {
    const isHashed = random() < part
    const fault = await inspectBlob(fs, dir, sidecar, { isHashed, onBytes: (bytes) => { counts.hashedBytes += bytes } })
    counts.records += 1
    counts.allBytes += sidecar.size
    if (isHashed) counts.hashedFiles += 1
    if (fault !== undefined) findings.add(inBackup({ ...fault, detail: `${fault.detail} ${namedBy(naming)}` }, sidecar))
    progress.advance(sidecar.size)
  }
}

const namedBy = (naming: readonly string[]): string =>
  naming.length === 1 ? `The snapshot ${naming[0]} names it.` : `${naming.length} snapshots name it, the newest of them ${naming.at(-1)}.`

/** Those of another volume than the folder says, and, unless one alone was asked for, those that are none. */
async function strangeSnapshots (fs: FileSystem, dir: string, snapshots: readonly FoundSnapshot[], isAll: boolean): Promise<Finding[]> {
  const damaged = (path: string, detail: string, mend = restoreFile): Finding => ({ problem: 'backup-damaged', path, detail, mend })
  const backup = await readBackupFile(fs, dir).catch((error: unknown) => {
    if (error instanceof Refusal) return error
    throw error
  })
  const unfinished = isAll ? (await namesIn(fs, join(dir, snapshotsFolder))).filter((one) => isSnapshotName(one) && snapshots.every(({ name }) => name !== one)) : []
  const unlike = snapshots.filter(({ record }) => record !== undefined && backup !== undefined && 'volume' in backup && record.volume !== backup.volume)
  return [
    ...backup === undefined ? [damaged(backupFile, 'It is not there, and without it the folder is not taken for a backup.')] : [],
    ...backup instanceof Refusal ? [damaged(backupFile, backup.message)] : [],
    ...unlike.map(({ root }) => damaged(relative(dir, join(root, snapshotFile)), `The snapshot is of another volume than ${backupFile} says.`, 'Put the snapshots of each volume into a folder of their own, with its blobs.')),
    ...unfinished.map((one) => damaged(join(snapshotsFolder, one, snapshotFile), 'It is not there: the snapshot was never finished, or has lost what proves it.', `${restoreFile.slice(0, -1)}; the next "upload-gateway backup" into this folder removes the snapshot without it.`)),
  ]
}

/** Adds what is wrong with the snapshot's own files. What is not what it was when the snapshot was made proves nothing about the blobs. */
async function isManifestWhole (fs: FileSystem, dir: string, snapshot: FoundSnapshot, { findings, progress }: { readonly findings: Findings, readonly progress: Progress }): Promise<boolean> {
  const faults = await verifySnapshotFiles(fs, dir, snapshot, progress)
  findings.add(...faults)
  const isReadable = (file: string) => faults.every(({ path }) => path !== relative(dir, join(snapshot.root, file)))
  if (snapshot.record === undefined) return false
  if (isReadable(manifestFile) && isReadable(databaseCopy)) await compareRows(fs, dir, snapshot.root, findings)
  return isReadable(manifestFile)
}

/** Of the blobs that they name, each counted once. */
async function totalsOf (fs: FileSystem, snapshots: readonly FoundSnapshot[], progress: Progress): Promise<{ blobs: number, bytes: number }> {
  const [only, another] = snapshots
  if (another === undefined) return { blobs: only?.record?.blobs ?? 0, bytes: only?.record?.bytes ?? 0 }
  const totals = { blobs: 0, bytes: 0 }
  progress.step('Counting files of users')
  for await (const group of namedBlobs(fs, snapshots)) {
    totals.blobs += group.length
    totals.bytes += group.reduce((sum, { sidecar }) => sum + sidecar.size, 0)
    progress.advance(group.length)
  }
  return totals
}

const restoreFile = 'Put the file there from another copy of this backup.'

export const damagedFile = (dir: string, { root }: Pick<FoundSnapshot, 'root'>, file: string, detail: string): Finding =>
  ({ problem: 'backup-damaged', path: relative(dir, join(root, file)), detail, mend: 'Put the file there from another copy of this backup, or use another snapshot.' })

/** The snapshot's own files: whole, and the database sound. */
export async function verifySnapshotFiles (fs: FileSystem, dir: string, snapshot: FoundSnapshot, progress: Progress): Promise<Finding[]> {
  progress.step(`Checking the snapshot ${snapshot.name}`)
  const findings = await alteredFiles(fs, dir, snapshot)
  if (findings.length > 0) return findings
  return faultsIn(join(snapshot.root, databaseCopy)).map((fault) => damagedFile(dir, snapshot, databaseCopy, `SQLite finds it damaged: ${fault}.`))
}

/** Those of the snapshot's own files that are not what they were when it was made. */
export async function alteredFiles (fs: FileSystem, dir: string, { root, record }: FoundSnapshot): Promise<Finding[]> {
  const damaged = (file: string, detail: string): Finding => damagedFile(dir, { root }, file, detail)
  if (record === undefined) return [damaged(snapshotFile, 'It does not prove itself, or is of a newer version of the gateway: nothing in this snapshot can be believed.')]
  const findings: Finding[] = []
  for (const name of new Set([...Object.keys(record.files), databaseCopy, manifestFile, identityFile])) {
    const stated = record.files[name]
    const actual = await hashFile(fs, join(root, name)).catch((error: unknown) => error instanceof Error ? error.message : String(error))
    if (typeof actual === 'string') findings.push(damaged(name, `It cannot be read: ${actual}.`))
    else if (actual.sha256 !== stated?.sha256) findings.push(damaged(name, 'Its bytes are not those that were written when the snapshot was made.'))
  }
  return findings
}
