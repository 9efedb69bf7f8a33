// The rows of attachments: created with their blobs, listed, changed and deleted, each change a compare-and-set.
import type { UserId } from '../callers/caller.ts'
import type { Prisma } from '../generated/prisma/client.ts'
import { committing, eachOwner, nothing, type Alongside } from '../records/commits.ts'
import type { PrismaClient } from '../records/database.ts'
import { isStale, querying } from '../records/failures.ts'
import type { Owners } from '../records/owners.ts'
import { joinIds, toBlobRow } from '../records/sidecars.ts'
import type { BlobId } from '../storage/ids.ts'
import type { Sidecar } from '../storage/sidecar.ts'
import type { BlobAddress } from '../storage/store.ts'
import type { Changes } from './schema.ts'

const withBlob = { blob: true } as const satisfies Prisma.AttachmentInclude

export type AttachmentRow = Prisma.AttachmentGetPayload<{ include: typeof withBlob }>

/** An attachment about to be kept, as its sidecar says it. */
export type AttachmentSidecar = Sidecar & { recordId: string, ownerId: string, filename: string, visibility: string }

export type Filter = { readonly ownerId: UserId, readonly contextType?: string | undefined, readonly contextId?: string | undefined, readonly limit: number, readonly before?: string | undefined }

export type AttachmentRecords = ReturnType<typeof createAttachmentRecords>

export function createAttachmentRecords ({ client, owners, now }: { client: PrismaClient, owners: Owners, now: () => Date }) {
  return {
    /** All of them or none, of one epoch. @throws OwnerErased when one of the owners was erased after it, and what `alongside` refuses for */
    async create (sidecars: readonly AttachmentSidecar[], epoch: number, alongside: Alongside = nothing): Promise<void> {
      const ownerIds = sidecars.map(({ ownerId }) => ownerId)
      const commit = () => client.$transaction([
        ...eachOwner(ownerIds, (ownerId) => owners.entering(ownerId, epoch)),
        ...sidecars.map((sidecar) => client.attachment.create({ data: { ...toRow(sidecar), blob: { create: toBlobRow(sidecar) } } })),
        ...alongside.statements(),
      ])
      await committing(client, sidecars.map(({ id }) => id), commit, async () => {
        await Promise.all(eachOwner(ownerIds, (ownerId) => owners.refuseErased(ownerId, epoch)))
        await alongside.refuse()
      })
    },

    /** Not deleted ones only. */
    find: (id: string): Promise<AttachmentRow | null> => querying(() => client.attachment.findFirst({ where: { id, deletedAt: null }, include: withBlob })),

    /** The one behind a path that an older client was given, unless it is deleted. */
    byAlias: (path: string): Promise<AttachmentRow | null> =>
      querying(async () => {
        const alias = await client.alias.findUnique({ where: { path }, include: { blob: { include: { attachment: { include: withBlob } } } } })
        return alias?.blob.attachment?.deletedAt === null ? alias.blob.attachment : null
      }),

    findAll: (ids: readonly string[]): Promise<AttachmentRow[]> =>
      querying(() => client.attachment.findMany({ where: { id: { in: [...ids] }, deletedAt: null }, orderBy: { id: 'desc' }, include: withBlob })),

    /** Newest first: the ids are UUIDv7. */
    list: ({ ownerId, contextType, contextId, limit, before }: Filter): Promise<AttachmentRow[]> => querying(() => client.attachment.findMany({
      where: {
        ownerId,
        deletedAt: null,
        ...(contextType !== undefined && { contextType }),
        ...(contextId !== undefined && { contextId }),
        ...(before !== undefined && { id: { lt: before } }),
      },
      orderBy: { id: 'desc' },
      take: limit,
      include: withBlob,
    })),

    /** The row as changed; null when it was deleted meanwhile, or its bytes went over to another blob. */
    change: (row: AttachmentRow, changes: Omit<Prisma.AttachmentUpdateInput, 'blob'>): Promise<AttachmentRow | null> => unlessStale(async () => {
      const [, changed] = await client.$transaction([
        client.blob.update({ where: { id: row.blobId }, data: { revision: { increment: 1 }, sidecarDueAt: now() } }),
        client.attachment.update({ where: { id: row.id, blobId: row.blobId, deletedAt: null }, data: changes, include: withBlob }),
      ])
      return changed
    }),

    /** To the trash. False when it was there already, or its bytes went over to another blob. */
    remove: async ({ id, blobId }: AttachmentRow): Promise<boolean> => {
      const at = now()
      const removed = await unlessStale(() => client.$transaction([
        client.attachment.update({ where: { id, deletedAt: null }, data: { deletedAt: at } }),
        client.blob.update({ where: { id: blobId, state: 'live' }, data: { state: 'deleted', stateAt: at, revision: { increment: 1 }, sidecarDueAt: at } }),
      ]))
      return removed !== null
    },

    /** In the trash, and not on its way out. */
    findDeleted: (id: string): Promise<AttachmentRow | null> =>
      querying(() => client.attachment.findFirst({ where: { id, deletedAt: { not: null }, blob: { state: 'deleted' } }, include: withBlob })),

    /** Back from the trash. False when it was not there any more. */
    restore: async ({ id, blobId }: AttachmentRow): Promise<boolean> => {
      const at = now()
      const restored = await unlessStale(() => client.$transaction([
        client.attachment.update({ where: { id, deletedAt: { not: null } }, data: { deletedAt: null } }),
        client.blob.update({ where: { id: blobId, state: 'deleted' }, data: { state: 'live', stateAt: at, revision: { increment: 1 }, sidecarDueAt: at } }),
      ]))
      return restored !== null
    },

    /** A deleted attachment whose sidecar does not say so yet. */
    halfDeleted: (id: string): Promise<AttachmentRow | null> =>
      querying(() => client.attachment.findFirst({ where: { id, deletedAt: { not: null }, blob: { state: 'deleted', sidecarDueAt: { not: null } } }, include: withBlob })),
  }
}

export const blobIdOf = ({ blobId }: AttachmentRow): BlobId => blobId as BlobId

export const addressOf = (row: AttachmentRow): BlobAddress => ({ kind: 'attachment', id: blobIdOf(row), extension: row.blob.extension })

/** What a client may change of the row, without what it left out. */
export function toChanges ({ filename, visibility, contextType, contextId, alt }: Changes): Omit<Prisma.AttachmentUpdateInput, 'blob'> {
  return {
    ...(filename !== undefined && { filename }),
    ...(visibility !== undefined && { visibility }),
    ...(contextType !== undefined && { contextType }),
    ...(contextId !== undefined && { contextId }),
    ...(alt !== undefined && { alt }),
  }
}

function toRow ({ recordId, ownerId, filename, visibility, contextType, contextId, alt, readers, expiresAt, createdAt }: AttachmentSidecar): Omit<Prisma.AttachmentCreateInput, 'blob'> {
  return { id: recordId, ownerId, filename, visibility, contextType, contextId, alt, readers: joinIds(readers), expiresAt: expiresAt === null ? null : new Date(expiresAt), createdAt: new Date(createdAt) }
}

async function unlessStale<T> (change: () => Promise<T>): Promise<T | null> {
  try {
    return await querying(change)
  } catch (error) {
    if (isStale(error)) return null
    throw error
  }
}
