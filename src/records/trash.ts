// What is in the trash, as operators ask for it: listed, counted, found by id. Changes nothing.
import type { Prisma } from '../generated/prisma/client.ts'
import type { Sidecar } from '../storage/sidecar.ts'
import type { BlobState } from '../storage/ledger.ts'
import type { Kind } from '../storage/store.ts'
import { isLater } from './adopt.ts'
import type { PrismaClient } from './database.ts'
import { querying } from './failures.ts'
import { toSidecar, withRecord, type BlobRow } from './sidecars.ts'

const perPage = 500

const trashStates = ['superseded', 'deleted']

export type TrashFilter = {
  readonly ownerId?: string | undefined
  readonly kind?: Kind | undefined
  /** In the trash since before then. */
  readonly before?: Date | undefined
}

/** A blob that an operator named by its id, or by that of its attachment. */
export type NamedBlob = { readonly state: BlobState, readonly sidecar: Sidecar }

export type TrashRecords = ReturnType<typeof createTrashRecords>

export function createTrashRecords (client: PrismaClient) {
  const where = ({ ownerId, kind, before }: TrashFilter, states: readonly string[] = trashStates): Prisma.BlobWhereInput => ({
    state: { in: [...states] },
    ...(ownerId !== undefined && { ownerId }),
    ...(kind !== undefined && { kind }),
    ...(before !== undefined && { stateAt: { lt: before } }),
  })

  async function * pages (filter: TrashFilter): AsyncGenerator<Sidecar[]> {
    let after = ''
    for (;;) {
      const rows = await querying(() => client.blob.findMany({ where: { ...where(filter), id: { gt: after } }, orderBy: { id: 'asc' }, take: perPage, include: withRecord }))
      const last = rows.at(-1)
      if (last === undefined) return
      after = last.id
      yield rows.map(toSidecar)
    }
  }

  return {
    /** Page by page; what is removed meanwhile is no hindrance. */
    pages,

    /** Those that went to the trash last come first. */
    async list (filter: TrashFilter, limit: number): Promise<Sidecar[]> {
      // Each state for itself: of one, the last are found in an index; of both at once, all would be looked at.
      const rows = await Promise.all(trashStates.map((state) => querying(() => client.blob.findMany({ where: where(filter, [state]), orderBy: [{ stateAt: 'desc' }, { id: 'desc' }], take: limit, include: withRecord }))))
      return rows.flat().sort(laterFirst).slice(0, limit).map(toSidecar)
    },

    async total (filter: TrashFilter): Promise<{ count: number, bytes: number }> {
      const { _count: count, _sum: { size } } = await querying(() => client.blob.aggregate({ where: where(filter), _count: true, _sum: { size: true } }))
      return { count, bytes: Number(size ?? 0) }
    },

    async find (id: string): Promise<NamedBlob | undefined> {
      const row = await querying(async (): Promise<BlobRow | null> =>
        await client.blob.findUnique({ where: { id }, include: withRecord }) ?? await client.blob.findFirst({ where: { attachment: { id } }, include: withRecord }))
      return row === null ? undefined : { state: row.state as BlobState, sidecar: toSidecar(row) }
    },
  }
}

const laterFirst = (one: BlobRow, other: BlobRow): number => isLater(one, other) ? -1 : 1
