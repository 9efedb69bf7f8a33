// The rows of erasures, and whatever else is to be found, or to go, by its owner.
import { forgetAnswers } from '../records/answers.ts'
import type { PrismaClient } from '../records/database.ts'
import { silencing, untold, type Events } from '../records/events.ts'
import { isTaken, querying } from '../records/failures.ts'
import { aheadOfOthers } from '../records/naming.ts'
import { highestEpoch } from '../records/owners.ts'
import { createRemoved, type Removed } from '../records/removed.ts'
import { toSidecar, withRecord } from '../records/sidecars.ts'
import { inPrisma } from '../records/statements.ts'
import type { Erasure } from '../storage/erasures.ts'
import type { BlobId } from '../storage/ids.ts'
import type { KeyedHash } from '../storage/keyed-hash.ts'
import type { Doomed } from '../storage/ledger.ts'
import type { Sidecar } from '../storage/sidecar.ts'
import type { Kind } from '../storage/store.ts'
import { ofErased } from './events.ts'

const rowsPerPage = 500
const ownersPerPage = 1000

const kept = ['live', 'superseded', 'deleted']

/** Two that take the same epoch at once: one of them takes the next. */
const attempts = 100

/** `attachmentId`: null for an avatar; `isKept`: not on its way out anyway. */
export type OwnedBlob = Doomed & { readonly sha256: string, readonly size: number, readonly attachmentId: string | null, readonly isKept: boolean }

export type ErasureRow = Pick<Erasure, 'id' | 'epoch' | 'owner' | 'at'>

export type ErasureRecords = ReturnType<typeof createErasureRecords>

type Options = { client: PrismaClient, now: () => Date, events?: Pick<Events, 'telling' | 'told'> }

export function createErasureRecords ({ client, now, events = untold }: Options) {
  const removed = createRemoved(client)

  /** From its commit on, no upload of the owner that began in a lower epoch can commit. `isAsked`: somebody waits for its receipt. */
  const insert = ({ id, epoch, owner, at }: ErasureRow, { isAsked }: { isAsked: boolean }) => querying(() => client.$transaction([
    ...inPrisma(client, aheadOfOthers(client)),
    client.erasure.create({ data: { id, epoch, ownerKey: owner, createdAt: new Date(at) } }),
    raising(owner, epoch),
    isAsked ? removed.awaiting(owner) : removed.receipted(owner, now()),
  ]))

  /** In SQL, because it must be one statement: a commit may make the row at the same moment. */
  const raising = (key: string, epoch: number) => client.$executeRaw`
    INSERT INTO "Owner" ("key", "epoch") VALUES (${key}, ${epoch})
    ON CONFLICT ("key") DO UPDATE SET "epoch" = CASE WHEN "Owner"."epoch" < excluded."epoch" THEN excluded."epoch" ELSE "Owner"."epoch" END`

  async function pages<T extends object> (page: (after: number) => Promise<T[]>, epochOf: (row: T) => number): Promise<T[]> {
    const all: T[] = []
    for (let after = 0; ;) {
      const rows = await page(after)
      all.push(...rows)
      const last = rows.at(-1)
      if (last === undefined) return all
      after = epochOf(last)
    }
  }

  async function owned (ownerId: string, epoch: number, after: string): Promise<OwnedBlob[]> {
    const rows = await querying(() => client.blob.findMany({ where: { ownerId, epoch: { lt: epoch }, id: { gt: after } }, orderBy: { id: 'asc' }, take: rowsPerPage, include: { aliases: true, attachment: { select: { id: true } } } }))
    return rows.map(({ id, kind, extension, source, aliases, sha256, size, attachment, state }) => ({ id: id as BlobId, kind: kind as Kind, extension, ownerId, source, sha256, size: Number(size), aliases: aliases.map(({ path }) => path), attachmentId: attachment?.id ?? null, isKept: kept.includes(state) }))
  }

  return {
    removed: { of: removed.of, forget: removed.forget },

    /** What is told of the owner's files from before that epoch, and was not delivered yet; also of those that were gone before. */
    async silence (owner: string, epoch: number): Promise<void> {
      await querying(() => client.$transaction(silencing(client, owner, epoch)))
    },

    /** What was answered of the owner's files to requests from before that epoch. That it was answered stays known. */
    forgetAnswers: (owner: string, epoch: number, hash: KeyedHash): Promise<void> => forgetAnswers({ client, hash, owner, epoch }),

    /** Durably, before it goes: the receipt names it, whichever run makes that. */
    async note (owner: string, what: Removed): Promise<void> {
      await querying(() => removed.noting(owner, what))
    },

    /** A receipt names what was noted up to now. */
    async receipted (owner: string): Promise<void> {
      await querying(() => removed.receipted(owner, now()))
    },

    /** The next erasure, of this owner: above whatever the volume has, also when the ledger was lost that counted it. */
    async begin ({ id, owner, at }: Omit<ErasureRow, 'epoch'>): Promise<ErasureRow> {
      const highest = await highestEpoch(client)
      for (let attempt = 1; ; attempt += 1) {
        const last = await querying(() => client.erasure.findFirst({ orderBy: { epoch: 'desc' }, select: { epoch: true } }))
        const erasure = { id, owner, at, epoch: Math.max(highest, last?.epoch ?? 0) + 1 }
        try {
          await insert(erasure, { isAsked: true })
          return erasure
        } catch (error) {
          if (!isTaken(error) || attempt >= attempts) throw error
        }
      }
    },

    /** Those of `entries` that have no row. */
    async missing (entries: readonly Erasure[]): Promise<Erasure[]> {
      const missing: Erasure[] = []
      for (let at = 0; at < entries.length; at += rowsPerPage) {
        const group = entries.slice(at, at + rowsPerPage)
        const rows = await querying(() => client.erasure.findMany({ where: { id: { in: group.map(({ id }) => id) } }, select: { id: true } }))
        const known = new Set(rows.map(({ id }) => id))
        missing.push(...group.filter(({ id }) => !known.has(id)))
      }
      return missing
    },

    /** False when another erasure has its epoch, as when two databases went on from one backup: then only the owner's row says it. */
    async adopt (entry: Erasure): Promise<boolean> {
      try {
        await insert(entry, { isAsked: false })
        return true
      } catch (error) {
        if (!isTaken(error)) throw error
        await querying(() => client.$transaction([...inPrisma(client, aheadOfOthers(client)), raising(entry.owner, entry.epoch)]))
        return false
      }
    },

    /** Of all rows, or of those with something left to do, by epoch. */
    async all ({ isOpen = false } = {}): Promise<ErasureRow[]> {
      const rows = await pages(
        (after) => querying(() => client.erasure.findMany({ where: { epoch: { gt: after }, ...(isOpen && { finishedAt: null }) }, orderBy: { epoch: 'asc' }, take: ownersPerPage })),
        ({ epoch }) => epoch)
      return rows.map(({ id, epoch, ownerKey, createdAt }) => ({ id, epoch, owner: ownerKey, at: createdAt.toISOString() }))
    },

    hasOpen: async (before: Date): Promise<boolean> => await querying(() => client.erasure.findFirst({ where: { finishedAt: null, createdAt: { lte: before } }, select: { epoch: true } })) !== null,

    /** Nothing is left of those that began before `before`. */
    async finish (epochs: readonly number[], before: Date): Promise<void> {
      for (let at = 0; at < epochs.length; at += rowsPerPage) {
        await querying(() => client.erasure.updateMany({ where: { epoch: { in: epochs.slice(at, at + rowsPerPage) }, createdAt: { lte: before }, finishedAt: null }, data: { finishedAt: now() } }))
      }
    },

    /** Everybody who has blobs. */
    async * owners (): AsyncGenerator<string> {
      for (let after = ''; ;) {
        const rows = await querying(() => client.blob.groupBy({ by: ['ownerId'], where: { ownerId: { gt: after } }, orderBy: { ownerId: 'asc' }, take: ownersPerPage }))
        const ids = rows.map(({ ownerId }) => ownerId).filter((id) => id !== null)
        yield * ids
        const last = ids.at(-1)
        if (last === undefined) return
        after = last
      }
    },

    async * accounts (): AsyncGenerator<string> {
      for (let after = ''; ;) {
        const rows = await querying(() => client.account.findMany({ where: { id: { gt: after } }, orderBy: { id: 'asc' }, take: ownersPerPage, select: { id: true } }))
        yield * rows.map(({ id }) => id)
        const last = rows.at(-1)
        if (last === undefined) return
        after = last.id
      }
    },

    /** The last one of this owner. */
    async lastOf (owner: string): Promise<ErasureRow | undefined> {
      const row = await querying(() => client.erasure.findFirst({ where: { ownerKey: owner }, orderBy: { epoch: 'desc' } }))
      return row === null ? undefined : { id: row.id, epoch: row.epoch, owner, at: row.createdAt.toISOString() }
    },

    /** Whether there is a blob, an account or a resumable upload of theirs, or one that they sent for others. */
    hasAny: (ownerId: string): Promise<boolean> => querying(async () =>
      await client.blob.findFirst({ where: { ownerId }, select: { id: true } }) !== null || await client.resumable.count({ where: { OR: [{ ownerId }, { creatorId: ownerId }] } }) > 0 || await client.account.count({ where: { id: ownerId } }) > 0),

    async removeAccount (id: string, owner: string): Promise<void> {
      if (await querying(() => client.account.count({ where: { id } })) === 0) return
      await querying(() => client.$transaction([removed.noting(owner, { blobs: [], accounts: 1 }), client.account.deleteMany({ where: { id } })]))
    },

    /**
     * The owner's blobs of a lower epoch, in whatever state; they are on their way out from here on, shown no more, and noted as
     * `removedOf` says it.
     */
    async condemn ({ ownerId, owner, epoch, removedOf }: { ownerId: string, owner: string, epoch: number, removedOf: (blobs: readonly OwnedBlob[]) => Removed }): Promise<OwnedBlob[]> {
      const all: OwnedBlob[] = []
      for (let after = ''; ;) {
        const page = await owned(ownerId, epoch, after)
        const last = page.at(-1)
        if (last === undefined) return all
        const ids = page.map(({ id }) => id as string)
        const told = page.filter(({ isKept }) => isKept).map((blob) => ofErased(ownerId, epoch, blob))
        await querying(() => client.$transaction([
          ...silencing(client, owner, epoch),
          ...inPrisma(client, events.telling(told)),
          removed.noting(owner, removedOf(page)),
          client.blob.updateMany({ where: { id: { in: ids } }, data: { state: 'purging', stateAt: now() } }),
          client.avatar.deleteMany({ where: { blobId: { in: ids } } }),
          client.attachment.updateMany({ where: { blobId: { in: ids } }, data: { deletedAt: now() } }),
        ]))
        events.told()
        all.push(...page)
        after = last.id
      }
    },

    /** Some of those that ought to be gone. */
    async ofOwner (ownerId: string, epoch: number): Promise<string[]> {
      const rows = await querying(() => client.blob.findMany({ where: { ownerId, epoch: { lt: epoch } }, take: rowsPerPage, select: { id: true } }))
      return rows.map(({ id }) => id)
    },

    /** With their records and old URLs. */
    async drop (ids: readonly BlobId[]): Promise<void> {
      await querying(() => client.blob.deleteMany({ where: { id: { in: [...ids] }, state: 'purging' } }))
    },
  }
}

const exportedPerPage = 200

/** As its sidecar says it: there is nothing more to tell. */
export type ExportedBlob = Sidecar

export type ExportRecords = ReturnType<typeof createExportRecords>

export function createExportRecords (client: PrismaClient) {
  return {
    /** The user's blobs after that one, the oldest first; empty when there are no more. */
    async page (ownerId: string, after = ''): Promise<ExportedBlob[]> {
      const rows = await querying(() => client.blob.findMany({ where: { ownerId, state: { in: kept }, id: { gt: after } }, orderBy: { id: 'asc' }, take: exportedPerPage, include: withRecord }))
      return rows.map(toSidecar)
    },

    isThere: async (id: BlobId): Promise<boolean> => await querying(() => client.blob.count({ where: { id, state: { in: kept } } })) > 0,
  }
}
