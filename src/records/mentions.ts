// Where users are named on files of others: as readers, and as who made a link. An erasure takes them out of there.
import { setImmediate } from 'node:timers/promises'
import { createAttempts } from '../storage/attempts.ts'
import { storing } from '../storage/failures.ts'
import { remembering, type KeyedHash } from '../storage/keyed-hash.ts'
import type { PrismaClient } from './database.ts'
import { isStale, querying } from './failures.ts'
import { idsIn, joinIds, type Settling } from './sidecars.ts'

/** Each may have hundreds of names, and a page is looked through in one go by the database. */
const listsPerPage = 100

const makersAtOnce = 500

/** The latest epoch of each erased user, by keyed hash. */
type Targets = ReadonlyMap<string, number>

type List = { readonly id: string, readonly blobId: string, readonly readers: string | null, readonly readersEpoch: number }

const ofList = { id: true, blobId: true, readers: true, readersEpoch: true } as const

export type Mentions = ReturnType<typeof createMentions>

export function createMentions ({ client, settling, hash: hashed, now }: { client: PrismaClient, settling: Pick<Settling, 'settle'>, hash: KeyedHash, now: () => Date }) {
  /** Deleted ones too: they may come back from the trash. Those that may have `name` in them, where it is known. */
  async function * lists (before: number, name: string | undefined): AsyncGenerator<List> {
    const older = { readers: { not: null }, readersEpoch: { lt: before } }
    for (let after = ''; ;) {
      const page = await querying(() => client.attachment.findMany({ where: { id: { gt: after }, ...older }, orderBy: { id: 'asc' }, take: listsPerPage, select: { id: true } }))
      const last = page.at(-1)
      if (last === undefined) return
      const named = name === undefined ? older : { ...older, readers: { contains: name } }
      yield * await querying(() => client.attachment.findMany({ where: { id: { gt: after, lte: last.id }, ...named }, orderBy: { id: 'asc' }, select: ofList }))
      after = last.id
      await setImmediate()
    }
  }

  /** Those of the list who stay; undefined when all do. */
  function remaining ({ readers, readersEpoch }: List, targets: Targets, hash: KeyedHash): string[] | undefined {
    const named = idsIn(readers)
    const left = named.filter((id) => readersEpoch >= (targets.get(hash('owner', id)) ?? 0))
    return left.length === named.length ? undefined : left
  }

  async function takeOut (list: List, targets: Targets, hash: KeyedHash): Promise<void> {
    // What looks through millions of names lets others have their turn.
    await setImmediate()
    const left = remaining(list, targets, hash)
    if (left === undefined) return
    const { id, blobId, readers, readersEpoch } = list
    try {
      await querying(() => client.$transaction([
        client.blob.update({ where: { id: blobId }, data: { revision: { increment: 1 }, sidecarDueAt: now() } }),
        client.attachment.update({ where: { id, blobId, readers, readersEpoch }, data: { readers: joinIds(left) } }),
      ]))
    } catch (error) {
      if (!isStale(error)) throw error
      // It was changed meanwhile, or its bytes went over to another blob.
      const changed = await querying(() => client.attachment.findUnique({ where: { id }, select: ofList }))
      return changed === null ? undefined : takeOut(changed, targets, hash)
    }
    await settling.settle(blobId)
  }

  async function removeLinks (targets: Targets, name: string | undefined, hash: KeyedHash): Promise<void> {
    const makers = await querying(() => client.link.groupBy({ by: ['creatorId'], ...(name !== undefined && { where: { creatorId: name } }) }))
    for (const [index, { creatorId }] of makers.entries()) {
      if (index % makersAtOnce === makersAtOnce - 1) await setImmediate()
      if (!targets.has(hash('owner', creatorId))) continue
      const erasure = await querying(() => client.erasure.findFirst({ where: { ownerKey: hash('owner', creatorId) }, orderBy: { epoch: 'desc' } }))
      await querying(() => client.link.deleteMany({ where: { creatorId, createdAt: { lte: erasure?.createdAt ?? now() } } }))
    }
  }

  return {
    /**
     * Takes the erased out of all lists of readers that are older than their erasure, and revokes the links that they made before it. A
     * list whose sidecar cannot be written does not keep the others; it stays due. `name`: of the only one among them, where it is known.
     * @throws StorageUnavailable, StorageFull then
     */
    async remove (targets: Targets, name?: string): Promise<void> {
      const attempts = createAttempts()
      const hash = remembering(hashed)
      for await (const list of lists(Math.max(0, ...targets.values()), name)) await attempts.attempt(() => takeOut(list, targets, hash))
      await removeLinks(targets, name, hash)
      await storing(async () => attempts.end())
    },
  }
}
