// Copies every blob that the snapshot's database knows, and writes the manifest on the way.
import { join } from 'node:path'
import { openSqlite } from '../../records/embedded.ts'
import { createInventory } from '../../records/inventory.ts'
import { openSnapshot, settleInOneFile } from '../../records/snapshot.ts'
import type { BlobId } from '../../storage/ids.ts'
import type { Sidecar } from '../../storage/sidecar.ts'
import { blobPath } from '../../storage/volume/layout.ts'
import type { Progress } from '../progress.ts'
import { sampleOf } from '../sample.ts'
import { createFindings, mends } from '../verify/observed.ts'
import type { Workplace } from '../workplace.ts'
import { atOnce } from './at-once.ts'
import type { Destination, Kept } from './destination.ts'
import type { BlobFault } from './inspect-blob.ts'
import { databaseCopy, manifestFile } from './layout.ts'
import { manifestLine, writeManifest } from './manifest.ts'
import type { Work } from './work.ts'

const rowsPerPage = 500

/** Of what is in the backup already, so much is read again in each run, chosen at random: in some months all of it. */
const doubtedShare = 0.05

export type Copied = Awaited<ReturnType<typeof copyBlobs>>

export async function copyBlobs ({ fs, root }: Pick<Workplace, 'fs' | 'root'>, work: Work, destination: Destination, { progress, random = Math.random }: { readonly progress: Progress, readonly random?: () => number }) {
  const file = join(work.folder, databaseCopy)
  const totals = { files: 0, bytes: 0, reread: 0, mended: 0 }
  const findings = createFindings()
  /** Why it is missing may be known later. */
  const missing: Sidecar[] = []
  const faulty = new Set<BlobId>()

  async function copy (sidecar: Sidecar): Promise<void> {
    const kept = await destination.keep(sidecar, blobPath(root, sidecar), random() < doubted)
    progress.advance(sidecar.size)
    if (typeof kept === 'object') miss(kept, sidecar)
    else count(kept, sidecar)
  }

  function miss (fault: BlobFault, sidecar: Sidecar): void {
    faulty.add(sidecar.id)
    if (fault.problem === 'blob-missing') missing.push(sidecar)
    else findings.add(onVolume(fault, sidecar))
  }

  function count (kept: Kept, { size }: Sidecar): void {
    if (kept === 'copied') {
      totals.files += 1
      totals.bytes += size
    } else if (kept !== 'there') {
      totals.reread += 1
      if (kept === 'mended') totals.mended += 1
    }
  }

  const { blobs, bytes } = totalsOf(file)
  const doubted = sampleOf(blobs, doubtedShare)
  progress.step('Copying files of users', bytes, 'bytes')
  const database = await work.writing(() => openSqlite({ file, requireMount: false }))
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
  return { ...totals, missing, faulty, findings }
}

/** As a finding on the volume. */
export const onVolume = ({ problem, detail }: BlobFault, sidecar: Sidecar) =>
  ({ problem, detail, path: blobPath('', sidecar), kind: sidecar.kind, id: sidecar.id, mend: mends[problem] })

function totalsOf (file: string): { blobs: number, bytes: number } {
  const snapshot = openSnapshot(file)
  try {
    return snapshot.totals()
  } finally {
    snapshot.close()
  }
}
