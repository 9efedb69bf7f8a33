// What is on the volume of erased users without a row: of requests that died before their commit, or of a database that knows less.
import { storing } from '../storage/failures.ts'
import type { FileSystem } from '../storage/fs.ts'
import type { KeyedHash } from '../storage/keyed-hash.ts'
import type { Doomed, Ledger } from '../storage/ledger.ts'
import type { Sidecar } from '../storage/sidecar.ts'
import type { Store } from '../storage/store.ts'
import { scanVolume, type FoundBlob, type ScannedFolder } from '../storage/volume/scan.ts'

const idsPerQuery = 500

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

  async function * withoutRow (): AsyncGenerator<FoundBlob> {
    for await (const { blobs } of scanned()) {
      for (let at = 0; at < blobs.length; at += idsPerQuery) {
        const group = blobs.slice(at, at + idsPerQuery)
        const states = await ledger.states(group.map(({ id }) => id))
        yield * group.filter(({ id }) => !states.has(id))
      }
    }
  }

  function isErased ({ ownerId, epoch }: Sidecar, targets: ReadonlyMap<string, number>): boolean {
    const erased = ownerId === null ? undefined : targets.get(hash('owner', ownerId))
    return erased !== undefined && epoch < erased
  }

  return {
    /**
     * Removes those whose sidecar names one of `targets`, by keyed hash, and an epoch below theirs: no commit can come for them any
     * more. Others are the sweep's.
     */
    async remove (targets: ReadonlyMap<string, number>): Promise<ErasedOrphan[]> {
      const gone: ErasedOrphan[] = []
      for await (const found of withoutRow()) {
        const sidecar = found.hasSidecar ? await store.readSidecar(found) : undefined
        if (sidecar === undefined || !isErased(sidecar, targets)) continue
        await ledger.entomb([sidecar])
        for (const extension of new Set([sidecar.extension, ...found.extensions])) await store.removeForGood({ ...found, extension })
        gone.push(sidecar)
      }
      return gone
    },
  }
}
