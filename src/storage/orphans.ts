// Orphans (I5): blobs and sidecars on the volume whose id no row has. When one has stood long enough, and how it goes.
import { createAttempts } from './attempts.ts'
import type { FileSystem } from './fs.ts'
import { timeOf, type BlobId } from './ids.ts'
import type { BlobState, Ledger } from './ledger.ts'
import { withoutRest, type Pace } from './pace.ts'
import type { Store } from './store.ts'
import { scanVolume, type FoundBlob } from './volume/scan.ts'

const idsPerQuery = 500

/** One look at all that is on the volume, and what it takes for an orphan to be ripe: it may be an upload about to commit. */
export type Look = {
  isRipe (id: BlobId): boolean
  /** The look is over and saw everything. False when what is ripe must be left to others. */
  end (): Promise<boolean>
}

/** For a process that stays: an orphan must stand in two looks, `graceMs` apart on a clock that never jumps. */
export function createSightings ({ graceMs, monotonicMs }: { graceMs: number, monotonicMs: () => number }): () => Look {
  let seen = new Map<BlobId, number>()
  return () => {
    const standing = new Map<BlobId, number>()
    return {
      isRipe (id) {
        const since = seen.get(id) ?? monotonicMs()
        standing.set(id, since)
        return seen.has(id) && monotonicMs() - since >= graceMs
      },
      async end () {
        seen = standing
        return true
      },
    }
  }
}

/**
 * For a command, which looks once: an orphan's id must be older than `graceMs`, and nobody else may live on the volume.
 * Asked after the look, since who came in between was there before what they published.
 */
export function createLoneLook ({ graceMs, now, isAlone }: { graceMs: number, now: () => Date, isAlone: () => Promise<boolean> }): () => Look {
  return () => ({
    isRipe: (id) => now().getTime() - timeOf(id).getTime() >= graceMs,
    end: isAlone,
  })
}

export type OrphansFound = {
  /** At most the limit. */
  readonly orphans: FoundBlob[]
  readonly count: number
  /** Left to another process, which can tell them from uploads about to commit. */
  readonly isLeft: boolean
}

type Options = { fs: FileSystem, root: string, store: Pick<Store, 'remove' | 'readSidecar'>, ledger: Pick<Ledger, 'states' | 'claimOrphan'>, look: () => Look, /** For each look. */ pace?: (() => Pace) | undefined, onSeen?: (count: number) => void }

export function createOrphans ({ fs, root, store, ledger, look, pace = () => withoutRest, onSeen = () => {} }: Options) {
  /** No crash leaves a sidecar that is damaged: one that is belonged to an upload whose record is lost, and stays for people to look at. */
  async function left (ripe: readonly FoundBlob[]): Promise<FoundBlob[]> {
    const rubbish: FoundBlob[] = []
    for (const orphan of ripe) {
      if (!orphan.hasSidecar || await store.readSidecar(orphan).catch(() => undefined) !== undefined) rubbish.push(orphan)
    }
    return rubbish
  }

  return {
    /** Removes nothing. @throws the reason of `signal` */
    async find (limit: number, signal?: AbortSignal): Promise<OrphansFound> {
      const { isRipe, end } = look()
      const rest = pace()
      const ripe = (id: BlobId, state: BlobState | undefined) => state === undefined ? isRipe(id) : state === 'swept'
      const orphans: FoundBlob[] = []
      let count = 0
      for await (const { blobs } of scanVolume(fs, root)) {
        for (const group of groups(blobs)) {
          const states = await ledger.states(group.map(({ id }) => id))
          const found = await left(group.filter(({ id }) => ripe(id, states.get(id))))
          orphans.push(...found.slice(0, limit - orphans.length))
          count += found.length
          onSeen(group.length)
          await rest(signal)
        }
      }
      return { orphans, count, isLeft: !await end() }
    },

    /** Its id is taken before its files go, so that a commit that comes late fails. Returns how many went. */
    async remove (orphans: readonly FoundBlob[], onRemoved: () => void = () => {}): Promise<number> {
      const attempts = createAttempts()
      let removed = 0
      for (const orphan of orphans) {
        await attempts.attempt(async () => {
          const isSwept = await ledger.claimOrphan(orphan) || (await ledger.states([orphan.id])).get(orphan.id) === 'swept'
          if (!isSwept) return
          for (const extension of new Set([orphan.extension, ...orphan.extensions])) await store.remove({ ...orphan, extension })
          removed += 1
          onRemoved()
        })
      }
      attempts.end()
      return removed
    },
  }
}

function * groups<T> (items: readonly T[]): Generator<readonly T[]> {
  for (let at = 0; at < items.length; at += idsPerQuery) yield items.slice(at, at + idsPerQuery)
}
