// What goes into the new database: sidecar by sidecar, then what only all of them together say; erasures and tombstones.
import { setImmediate } from 'node:timers/promises'
import { lastErasures, type Dispute, type Rebuilding, type Totals } from '../../records/rebuilding.ts'
import type { TombstoneRecords } from '../../records/tombstones.ts'
import type { Erasure } from '../../storage/erasures.ts'
import type { FileSystem } from '../../storage/fs.ts'
import type { Storage } from '../../storage/open.ts'
import type { Sidecar } from '../../storage/sidecar.ts'
import { erasuresFile } from '../../storage/volume/layout.ts'
import type { Finding } from '../finding.ts'
import type { Progress } from '../progress.ts'
import { Refusal } from '../refusal.ts'
import { countBlobs, readSidecars } from './sidecars.ts'

export type Filled = {
  /** Blobs that have a record again, by kind and state. */
  readonly totals: Totals
  /** Live avatars whose owner has a newer one, or removed them: their sidecars lagged behind. */
  readonly superseded: number
  readonly tombstones: number
  readonly erasures: number
  /** Uploads of erased owners that are still on the volume; none was brought back. */
  readonly erased: number
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
  tombstones: Pick<TombstoneRecords, 'readIn'>
  progress: Progress
}

export async function fill (task: Task): Promise<Filled> {
  const { rebuilding, tombstones, progress } = task
  const findings: Finding[] = []
  const erasures = await readErasures(task, findings)
  progress.step('Looking through the volume')
  const { blobs, foreign } = await countBlobs(task.fs, task.root)
  progress.step('Reading sidecars', blobs)
  const erased = await insertAll(task, isErasedBy(erasures, task.storage.hash), findings, blobs)
  progress.step('Deciding which avatars are current')
  const { superseded } = await rebuilding.chooseAvatars()
  await rebuilding.insertErasures(erasures)
  progress.step('Reading tombstones')
  const buried = await tombstones.readIn()
  await lookAtTombstones(task, findings)
  return { totals: await rebuilding.totals(), superseded, tombstones: buried, erasures: erasures.length, erased, foreign, findings }
}

/** The next batch is read while the one before it is inserted. Returns how many were left out as erased. */
async function insertAll ({ fs, root, rebuilding, progress }: Task, isErased: (sidecar: Sidecar) => boolean, findings: Finding[], blobs: number): Promise<number> {
  let [erased, inserted, unreadable] = [0, 0, 0]
  let inserting: Promise<Dispute[]> = Promise.resolve([])
  for await (const batch of readSidecars(fs, root)) {
    findings.push(...(await inserting).map(disputed))
    const kept = batch.sidecars.filter((sidecar) => !isErased(sidecar))
    inserting = rebuilding.insert(kept)
    // Awaited one batch later: a failure until then is no unhandled one.
    inserting.catch(() => {})
    findings.push(...batch.findings)
    erased += batch.sidecars.length - kept.length
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

function disputed ({ id, kind, claim, value, holder }: Dispute): Finding {
  const rest = claim === 'old URL' ? 'It goes to the file that is shown; of two such, to the one that changed last.' : 'It was given a new one, as two files cannot have the same.'
  return { problem: 'sidecar-differs', kind, id, path: id, detail: `Its sidecar claims the ${claim} ${value}, which ${holder} has. ${rest}`, mend: 'Nothing has to be done: the gateway writes its sidecar anew.' }
}

function isErasedBy (erasures: readonly Erasure[], hash: Storage['hash']): (sidecar: Sidecar) => boolean {
  const epochs = lastErasures(erasures)
  return ({ ownerId, epoch }) => epochs.size > 0 && ownerId !== null && epoch < (epochs.get(hash('owner', ownerId)) ?? 0)
}

async function readErasures ({ storage }: Task, findings: Finding[]): Promise<Erasure[]> {
  const { erasures, places } = await storage.erasures.read().catch((error: unknown) => {
    throw new Refusal(`The ledger of erasures cannot be read, so nobody could tell who must stay erased (${error instanceof Error ? error.message : String(error)}). Make it readable and run this again.`, { cause: error })
  })
  for (const { path, damagedLines } of places) {
    if (damagedLines > 0) findings.push({ problem: 'ledger-damaged', path, detail: `${damagedLines} lines of it cannot be read: whoever is erased by them comes back.`, mend: 'Put it back from a backup, or set ERASURE_LEDGER to a copy of it, and run this again.' })
  }
  const [first, second] = places
  if (first?.isThere === false) findings.push({ problem: 'ledger-damaged', path: erasuresFile, detail: 'The ledger of erasures is not on the volume: whoever is erased by what only it knew is brought back.', mend: 'Put it back from a backup, or set ERASURE_LEDGER to a copy of it, and run this again. If nobody was ever erased, nothing has to be done: the gateway makes a new one at its next start.' })
  if (second?.isThere === false) findings.push({ problem: 'ledger-damaged', path: second.path, detail: 'ERASURE_LEDGER is not there: erasures that only it knows were not read.', mend: 'Mount it, and run this again; the gateway makes a new one at its next start.' })
  return erasures
}

async function lookAtTombstones ({ storage }: Task, findings: Finding[]): Promise<void> {
  const { damagedLines } = await storage.tombstones.read()
  if (damagedLines > 0) findings.push({ problem: 'ledger-damaged', path: 'tombstones.ndjson', detail: `${damagedLines} lines of it cannot be read: an import may bring back what they name.`, mend: 'Put it back from a backup, and run this again.' })
}
