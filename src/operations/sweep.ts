// Cleans the volume up as the gateway does on its timer, or only says what that would remove. commands/sweep.ts is its command line.
import { timeOf } from '../storage/ids.ts'
import { createLoneLook } from '../storage/orphans.ts'
import type { BlobAddress } from '../storage/store.ts'
import { createSweep, SweepStopped, type PlannedStep, type SweepCounts, type SweepPlan, type SweepStep } from '../storage/sweep.ts'
import { blobPath } from '../storage/volume/layout.ts'
import type { Config } from '../config.ts'
import type { Progress } from './progress.ts'
import { Refusal } from './refusal.ts'
import type { Workplace } from './workplace.ts'

export type SweptBlob = { readonly id: string, readonly path: string, readonly bytes: number, readonly reason: string }

export type SweepStepReport = {
  readonly step: SweepStep
  /** All that is due; one run takes no more than those in `blobs`. */
  readonly count: number
  readonly bytes: number
  readonly blobs: readonly SweptBlob[]
  /** Due, but left to the gateway that runs: only a process that stays can tell it from uploads about to commit. */
  readonly leftToGateway: number
}

export type SweepReport = {
  readonly isDryRun: boolean
  /** What was due when it began. */
  readonly due: readonly SweepStepReport[]
  /** Folders in staging whose processes have ended. */
  readonly deadStaging: readonly string[]
  /** Why it would stop and ask, or hold up a part of it; null when it would do neither. */
  readonly wouldStop: string | null
  /** The only step that would be held up while the others are done; null when it is none or all. */
  readonly wouldHoldOnly: SweepStep | null
  /** Null for a dry run. */
  readonly removed: SweepCounts | null
  readonly failures: readonly string[]
}

export type SweepConfig = Pick<Config, 'sweepGraceMs' | 'sweepMaxPercent' | 'trashRetentionMs' | 'trashMaxBytesPerOwner'>

type Options = {
  readonly isDryRun?: boolean
  readonly isForced?: boolean
  /** Asks a person; absent where there is none. */
  readonly ask?: ((question: string) => Promise<boolean>) | undefined
  readonly progress: Progress
}

/** @throws Refusal when so much is due that somebody must say that it is meant, and nobody does */
export async function sweep (workplace: Workplace, config: SweepConfig, { isDryRun = false, isForced = false, ask, progress }: Options): Promise<SweepReport> {
  const { plan, take } = sweepOf(workplace, config, progress)
  const planned = await plan()
  const report = {
    isDryRun,
    due: await Promise.all(planned.steps.map((step) => describe(workplace, step))),
    deadStaging: await workplace.storage.staging.dead(),
    wouldStop: planned.stop?.message ?? null,
    wouldHoldOnly: planned.stop?.part ?? null,
  }
  if (isDryRun) return { ...report, removed: null, failures: messages(planned.attempts.failure()) }
  const { counts, failure } = await take(planned, { isForced: isForced || await isMeant(planned, ask, progress) })
  return { ...report, removed: counts, failures: messages(failure) }
}

/** False for a part that is held up alone: the rest is done. @throws Refusal when all of it is held up, and nobody says that it is meant */
async function isMeant ({ stop }: SweepPlan, ask: Options['ask'], progress: Progress): Promise<boolean> {
  if (stop === undefined) return true
  const isAll = stop.part === undefined
  if (ask === undefined) {
    if (isAll) throw new Refusal(stop.message)
    return false
  }
  progress.say(stop.message)
  const isConfirmed = await ask('Remove them now?')
  if (isAll && !isConfirmed) throw new Refusal('Nothing was removed.')
  return isConfirmed
}

function sweepOf ({ fs, root, storage: { store, staging, removeLeftovers, checkClaim }, ledger, settling, now }: Workplace, config: SweepConfig, progress: Progress) {
  const isAlone = async () => {
    const neighbours = await staging.living({ onWait: () => progress.say('A process of another host or container may be at work on this volume: watching it for up to 90 seconds.') })
    return neighbours.length === 0
  }
  return createSweep({
    fs, root, store, ledger, checkClaim, now, progress,
    removeDeadStaging: removeLeftovers,
    settleSidecars: () => settling.settleDue(),
    look: createLoneLook({ graceMs: config.sweepGraceMs, now, isAlone }),
    trashMs: config.trashRetentionMs,
    trashMaxBytesPerOwner: config.trashMaxBytesPerOwner,
    maxPercent: config.sweepMaxPercent,
  })
}

async function describe ({ fs, root }: Workplace, { name, blobs, count, left }: PlannedStep): Promise<SweepStepReport> {
  const described: SweptBlob[] = []
  for (const blob of blobs) {
    const path = blobPath(root, blob)
    const bytes = 'size' in blob ? blob.size : await fs.stat(path).then((found) => found.size, () => 0)
    described.push({ id: blob.id, path: path.slice(root.length + 1), bytes, reason: reasonOf(name, blob) })
  }
  return { step: name, count, bytes: described.reduce((sum, { bytes }) => sum + bytes, 0), blobs: described, leftToGateway: left }
}

function reasonOf (step: SweepStep, blob: PlannedStep['blobs'][number]): string {
  const { state, since, owner } = 'state' in blob ? { state: blob.state, since: blob.stateAt, owner: blob.ownerId } : { state: 'without a record', since: idTime(blob), owner: null }
  const reasons: Record<SweepStep, string> = {
    pending: `claimed by nobody since ${since}`,
    trash: `${state} since ${since}`,
    quota: `${state} since ${since}, and the trash of ${owner} is over its limit`,
    orphans: `no record owns it; it was made at ${since}`,
  }
  return reasons[step]
}

const idTime = ({ id }: BlobAddress) => timeOf(id).toISOString()

function messages (failure: Error | undefined): string[] {
  if (failure === undefined) return []
  if (failure instanceof SweepStopped) return [failure.message, ...messages(failure.cause instanceof Error ? failure.cause : undefined)]
  const all: unknown[] = failure instanceof AggregateError ? failure.errors : [failure]
  return all.map((error) => error instanceof Error ? error.message : String(error))
}
