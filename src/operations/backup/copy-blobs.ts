// Copies every blob that the snapshot's database knows, and writes the manifest on the way.
import { join } from 'node:path'
import { openDatabase } from '../../records/database.ts'
import { createInventory } from '../../records/inventory.ts'
import { openSnapshot, settleInOneFile } from '../../records/snapshot.ts'
import type { Sidecar } from '../../storage/sidecar.ts'
import { blobPath } from '../../storage/volume/layout.ts'
import type { Progress } from '../progress.ts'
import { createFindings, mends } from '../verify/observed.ts'
import type { Workplace } from '../workplace.ts'
import { atOnce } from './at-once.ts'
import type { Destination } from './destination.ts'
import type { BlobFault } from './inspect-blob.ts'
import { databaseCopy, manifestFile } from './layout.ts'
import { manifestLine, writeManifest } from './manifest.ts'
import type { Work } from './work.ts'

const rowsPerPage = 500

export type Copied = Awaited<ReturnType<typeof copyBlobs>>

export async function copyBlobs ({ fs, root }: Pick<Workplace, 'fs' | 'root'>, work: Work, destination: Destination, progress: Progress) {
  const file = join(work.folder, databaseCopy)
  const totals = { files: 0, bytes: 0 }
  const findings = createFindings()
  /** Why it is missing may be known later. */
  const missing: Sidecar[] = []

  async function copy (sidecar: Sidecar): Promise<void> {
    const kept = await destination.keep(sidecar, blobPath(root, sidecar))
    progress.advance(sidecar.size)
    if (kept === 'there') return
    if (kept !== 'copied') {
      if (kept.problem === 'blob-missing') missing.push(sidecar)
      else findings.add(onVolume(kept, sidecar))
      return
    }
    totals.files += 1
    totals.bytes += sidecar.size
  }

  progress.step('Copying files of users', totalBytes(file), 'bytes')
  const database = await work.writing(() => openDatabase({ file, requireMount: false }))
  try {
    const { page } = createInventory(database.client)
    await work.writing(() => writeManifest(fs, join(work.folder, manifestFile), async (put) => {
      for (let after: string | undefined = ''; after !== undefined;) {
        const items = await page(after, rowsPerPage)
        await atOnce(destination.atOnce, items, ({ sidecar }) => copy(sidecar))
        await put(items.map(({ sidecar }) => manifestLine(sidecar)).join(''))
        after = items.at(-1)?.sidecar.id
      }
    }))
  } finally {
    await database.close()
  }
  await work.writing(() => settleInOneFile(file))
  return { ...totals, missing, findings }
}

/** As a finding on the volume. */
export const onVolume = ({ problem, detail }: BlobFault, sidecar: Sidecar) =>
  ({ problem, detail, path: blobPath('', sidecar), kind: sidecar.kind, id: sidecar.id, mend: mends[problem] })

function totalBytes (file: string): number {
  const snapshot = openSnapshot(file)
  try {
    return snapshot.totals().bytes
  } finally {
    snapshot.close()
  }
}
