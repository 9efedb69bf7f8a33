// The sweep's view of the rows: what storage/ledger.ts asks, answered with Prisma.
import { Prisma } from '../generated/prisma/client.ts'
import type { BlobId } from '../storage/ids.ts'
import type { BlobState, Doomed, Hidden, Ledger } from '../storage/ledger.ts'
import type { Sidecar } from '../storage/sidecar.ts'
import type { Kind } from '../storage/store.ts'
import type { PrismaClient } from './database.ts'
import { isStale, isTaken, querying } from './failures.ts'
import { toSidecar, withRecord, type Settling } from './sidecars.ts'
import { throughPrisma, type Ask } from './statements.ts'

type Options = { client: PrismaClient, /** For what is asked of all there is. */ ask?: Ask, settling: Pick<Settling, 'settle'>, entomb: Ledger['entomb'], now: () => Date }

/** Which rows a blob hides; undefined for what hides none. */
function hidden ({ kind, state, ownerId, stateAt }: Sidecar): Prisma.BlobWhereInput | undefined {
  if (kind !== 'avatar' || state !== 'deleted' || ownerId === null) return undefined
  return { ownerId, kind, state: 'superseded', stateAt: { lte: new Date(stateAt) } }
}

export function createLedger ({ client, ask = throughPrisma(client).ask, settling, entomb, now }: Options): Ledger {
  return {
    count: () => querying(() => client.blob.count({ where: { state: { not: 'swept' } } })),

    async states (ids) {
      if (ids.length === 0) return new Map()
      const rows = await querying(() => ask<{ id: BlobId, state: BlobState }>(Prisma.sql`SELECT "id", "state" FROM "Blob" WHERE "id" IN (${Prisma.join(ids)})`))
      return new Map(rows.map(({ id, state }) => [id, state]))
    },

    async claimOrphan ({ id, kind, extension }) {
      const at = now()
      try {
        await querying(() => client.blob.create({ data: { id, kind, extension, state: 'swept', contentType: '', size: 0n, sha256: '', stateAt: at, createdAt: at } }))
        return true
      } catch (error) {
        if (isTaken(error)) return false
        throw error
      }
    },

    async forgetSwept (before) {
      const { count } = await querying(() => client.blob.deleteMany({ where: { state: 'swept', stateAt: { lt: before } } }))
      return count
    },

    async inState (states, before, limit) {
      const rows = await querying(() => client.blob.findMany({ where: { state: { in: [...states] }, stateAt: { lt: before } }, orderBy: { stateAt: 'asc' }, take: limit, include: withRecord }))
      return rows.map(toSidecar)
    },

    countInState: (states, before) => querying(() => client.blob.count({ where: { state: { in: [...states] }, stateAt: { lt: before } } })),

    async ownersOver (maxBytes, limit) {
      const rows = await querying(() => client.usage.findMany({ where: { trashBytes: { gt: BigInt(maxBytes) } }, orderBy: { ownerId: 'asc' }, take: limit, select: { ownerId: true, trashBytes: true } }))
      return rows.map(({ ownerId, trashBytes }) => ({ ownerId, bytes: Number(trashBytes) }))
    },

    async trashOf (ownerId, after, limit) {
      const behind = after === undefined ? {} : { OR: [{ stateAt: { gt: new Date(after.stateAt) } }, { stateAt: new Date(after.stateAt), id: { gt: after.id } }] }
      const rows = await querying(() => client.blob.findMany({ where: { ownerId, state: { in: ['superseded', 'deleted'] }, ...behind }, orderBy: [{ stateAt: 'asc' }, { id: 'asc' }], take: limit, include: withRecord }))
      return rows.map(toSidecar)
    },

    async revisionOf (id) {
      const row = await querying(() => client.blob.findUnique({ where: { id }, select: { revision: true } }))
      return row?.revision
    },

    async oweSidecar (id) {
      await querying(() => client.blob.updateMany({ where: { id, sidecarDueAt: null }, data: { sidecarDueAt: now() } }))
    },

    async hiddenBy (sidecar) {
      const where = hidden(sidecar)
      if (where === undefined) return []
      const rows = await querying(() => client.blob.findMany({ where, select: { id: true, kind: true, extension: true, state: true, revision: true } }))
      return rows.map((row) => row as Hidden)
    },

    async startPurge (sidecar) {
      const { id, state, revision } = sidecar
      const where = hidden(sidecar)
      const at = now()
      try {
        await querying(() => client.$transaction([
          client.blob.update({ where: { id, state, revision, sidecarDueAt: null }, data: { state: 'purging', stateAt: at } }),
          // Each stays in the trash for as long as it would have: `stateAt` is its own.
          ...(where === undefined ? [] : [client.blob.updateMany({ where, data: { state: 'deleted', revision: { increment: 1 }, sidecarDueAt: at } })]),
        ]))
        return true
      } catch (error) {
        if (isStale(error)) return false
        throw error
      }
    },

    async settleHidden ({ id: originalId, kind, ownerId }) {
      // A copy counts in a rebuild from when its sidecar says that it is in the place of this one.
      const copies: Prisma.BlobWhereInput = { originalId, sidecarDueAt: { not: null } }
      const hides = kind === 'avatar' && ownerId !== null
      const due = await querying(() => client.blob.findMany({ where: hides ? { OR: [copies, { ownerId, kind, state: 'deleted', sidecarDueAt: { not: null } }] } : copies, select: { id: true } }))
      for (const { id } of due) await settling.settle(id)
    },

    async purging (limit) {
      const rows = await querying(() => client.blob.findMany({ where: { state: 'purging' }, select: { id: true, kind: true, extension: true, ownerId: true, source: true, aliases: true }, take: limit }))
      return rows.map(({ id, kind, extension, ownerId, source, aliases }): Doomed => ({ id: id as BlobId, kind: kind as Kind, extension, ownerId, source, aliases: aliases.map(({ path }) => path) }))
    },

    entomb,

    async purged (id) {
      await querying(() => client.blob.deleteMany({ where: { id, state: 'purging' } }))
    },
  }
}
