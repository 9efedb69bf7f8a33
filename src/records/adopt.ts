// What a sidecar brings back as rows: the blob, its record, its old URLs, and whether it is its owner's current avatar (I9).
import type { Prisma } from '../generated/prisma/client.ts'
import { newRecordId } from '../storage/ids.ts'
import type { Sidecar } from '../storage/sidecar.ts'
import { isTime } from '../storage/time.ts'
import { isUserId } from '../user-id.ts'
import type { PrismaClient } from './database.ts'
import { isStale, isTaken, querying } from './failures.ts'
import { joinIds, toBlobRow } from './sidecars.ts'

const attempts = 100

/** Nothing ever counts so far; and there is room above it to count on from. */
const mostCounted = 1_500_000_000

export type Rows = { blob: Prisma.BlobCreateManyInput, attachments: Prisma.AttachmentCreateManyInput[], aliases: Prisma.AliasCreateManyInput[] }

/** Why no rows can be made of a sidecar that is whole: the end of a sentence. Undefined when they can. */
export function unfitness (sidecar: Sidecar): string | undefined {
  const { kind, state, ownerId, extension, stateAt, createdAt, epoch, readersEpoch, revision } = sidecar
  if (!/^[a-z0-9]{1,8}$/.test(extension)) return 'it names no extension that a blob can have'
  if (![stateAt, createdAt].every(isTime)) return 'a time in it is none'
  if ([epoch, readersEpoch, revision].some((counted) => counted > mostCounted)) return 'it counts higher than there can have been changes or erasures'
  if (ownerId === null && state !== 'pending') return 'it names no owner'
  if (ownerId !== null && !isUserId(ownerId)) return 'what it names as its owner can be no user'
  return kind === 'attachment' ? unfitAttachment(sidecar) : sidecar.recordId === null ? undefined : 'it is an avatar and names an attachment'
}

function unfitAttachment ({ state, ownerId, recordId, filename, visibility, readers }: Sidecar): string | undefined {
  if (ownerId === null || recordId === null || filename === null) return 'it does not name the attachment, its owner and its filename'
  if (visibility !== 'private' && visibility !== 'public') return 'its visibility is neither private nor public'
  if (!readers.every(isUserId)) return 'what it names as a reader can be no user'
  return state === 'live' || state === 'deleted' ? undefined : `an attachment cannot be ${state}`
}

/** With what had to be decided anew; the file on the volume is to follow. */
export const amended = (sidecar: Sidecar, changes: Partial<Sidecar>): Sidecar => ({ ...sidecar, ...changes, revision: sidecar.revision + 1 })

/** The rows of a sidecar that is fit. `sidecarDueAt`: when it was amended; null where the file says the same. */
export function toRows (sidecar: Sidecar, sidecarDueAt: Date | null): Rows {
  const { aliases, ...blob } = toBlobRow({ ...sidecar, aliases: [] })
  return {
    blob: { ...blob, sidecarDueAt },
    attachments: toAttachmentRows(sidecar),
    aliases: [...new Set(sidecar.aliases)].map((path) => ({ path, blobId: sidecar.id })),
  }
}

function toAttachmentRows ({ id, recordId, ownerId, filename, visibility, contextType, contextId, alt, readers, readersEpoch, expiresAt, createdAt, state, stateAt }: Sidecar): Prisma.AttachmentCreateManyInput[] {
  if (recordId === null || ownerId === null || filename === null || visibility === null) return []
  return [{ id: recordId, blobId: id, ownerId, filename, visibility, contextType, contextId, alt, readers: joinIds(readers), readersEpoch, expiresAt: expiresAt === null ? null : new Date(expiresAt), deletedAt: state === 'deleted' ? new Date(stateAt) : null, createdAt: new Date(createdAt) }]
}

/** What counts of a live avatar when the current one of its owner is decided. */
export type Candidate = { readonly id: string, readonly stateAt: Date }

/** The later change counts; of two in the same millisecond the later picture. */
export const isLater = (one: Candidate, other: Candidate): boolean =>
  one.stateAt.getTime() === other.stateAt.getTime() ? one.id > other.id : one.stateAt > other.stateAt

/**
 * Whether a live avatar is one that its owner removed: what was deleted later says so. One that was replaced says nothing,
 * as its successor may have been published before it and committed after.
 */
export const isRemoved = ({ stateAt }: Candidate, lastDeletedAt: Date | null | undefined): boolean => lastDeletedAt instanceof Date && lastDeletedAt > stateAt

export type Adopted =
  /** Its rows are there now. `amended`: the sidecar does not say the same any more, and is due. */
  | { readonly outcome: 'adopted', readonly isCurrentAvatar: boolean, readonly isAmended: boolean }
  /** Its blob had a row. */
  | { readonly outcome: 'there' }

type Options = {
  client: PrismaClient
  now: () => Date
  /** First in the transaction: fails when the owner was erased after `epoch`. */
  entering?: (ownerId: string, epoch: number) => Prisma.PrismaPromise<unknown>
}

/** For a single blob whose row is missing, beside a gateway that runs. What the records say goes before what the sidecar says. */
export function createAdoption ({ client, now, entering }: Options) {
  /** Old URLs and a record id that belong to another by now are not taken from it. */
  async function withoutTaken ({ aliases, recordId }: Sidecar): Promise<Partial<Sidecar>> {
    const held = await client.alias.findMany({ where: { path: { in: aliases } }, select: { path: true } })
    const taken = new Set(held.map(({ path }) => path))
    const isIdTaken = recordId !== null && await client.attachment.count({ where: { id: recordId } }) > 0
    return {
      ...(taken.size > 0 && { aliases: aliases.filter((path) => !taken.has(path)) }),
      ...(isIdTaken && { recordId: newRecordId() }),
    }
  }

  /** The statements that make a live avatar the current one, or what it is instead because another is newer. */
  async function becomingCurrent ({ id, kind, state, ownerId: userId, stateAt }: Sidecar): Promise<{ pointing: Prisma.PrismaPromise<unknown>[], changes: Partial<Sidecar> }> {
    if (kind !== 'avatar' || state !== 'live' || userId === null) return { pointing: [], changes: {} }
    const own = { id, stateAt: new Date(stateAt) }
    // Not later than a removal: who removes their picture means this one too.
    const supersededAt = (at: Date) => ({ pointing: [], changes: { state: 'superseded' as const, stateAt: at.toISOString() } })
    const [current, removed] = await Promise.all([
      client.avatar.findUnique({ where: { userId }, include: { blob: true } }),
      client.blob.findFirst({ where: { ownerId: userId, kind: 'avatar', state: 'deleted' }, orderBy: { stateAt: 'desc' } }),
    ])
    if (removed !== null && isRemoved(own, removed.stateAt)) return supersededAt(removed.stateAt)
    if (current === null) return { pointing: [client.avatar.create({ data: { userId, blobId: id } })], changes: {} }
    if (isLater(current.blob, own)) return supersededAt(current.blob.stateAt)
    return {
      changes: {},
      pointing: [
        client.avatar.update({ where: { userId, blobId: current.blobId }, data: { blobId: id } }),
        client.blob.update({ where: { id: current.blobId, state: 'live' }, data: { state: 'superseded', stateAt: own.stateAt, revision: { increment: 1 }, sidecarDueAt: now() } }),
      ],
    }
  }

  async function adoptOnce (sidecar: Sidecar): Promise<Adopted> {
    if (await client.blob.count({ where: { id: sidecar.id } }) > 0) return { outcome: 'there' }
    const { pointing, changes: place } = await becomingCurrent(sidecar)
    const changes = { ...await withoutTaken(sidecar), ...place }
    const isAmended = Object.keys(changes).length > 0
    const { blob, attachments, aliases } = toRows(isAmended ? amended(sidecar, changes) : sidecar, isAmended ? now() : null)
    await client.$transaction([
      ...(entering === undefined || sidecar.ownerId === null ? [] : [entering(sidecar.ownerId, sidecar.epoch)]),
      client.blob.create({ data: blob }),
      ...attachments.map((data) => client.attachment.create({ data })),
      ...aliases.map((data) => client.alias.create({ data })),
      ...pointing,
    ])
    return { outcome: 'adopted', isCurrentAvatar: pointing.length > 0, isAmended }
  }

  return {
    /**
     * Makes the rows of a sidecar that is fit. An avatar that is live becomes its owner's current one unless that is
     * newer, or was deleted since; then it is a replaced one.
     * @throws DatabaseUnavailable, and what `entering` throws
     */
    adopt: (sidecar: Sidecar): Promise<Adopted> => querying(async () => {
      for (let attempt = 1; ; attempt += 1) {
        try {
          return await adoptOnce(sidecar)
        } catch (error) {
          // Something else changed meanwhile: looked at again.
          if ((!isStale(error) && !isTaken(error)) || attempt === attempts) throw error
        }
      }
    }),
  }
}
