// Brings the blobs of a snapshot to the volume, each proved on the way, and writes the sidecar of each beside it.
import { randomUUID } from 'node:crypto'
import { dirname, join } from 'node:path'
import type { FileSystem } from '../../storage/fs.ts'
import { encodeSidecar, type Sidecar } from '../../storage/sidecar.ts'
import { blobPath, sidecarPath } from '../../storage/volume/layout.ts'
import { atOnce } from '../backup/at-once.ts'
import { copyBlob, syncIfThere } from '../backup/copy-blob.ts'
import { inBackup, inspectBlob } from '../backup/inspect-blob.ts'
import { blobsRoot, manifestFile } from '../backup/layout.ts'
import { readManifest } from '../backup/manifest.ts'
import type { FoundSnapshot } from '../backup/snapshots.ts'
import { writing } from '../backup/writing.ts'
import type { Progress } from '../progress.ts'
import { createFindings, type Findings } from '../verify/observed.ts'
import type { Target } from './target.ts'

const blobsAtOnce = 8

type Source = { readonly fs: FileSystem, readonly dir: string, readonly snapshot: FoundSnapshot, readonly progress: Progress }

/** Whether all blobs are there in their sizes, before anything is touched. */
export async function lookForBlobs ({ fs, dir, snapshot, progress }: Source): Promise<Findings> {
  const findings = createFindings()
  progress.step('Looking for files of users', snapshot.record?.blobs)
  await eachLine(fs, snapshot, async (sidecar) => {
    const fault = await inspectBlob(fs, dir, sidecar, { isHashed: false, onBytes: () => {} })
    if (fault !== undefined) findings.add(inBackup(fault, sidecar))
    progress.advance()
  })
  return findings
}

/** Returns what is damaged or missing in the backup; everything else is on the volume, durably. */
export async function bringBlobs ({ fs, dir, snapshot, progress }: Source, target: Target): Promise<Findings> {
  const { durable, root, staging } = target
  const place = placeOf(root)
  const findings = createFindings()
  const touched = new Set<string>()

  async function bring (sidecar: Sidecar): Promise<void> {
    const path = blobPath(root, sidecar)
    touched.add(dirname(path))
    if (target.isContinued && await sizeAt(fs, path) === sidecar.size && await sizeAt(fs, sidecarPath(root, sidecar)) !== undefined) return
    const fault = await copyBlob({ fs, durable, source: blobPath(blobsRoot(dir), sidecar), blobs: root, root, staging, place }, sidecar)
    if (fault !== undefined) findings.add(inBackup(fault, sidecar))
    else await writing(place, () => describe(sidecar))
  }

  async function describe (sidecar: Sidecar): Promise<void> {
    const fresh = join(staging, randomUUID())
    await durable.writeNew(fresh, encodeSidecar(sidecar))
    await fs.rename(fresh, sidecarPath(root, sidecar))
  }

  progress.step('Restoring files of users', snapshot.record?.bytes, 'bytes')
  await eachLine(fs, snapshot, async (sidecar) => {
    await bring(sidecar)
    progress.advance(sidecar.size)
  })
  await writing(place, async () => { for (const folder of touched) await syncIfThere(durable, folder) })
  return findings
}

export const placeOf = (root: string) => ({ name: `The volume ${root}`, afterwards: 'the restore goes on where it was.' })

async function eachLine (fs: FileSystem, { root }: FoundSnapshot, use: (sidecar: Sidecar) => Promise<void>): Promise<void> {
  for await (const group of readManifest(fs, join(root, manifestFile))) {
    await atOnce(blobsAtOnce, group.filter((sidecar) => sidecar !== undefined), use)
  }
}

const sizeAt = (fs: FileSystem, path: string): Promise<number | undefined> => fs.stat(path).then((stat) => stat.isFile() ? stat.size : undefined, () => undefined)
