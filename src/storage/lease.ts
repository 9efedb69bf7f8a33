// A process that stood still for so long that others took it for dead may find its home in the hands of another database. It must change
// nothing there any more, whatever it was about to do.
import { storing } from './failures.ts'
import type { Segments } from './segments.ts'
import type { Store } from './store.ts'

/** Far less than others wait before they take this process for dead. */
const leaseMs = 5_000

/** @throws StorageUnavailable when the home is another database's now, or nobody can see whose it is */
export type Lease = () => Promise<void>

/** For who asks often: what `look` found a moment ago counts, and all who ask at once wait for one look. */
export function createLease (look: () => Promise<void>, monotonicMs: () => number): Lease {
  // Also by the clock on the wall: the other one stands still while the machine is suspended.
  const now = () => ({ atMs: monotonicMs(), wallMs: Date.now() })
  let seen = now()
  let looking: Promise<void> | undefined
  return async () => {
    const begun = now()
    if (begun.atMs - seen.atMs < leaseMs && Math.abs(begun.wallMs - seen.wallMs) < leaseMs) return
    looking ??= storing(look).then(() => { seen = begun }).finally(() => { looking = undefined })
    await looking
  }
}

const under = <Of extends unknown[]>(lease: Lease, change: (...of: Of) => Promise<void>) => async (...of: Of): Promise<void> => {
  await lease()
  await change(...of)
}

export function leasedStore (store: Store, lease: Lease): Store {
  return {
    ...store,
    async publish (...of) {
      await under(lease, store.publish)(...of)
      // It may have stood still in between. What is not committed is removed in time by whoever has the home.
      await lease()
    },
    writeSidecar: under(lease, store.writeSidecar),
    remove: under(lease, store.remove),
    removeForGood: under(lease, store.removeForGood),
  }
}

export const leasedSegments = (segments: Segments, lease: Lease): Segments =>
  ({ ...segments, remove: under(lease, segments.remove), removeForGood: under(lease, segments.removeForGood) })
