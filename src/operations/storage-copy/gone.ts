// Takes out of the new home what an earlier pass brought and is gone since: erased or purged by gateways that did not know of the new home.
import type { Ledger } from '../../storage/ledger.ts'
import { timeOf } from '../../storage/ids.ts'
import type { Sidecar } from '../../storage/sidecar.ts'
import { inspect } from '../../storage/volume/inspect.ts'
import { blobPath, sidecarPath } from '../../storage/volume/layout.ts'
import { scanVolume, type FoundBlob } from '../../storage/volume/scan.ts'
import type { Progress } from '../progress.ts'
import type { IsErased } from '../verify/erased.ts'
import type { OpenSide } from './sides.ts'

const idsPerQuery = 500

/** As for the sweep: so few are never too many. */
const alwaysAllowed = 100

type Task = {
  readonly source: OpenSide
  readonly target: OpenSide
  readonly ledger: Pick<Ledger, 'states' | 'claimOrphan' | 'count'>
  readonly isErased: IsErased
  /** How old an id must be before its upload is no longer one that is about to commit. */
  readonly graceMs: number
  /** Of all rows: a database that is older than the files makes them look like rubbish. */
  readonly maxPercent: number
  readonly now: () => Date
  readonly progress: Progress
}

export type Gone = { /** Blobs. */ readonly removed: number, /** To the sweep of the gateways. */ readonly left: number }

export async function removeGone ({ source, target, ledger, isErased, graceMs, maxPercent, now, progress }: Task): Promise<Gone> {
  const { store } = target.storage

  async function isAtSource (sidecar: Sidecar): Promise<boolean> {
    const looks = await Promise.all([blobPath(source.root, sidecar), sidecarPath(source.root, sidecar)].map((path) => inspect(source.fs, path)))
    return looks.some(({ is }) => is !== 'nothing')
  }

  /** Only with a sidecar it is known what it is: the rest is the sweep's. */
  async function withoutRow (group: readonly FoundBlob[]): Promise<Sidecar[]> {
    const states = await ledger.states(group.map(({ id }) => id))
    const unknown = group.filter(({ id, hasSidecar }) => hasSidecar && (states.get(id) ?? 'swept') === 'swept')
    return (await Promise.all(unknown.map((found) => store.readSidecar(found)))).filter((sidecar) => sidecar !== undefined)
  }

  let [removed, left] = [0, 0]
  const purged: Sidecar[] = []
  progress.step('Looking for what is gone')
  for await (const { blobs } of scanVolume(target.fs, target.root)) {
    for (let at = 0; at < blobs.length; at += idsPerQuery) {
      const group = blobs.slice(at, at + idsPerQuery)
      for (const sidecar of await withoutRow(group)) {
        if (isErased(sidecar)) {
          // No commit can come for it any more.
          await store.removeForGood(sidecar)
          removed += 1
        } else if (now().getTime() - timeOf(sidecar.id).getTime() >= graceMs && !await isAtSource(sidecar)) purged.push(sidecar)
        else left += 1
      }
      progress.advance(group.length)
    }
  }
  if (purged.length > Math.max(alwaysAllowed, await ledger.count() * maxPercent / 100)) return { removed, left: left + purged.length }
  // What another database knows that came there meanwhile looks gone here.
  if (purged.length > 0) await target.storage.checkClaim()
  for (const sidecar of purged) {
    // Its id is taken first, so that a commit that comes late fails.
    await ledger.claimOrphan(sidecar)
    if ((await ledger.states([sidecar.id])).get(sidecar.id) !== 'swept') continue
    await store.removeForGood(sidecar)
    removed += 1
  }
  return { removed, left }
}
