// What is on the volume of erased users without a row: of requests that died before their commit, or of a database that knows less.
import { join } from 'node:path'
import { storing } from '../storage/failures.ts'
import { readOrdinary, type FileSystem } from '../storage/fs.ts'
import type { KeyedHash } from '../storage/keyed-hash.ts'
import type { Doomed, Ledger } from '../storage/ledger.ts'
import { decodeSidecar, type Sidecar } from '../storage/sidecar.ts'
import type { Store } from '../storage/store.ts'
import { scanVolume, type ForeignEntry, type FoundBlob, type ScannedFolder } from '../storage/volume/scan.ts'

const idsPerQuery = 500

/** What is larger is something else. */
const maxSidecarBytes = 1024 ** 2

const asidePattern = /\.sidecar\.json\.damaged[^/]*$/

/** The latest epoch of each erased owner, by keyed hash. */
export type Targets = ReadonlyMap<string, number>

export type ErasedOrphan = Doomed & { readonly sha256: string, readonly size: number }

export type Orphans = ReturnType<typeof createOrphans>

type Options = { fs: FileSystem, root: string, store: Pick<Store, 'readSidecar' | 'removeForGood'>, ledger: Pick<Ledger, 'states' | 'entomb'>, hash: KeyedHash }

export function createOrphans ({ fs, root, store, ledger, hash }: Options) {
  async function * scanned (): AsyncGenerator<ScannedFolder> {
    const folders = scanVolume(fs, root)
    for (;;) {
      const { value, done } = await storing(() => folders.next())
      if (done === true) return
      yield value
    }
  }

  async function * withoutRow (blobs: readonly FoundBlob[]): AsyncGenerator<FoundBlob> {
    for (let at = 0; at < blobs.length; at += idsPerQuery) {
      const group = blobs.slice(at, at + idsPerQuery)
      const states = await ledger.states(group.map(({ id }) => id))
      yield * group.filter(({ id }) => !states.has(id))
    }
  }

  function isErased ({ ownerId, epoch }: Sidecar, targets: Targets): boolean {
    const erased = ownerId === null ? undefined : targets.get(hash('owner', ownerId))
    return erased !== undefined && epoch < erased
  }

  async function orphaned (blobs: readonly FoundBlob[], targets: Targets): Promise<ErasedOrphan[]> {
    const gone: ErasedOrphan[] = []
    for await (const found of withoutRow(blobs)) {
      const sidecar = found.hasSidecar ? await store.readSidecar(found) : undefined
      if (sidecar === undefined || !isErased(sidecar, targets)) continue
      await ledger.entomb([sidecar])
      for (const extension of new Set([sidecar.extension, ...found.extensions])) await store.removeForGood({ ...found, extension })
      gone.push(sidecar)
    }
    return gone
  }

  /** Sidecars that an audit put aside, and what lies beside them of a blob that nobody knows any more. */
  async function putAside (foreign: readonly ForeignEntry[], targets: Targets): Promise<void> {
    for (const { path, what } of foreign) {
      if (what !== 'file' || !asidePattern.test(path)) continue
      const sidecar = await storing(() => sidecarAt(join(root, path)))
      if (sidecar === undefined || !isErased(sidecar, targets)) continue
      await storing(() => fs.unlink(join(root, path)))
      if ((await ledger.states([sidecar.id])).size === 0) await store.removeForGood(sidecar)
    }
  }

  async function sidecarAt (path: string): Promise<Sidecar | undefined> {
    const handle = await fs.open(path, readOrdinary)
    try {
      return (await handle.stat()).size > maxSidecarBytes ? undefined : decodeSidecar(await handle.readFile('utf8'))
    } finally {
      await handle.close()
    }
  }

  return {
    /**
     * Removes those whose sidecar names one of `targets`, by keyed hash, and an epoch below theirs: no commit can come for them any
     * more. Others are the sweep's.
     */
    async remove (targets: Targets): Promise<ErasedOrphan[]> {
      const gone: ErasedOrphan[] = []
      for await (const { blobs, foreign } of scanned()) {
        gone.push(...await orphaned(blobs, targets))
        await putAside(foreign, targets)
      }
      return gone
    },
  }
}
