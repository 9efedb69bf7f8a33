// Clean-up of the volume (I5, I10): dead staging, blobs no row ever owned, what was deleted long enough ago. Nothing else.
import { createAttempts } from './attempts.ts'
import type { FileSystem } from './fs.ts'
import type { BlobId } from './ids.ts'
import type { BlobState, Ledger } from './ledger.ts'
import type { Sidecar } from './sidecar.ts'
import type { BlobAddress, Store } from './store.ts'
import { scanVolume } from './volume/scan.ts'

const idsPerQuery = 500
const purgesPerRun = 10_000

/** So few are never too many. */
const alwaysAllowed = 100

/** No request lives long enough to commit under an id that was swept this long ago. */
const sweptMemoryMs = 7 * 86_400_000

export type SweepCounts = { staging: number, sidecars: number, orphans: number, pending: number, trash: number, forgotten: number }

type Options = {
  fs: FileSystem
  root: string
  store: Store
  ledger: Ledger
  removeDeadStaging: () => Promise<number>
  /** Writes the sidecars that lag behind their rows. */
  settleSidecars: () => Promise<number>
  /** How long an orphan must have stood, by `monotonicMs`: in two runs at least this far apart. */
  graceMs: number
  trashMs: number
  pendingMs: number
  /** A step that would remove more than this share of all blobs, and more than 100, removes none and throws. 100: no such brake. */
  maxPercent: number
  now: () => Date
  monotonicMs: () => number
}

export function createSweep (options: Options): () => Promise<SweepCounts> {
  const { ledger, now } = options
  const sweepOrphans = createOrphanSweep(options)
  const before = (ageMs: number) => new Date(now().getTime() - ageMs)
  const steps: Array<[keyof SweepCounts, () => Promise<number>]> = [
    ['staging', options.removeDeadStaging],
    ['sidecars', options.settleSidecars],
    ['pending', () => purge(options, ['pending'], before(options.pendingMs))],
    ['trash', () => purge(options, ['superseded', 'deleted'], before(options.trashMs))],
    ['orphans', sweepOrphans],
    ['forgotten', () => ledger.forgetSwept(before(sweptMemoryMs))],
  ]
  let running: Promise<SweepCounts> | undefined

  async function run (): Promise<SweepCounts> {
    const counts: SweepCounts = { staging: 0, sidecars: 0, orphans: 0, pending: 0, trash: 0, forgotten: 0 }
    const attempts = createAttempts()
    for (const [name, step] of steps) counts[name] = await attempts.attempt(step) ?? 0
    attempts.end()
    return counts
  }

  return () => {
    running ??= run().finally(() => { running = undefined })
    return running
  }
}

/** Purging is a state before it is an act, so that a process that dies in the middle leaves work, not damage. */
async function purge (options: Options, states: readonly Sidecar['state'][], before: Date): Promise<number> {
  const { store, ledger } = options
  const attempts = createAttempts()
  const due = await ledger.inState(states, before, purgesPerRun)
  // Pictures that nobody claimed are never a user's yet, and a flood of them must not be kept by the brake.
  if (!states.includes('pending')) await brake(options, due.length, states.join(' or '))
  for (const sidecar of due) {
    await attempts.attempt(async () => {
      const onVolume = await store.readSidecar(sidecar)
      // Row and sidecar must both say so; one that says something else is written anew, and purged in a later run.
      if (onVolume?.state === sidecar.state) await ledger.startPurge(sidecar)
      else await ledger.oweSidecar(sidecar.id)
    })
  }
  let purged = 0
  const doomed = await ledger.purging(purgesPerRun)
  await ledger.entomb(doomed)
  for (const address of doomed) {
    await attempts.attempt(async () => {
      await store.remove(address)
      await ledger.purged(address.id)
      purged += 1
    })
  }
  attempts.end()
  return purged
}

/** A restored database that is too old, or a clock that is wrong, makes live files look like rubbish: many at once is no routine. */
async function brake ({ ledger, maxPercent }: Options, count: number, what: string): Promise<void> {
  if (count <= alwaysAllowed) return
  const all = Math.max(await ledger.count(), count)
  if (count * 100 <= all * maxPercent) return
  throw new Error(`The sweep would remove ${count} blobs (${what}) of ${all}: more than ${maxPercent} %. Nothing was removed. Is the database older than the volume, or the clock wrong? If they are meant to go, set SWEEP_MAX_PERCENT=100 for one run.`)
}

/**
 * An orphan is a blob or sidecar whose id has no row. It may be an upload about to commit: it must stand in two runs a
 * grace period apart, and its id is taken before its files go, so that a commit that comes late fails.
 */
function createOrphanSweep (options: Options): () => Promise<number> {
  const { fs, root, store, ledger, graceMs, monotonicMs } = options
  let seen = new Map<BlobId, number>()

  return async () => {
    const standing = new Map<BlobId, number>()
    const ripe: BlobAddress[] = []
    for await (const { blobs } of scanVolume(fs, root)) {
      for (const group of groups(blobs)) {
        const states = await ledger.states(group.map(({ id }) => id))
        ripe.push(...group.filter((address) => isRipe(address.id, states.get(address.id), standing)))
      }
    }
    seen = standing
    await brake(options, ripe.length, 'without a record')
    return removeOrphans(ripe)
  }

  function isRipe (id: BlobId, state: BlobState | undefined, standing: Map<BlobId, number>): boolean {
    if (state !== undefined) return state === 'swept'
    const since = seen.get(id) ?? monotonicMs()
    standing.set(id, since)
    return seen.has(id) && monotonicMs() - since >= graceMs
  }

  async function removeOrphans (ripe: readonly BlobAddress[]): Promise<number> {
    const attempts = createAttempts()
    let removed = 0
    for (const address of ripe) {
      await attempts.attempt(async () => {
        const isSwept = await ledger.claimOrphan(address) || (await ledger.states([address.id])).get(address.id) === 'swept'
        if (!isSwept) return
        await store.remove(address)
        removed += 1
      })
    }
    attempts.end()
    return removed
  }
}

function * groups<T> (items: readonly T[]): Generator<readonly T[]> {
  for (let at = 0; at < items.length; at += idsPerQuery) yield items.slice(at, at + idsPerQuery)
}
