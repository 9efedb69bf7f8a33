// What happened to files, written in the transaction of the change itself and so neither lost nor made up. Delivers nothing.
import { Prisma } from '../generated/prisma/client.ts'
import { newRecordId } from '../storage/ids.ts'
import type { KeyedHash } from '../storage/keyed-hash.ts'
import type { PrismaClient } from './database.ts'
import { querying } from './failures.ts'

export type EventType = `attachment.${'created' | 'changed' | 'deleted' | 'restored' | 'erased'}` | `avatar.${'created' | 'replaced' | 'deleted' | 'restored' | 'erased'}`

const erasedTypes: readonly EventType[] = ['attachment.erased', 'avatar.erased']

export type Happening = {
  readonly type: EventType
  readonly ownerId: string
  /** That of the file. */
  readonly epoch: number
  /** Of the file; nothing of anybody but its owner. */
  readonly data: object
  /** When it may be told by two, or again: they tell the same one. */
  readonly id?: string
}

/**
 * Makes what follows in the transaction wait for every other that tells of this owner, so that the events are numbered in the order of
 * the commits, also where two commit at once.
 */
export const inLine = (ownerKey: string): Prisma.Sql => Prisma.sql`
  INSERT INTO "Owner" ("key", "epoch", "commits") VALUES (${ownerKey}, 0, 1)
  ON CONFLICT ("key") DO UPDATE SET "commits" = "Owner"."commits" + 1`

/** The first of the owner's events that are not done with is due, if it waited for others. After `inLine`. */
export const nextIsDue = (ownerKey: string, at: Date): Prisma.Sql => Prisma.sql`
  UPDATE "Event" SET "dueAt" = ${at} WHERE "dueAt" IS NULL
  AND "seq" = (SELECT MIN("seq") FROM "Event" WHERE "ownerKey" = ${ownerKey} AND "deadAt" IS NULL)`

/**
 * For the transaction of an erasure: what is told of the owner's files of a lower epoch is told no more. One that is being delivered
 * keeps its place in the line, without what it said, so that what comes after it does not overtake it.
 */
export const silencing = (client: PrismaClient, ownerKey: string, epoch: number): Prisma.PrismaPromise<unknown>[] => {
  const where = { ownerKey, epoch: { lt: epoch }, type: { notIn: [...erasedTypes] } }
  return [
    client.$executeRaw(inLine(ownerKey)),
    client.event.deleteMany({ where: { ...where, deadAt: { not: null } } }),
    client.event.updateMany({ where, data: { payload: '' } }),
  ]
}

export type Events = ReturnType<typeof createEvents>

/** The setting says that there is somebody to tell. */
export const webhookKey = 'webhook'

/** For commands, whose settings may not be those of the gateway: whether the one that started last has a webhook. */
export const noteWebhook = (client: PrismaClient, isThere: boolean): Promise<void> => querying(async () => {
  if (isThere === await hasWebhook(client)) return
  if (isThere) await client.setting.upsert({ where: { key: webhookKey }, create: { key: webhookKey, value: 'set' }, update: { value: 'set' } })
  else await client.setting.deleteMany({ where: { key: webhookKey } })
})

export const hasWebhook = (client: PrismaClient): Promise<boolean> => querying(async () => await client.setting.findUnique({ where: { key: webhookKey } }) !== null)

/** What tells nobody. */
export const untold: Pick<Events, 'telling' | 'told'> = { telling: () => [], told () {} }

/** `isWanted`: whether there is anybody to tell; nothing is written otherwise. */
export function createEvents ({ hash, now, isWanted }: { hash: KeyedHash, now: () => Date, isWanted: boolean }) {
  const listeners = new Set<() => void>()

  function row ({ type, ownerId, epoch, data, id = newRecordId() }: Happening, at: Date): Prisma.Sql {
    const payload = JSON.stringify({ id, type, occurredAt: at.toISOString(), ownerId, data })
    return Prisma.sql`(${id}, ${type}, ${hash('owner', ownerId)}, ${payload}, ${epoch}, ${at})`
  }

  const written = (rows: readonly Prisma.Sql[]) => Prisma.sql`
    INSERT INTO "Event" ("id", "type", "ownerKey", "payload", "epoch", "createdAt") VALUES ${Prisma.join([...rows])}
    ON CONFLICT ("id") DO NOTHING`

  return {
    /** For the transaction in which it happens: before the statements that find out whether it does, unless that has passed through the owners' rows. */
    telling (happenings: readonly Happening[]): Prisma.Sql[] {
      if (!isWanted) return []
      const at = now()
      const ownerIds = [...new Set(happenings.map(({ ownerId }) => ownerId))].sort()
      return ownerIds.flatMap((ownerId) => {
        const key = hash('owner', ownerId)
        return [
          inLine(key),
          written(happenings.filter((happening) => happening.ownerId === ownerId).map((happening) => row(happening, at))),
          nextIsDue(key, at),
        ]
      })
    },

    /** After the transaction: it need not wait until somebody looks. */
    told (): void {
      for (const listener of listeners) listener()
    },

    /** `listener` is called whenever something was told in this process. */
    onTold (listener: () => void): void {
      listeners.add(listener)
    },
  }
}
