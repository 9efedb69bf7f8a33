// Proves a snapshot of a backup: its own files, its database against its manifest, and each blob against that.
import { join, relative } from 'node:path'
import pLimit from 'p-limit'
import { faultsIn } from '../../records/snapshot.ts'
import { fileSystem, type FileSystem } from '../../storage/fs.ts'
import type { Sidecar } from '../../storage/sidecar.ts'
import { identityFile } from '../../storage/volume/layout.ts'
import type { Finding, Verification } from '../finding.ts'
import type { Progress } from '../progress.ts'
import { createFindings } from '../verify/observed.ts'
import { inBackup, inspectBlob } from './inspect-blob.ts'
import { databaseCopy, manifestFile, snapshotFile } from './layout.ts'
import { readManifest } from './manifest.ts'
import { hashFile } from './regular-file.ts'
import { compareRows } from './rows.ts'
import { chooseSnapshot, type FoundSnapshot } from './snapshots.ts'
import { lookForUnnamed } from './unnamed.ts'

const atOnce = 8

type Options = {
  /** The newest when absent. */
  readonly snapshot?: string
  /** Hash this share of the files, from 0 to 1; the others are compared by size. All when absent. */
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
  const snapshot = await chooseSnapshot(fs, dir, name)
  const faults = await verifySnapshotFiles(fs, dir, snapshot, progress)
  findings.add(...faults)
  // What is not what it was when the snapshot was made proves nothing about the blobs.
  const isReadable = (file: string) => faults.every(({ path }) => path !== relative(dir, join(snapshot.root, file)))
  if (isReadable(manifestFile) && isReadable(databaseCopy)) await compareRows(fs, dir, snapshot.root, findings)
  const counts = { records: 0, hashedFiles: 0, hashedBytes: 0, allBytes: 0 }
  if (isReadable(manifestFile)) {
    progress.step('Checking files of users', snapshot.record?.bytes, 'bytes')
    for await (const group of readManifest(fs, join(snapshot.root, manifestFile))) {
      await pLimit(atOnce).map(group.filter((line) => line !== undefined), check)
    }
  }
  await lookForUnnamed(fs, dir, findings, progress)
  const more = findings.count() - findings.list.length
  return { ...counts, findings: findings.list, ...(more > 0 && { moreFindings: more }) }

  async function check (sidecar: Sidecar): Promise<void> {
    const isHashed = random() < sample
    const fault = await inspectBlob(fs, dir, sidecar, { isHashed, onBytes: (bytes) => { counts.hashedBytes += bytes } })
    counts.records += 1
    counts.allBytes += sidecar.size
    if (isHashed) counts.hashedFiles += 1
    if (fault !== undefined) findings.add(inBackup(fault, sidecar))
    progress.advance(sidecar.size)
  }
}

export const damagedFile = (dir: string, { root }: Pick<FoundSnapshot, 'root'>, file: string, detail: string): Finding =>
  ({ problem: 'backup-damaged', path: relative(dir, join(root, file)), detail, mend: 'Put the file there from another copy of this backup, or use another snapshot.' })

/** The snapshot's own files: whole, and the database sound. */
export async function verifySnapshotFiles (fs: FileSystem, dir: string, { root, record }: FoundSnapshot, progress: Progress): Promise<Finding[]> {
  progress.step('Checking the snapshot')
  const damaged = (file: string, detail: string): Finding => damagedFile(dir, { root }, file, detail)
  if (record === undefined) return [damaged(snapshotFile, 'It does not prove itself, or is of a newer version of the gateway: nothing in this snapshot can be believed.')]
  const findings: Finding[] = []
  for (const name of new Set([...Object.keys(record.files), databaseCopy, manifestFile, identityFile])) {
    const stated = record.files[name]
    const actual = await hashFile(fs, join(root, name)).catch((error: unknown) => error instanceof Error ? error.message : String(error))
    if (typeof actual === 'string') findings.push(damaged(name, `It cannot be read: ${actual}.`))
    else if (actual.sha256 !== stated?.sha256) findings.push(damaged(name, 'Its bytes are not those that were written when the snapshot was made.'))
  }
  if (findings.length === 0) findings.push(...faultsIn(join(root, databaseCopy)).map((fault) => damaged(databaseCopy, `SQLite finds it damaged: ${fault}.`)))
  return findings
}
