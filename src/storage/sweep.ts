// Clean-up of the volume (I5, I10): dead staging, blobs no row ever owned, what was deleted long enough ago. Nothing else.
import { createAttempts } from './attempts.ts'
import type { FileSystem } from './fs.ts'
import type { Ledger } from './ledger.ts'
import { createOrphans, type Look } from './orphans.ts'
import type { Pace } from './pace.ts'
import { createPurge } from './purge.ts'
import { findOverQuota } from './quota.ts'
import type { Sidecar } from './sidecar.ts'
import type { BlobAddress, Store } from './store.ts'

/** Of blobs, by one step of one run. */
const mostPerRun = 10_000

/** Pictures that nobody claimed are never a user's yet, and a flood of them must not be kept by the brake. */
const braked: readonly SweepStep[] = ['trash', 'quota', 'orphans']

/** So few are never too many. */
const alwaysAllowed = 100

/** No request lives long enough to commit under an id that was swept this long ago. */
const sweptMemoryMs = 7 * 86_400_000

/** How long a picture waits for the user who claims it. */
export const pendingMs = 3_600_000

/** The steps that remove blobs, and what they call them. */
export const what = { pending: 'never claimed', trash: 'deleted or replaced', quota: 'over their owner\'s limit for trash', orphans: 'without a record' }

export type SweepStep = keyof typeof what

export type SweepCounts = Record<SweepStep | 'staging' | 'sidecars' | 'forgotten', number>

/** What a step would remove now. */
export type PlannedStep = {
  readonly name: SweepStep
  /** At most what one run takes; `count` has all that is due. */
  readonly blobs: ReadonlyArray<BlobAddress | Sidecar>
  readonly count: number
  /** Due, and left to the process that is at work on the volume. */
  readonly left: number
  take (): Promise<number>
}

export type SweepPlan = {
  readonly steps: readonly PlannedStep[]
  /** Why it would remove nothing of what users had, or nothing of a part of it: too much of that is due. */
  readonly stop: SweepStopped | undefined
  /** Keeps what failed so far. */
  readonly attempts: ReturnType<typeof createAttempts>
}

export type SweepOutcome = { readonly counts: SweepCounts, readonly failure: Error | undefined }

type Options = {
  fs: FileSystem
  root: string
  store: Store
  ledger: Ledger
  /** Throws when another database has taken the home meanwhile: whatever that one knows looks like an orphan here. */
  checkClaim: () => Promise<void>
  removeDeadStaging: () => Promise<number>
  /** Writes the sidecars that lag behind their rows. */
  settleSidecars: () => Promise<number>
  /** What makes an orphan ripe. */
  look: () => Look
  trashMs: number
  pendingMs?: number
  /** Of one owner's trash; 0: no limit. */
  trashMaxBytesPerOwner: number
  /**
   * A run that would remove more than this share of all blobs, and more than 100, removes none and throws. What is over its owners' limit
   * for trash does not count there: too much of it holds up only itself. 100: no such brake.
   */
  maxPercent: number
  now: () => Date
  /** At which all that is on the volume is looked through, each time anew. */
  pace?: () => Pace
  /** Hears how far it is. */
  progress?: { step (name: string, total?: number): void, advance (count?: number): void }
}

/** Thrown by a run that its brake has stopped, or that it held up in part. */
export class SweepStopped extends Error {
  override name = 'SweepStopped'
  readonly code = 'SWEEP_STOPPED'
  /** The only step that is held up; undefined when all are that remove what users had. */
  readonly part: SweepStep | undefined

  constructor (message: string, part?: SweepStep) {
    super(message)
    this.part = part
  }
}

export function createSweep (options: Options) {
  const { store, ledger, now, progress = { step () {}, advance () {} } } = options
  const purge = createPurge({ store, ledger, removed: () => progress.advance() })
  const orphans = createOrphans({ ...options, onSeen: (count) => progress.advance(count) })
  const before = (ageMs: number) => new Date(now().getTime() - ageMs)

  function purging (name: SweepStep, blobs: readonly Sidecar[], count = blobs.length): PlannedStep {
    return {
      name, blobs, count, left: 0,
      async take () {
        const attempts = createAttempts()
        await attempts.attempt(() => purge.condemn(blobs))
        const gone = await attempts.attempt(() => purge.finish(mostPerRun)) ?? 0
        attempts.end()
        return gone
      },
    }
  }

  async function planAged (name: SweepStep, states: readonly Sidecar['state'][], since: Date): Promise<PlannedStep> {
    const blobs = await ledger.inState(states, since, mostPerRun)
    return purging(name, blobs, blobs.length < mostPerRun ? blobs.length : await ledger.countInState(states, since))
  }

  async function planQuota (trash: PlannedStep | undefined): Promise<PlannedStep> {
    const going = new Set(trash?.blobs.map(({ id }) => id))
    return purging('quota', await findOverQuota({ ledger, maxBytes: options.trashMaxBytesPerOwner, going, limit: mostPerRun }))
  }

  async function planOrphans (signal: AbortSignal | undefined): Promise<PlannedStep> {
    progress.step('Looking through the volume')
    const { orphans: found, count, isLeft } = await orphans.find(mostPerRun, signal)
    if (isLeft) return { name: 'orphans', blobs: [], count: 0, left: count, take: async () => 0 }
    return { name: 'orphans', blobs: found, count, left: 0, take: () => orphans.remove(found, () => progress.advance()) }
  }

  /** What a run would remove now; removes nothing. Sees less once `signal` is aborted. */
  async function plan (signal?: AbortSignal): Promise<SweepPlan> {
    await options.checkClaim()
    const attempts = createAttempts()
    const pending = await attempts.attempt(() => planAged('pending', ['pending'], before(options.pendingMs ?? pendingMs)))
    const trash = await attempts.attempt(() => planAged('trash', ['superseded', 'deleted'], before(options.trashMs)))
    const steps = [pending, trash, await attempts.attempt(() => planQuota(trash)), await attempts.attempt(() => planOrphans(signal))].filter((step) => step !== undefined)
    return { steps, attempts, stop: await brakes(options, steps) }
  }

  /** Removes what was planned and is still due. A brake that held it up, or a part of it, counts as a failure, unless forced: all of that is there still. */
  async function take ({ steps, stop, attempts }: SweepPlan, { isForced = false, signal }: { isForced?: boolean, signal?: AbortSignal } = {}): Promise<SweepOutcome> {
    const stopped = isForced ? undefined : stop
    const counts: SweepCounts = { staging: 0, sidecars: 0, orphans: 0, pending: 0, trash: 0, quota: 0, forgotten: 0 }
    counts.staging = await attempts.attempt(options.removeDeadStaging) ?? 0
    counts.sidecars = await attempts.attempt(options.settleSidecars) ?? 0
    for (const step of steps) {
      if (stopped !== undefined && isHeld(stopped, step)) continue
      signal?.throwIfAborted()
      await options.checkClaim()
      progress.step(`Removing what is ${what[step.name]}`, step.blobs.length)
      counts[step.name] = await attempts.attempt(step.take) ?? 0
    }
    counts.forgotten = await attempts.attempt(() => ledger.forgetSwept(before(sweptMemoryMs))) ?? 0
    const failure = attempts.failure()
    return { counts, failure: stopped === undefined ? failure : Object.assign(stopped, { cause: failure }) }
  }

  async function run (signal: AbortSignal | undefined): Promise<SweepCounts> {
    const planned = await plan(signal)
    signal?.throwIfAborted()
    const { counts, failure } = await take(planned, { ...(signal !== undefined && { signal }) })
    if (failure !== undefined) throw failure
    return counts
  }

  let running: Promise<SweepCounts> | undefined
  return {
    plan,
    take,
    /** Both, and one at a time: who asks meanwhile gets the same. No step begins once `signal` is aborted. @throws SweepStopped when the brake held it up, and the signal's reason */
    run (signal?: AbortSignal): Promise<SweepCounts> {
      running ??= run(signal).finally(() => { running = undefined })
      return running
    },
  }
}

const isHeld = ({ part }: SweepStopped, { name }: PlannedStep): boolean => part === undefined ? braked.includes(name) : part === name

/** Of these parts of the clean-up. */
async function brake ({ ledger, maxPercent }: Options, steps: readonly PlannedStep[], names: readonly SweepStep[]): Promise<string | undefined> {
  const due = steps.filter(({ name, count }) => names.includes(name) && count > 0)
  const count = due.reduce((sum, step) => sum + step.count, 0)
  if (count <= alwaysAllowed) return undefined
  const all = Math.max(await ledger.count(), count)
  if (count * 100 <= all * maxPercent) return undefined
  return `A sweep would remove ${count} blobs of ${all} (${due.map((step) => `${step.count} ${what[step.name]}`).join(', ')}): more than ${maxPercent} % (SWEEP_MAX_PERCENT), so none of them goes`
}

const force = '"upload-gateway sweep --dry-run" lists them; if they are meant to go, "upload-gateway sweep --force" removes them'

/** A restored database that is too old, or a clock that is wrong, makes live files look like rubbish: many at once is no routine. */
async function brakes (options: Options, steps: readonly PlannedStep[]): Promise<SweepStopped | undefined> {
  if (await brake(options, steps, ['trash', 'orphans']) !== undefined) {
    const all = await brake(options, steps, braked)
    const orphansToo = steps.some(({ name, count }) => name === 'orphans' && count > 0) ? ', those without a record only while no gateway runs' : ''
    return new SweepStopped(`${all}. Is the database older than the volume, or the clock wrong? ${force}${orphansToo}.`)
  }
  // Any user can have that much of it at any moment: it must not keep the rest from its turn.
  const quota = await brake(options, steps, ['quota'])
  return quota === undefined ? undefined : new SweepStopped(`${quota}; whatever else is due does. Is TRASH_MAX_BYTES_PER_OWNER too small, or the database older than the volume? ${force}.`, 'quota')
}
