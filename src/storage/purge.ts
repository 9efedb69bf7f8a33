// How a blob leaves for good, with its sidecar and its row (I10). What is due, and whether it may go, is decided elsewhere.
import { createAttempts } from './attempts.ts'
import type { BlobId } from './ids.ts'
import type { Doomed, Hidden, Ledger } from './ledger.ts'
import type { Sidecar } from './sidecar.ts'
import type { Store } from './store.ts'

export type Purge = ReturnType<typeof createPurge>

/** `removed` hears of every blob that is gone, from however many purges at once. */
export function createPurge ({ store, ledger, removed = () => {} }: { store: Pick<Store, 'readSidecar' | 'remove'>, ledger: Ledger, removed?: (id: BlobId) => void }) {
  /** A sidecar is written after its row: one that is ahead of its row comes from a time that the database does not know. */
  async function refuseAhead (sidecar: Hidden, onVolume: Sidecar | undefined): Promise<void> {
    if (onVolume === undefined || onVolume.revision <= sidecar.revision) return
    // Or the row was changed since it was read.
    if (await ledger.revisionOf(sidecar.id) !== sidecar.revision) return
    throw new Error(`The sidecar of ${sidecar.id} is newer than its record, which says ${sidecar.state}: the database is older than the volume. Nothing of it was removed; "upload-gateway verify" lists all such files.`)
  }

  async function condemnOne (sidecar: Sidecar): Promise<boolean> {
    const onVolume = await store.readSidecar(sidecar)
    await refuseAhead(sidecar, onVolume)
    // Row and sidecar must both say so, and compare-and-set: one that was restored meanwhile stays.
    if (onVolume?.state === sidecar.state) {
      // Their sidecars are written anew with it.
      for (const hidden of await ledger.hiddenBy(sidecar)) await refuseAhead(hidden, await store.readSidecar(hidden))
      return ledger.startPurge(sidecar)
    }
    // It is written anew from the row, and purged in a later run.
    if (onVolume === undefined || onVolume.revision <= sidecar.revision) await ledger.oweSidecar(sidecar.id)
    return false
  }

  async function removeOne (doomed: Doomed): Promise<void> {
    await ledger.settleHidden(doomed)
    await store.remove(doomed)
    await ledger.purged(doomed.id)
    removed(doomed.id)
  }

  return {
    /** Sets those to purging that row and sidecar both call `sidecar.state` still. Returns how many. */
    async condemn (sidecars: readonly Sidecar[]): Promise<number> {
      // What a deleted one hides first: it would not be as it was read any more.
      const condemned = await attemptAll(sidecars.toSorted((one, other) => Number(one.state === 'deleted') - Number(other.state === 'deleted')), condemnOne)
      return condemned.filter((isCondemned) => isCondemned === true).length
    },

    /**
     * Removes what is purging, also what a process that died left so: a state before it is an act, so that a kill leaves work,
     * not damage. At most `limit` of them. Returns how many.
     */
    async finish (limit: number): Promise<number> {
      const doomed = await ledger.purging(limit)
      await ledger.entomb(doomed)
      await attemptAll(doomed, removeOne)
      return doomed.length
    },
  }
}

/** Every one of them has its turn, also when others fail. Throws at the end when any did, or when the rest would fail too. */
async function attemptAll<T, R> (items: readonly T[], work: (item: T) => Promise<R>): Promise<Array<R | undefined>> {
  const attempts = createAttempts()
  const results: Array<R | undefined> = []
  for (const item of items) results.push(await attempts.attempt(() => work(item)))
  attempts.end()
  return results
}
