// What goes into the new database: sidecar by sidecar, then what only all of them together say; erasures and tombstones.
import { setImmediate } from 'node:timers/promises'
import type { Deferred } from '../../records/deferred.ts'
import { isDoubtful, type ImportLeftovers } from '../../records/import-leftovers.ts'
import type { Dispute } from '../../records/claims.ts'
import type { OldJournaled } from '../../records/old-journaled.ts'
import { lastErasures, type Rebuilding, type Totals } from '../../records/rebuilding.ts'
import type { TombstoneRecords } from '../../records/tombstones.ts'
import type { Erasure } from '../../storage/erasures.ts'
import type { FileSystem } from '../../storage/fs.ts'
import type { Storage } from '../../storage/open.ts'
import { isDraft, type Sidecar } from '../../storage/sidecar.ts'
import type { Finding } from '../finding.ts'
import type { Progress } from '../progress.ts'
import { Refusal } from '../refusal.ts'
import { bringImported, isEntombed } from './imported.ts'
import { readJournals } from './journals.ts'
import { countBlobs, mendSidecar, readSidecars } from './sidecars.ts'

export type Filled = {
  /** Blobs that have a record again, by kind and state. */
  readonly totals: Totals
  /** Live avatars whose owner has a newer one, or removed them: their sidecars lagged behind. */
  readonly superseded: number
  readonly tombstones: number
  readonly erasures: number
  /** Uploads of erased owners that are still on the volume; none was brought back. */
  readonly erased: number
  /** Files that interrupted imports left; none was brought back. */
  readonly leftovers: number
  /** Entries on the volume that are none of the gateway's. */
  readonly foreign: number
  /** What was not brought back, or not as it was. */
  readonly findings: readonly Finding[]
}

type Task = {
  fs: FileSystem
  root: string
  storage: Pick<Storage, 'erasures' | 'tombstones' | 'hash'>
  rebuilding: Rebuilding
  /** Empty. */
  deferred: Deferred
  importLeftovers: ImportLeftovers
  tombstones: Pick<TombstoneRecords, 'readIn'>
  old: Omit<OldJournaled, 'failure'>
  progress: Progress
  now: () => Date
}

export async function fill (task: Task): Promise<Filled> {
  const { storage, rebuilding, tombstones, progress, old: { epochFloor } } = task
  progress.step('Looking through the volume')
  const { blobs, foreign } = await countBlobs(task.fs, task.root)
  const { erasures, tombstones: keys, findings: journalFindings } = await readJournals(task)
  const findings = [...journalFindings]
  progress.step('Reading sidecars', blobs)
  const erased = await insertAll(task, isErasedBy(erasures, storage.hash), findings, blobs)
  const { disputes, leftovers } = await bringImported({ ...task, isGone: isEntombed(keys, storage.hash) })
  progress.step('Deciding which avatars are current')
  const { superseded } = await rebuilding.chooseAvatars()
  await rebuilding.insertErasures(erasures, { epochFloor })
  progress.step('Reading tombstones')
  const buried = await tombstones.readIn()
  return { totals: await rebuilding.totals(), superseded, tombstones: buried, erasures: erasures.length, erased, leftovers: leftovers.length, foreign, findings: [...findings, ...disputes.map(disputed), ...leftovers] }
}

/** The next batch is read while the one before it is inserted; what is doubtful is deferred. Returns how many were left out as erased. */
async function insertAll ({ fs, root, rebuilding, deferred, progress }: Task, isErased: (sidecar: Sidecar) => boolean, findings: Finding[], blobs: number): Promise<number> {
  let [erased, inserted, unreadable] = [0, 0, 0]
  let inserting: Promise<Dispute[]> = Promise.resolve([])
  for await (const batch of readSidecars(fs, root)) {
    findings.push(...(await inserting).map(disputed))
    const notErased = batch.sidecars.filter((sidecar) => !isErased(sidecar))
    const kept = notErased.filter((sidecar) => !isDraft(sidecar))
    findings.push(...notErased.filter(isDraft).map((draft) => unfinished(draft, 'It is a copy without metadata of what is there still')))
    await deferred.add(kept.filter(isDoubtful))
    inserting = rebuilding.insert(kept.filter((sidecar) => !isDoubtful(sidecar)))
    // Awaited one batch later: a failure until then is no unhandled one.
    inserting.catch(() => {})
    findings.push(...batch.findings)
    erased += batch.sidecars.length - notErased.length
    inserted += kept.length
    unreadable += batch.unreadable
    progress.advance(batch.count)
    // Prisma's statements are freed in between, not before.
    await setImmediate()
  }
  findings.push(...(await inserting).map(disputed))
  if (unreadable > 0 && inserted === 0) throw new Refusal(`Of ${blobs} uploads on the volume none could be read, so the database was left as it was. Run this as the user that runs the gateway, on a volume that can be read. The first: ${findings.find(({ problem }) => problem === 'sidecar-damaged')?.detail}`)
  return erased
}

function disputed (dispute: Dispute): Finding {
  const { id, kind, claim } = dispute
  const about = { kind, id, path: id }
  if (claim === 'rows') return { ...about, problem: 'sidecar-damaged', detail: `No record could be made of its sidecar: ${dispute.reason}.`, mend: mendSidecar }
  if (claim === 'its own place') return unfinished(dispute, `Without its metadata it is there as ${dispute.copy}`)
  const claimed = `Its sidecar claims the ${claim} ${dispute.value}, which`
  if (claim === 'blob id') return { ...about, problem: 'sidecar-differs', detail: `${claimed} an ${dispute.holder} has. This one was not brought back, as two files cannot have the same.`, mend: 'Look at both files: one is in the wrong place, or a copy. Remove that one with its sidecar; if it is the one that was brought back, run this again.' }
  if (claim === 'attachment id') return { ...about, problem: 'sidecar-differs', detail: `${claimed} ${dispute.holder} has. It was given the new one ${dispute.given}, as two files cannot have the same.`, mend: 'Look at both files: addresses with the old attachment id show the other file now. Where they are to show this one, upload it there again, or put both sidecars back from a backup and run this again.' }
  return { ...about, problem: 'sidecar-differs', detail: `${claimed} ${dispute.holder} has. It goes to the file that is shown; of two such, to the one that changed last.`, mend: 'Nothing has to be done: the gateway writes its sidecar anew.' }
}

const unfinished = ({ id, kind }: { id: string, kind: Finding['kind'] & string }, detail: string): Finding => ({
  problem: 'row-missing', kind, id, path: id, detail: `${detail}: a "privacy sweep" that was interrupted left it, and it was not brought back.`,
  mend: 'Nothing has to be done: the sweep removes it after SWEEP_GRACE_SECONDS.',
})

function isErasedBy (erasures: readonly Erasure[], hash: Storage['hash']): (sidecar: Sidecar) => boolean {
  const epochs = lastErasures(erasures)
  return ({ ownerId, epoch }) => epochs.size > 0 && ownerId !== null && epoch < (epochs.get(hash('owner', ownerId)) ?? 0)
}
