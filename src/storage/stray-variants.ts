// What this machine keeps of pictures that are gone: where the cache is not shared, who removed them could not remove it here.
import { basename, join } from 'node:path'
import type { FileSystem } from './fs.ts'
import { errnoOf } from './failures.ts'
import { asBlobId, type BlobId } from './ids.ts'
import type { BlobState, Ledger } from './ledger.ts'
import { cacheFolder, variantsFolder } from './volume/layout.ts'

const idsPerQuery = 500

/** All folders of the cache are looked at, and all their ids asked for. */
const everyMs = 10 * 60_000

type Options = { readonly fs: FileSystem, readonly root: string, readonly ledger: Pick<Ledger, 'states'>, readonly monotonicMs: () => number }

const gone: ReadonlySet<BlobState | undefined> = new Set([undefined, 'swept', 'purging'])

/** Does nothing most times. Returns how many blobs' variants went; those that are gone for the second time, as the first may have been too early. */
export function createStrayVariants ({ fs, root, ledger, monotonicMs }: Options): () => Promise<number> {
  let dueAt = monotonicMs()
  let suspects: ReadonlySet<BlobId> = new Set()

  const namesIn = (folder: string) => fs.readdir(folder).catch((error: unknown): string[] => {
    if (errnoOf(error) === 'ENOENT' || errnoOf(error) === 'ENOTDIR') return []
    throw error
  })

  async function * cached (): AsyncGenerator<BlobId[]> {
    const cache = join(root, cacheFolder)
    for (const shard of await namesIn(cache)) {
      const ids = (await namesIn(join(cache, basename(shard)))).map(asBlobId).filter((id) => id !== undefined)
      for (let at = 0; at < ids.length; at += idsPerQuery) yield ids.slice(at, at + idsPerQuery)
    }
  }

  async function look (): Promise<number> {
    const found = new Set<BlobId>()
    let removed = 0
    for await (const ids of cached()) {
      const states = await ledger.states(ids)
      for (const id of ids.filter((one) => gone.has(states.get(one)))) {
        if (!suspects.has(id)) {
          found.add(id)
          continue
        }
        await fs.rm(variantsFolder(root, { id }), { recursive: true, force: true, maxRetries: 5 })
        removed += 1
      }
    }
    suspects = found
    return removed
  }

  return async () => {
    if (monotonicMs() < dueAt) return 0
    dueAt = monotonicMs() + everyMs
    return look()
  }
}
