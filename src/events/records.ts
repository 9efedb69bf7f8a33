// The rows of events as who delivers them sees them: which are due, who has which, and what becomes of each.
import type { Prisma } from '../generated/prisma/client.ts'
import type { PrismaClient } from '../records/database.ts'
import { inLine, nextIsDue } from '../records/events.ts'
import { querying } from '../records/failures.ts'
import { heldForMs } from './patience.ts'

/** The first of its owner that is not done with. */
export type DueEvent = {
  readonly seq: number
  /** The same however often it is sent. */
  readonly id: string
  readonly type: string
  readonly ownerKey: string
  /** JSON, as it is sent; empty when there is nothing to send any more. */
  readonly payload: string
  /** Before this one. */
  readonly attempts: number
  readonly createdAt: Date
  readonly dueAt: Date
}

/** An event that this process, and no other, may send until then. */
export type Held = DueEvent & { readonly heldUntil: Date }

export type ListedEvent = { readonly id: string, readonly type: string, readonly payload: string, readonly attempts: number, readonly createdAt: Date, readonly dueAt: Date | null, readonly deadAt: Date | null }

/** `oldestAt`: since when the one is being delivered that waits longest. */
export type Depth = { readonly waiting: number, readonly dead: number, readonly oldestAt: Date | undefined }

const idsPerQuery = 500

/** Who has an event has it for half of that, by a clock that may differ by the other half. */
const soonMs = 2 * heldForMs

export type Outbox = ReturnType<typeof createOutbox>

export function createOutbox ({ client, now }: { client: PrismaClient, now: () => Date }) {
  /** Ends an event for its owner, and the next one is due. In one transaction, as else nothing would ever make that due. */
  const ending = ({ ownerKey }: DueEvent, statements: Prisma.PrismaPromise<unknown>[]) =>
    querying(() => client.$transaction([client.$executeRaw(inLine(ownerKey)), ...statements, client.$executeRaw(nextIsDue(ownerKey, now()))]))

  /** Unless another took it over, because holding it took too long. */
  const mine = ({ seq, heldUntil }: Held) => ({ seq, dueAt: heldUntil, deadAt: null })

  return {
    /** Those that wait longest come first. */
    async due (limit: number): Promise<DueEvent[]> {
      const rows = await querying(() => client.event.findMany({ where: { dueAt: { lte: now() }, deadAt: null }, orderBy: [{ dueAt: 'asc' }, { seq: 'asc' }], take: limit }))
      return rows.flatMap(({ dueAt, ...row }) => dueAt === null ? [] : [{ ...row, dueAt }])
    },

    /** Takes it for `ms`; undefined when another was first. The clocks of two gateways may differ by what is left of that after it was sent. */
    async hold (event: DueEvent, ms: number): Promise<Held | undefined> {
      const heldUntil = new Date(now().getTime() + ms)
      const { count } = await querying(() => client.event.updateMany({ where: { seq: event.seq, dueAt: event.dueAt, deadAt: null }, data: { dueAt: heldUntil, attempts: { increment: 1 } } }))
      return count === 1 ? { ...event, heldUntil } : undefined
    },

    /** It was taken, or there was nothing to send: also when it is another's by now, who sends it again at worst. */
    async done (event: Held): Promise<void> {
      await ending(event, [client.event.deleteMany({ where: { seq: event.seq } })])
    },

    /** It is tried again then. */
    async postpone (event: Held, dueAt: Date): Promise<void> {
      await querying(() => client.event.updateMany({ where: mine(event), data: { dueAt } }))
    },

    /** It is kept, and sent no more unless somebody asks for it. One that was emptied meanwhile is not. */
    async giveUp (event: Held): Promise<void> {
      await ending(event, [
        client.event.deleteMany({ where: { ...mine(event), payload: '' } }),
        client.event.updateMany({ where: mine(event), data: { deadAt: now(), dueAt: null } }),
      ])
    },

    /** Forgets those that were given up before `before`. */
    async forget (before: Date): Promise<number> {
      const { count } = await querying(() => client.event.deleteMany({ where: { deadAt: { lt: before } } }))
      return count
    },

    /** Forgets all from before `before`, also those that were never sent: for when there is nobody to tell. Returns how many. */
    async forgetAll (before: Date): Promise<number> {
      const old = { OR: [{ deadAt: null, createdAt: { lt: before } }, { deadAt: { lt: before } }] }
      let forgotten = 0
      for (const { ownerKey } of await querying(() => client.event.groupBy({ by: ['ownerKey'], where: old }))) {
        const [, { count }] = await querying(() => client.$transaction([client.$executeRaw(inLine(ownerKey)), client.event.deleteMany({ where: { ownerKey, ...old } }), client.$executeRaw(nextIsDue(ownerKey, now()))]))
        forgotten += count
      }
      return forgotten
    },

    async depth (): Promise<Depth> {
      const alive = { deadAt: null }
      const [{ _count: waiting, _min: { createdAt } }, dead] = await querying(() => Promise.all([
        client.event.aggregate({ where: alive, _count: true, _min: { createdAt: true } }),
        client.event.count({ where: { deadAt: { not: null } } }),
      ]))
      return { waiting, dead, oldestAt: createdAt ?? undefined }
    },

    /** Not delivered yet, or given up; the oldest first. */
    list: (isDead: boolean, limit: number): Promise<ListedEvent[]> =>
      querying(() => client.event.findMany({ where: isDead ? { deadAt: { not: null } } : { deadAt: null }, orderBy: { seq: 'asc' }, take: limit })),

    /**
     * Those of `ids`, or all that were given up or wait for their next try, are delivered now: what was given up as if it had just
     * happened, and always the first of an owner before the others. What is due soon anyway is left as it is, because it may be being
     * sent. Returns the ids.
     */
    async retry (ids?: readonly string[]): Promise<string[]> {
      const soon = new Date(now().getTime() + soonMs)
      const retried: string[] = []
      let last = 0
      for (;;) {
        const which = ids === undefined ? { seq: { gt: last }, OR: [{ deadAt: { not: null } }, { dueAt: { gt: soon } }] } : { id: { in: ids.slice(0, idsPerQuery) } }
        const rows = await querying(() => client.event.findMany({ where: which, orderBy: { seq: 'asc' }, take: idsPerQuery }))
        for (const ownerKey of new Set(rows.map((row) => row.ownerKey))) {
          const seqs = rows.filter((row) => row.ownerKey === ownerKey).map(({ seq }) => seq)
          await querying(() => client.$transaction([
            client.$executeRaw(inLine(ownerKey)),
            client.event.updateMany({ where: { seq: { in: seqs }, deadAt: { not: null } }, data: { deadAt: null, dueAt: null, attempts: 0, createdAt: now() } }),
            client.event.updateMany({ where: { ownerKey, dueAt: { gt: soon } }, data: { dueAt: null } }),
            client.$executeRaw(nextIsDue(ownerKey, now())),
          ]))
        }
        retried.push(...rows.map(({ id }) => id))
        last = rows.at(-1)?.seq ?? last
        ids = ids?.slice(idsPerQuery)
        if (ids === undefined ? rows.length === 0 : ids.length === 0) return retried
      }
    },
  }
}
