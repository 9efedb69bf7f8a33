// Every blob of the volume with what its sidecar says, or with why nothing can be made of it. Decides nothing else.
import { relative } from 'node:path'
import pLimit from 'p-limit'
import { unfitness } from '../../records/adopt.ts'
import { ifAbsent } from '../../storage/failures.ts'
import { readOrdinary, type FileSystem } from '../../storage/fs.ts'
import { decodeSidecar, type Sidecar } from '../../storage/sidecar.ts'
import { blobPath, sidecarPath } from '../../storage/volume/layout.ts'
import { scanVolume, type FoundBlob } from '../../storage/volume/scan.ts'
import type { Finding } from '../finding.ts'
import { reasonOf } from '../reason.ts'
import { refuseBlocked, refuseBlockedKinds } from './passable.ts'

/** Enough to keep the threads busy that Node has for files. */
const readsAtOnce = 32

const idsPerBatch = 500

/** Of nearly all, with room to spare. */
const usualSidecarBytes = 4096

/** What is larger is something else. */
const maxSidecarBytes = 1024 ** 2

export type Batch = {
  /** Blobs that are there with a sidecar that can be believed. */
  readonly sidecars: readonly Sidecar[]
  readonly findings: readonly Finding[]
  /** Ids that were looked at. */
  readonly count: number
  /** Those that the file system would not let be read. */
  readonly unreadable: number
}

type Reading = { sidecar?: Sidecar, finding?: Finding, isUnreadable?: boolean }

/** How many ids there are to read, and entries that are not the gateway's. @throws Refusal when there is what it cannot look behind */
export async function countBlobs (fs: FileSystem, root: string): Promise<{ blobs: number, foreign: number }> {
  const counts = { blobs: 0, foreign: 0 }
  await refuseBlockedKinds(fs, root)
  for await (const { blobs, foreign } of scanVolume(fs, root)) {
    refuseBlocked(root, foreign)
    counts.blobs += blobs.length
    counts.foreign += foreign.length
  }
  return counts
}

/** In the order of their ids within a day, so that two runs over the same files decide alike. */
export async function * readSidecars (fs: FileSystem, root: string): AsyncGenerator<Batch> {
  const limit = pLimit(readsAtOnce)
  for await (const { blobs } of scanVolume(fs, root)) {
    const sorted = blobs.toSorted((a, b) => a.id < b.id ? -1 : 1)
    for (let at = 0; at < sorted.length; at += idsPerBatch) {
      const group = sorted.slice(at, at + idsPerBatch)
      yield batchOf(await limit.map(group, (found) => readOne(fs, root, found)))
    }
  }
}

function batchOf (readings: readonly Reading[]): Batch {
  return {
    sidecars: readings.map(({ sidecar }) => sidecar).filter((sidecar) => sidecar !== undefined),
    findings: readings.map(({ finding }) => finding).filter((finding) => finding !== undefined),
    count: readings.length,
    unreadable: readings.filter(({ isUnreadable }) => isUnreadable === true).length,
  }
}

async function readOne (fs: FileSystem, root: string, found: FoundBlob): Promise<Reading> {
  const path = relative(root, sidecarPath(root, found))
  const about = { kind: found.kind, id: found.id }
  if (!found.hasSidecar) {
    return { finding: { ...about, problem: 'blob-undescribed', path: relative(root, blobPath(root, found)), detail: 'It has no sidecar, so nobody knows whose it is.', mend: 'An upload that was never acknowledged leaves such a file, and the sweep removes it. If it is more than that, put its sidecar back from a backup and run "upload-gateway audit --repair" before SWEEP_GRACE_SECONDS have passed.' } }
  }
  const text = await textOf(fs, sidecarPath(root, found)).catch((error: unknown) => ({ error }))
  if (typeof text === 'object') return { isUnreadable: true, finding: { ...about, problem: 'sidecar-damaged', path, detail: `It cannot be read: ${reasonOf(text.error)}.`, mend: mendSidecar } }
  const sidecar = decodeSidecar(text)
  if (sidecar === undefined) return { finding: { ...about, problem: 'sidecar-damaged', path, detail: 'It is damaged: its own checksum, or its form, is not right.', mend: mendSidecar } }
  if (sidecar.id !== found.id || sidecar.kind !== found.kind) return { finding: { ...about, problem: 'sidecar-damaged', path, detail: `It describes another blob than the one it lies beside: ${sidecar.kind} ${sidecar.id}.`, mend: mendSidecar } }
  const unfit = unfitness(sidecar)
  if (unfit !== undefined) return { finding: { ...about, problem: 'sidecar-damaged', path, detail: `No record can be made of it: ${unfit}.`, mend: mendSidecar } }
  return withBlob(fs, root, found, sidecar)
}

export const mendSidecar = 'Put it back from a backup, then run "upload-gateway audit --repair". The blob is left alone.'

/** In as few calls as can be: there are as many of these as uploads. */
async function textOf (fs: FileSystem, path: string): Promise<string> {
  if (fs.objects !== undefined) {
    // To open it is a call more there.
    const text = await fs.readFile(path, 'utf8')
    return text.length > maxSidecarBytes ? '' : text
  }
  const handle = await fs.open(path, readOrdinary)
  try {
    const { buffer, bytesRead } = await handle.read(Buffer.allocUnsafe(usualSidecarBytes), 0, usualSidecarBytes, 0)
    if (bytesRead < usualSidecarBytes) return buffer.toString('utf8', 0, bytesRead)
    return (await handle.stat()).size > maxSidecarBytes ? '' : (await handle.readFile()).toString()
  } finally {
    await handle.close()
  }
}

/** One that is not as long as it should be comes back all the same: what has a record is safe from the sweep. */
async function withBlob (fs: FileSystem, root: string, { extensions }: FoundBlob, sidecar: Sidecar): Promise<Reading> {
  const about = { kind: sidecar.kind, id: sidecar.id, path: relative(root, blobPath(root, sidecar)) }
  const size = extensions.includes(sidecar.extension) ? await sizeOf(fs, blobPath(root, sidecar)).catch((error: unknown) => ({ error })) : undefined
  if (typeof size === 'object') return { sidecar, finding: { ...about, problem: 'blob-unreadable', detail: `It cannot be looked at: ${reasonOf(size.error)}. Its record was brought back.`, mend: 'Make it readable, then run "upload-gateway verify".' } }
  if (size === undefined) {
    return { finding: { ...about, problem: 'sidecar-alone', detail: 'The blob is missing; only its sidecar is there, so it was not brought back.', mend: 'Put the blob back from a backup, then run "upload-gateway audit --repair" before the sweep removes the sidecar, which takes SWEEP_GRACE_SECONDS.' } }
  }
  if (size === sidecar.size) return { sidecar }
  return { sidecar, finding: { ...about, problem: 'blob-size', detail: `It has ${size} bytes and should have ${sidecar.size}. It was brought back as it is, so that no sweep removes it.`, mend: 'Run "upload-gateway audit --repair", with --from BACKUP where a backup has it.' } }
}

const sizeOf = (fs: FileSystem, path: string): Promise<number | undefined> => fs.stat(path).then(({ size }) => size, ifAbsent(undefined))
