// The blobs in a backup folder that no snapshot of it names. Removes nothing itself.
import { join } from 'node:path'
import { isDeepStrictEqual } from 'node:util'
import { openSnapshot } from '../../records/snapshot.ts'
import type { FileSystem } from '../../storage/fs.ts'
import { isRunning, parseHeartbeat } from '../../storage/volume/instance.ts'
import { blobPath, stagingFolder } from '../../storage/volume/layout.ts'
import { scanVolume, type FoundBlob } from '../../storage/volume/scan.ts'
import type { Finding } from '../finding.ts'
import type { Progress } from '../progress.ts'
import type { Findings } from '../verify/observed.ts'
import { blobsFolder, blobsRoot, databaseCopy, snapshotsFolder } from './layout.ts'
import { hashFile } from './regular-file.ts'
import { findSnapshots, namesIn, readText, type FoundSnapshot } from './snapshots.ts'

const heartbeatFile = 'heartbeat.json'

/** Nobody knows which blobs this snapshot names. */
export class UnprovenSnapshot extends Error {
  readonly snapshot: string

  constructor (snapshot: string, options?: ErrorOptions) {
    super(`the snapshot ${snapshot} is damaged`, options)
    this.snapshot = snapshot
  }
}

type Opened = FoundSnapshot & ReturnType<typeof openSnapshot>

/** @throws UnprovenSnapshot before the first one, when a snapshot is not what it was when it was made */
export async function * unnamedBlobs (fs: FileSystem, dir: string, progress: Progress): AsyncGenerator<FoundBlob> {
  const snapshots: Opened[] = []
  try {
    for (const found of await findSnapshots(fs, dir)) snapshots.push({ ...found, ...believing(found, () => openSnapshot(join(found.root, databaseCopy))) })
    let isProven = false
    for await (const { blobs } of scanVolume(fs, blobsRoot(dir))) {
      const unnamed = without(blobs, snapshots)
      // Only now: where every blob is named, no database needs to be read to its end.
      if (unnamed.length > 0 && !isProven) for (const snapshot of snapshots) await prove(fs, snapshot)
      isProven ||= unnamed.length > 0
      yield * unnamed
      progress.advance(blobs.length)
    }
  } finally {
    for (const snapshot of snapshots) snapshot.close()
  }
}

function without (blobs: readonly FoundBlob[], snapshots: readonly Opened[]): FoundBlob[] {
  const ids = blobs.map(({ id }) => id)
  const known = new Set(snapshots.flatMap((snapshot) => [...believing(snapshot, () => snapshot.known(ids))]))
  return blobs.filter(({ id }) => !known.has(id))
}

function believing<T> ({ name }: FoundSnapshot, read: () => T): T {
  try {
    return read()
  } catch (cause) {
    throw new UnprovenSnapshot(name, { cause })
  }
}

async function prove (fs: FileSystem, { name, root, record }: FoundSnapshot): Promise<void> {
  const { sha256 } = await hashFile(fs, join(root, databaseCopy)).catch((cause: unknown) => { throw new UnprovenSnapshot(name, { cause }) })
  if (sha256 !== record?.files[databaseCopy]?.sha256) throw new UnprovenSnapshot(name)
}

/** Adds them to `findings`; says so when that cannot be told, as while a backup runs into the folder. */
export async function lookForUnnamed (fs: FileSystem, dir: string, findings: Findings, progress: Progress): Promise<void> {
  progress.step('Looking for files of no snapshot')
  const unknown = (why: string): void => progress.say(`${why}, so it is not known which files in ${blobsFolder} belong to no snapshot.`)
  const before = await namesIn(fs, join(dir, snapshotsFolder))
  try {
    for await (const blob of unnamedBlobs(fs, dir, progress)) {
      // Looked at after the file was seen: whoever put it there had a heartbeat first, and leaves a snapshot.
      const isOurs = await isBeingWritten(fs, dir) || !isDeepStrictEqual(before, await namesIn(fs, join(dir, snapshotsFolder)))
      if (isOurs) return unknown('A backup is at work in the folder')
      findings.add(...blob.extensions.map((extension) => asFinding({ ...blob, extension })))
    }
  } catch (error) {
    if (!(error instanceof UnprovenSnapshot)) throw error
    unknown(`The snapshot ${error.snapshot} is damaged`)
  }
}

const asFinding = (blob: FoundBlob): Finding => ({
  problem: 'foreign', path: blobPath(blobsFolder, blob), kind: blob.kind, id: blob.id,
  detail: 'No snapshot of this backup names it: an interrupted run leaves this, or it is of a user who was erased.',
  mend: 'The next "upload-gateway backup" into this folder removes it, and so does "upload-gateway backup prune --erased".',
})

/** By a process that is alive, or of another host or container, so that nobody can tell. */
async function isBeingWritten (fs: FileSystem, dir: string): Promise<boolean> {
  for (const name of await namesIn(fs, join(dir, stagingFolder))) {
    const heartbeat = parseHeartbeat(await readText(fs, join(dir, stagingFolder, name, heartbeatFile)) ?? '')
    if (heartbeat?.isExclusive === true && isRunning(heartbeat) !== false) return true
  }
  return false
}
