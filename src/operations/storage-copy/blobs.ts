// Brings blobs and sidecars of every row to the new home, each blob hashed on the way. The rows are the judge: what they call purged is not copied.
import { Refusal } from '../refusal.ts'
import type { Inventory } from '../../records/inventory.ts'
import type { Sidecar } from '../../storage/sidecar.ts'
import type { StagedFile } from '../../storage/store.ts'
import { inspect } from '../../storage/volume/inspect.ts'
import { blobPath } from '../../storage/volume/layout.ts'
import { atOnce } from '../backup/at-once.ts'
import { onVolume } from '../backup/copy-blobs.ts'
import { hashFault, readFault, sizeFault, type BlobFault } from '../backup/inspect-blob.ts'
import { hashing, NotRegular, withRegular } from '../backup/regular-file.ts'
import { writing } from '../backup/writing.ts'
import type { Progress } from '../progress.ts'
import { createFindings } from '../verify/observed.ts'
import type { OpenSide } from './sides.ts'

const rowsPerPage = 500

type Task = { readonly source: OpenSide, readonly target: OpenSide, readonly inventory: Pick<Inventory, 'count' | 'page' | 'items'>, readonly progress: Progress, readonly concurrency?: number }

export async function copyBlobs ({ source, target, inventory, progress, concurrency = 8 }: Task) {
  const { store } = target.storage
  const totals = { records: 0, files: 0, bytes: 0, sidecars: 0 }
  const findings = createFindings()
  const place = { name: target.name, afterwards: 'it goes on where it was.' }

  const rowOf = async ({ id }: Sidecar) => (await inventory.items([id])).get(id)?.sidecar

  /** A sidecar of the same hash was written when the blob had come whole: then its size is enough. */
  async function isWhole (row: Sidecar, there: Sidecar | undefined): Promise<boolean> {
    const isProven = there?.sha256 === row.sha256
    const look = await inspect(target.fs, blobPath(target.root, row), { isHashed: !isProven })
    // It may be whole, and is not to be replaced.
    if (look.is === 'unreadable') throw new Refusal(`${target.name} cannot be read: ${look.reason}. Mend that and run this again: ${place.afterwards}`)
    return look.is === 'file' && look.size === row.size && (isProven || look.sha256 === row.sha256)
  }

  async function stage (row: Sidecar): Promise<StagedFile | BlobFault> {
    const staged = await writing(place, () => store.stage())
    try {
      const fault = await withRegular(source.fs, blobPath(source.root, row), async (handle, size) => {
        if (size !== row.size) return sizeFault(size, row)
        // The buffer is used again, and the staged file keeps what it was given for a while.
        return hashFault(await hashing(handle, size, (chunk) => writing(place, () => staged.write(Buffer.from(chunk)))), row)
      })
      if (fault === undefined) {
        await writing(place, () => staged.finish())
        return staged
      }
      await staged.discard()
      return fault
    } catch (error) {
      await staged.discard()
      // That a whole store cannot be read says nothing of this blob.
      if (error instanceof Refusal || (source.fs.objects !== undefined && !(error instanceof NotRegular) && readFault(error).problem !== 'blob-missing')) throw error
      return readFault(error)
    }
  }

  /** What is there instead is not whole. */
  async function publish (staged: StagedFile, sidecar: Sidecar): Promise<void> {
    const there = await inspect(target.fs, blobPath(target.root, sidecar))
    await writing(place, async () => {
      if (there.is !== 'nothing') await store.remove(sidecar)
      await store.publish(staged, sidecar)
    })
    totals.files += 1
    totals.bytes += sidecar.size
  }

  async function newestOf (row: Sidecar): Promise<Sidecar> {
    const there = await source.storage.store.readSidecar(row).catch((error: unknown) => {
      // That a whole store cannot be read says nothing of this sidecar. On a volume it is this one, and the row says what it ought to say.
      if (source.fs.objects !== undefined) throw error
    })
    return there !== undefined && there.sha256 === row.sha256 && there.revision > row.revision ? there : row
  }

  /** Until the sidecar says what the row says: whoever changed that meanwhile may have written it before us, or to the old home. */
  async function follow (address: Sidecar, revision: number): Promise<void> {
    for (let written = revision; ;) {
      const row = await rowOf(address)
      // Purged or erased meanwhile, by who did not know that it was here.
      if (row === undefined) return store.removeForGood(address)
      if (row.revision <= written) return
      await writing(place, () => store.writeSidecar(row))
      totals.sidecars += 1
      written = row.revision
    }
  }

  async function copy (row: Sidecar): Promise<void> {
    const staged = await stage(row)
    if ('problem' in staged) {
      if (await rowOf(row) !== undefined) findings.add(onVolume(staged, row))
      return
    }
    const sidecar = await newestOf(row)
    await publish(staged, sidecar)
    await follow(sidecar, sidecar.revision)
  }

  async function bring (row: Sidecar): Promise<void> {
    const there = await store.readSidecar(row)
    if (!await isWhole(row, there)) await copy(row)
    else if (there?.sha256 !== row.sha256 || there.revision < row.revision) await follow(row, 0)
    progress.advance()
  }

  progress.step('Copying files of users', await inventory.count())
  for (let after: string | undefined = ''; after !== undefined;) {
    const items: ReadonlyArray<{ readonly sidecar: Sidecar }> = await inventory.page(after, rowsPerPage)
    await atOnce(concurrency, items, ({ sidecar }) => bring(sidecar))
    totals.records += items.length
    after = items.at(-1)?.sidecar.id
  }
  return { ...totals, findings }
}
