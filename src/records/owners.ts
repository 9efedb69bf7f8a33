// The line between uploads and erasures of their owner: every commit passes through the owner's row, kept by keyed hash. Erases nothing.
import { Prisma } from '../generated/prisma/client.ts'
import { OwnerErased } from '../errors.ts'
import { lastEpoch } from '../storage/erasures.ts'
import { remembering, type KeyedHash } from '../storage/keyed-hash.ts'
import { eachOwner, nothing, type Alongside } from './commits.ts'
import type { PrismaClient } from './database.ts'
import { querying } from './failures.ts'
import { besideOthers } from './naming.ts'
import { forgetful, type RowMemory } from './row-memory.ts'

export type Owners = ReturnType<typeof createOwners>

/** An erasure as requests see it: who was erased, and that it ends what began in a lower epoch. */
export type ErasedOwner = { readonly ownerKey: string, readonly epoch: number }

/** `first`: what the transaction begins with, before anything else of it. */
export type Naming = Alongside & { first (): Prisma.Sql[] }

/** Names no readers. */
export const nobody: Naming = { ...nothing, first: () => [] }

/** An epoch that the rows of erasures do not know of. */
export const floorKey = 'epochFloor'

/** The epoch is never lower than what this finds, though the rows of the erasures that it counts may be gone. */
async function epochFloor (client: PrismaClient): Promise<number> {
  const setting = await client.setting.findUnique({ where: { key: floorKey } })
  return Number(setting?.value ?? 0)
}

/** The highest epoch that anything has. It reads all blobs and attachments: for what is rare. */
export const highestEpoch = (client: PrismaClient): Promise<number> => querying(async () => {
  const [erasures, owners, blobs, lists, floor] = await Promise.all([
    client.erasure.aggregate({ _max: { epoch: true } }),
    client.owner.aggregate({ _max: { epoch: true } }),
    client.blob.aggregate({ _max: { epoch: true } }),
    client.attachment.aggregate({ _max: { readersEpoch: true } }),
    epochFloor(client),
  ])
  return Math.max(floor, lists._max.readersEpoch ?? 0, ...[erasures, owners, blobs].map(({ _max }) => _max.epoch ?? 0))
})

/** More than there are erasures in one go. */
const leap = 10_000

const leapBeganAt = Date.UTC(2026)

/** However wrong the clock is, half of all epochs are left. */
const latestByClock = 2 ** 30

/**
 * Uploads from now on lie above whatever is counted in a ledger that is lost: when it comes back, it erases what there is now, and
 * none of those. Nothing here may know of it, nor of earlier leaps, as when one backup is restored twice. Only the clock goes on in
 * any case: by one each second, which is more than there are erasures. Uploads are not counted below `least` either. To be called by
 * who is alone on the volume.
 */
export const leapEpoch = async (client: PrismaClient, now: Date, least = 0): Promise<void> => {
  const highest = Math.max(least, await highestEpoch(client))
  const byClock = Math.min(Math.floor((now.getTime() - leapBeganAt) / 1000), latestByClock)
  const value = String(Math.max(highest, Math.min(Math.max(highest, byClock) + leap, lastEpoch - leap)))
  await querying(() => client.setting.upsert({ where: { key: floorKey }, create: { key: floorKey, value }, update: { value } }))
}

export function createOwners ({ client, hash, memory = forgetful }: { client: PrismaClient, hash: KeyedHash, memory?: RowMemory }) {
  const remembered = remembering(hash)

  const keyOf = (ownerId: string): string => remembered('owner', ownerId)

  /** Before the first, of epoch 0. */
  const lastErasure = () => querying(async () => await client.erasure.findFirst({ orderBy: { epoch: 'desc' }, select: { epoch: true } }) ?? { epoch: 0 })

  // Changed only by those who are alone on the volume.
  let floor: number | undefined

  return {
    keyOf,

    /** How many erasures there have been: what a request that begins now belongs to. */
    async epoch (): Promise<number> {
      floor ??= await querying(() => epochFloor(client))
      const last = await memory.get('last erasure', lastErasure, () => ['erasures'])
      return Math.max(floor, last?.epoch ?? 0)
    },

    /**
     * The first statement of a transaction that gives the owner blobs. It writes their row, so that commit and erasure wait
     * for each other; and breaks a constraint, which ends the transaction, when the owner was erased after `epoch`: the
     * lowest of any bytes that go in, whenever the request that puts them together began. In SQL, because it must be one
     * statement on PostgreSQL too, where what is read first may be old, and two may make the row at once.
     */
    entering: (ownerId: string, epoch: number): Prisma.Sql => Prisma.sql`
      INSERT INTO "Owner" ("key", "epoch", "commits") VALUES (${keyOf(ownerId)}, 0, 1)
      ON CONFLICT ("key") DO UPDATE SET "commits" = CASE WHEN "Owner"."epoch" <= ${epoch} THEN "Owner"."commits" + 1 END`,

    /** Afterwards nothing of that owner and epoch can commit any more. @throws OwnerErased */
    async refuseErased (ownerId: string, epoch: number): Promise<void> {
      const erased = await querying(() => client.owner.count({ where: { key: keyOf(ownerId), epoch: { gt: epoch } } }))
      if (erased > 0) throw new OwnerErased()
    },

    /** Those of `ownerIds` who were not erased after `epoch`. */
    async remaining (ownerIds: readonly string[], epoch: number): Promise<string[]> {
      if (ownerIds.length === 0) return []
      const keys = ownerIds.map(keyOf)
      const rows = await querying(() => client.owner.findMany({ where: { key: { in: keys }, epoch: { gt: epoch } }, select: { key: true } }))
      const erased = new Set(rows.map(({ key }) => key))
      return ownerIds.filter((_id, index) => !erased.has(String(keys[index])))
    },

    /**
     * For a transaction that names these readers: it breaks a constraint when one of them was erased after `epoch`, as the erasure has
     * looked for its lists by then. `refuse` throws READER_ERASED: without them it may be tried again.
     */
    naming (readerIds: readonly string[], epoch: number): Naming {
      const keys = eachOwner(readerIds, keyOf)
      if (keys.length === 0) return nobody
      return {
        first: () => besideOthers(client),
        statements: () => [Prisma.sql`UPDATE "Owner" SET "commits" = NULL WHERE "epoch" > ${epoch} AND "key" IN (${Prisma.join(keys)})`],
        async refuse () {
          // In SQL: Prisma refuses a list of a thousand beside other conditions.
          const [row] = await querying(() => client.$queryRaw<[{ erased: unknown }]>`SELECT COUNT(*) AS "erased" FROM "Owner" WHERE "epoch" > ${epoch} AND "key" IN (${Prisma.join(keys)})`)
          if (Number(row.erased) > 0) throw Object.assign(new Error('a reader was erased'), { code: 'READER_ERASED' })
        },
      }
    },

    /** Whether there ever was an erasure of this owner. */
    hasErasures: async (ownerId: string): Promise<boolean> =>
      await querying(() => client.owner.count({ where: { key: keyOf(ownerId), epoch: { gt: 0 } } })) > 0,

    /** The erasures after `epoch`. */
    erasedSince: (epoch: number): Promise<ErasedOwner[]> =>
      querying(() => client.erasure.findMany({ where: { epoch: { gt: epoch } }, select: { ownerKey: true, epoch: true } })),
  }
}
