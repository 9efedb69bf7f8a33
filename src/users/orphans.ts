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

/** Remembers it durably for the receipt of the owner with this keyed hash. */
export type Note = (owner: string, gone: ErasedOrphan) => Promise<void>

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

  /** The keyed hash of the owner, when they are erased and the blob is from before. */
  function erasedOwner ({ ownerId, epoch }: Sidecar, targets: Targets): string | undefined {
    const owner = ownerId === null ? '' : hash('owner', ownerId)
    return epoch < (targets.get(owner) ?? 0) ? owner : undefined
  }

  async function orphaned (blobs: readonly FoundBlob[], targets: Targets, note: Note): Promise<ErasedOrphan[]> {
    const gone: ErasedOrphan[] = []
    for await (const found of withoutRow(blobs)) {
      const sidecar = found.hasSidecar ? await store.readSidecar(found) : undefined
      const owner = sidecar && erasedOwner(sidecar, targets)
      if (sidecar === undefined || owner === undefined) continue
      await note(owner, sidecar)
      await ledger.entomb([sidecar])
      for (const extension of new Set([sidecar.extension, ...found.extensions])) await store.removeForGood({ ...found, extension })
      gone.push(sidecar)
    }
    return gone
  }

  /** Sidecars that an audit put aside, and what lies beside them of a blob that nobody knows any more. */
  async function putAside (foreign: readonly ForeignEntry[], targets: Targets, note: Note): Promise<void> {
    for (const { path, what } of foreign) {
      if (what !== 'file' || !asidePattern.test(path)) continue
      const sidecar = await storing(() => sidecarAt(join(root, path)))
      const owner = sidecar && erasedOwner(sidecar, targets)
      if (sidecar === undefined || owner === undefined) continue
      if ((await ledger.states([sidecar.id])).size === 0) {
        await note(owner, sidecar)
        await store.removeForGood(sidecar)
      }
      // Last, as nothing else says whose the others are.
      await storing(() => fs.rm(join(root, path), { force: true }))
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
     * more. Each is noted before it goes. Others are the sweep's.
     */
    async remove (targets: Targets, note: Note): Promise<ErasedOrphan[]> {
      const gone: ErasedOrphan[] = []
      for await (const { blobs, foreign } of scanned()) {
        for (const sidecar of await orphaned(blobs, targets, note)) gone.push(sidecar)
        await putAside(foreign, targets, note)
      }
      return gone
    },
  }
}
