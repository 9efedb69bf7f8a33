// The second limit of an owner: how much their trash may take. Finds what is too much of it, and removes nothing.
import type { BlobId } from './ids.ts'
import type { Ledger } from './ledger.ts'
import type { Sidecar } from './sidecar.ts'

const perPage = 500

type Options = {
  readonly ledger: Pick<Ledger, 'ownersOver' | 'trashOf'>
  /** Of one owner; 0: no limit. */
  readonly maxBytes: number
  /** These go anyway, and count as gone. */
  readonly going: ReadonlySet<BlobId>
  /** Of blobs, of all owners. */
  readonly limit: number
}

/** Those that are in the trash for longest, until the rest of their owner's trash is within the limit. */
export async function findOverQuota ({ ledger, maxBytes, going, limit }: Options): Promise<Sidecar[]> {
  const found: Sidecar[] = []
  if (maxBytes === 0) return found
  for (const { ownerId, bytes } of await ledger.ownersOver(maxBytes, limit)) {
    let excess = bytes - maxBytes
    for await (const sidecar of trashOf(ledger, ownerId)) {
      if (excess <= 0 || found.length >= limit) break
      excess -= sidecar.size
      if (!going.has(sidecar.id)) found.push(sidecar)
    }
  }
  return found
}

async function * trashOf (ledger: Options['ledger'], ownerId: string): AsyncGenerator<Sidecar> {
  let after: Sidecar | undefined
  do {
    const page = await ledger.trashOf(ownerId, after, perPage)
    yield * page
    after = page.length < perPage ? undefined : page.at(-1)
  } while (after !== undefined)
}
