// The trash, emptied for good before its time (I10): all of it, one owner's, the oldest, or what is named. Never anything else.
import { createTrashRecords, type TrashFilter, type TrashRecords } from '../records/trash.ts'
import type { BlobId } from '../storage/ids.ts'
import { createPurge, type Purge } from '../storage/purge.ts'
import type { Sidecar } from '../storage/sidecar.ts'
import type { Progress } from './progress.ts'
import { Refusal } from './refusal.ts'
import { whyNotTrash, type LeftAlone } from './trash.ts'
import type { Workplace } from './workplace.ts'

export type PurgeSelection = { readonly ids: readonly string[] } | { readonly filter: TrashFilter }

export type PurgeReport = {
  readonly purged: number
  readonly bytes: number
  /** Begun by a purge or clean-up that was killed, and finished now. */
  readonly finished: number
  /** Named, or due, and still there. */
  readonly left: readonly LeftAlone[]
}

type Options = {
  /** Whether these are meant to go. Asked once, before anything goes. */
  readonly confirm: (total: { count: number, bytes: number }) => Promise<boolean>
  readonly progress: Progress
}

const perRound = 500

/** @throws Refusal when it is not confirmed; nothing is removed then */
export async function purgeTrash (workplace: Workplace, selection: PurgeSelection, { confirm, progress }: Options): Promise<PurgeReport> {
  const trash = createTrashRecords(workplace.client)
  const { total, left, pages } = 'ids' in selection ? await chosen(trash, selection.ids) : await matching(trash, selection.filter, workplace.now())
  if (total.count > 0 && !await confirm(total)) throw new Refusal('Nothing was removed.')
  progress.step('Removing for good', total.count)
  const rounds = createRounds(workplace)
  const earlier = await finishEarlier(workplace)
  const sum = { purged: 0, bytes: 0, finished: earlier.finished, left: [...left, ...earlier.left] }
  for await (const page of pages) {
    const round = await rounds(page)
    sum.purged += round.purged
    sum.bytes += round.bytes
    sum.left.push(...round.left)
    progress.advance(page.length)
  }
  return sum
}

type Selected = { readonly total: { count: number, bytes: number }, readonly left: LeftAlone[], readonly pages: AsyncIterable<Sidecar[]> | Iterable<Sidecar[]> }

async function chosen (trash: TrashRecords, ids: readonly string[]): Promise<Selected> {
  const left: LeftAlone[] = []
  const found = new Map<BlobId, Sidecar>()
  for (const id of ids) {
    const named = await trash.find(id)
    const reason = whyNotTrash(named)
    // What is on its way out is finished whatever is named.
    if (named?.state === 'purging') continue
    if (reason !== undefined) left.push({ id, reason })
    else if (named !== undefined) found.set(named.sidecar.id, named.sidecar)
  }
  const all = [...found.values()]
  return { left, total: { count: all.length, bytes: all.reduce((sum, { size }) => sum + size, 0) }, pages: pagesOf(all) }
}

function * pagesOf<T> (items: readonly T[]): Generator<T[]> {
  for (let at = 0; at < items.length; at += perRound) yield items.slice(at, at + perRound)
}

/** What goes to the trash from now on was not counted, and stays. */
async function matching (trash: TrashRecords, filter: TrashFilter, now: Date): Promise<Selected> {
  const fixed = { ...filter, before: filter.before ?? now }
  return { left: [], total: await trash.total(fixed), pages: trash.pages(fixed) }
}

const finishWith = (purge: Purge) => async (): Promise<void> => {
  for (let count = perRound; count === perRound;) count = await purge.finish(perRound)
}

/** It was confirmed when it was begun. */
async function finishEarlier ({ ledger, storage: { store } }: Workplace): Promise<Pick<PurgeReport, 'finished' | 'left'>> {
  let finished = 0
  const [failure] = await failuresOf(finishWith(createPurge({ store, ledger, removed: () => { finished += 1 } })))
  const stuck = failure === undefined ? [] : await ledger.purging(perRound)
  return { finished, left: stuck.map(({ id }) => ({ id, reason: `It is being removed for good, which failed: ${failure}` })) }
}

function createRounds ({ ledger, settling, storage: { store } }: Workplace) {
  const purge = createPurge({ store, ledger })

  /** Settles the sidecars of those that are left, which may only have lagged behind, and tries them once more. */
  async function condemn (page: readonly Sidecar[]): Promise<string[]> {
    const first = await failuresOf(() => purge.condemn(page))
    const states = await ledger.states(page.map(({ id }) => id))
    const again = page.filter(({ id, state }) => states.get(id) === state)
    if (again.length === 0) return first
    return failuresOf(async () => {
      for (const { id } of again) await settling.settle(id)
      await purge.condemn(again)
    })
  }

  /** What becomes of these. A process that was killed here leaves them purging: the next purge or sweep finishes them. */
  return async (page: readonly Sidecar[]): Promise<Omit<PurgeReport, 'finished'>> => {
    const failures = [...await condemn(page), ...await failuresOf(finishWith(purge))]
    const states = await ledger.states(page.map(({ id }) => id))
    const gone = page.filter(({ id }) => !states.has(id))
    const left = page.filter(({ id }) => states.has(id)).map(({ id, recordId }): LeftAlone => {
      const named = recordId ?? id
      if (states.get(id) === 'live') return { id: named, reason: 'It was restored meanwhile.' }
      return { id: named, reason: failures.find((failure) => failure.includes(id)) ?? failures[0] ?? 'Its sidecar did not say so yet, and has been written anew: run this again.' }
    })
    return { purged: gone.length, bytes: gone.reduce((sum, { size }) => sum + size, 0), left }
  }
}

/** Of clean-ups that go on with the others when one fails. @throws what ends all of them, such as a database that is gone */
async function failuresOf (work: () => Promise<unknown>): Promise<string[]> {
  try {
    await work()
    return []
  } catch (error) {
    if (error instanceof AggregateError) return error.errors.map((one: unknown) => one instanceof Error ? one.message : String(one))
    throw error
  }
}
