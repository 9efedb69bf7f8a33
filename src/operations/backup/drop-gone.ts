// Drops from a snapshot what went from the volume for good while it was made, and whom the ledger says to be erased by now.
import { join } from 'node:path'
import { dropBlobs, dropErasedAccounts, dropErasedMentions, erasedIn, type DroppedMentions } from '../../records/snapshot.ts'
import type { FileSystem } from '../../storage/fs.ts'
import type { BlobId } from '../../storage/ids.ts'
import type { Sidecar } from '../../storage/sidecar.ts'
import { createFindings } from '../verify/observed.ts'
import type { Workplace } from '../workplace.ts'
import { onVolume } from './copy-blobs.ts'
import { databaseCopy, manifestFile } from './layout.ts'
import { changeLines } from './manifest.ts'

const idsPerQuery = 500

export async function dropGone ({ fs, ledger, storage }: Pick<Workplace, 'fs' | 'ledger' | 'storage'>, work: string, missing: readonly Sidecar[]) {
  const file = join(work, databaseCopy)
  // After all blobs were copied, so that whoever was erased meanwhile is known.
  const { erasures } = await storage.erasures.read()
  const erased = erasedIn(file, erasures, storage.hash)
  const gone = new Set<BlobId>()
  const findings = createFindings()
  const rest = missing.filter(({ id }) => !erased.has(id))
  for (let at = 0; at < rest.length; at += idsPerQuery) {
    const group = rest.slice(at, at + idsPerQuery)
    const states = await ledger.states(group.map(({ id }) => id))
    for (const sidecar of group) {
      if (['purging', 'swept', undefined].includes(states.get(sidecar.id))) gone.add(sidecar.id)
      else findings.add(onVolume({ problem: 'blob-missing', detail: 'The file is not there, though its record says so.' }, sidecar))
    }
  }
  const mentions = dropErasedMentions(file, erasures, storage.hash)
  const dropped = await dropFromSnapshot(fs, work, new Set([...erased, ...gone]), mentions)
  dropErasedAccounts(file, erasures, storage.hash)
  return { gone: gone.size, erased: dropped.filter(({ id }) => erased.has(id)), findings }
}

/** Rows and lines of these blobs; and in the lines of others, the readers who were taken out of their rows. Returns what was said of these blobs. */
export async function dropFromSnapshot (fs: FileSystem, work: string, ids: ReadonlySet<BlobId>, { readers }: Pick<DroppedMentions, 'readers'>): Promise<Sidecar[]> {
  if (ids.size + readers.size === 0) return []
  dropBlobs(join(work, databaseCopy), [...ids])
  return changeLines(fs, join(work, manifestFile), (sidecar) => ids.has(sidecar.id) ? undefined : { ...sidecar, readers: readers.get(sidecar.id) ?? sidecar.readers })
}
