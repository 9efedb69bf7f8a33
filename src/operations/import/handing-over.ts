// Hands copies of a file over once it is known whose it is: into its owner's trash, so that erasing the owner leaves none, and their old paths to the file.
import { UploadConflict } from '../../errors.ts'
import { isOwnerErased } from '../../records/commits.ts'
import type { Heir, ImportRecords, Present } from '../../records/imports.ts'
import type { Settling } from '../../records/sidecars.ts'
import type { Candidate } from './candidate.ts'
import { copiesOf } from './copies.ts'
import { isGone, isRemoved } from './deciding.ts'
import type { Entry } from './tally.ts'

/** So many changes can come between before it is given up. */
const attempts = 20

type Tools = { readonly records: ImportRecords, readonly settling: Settling }

/** After the file itself was kept, or left out: killed between, the next run does it. @throws UploadConflict, StorageUnavailable, DatabaseUnavailable */
export async function handOver ({ records, settling }: Tools, candidate: Candidate & { readonly sha256: string }, epoch: number, entry: Pick<Entry, 'outcome' | 'code'>): Promise<void> {
  for (let attempt = 0; attempt < attempts; attempt += 1) {
    const [present] = await records.presentOf([candidate])
    if (present === undefined) throw new TypeError('one was asked for')
    const copies = [...new Set([...copiesOf(candidate, present).values()].map(({ id }) => id))]
    if (copies.length === 0) return
    const heirId = heirOf(candidate, present, entry)
    const heir: Heir | undefined = heirId && { id: heirId, ownerId: candidate.ownerId, epoch }
    if (!await records.handOver(copies, heir).catch(unlessErased)) continue
    for (const id of heirId === undefined ? copies : [...copies, heirId]) await settling.settle(id)
    return
  }
  throw new UploadConflict()
}

function unlessErased (error: unknown): false {
  if (isOwnerErased(error)) return false
  throw error
}

/** None where it is not to be seen any more: the old path stays with what is in the trash, and shows nothing. */
function heirOf (candidate: Candidate, present: Present, entry: Pick<Entry, 'outcome' | 'code'>): Heir['id'] | undefined {
  const { latest, isErased } = present
  return isErased || latest === undefined || isGone(latest) || isRemoved(candidate, present, entry) ? undefined : latest.id
}
