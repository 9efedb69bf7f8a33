// The rows as a check of the volume reads them: page by page, each with what it says of its files. Changes nothing.
import { Prisma } from '../generated/prisma/client.ts'
import type { BlobId } from '../storage/ids.ts'
import { asBlobId } from '../storage/ids.ts'
import type { BlobState } from '../storage/ledger.ts'
import type { Sidecar } from '../storage/sidecar.ts'
import type { Kind } from '../storage/store.ts'
import type { PrismaClient } from './database.ts'
import { querying } from './failures.ts'
import { toSidecar, withRecord } from './sidecars.ts'

const withPointer = { ...withRecord, avatar: true } as const satisfies Prisma.BlobInclude

type Row = Prisma.BlobGetPayload<{ include: typeof withPointer }>

/** A row that says its files are on the volume. */
export type Item = {
  /** What the sidecar ought to say. */
  readonly sidecar: Sidecar
  /** The sidecar lags behind, and is written by whoever settles next. */
  readonly isSidecarDue: boolean
  /** A sentence about what contradicts itself in the rows, if anything. */
  readonly flaw: string | undefined
}

/** What is known of an id that has files. */
export type Known = { readonly state: BlobState, readonly kind: Kind, readonly extension: string }

/** Rows of records whose blob has none. */
export type Dangling = { readonly blobId: string, readonly what: string }

export type Inventory = ReturnType<typeof createInventory>

/** These have no files, or will soon have none. */
const withoutFiles = ['purging', 'swept']

export function createInventory (client: PrismaClient) {
  return {
    /** Rows that ought to have files. */
    count: (): Promise<number> => querying(() => client.blob.count({ where: { state: { notIn: withoutFiles } } })),

    /** Those after the id `after`, by id. */
    async page (after: string, limit: number): Promise<Item[]> {
      const rows = await querying(() => client.blob.findMany({ where: { id: { gt: after }, state: { notIn: withoutFiles } }, orderBy: { id: 'asc' }, take: limit, include: withPointer }))
      return rows.map(toItem)
    },

    /** As the rows of these ids are now; without those that are gone or have no files any more. */
    async items (ids: readonly string[]): Promise<Map<string, Item>> {
      const rows = await querying(() => client.blob.findMany({ where: { id: { in: [...ids] }, state: { notIn: withoutFiles } }, include: withPointer }))
      return new Map(rows.map((row) => [row.id, toItem(row)]))
    },

    async known (ids: readonly BlobId[]): Promise<Map<BlobId, Known>> {
      const rows = await querying(() => client.blob.findMany({ where: { id: { in: [...ids] } }, select: { id: true, state: true, kind: true, extension: true } }))
      return new Map(rows.map(({ id, state, kind, extension }) => [id as BlobId, { state: state as BlobState, kind: kind as Kind, extension }]))
    },

    /** Rows of the same content, for bytes that are lost elsewhere. */
    async alike ({ id, sha256, size }: Pick<Sidecar, 'id' | 'sha256' | 'size'>, limit: number): Promise<Sidecar[]> {
      const rows = await querying(() => client.blob.findMany({ where: { sha256, size: BigInt(size), id: { not: id }, state: { notIn: withoutFiles } }, take: limit, include: withRecord }))
      return rows.map(toSidecar)
    },

    /** What somebody left who removed rows without their foreign keys being looked at. */
    dangling: (limit: number): Promise<Dangling[]> => querying(async () => (await Promise.all([
      danglingIn(client, 'the record of an attachment', Prisma.sql`SELECT r."blobId" FROM "Attachment" r LEFT JOIN "Blob" b ON b."id" = r."blobId" WHERE b."id" IS NULL LIMIT ${limit}`),
      danglingIn(client, 'the record of a current avatar', Prisma.sql`SELECT r."blobId" FROM "Avatar" r LEFT JOIN "Blob" b ON b."id" = r."blobId" WHERE b."id" IS NULL LIMIT ${limit}`),
      danglingIn(client, 'an old path', Prisma.sql`SELECT r."blobId" FROM "Alias" r LEFT JOIN "Blob" b ON b."id" = r."blobId" WHERE b."id" IS NULL LIMIT ${limit}`),
    ])).flat()),
  }
}

async function danglingIn (client: PrismaClient, what: string, query: Prisma.Sql): Promise<Dangling[]> {
  const rows = await client.$queryRaw<Array<{ blobId: string }>>(query)
  return rows.map(({ blobId }) => ({ blobId, what }))
}

function toItem (row: Row): Item {
  return { sidecar: toSidecar(row), isSidecarDue: row.sidecarDueAt !== null, flaw: flawOf(row) }
}

function flawOf (row: Row): string | undefined {
  if (asBlobId(row.id) === undefined) return 'Its id is none that the gateway makes.'
  if (!/^[a-z0-9]{1,8}$/.test(row.extension)) return 'Its extension is none that the gateway makes.'
  if (row.kind === 'avatar') return flawOfAvatar(row)
  return row.kind === 'attachment' ? flawOfAttachment(row) : `Its kind is "${row.kind}", which is none.`
}

function flawOfAvatar ({ state, ownerId, avatar, attachment }: Row): string | undefined {
  if (attachment !== null) return 'It is an avatar, but has the record of an attachment.'
  if (!['live', 'pending', 'superseded', 'deleted'].includes(state)) return `Its state is "${state}", which an avatar cannot have.`
  if (state === 'live' && ownerId === null) return 'It is current, but nobody\'s.'
  if (state === 'live' && avatar === null) return 'It is called current, but is not the picture that its owner is shown with.'
  if (avatar !== null && state !== 'live') return `It is the picture that a user is shown with, but is called ${state}.`
  return avatar !== null && avatar.userId !== ownerId ? 'It is the picture that another user than its owner is shown with.' : undefined
}

function flawOfAttachment ({ state, ownerId, avatar, attachment }: Row): string | undefined {
  if (avatar !== null) return 'It is an attachment, but a user is shown with it.'
  if (attachment === null) return 'It is an attachment, but has no record of one.'
  if (state !== 'live' && state !== 'deleted') return `Its state is "${state}", which an attachment cannot have.`
  if (attachment.ownerId !== ownerId) return 'Its owner is not the one of its record.'
  if ((state === 'deleted') !== (attachment.deletedAt !== null)) return state === 'deleted' ? 'It is deleted, but its record is not.' : 'Its record is deleted, but it is not.'
  return undefined
}
