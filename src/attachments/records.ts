// The rows of attachments: created with their blobs, listed, changed and deleted, each change a compare-and-set. In each transaction
// the row of the blob comes before that of the attachment, here as elsewhere, so that no two wait for each other.
import type { UserId } from '../callers/caller.ts'
import type { Prisma } from '../generated/prisma/client.ts'
import { committing, eachOwner, nothing, type Alongside } from '../records/commits.ts'
import type { PrismaClient } from '../records/database.ts'
import { untold, type Events } from '../records/events.ts'
import { isStale, querying } from '../records/failures.ts'
import { nobody, type Naming, type Owners } from '../records/owners.ts'
import { forgetful, type RowMemory } from '../records/row-memory.ts'
import { joinIds, newBlob } from '../records/sidecars.ts'
import { inPrisma, inserting, throughPrisma, type Commit } from '../records/statements.ts'
import type { BlobId } from '../storage/ids.ts'
import type { Sidecar } from '../storage/sidecar.ts'
import type { BlobAddress } from '../storage/store.ts'
import { ofChange, ofRow, ofSidecar } from './events.ts'
import type { Changes } from './schema.ts'

const withBlob = { blob: true } as const satisfies Prisma.AttachmentInclude

export type AttachmentRow = Prisma.AttachmentGetPayload<{ include: typeof withBlob }>

/** An attachment about to be kept, as its sidecar says it. */
export type AttachmentSidecar = Sidecar & { recordId: string, ownerId: string, filename: string, visibility: string }

export type Filter = { readonly ownerId: UserId, readonly contextType?: string | undefined, readonly contextId?: string | undefined, readonly limit: number, readonly before?: string | undefined }

export type AttachmentRecords = ReturnType<typeof createAttachmentRecords>

type Options = { client: PrismaClient, /** Of new rows. */ commit?: Commit, owners: Owners, now: () => Date, memory?: RowMemory, events?: Pick<Events, 'telling' | 'told'> }

export function createAttachmentRecords ({ client, commit = throughPrisma(client).commit, owners, now, memory = forgetful, events = untold }: Options) {
  /** Neither deleted nor past its time, though nobody may have moved it to the trash yet. */
  const current = () => ({ deletedAt: null, OR: [{ expiresAt: null }, { expiresAt: { gt: now() } }] })

  const hasExpired = ({ expiresAt }: Pick<AttachmentRow, 'expiresAt'>): boolean => expiresAt !== null && expiresAt <= now()

  /** It may have expired. */
  async function read (id: string): Promise<AttachmentRow | null> {
    const row = memory.reader.attachment(id)
    return row === undefined ? find(id) : row
  }

  const find = (id: string): Promise<AttachmentRow | null> => querying(() => client.attachment.findFirst({ where: { id, ...current() }, include: withBlob }))

  const overdue = () => ({ expiresAt: { lte: now() }, deletedAt: null, blob: { state: 'live' } })

  return {
    epoch: owners.epoch,

    remaining: owners.remaining,

    naming: owners.naming,

    /** All of them or none, of one epoch. @throws OwnerErased when one of the owners was erased after it, READER_ERASED when one of the readers was, and what `alongside` refuses for */
    async create (sidecars: readonly AttachmentSidecar[], epoch: number, alongside: Alongside = nothing): Promise<void> {
      const ownerIds = sidecars.map(({ ownerId }) => ownerId)
      const naming = owners.naming(sidecars.flatMap(({ readers }) => readers), epoch)
      const all = () => commit([
        ...naming.first(),
        ...eachOwner(ownerIds, (ownerId) => owners.entering(ownerId, epoch)),
        ...sidecars.flatMap((sidecar) => [...newBlob(sidecar), inserting('Attachment', toRow(sidecar))]),
        ...events.telling(sidecars.map(ofSidecar)),
        ...naming.statements(),
        ...alongside.statements(),
      ])
      await committing(client, sidecars.map(({ id }) => id), all, async (error) => {
        await Promise.all(eachOwner(ownerIds, (ownerId) => owners.refuseErased(ownerId, epoch)))
        await naming.refuse()
        await alongside.refuse(error)
      })
      events.told()
    },

    basisOf: memory.basisOf,

    /** Neither deleted nor expired ones, as all that follow. Out of memory where it is known there. */
    async shown (id: string): Promise<AttachmentRow | null> {
      const row = await memory.get(`attachment ${id}`, () => read(id), ({ blobId }) => [`attachment ${id}`, `blob ${blobId}`])
      return row === null || hasExpired(row) ? null : row
    },

    hasExpired,

    find,

    /** The one behind a path that an older client was given. */
    byAlias: (path: string): Promise<AttachmentRow | null> =>
      querying(async () => {
        const alias = await client.alias.findUnique({ where: { path }, select: { blobId: true } })
        return alias && await client.attachment.findFirst({ where: { blobId: alias.blobId, ...current() }, include: withBlob })
      }),

    findAll: (ids: readonly string[]): Promise<AttachmentRow[]> =>
      querying(() => client.attachment.findMany({ where: { id: { in: [...ids] }, ...current() }, orderBy: { id: 'desc' }, include: withBlob })),

    /** Newest first: the ids are UUIDv7. `deletedAt` is the same in all; named, the order is that of an index to PostgreSQL too. */
    list: ({ ownerId, contextType, contextId, limit, before }: Filter): Promise<AttachmentRow[]> => querying(() => client.attachment.findMany({
      where: {
        ownerId,
        ...current(),
        ...(contextType !== undefined && { contextType }),
        ...(contextId !== undefined && { contextId }),
        ...(before !== undefined && { id: { lt: before } }),
      },
      orderBy: [{ deletedAt: 'desc' }, { id: 'desc' }],
      take: limit,
      include: withBlob,
    })),

    /** The row as changed; null when it was deleted meanwhile, or its bytes went over to another blob. @throws what `naming` refuses for */
    change: (row: AttachmentRow, changes: Omit<Prisma.AttachmentUpdateInput, 'blob'>, naming: Naming = nobody): Promise<AttachmentRow | null> => unlessStale(async () => {
      const results = await client.$transaction([
        ...inPrisma(client, naming.first()),
        ...inPrisma(client, [...naming.statements(), ...events.telling([ofChange(row, changes)])]),
        client.blob.update({ where: { id: row.blobId }, data: { revision: { increment: 1 }, sidecarDueAt: now() } }),
        client.attachment.update({ where: { id: row.id, blobId: row.blobId, ...current() }, data: changes, include: withBlob }),
      ])
      events.told()
      return results.at(-1) as AttachmentRow
    }).catch(async (error: unknown) => {
      await naming.refuse(error)
      throw error
    }),

    /** Of those whose time has passed, and that are not in the trash yet. */
    expired: (limit: number): Promise<AttachmentRow[]> =>
      querying(() => client.attachment.findMany({ where: overdue(), orderBy: { expiresAt: 'asc' }, take: limit, include: withBlob })),

    findExpired: (id: string): Promise<AttachmentRow | null> => querying(() => client.attachment.findFirst({ where: { id, ...overdue() }, include: withBlob })),

    /** To the trash. False when it was there already, or its bytes went over to another blob; with `ifExpired` also when it has time again. */
    remove: async (row: AttachmentRow, { ifExpired = false } = {}): Promise<boolean> => {
      const { id, blobId } = row
      const at = now()
      const removed = await unlessStale(() => client.$transaction([
        ...inPrisma(client, events.telling([ofRow('attachment.deleted', row)])),
        client.blob.update({ where: { id: blobId, state: 'live' }, data: { state: 'deleted', stateAt: at, revision: { increment: 1 }, sidecarDueAt: at } }),
        client.attachment.update({ where: { id, deletedAt: null, ...(ifExpired && { expiresAt: { lte: at } }) }, data: { deletedAt: at } }),
      ]))
      events.told()
      return removed !== null
    },

    /** In the trash, and not on its way out. */
    findDeleted: (id: string): Promise<AttachmentRow | null> =>
      querying(() => client.attachment.findFirst({ where: { id, deletedAt: { not: null }, blob: { state: 'deleted' } }, include: withBlob })),

    /** Back from the trash, for good if its time has passed. False when it was not there any more. */
    restore: async (row: AttachmentRow): Promise<boolean> => {
      const { id, blobId } = row
      const at = now()
      const restored = await unlessStale(() => client.$transaction([
        ...inPrisma(client, events.telling([ofRow('attachment.restored', row)])),
        client.blob.update({ where: { id: blobId, state: 'deleted' }, data: { state: 'live', stateAt: at, revision: { increment: 1 }, sidecarDueAt: at } }),
        client.attachment.update({ where: { id, deletedAt: { not: null } }, data: { deletedAt: null, ...(row.expiresAt !== null && row.expiresAt <= at && { expiresAt: null }) } }),
      ]))
      events.told()
      return restored !== null
    },

    /** A deleted attachment whose sidecar does not say so yet. */
    halfDeleted: (id: string): Promise<AttachmentRow | null> =>
      querying(() => client.attachment.findFirst({ where: { id, deletedAt: { not: null }, blob: { state: 'deleted', sidecarDueAt: { not: null } } }, include: withBlob })),
  }
}

export const blobIdOf = ({ blobId }: AttachmentRow): BlobId => blobId as BlobId

export const addressOf = (row: AttachmentRow): BlobAddress => ({ kind: 'attachment', id: blobIdOf(row), extension: row.blob.extension })

/** What a client may change of the row, without what it left out. `epoch`: how many erasures there had been when the change began. */
export function toChanges ({ filename, visibility, contextType, contextId, alt, readers, expiresAt }: Changes, epoch: number): Omit<Prisma.AttachmentUpdateInput, 'blob'> {
  return {
    ...(filename !== undefined && { filename }),
    ...(visibility !== undefined && { visibility }),
    ...(contextType !== undefined && { contextType }),
    ...(contextId !== undefined && { contextId }),
    // Not every database keeps such a text, and none of them is to have one that another could not take over.
    ...(alt !== undefined && { alt: alt?.replaceAll('\0', '') ?? null }),
    ...(readers !== undefined && { readers: joinIds([...new Set(readers)]), readersEpoch: epoch }),
    ...(expiresAt !== undefined && { expiresAt: expiresAt === null ? null : new Date(expiresAt) }),
  }
}

function toRow ({ id, recordId, ownerId, filename, visibility, contextType, contextId, alt, readers, readersEpoch, expiresAt, createdAt }: AttachmentSidecar) {
  return { id: recordId, blobId: id, ownerId, filename, visibility, contextType, contextId, alt, readers: joinIds(readers), readersEpoch, expiresAt: expiresAt === null ? null : new Date(expiresAt), createdAt: new Date(createdAt) }
}

async function unlessStale<T> (change: () => Promise<T>): Promise<T | null> {
  try {
    return await querying(change)
  } catch (error) {
    if (isStale(error)) return null
    throw error
  }
}
