// The rows of resumable uploads and their segments. Each change is a compare-and-set on the epoch, so that who was overtaken changes nothing.
import type { Caller, Scope, UserId } from '../callers/caller.ts'
import { ResumableGone } from '../errors.ts'
import { Prisma } from '../generated/prisma/client.ts'
import type { Alongside } from '../records/commits.ts'
import type { PrismaClient } from '../records/database.ts'
import { breaks, isStale, querying } from '../records/failures.ts'
import type { Owners } from '../records/owners.ts'
import { createPictureChoices } from '../records/picture-choices.ts'
import { inPrisma } from '../records/statements.ts'
import type { BlobId, UploadId } from '../storage/ids.ts'
import type { Segment } from '../storage/segments.ts'
import type { Digests } from '../transfer/digest.ts'

export type UploadKind = 'attachment' | 'avatar' | 'part'

/** receiving: bytes are missing. finishing: none is, and it is to become what it is for. */
export type UploadState = 'receiving' | 'finishing' | 'finished' | 'failed'

export type Failure = { readonly code: string, readonly status: number, readonly detail: string }

export type Upload = {
  readonly id: UploadId
  readonly ownerId: UserId
  readonly creator: Caller
  readonly kind: UploadKind
  /** Bytes; undefined while it is not known. */
  readonly length: number | undefined
  /** Bytes that are durable. */
  readonly offset: number
  readonly epoch: number
  readonly state: UploadState
  /** As the client sent it. */
  readonly metadata: string | undefined
  /** Of which it is made. */
  readonly parts: readonly UploadId[] | undefined
  readonly blobId: BlobId
  readonly recordId: string
  readonly digests: readonly StatedDigests[]
  readonly erasureEpoch: number
  readonly failure: Failure | undefined
  readonly createdAt: Date
  /** Since when none of its bytes is missing. */
  readonly completeAt: Date | undefined
  /** Which of the owner's choices of a picture it is since then, as who claims it finds it. */
  readonly choice: number | undefined
  readonly expiresAt: Date
}

/** What the client says that the whole has, and where it said so. */
export type StatedDigests = { readonly where: string, readonly digests: Digests }

export type ResumableRecords = ReturnType<typeof createResumableRecords>

/** What one commit of received bytes says: the segment from its beginning, and where the upload stands then. */
export type Advance = { readonly segment: Segment, readonly from: number, readonly to: number, readonly ends: UploadState | undefined, readonly expiresAt: Date, readonly finishAt: Date | null }

export function createResumableRecords ({ client, owners, now }: { client: PrismaClient, owners: Pick<Owners, 'entering' | 'refuseErased' | 'keyOf'>, now: () => Date }) {
  const find = async (id: UploadId): Promise<Upload | undefined> => toUpload(await querying(() => client.resumable.findUnique({ where: { id } })))

  const choices = createPictureChoices({ client, owners })

  /** Whose bytes are all there has chosen a picture. */
  const chosen = (upload: Upload, state: UploadState | undefined) => upload.kind === 'avatar' && state === 'finishing' ? choices.later(upload) : []

  /** The row as changed; undefined when it is not as `where` says it any more. */
  const change = (where: Prisma.ResumableWhereUniqueInput, data: Prisma.ResumableUpdateInput): Promise<Upload | undefined> =>
    unlessStale(async () => toUpload(await client.resumable.update({ where, data })))

  const unheld = () => ({ OR: [{ heldUntil: null }, { heldUntil: { lte: now() } }] })

  /** Of no more use: what is finished, failed or was left alone; what only waits to be finished has `patienceMs` more. */
  const isExpired = (patienceMs: number) => ({ OR: [{ state: { in: ['receiving', 'finished', 'failed'] }, expiresAt: { lte: now() } }, { state: 'finishing', expiresAt: { lte: new Date(now().getTime() - patienceMs) } }] })

  /** Breaks a constraint, which ends the transaction, unless all of `parts` are there. */
  function usingUp (id: UploadId, parts: UploadId[]) {
    if (parts.length === 0) return []
    // In SQL: Prisma refuses a list of a thousand beside other conditions.
    const those = Prisma.sql`"id" IN (${Prisma.join(parts)}) AND "kind" = 'part' AND "state" = 'finished'`
    return [
      // Whoever commits with one of them at the same time is waited for.
      Prisma.sql`UPDATE "Resumable" SET "epoch" = "epoch" + 1 WHERE ${those}`,
      Prisma.sql`UPDATE "Resumable" SET "state" = NULL WHERE "id" = ${id} AND (SELECT COUNT(*) FROM "Resumable" WHERE ${those}) < ${parts.length}`,
      Prisma.sql`DELETE FROM "Resumable" WHERE ${those}`,
    ]
  }

  return {
    find,

    /** @throws OwnerErased, and what `alongside` refuses for */
    create: async (upload: Upload, { statements, refuse }: Alongside): Promise<void> => {
      const { ownerId, erasureEpoch, state } = upload
      // In line with erasures, which look for it.
      const commit = () => client.$transaction([client.$executeRaw(owners.entering(ownerId, erasureEpoch)), client.resumable.create({ data: toRow(upload) }), ...chosen(upload, state), ...inPrisma(client, statements())])
      await querying(commit).catch(async (error: unknown) => {
        await owners.refuseErased(ownerId, erasureEpoch)
        await refuse(error)
        throw error
      })
    },

    /** From now on nobody who held it before changes it any more; with `expiresAt` it is kept until then. Undefined when it takes no more bytes. */
    hold: (id: UploadId, expiresAt?: Date): Promise<Upload | undefined> => change({ id, state: 'receiving' }, { epoch: { increment: 1 }, ...(expiresAt !== undefined && { expiresAt }) }),

    /** For longer, by who holds it. Undefined when somebody else does. */
    keep: ({ id, epoch }: Upload, expiresAt: Date): Promise<Upload | undefined> => change({ id, epoch, state: 'receiving' }, { expiresAt }),

    /** Undefined when somebody else holds it. */
    setLength: ({ id, epoch }: Upload, length: number): Promise<Upload | undefined> => change({ id, epoch, state: 'receiving', length: null }, { length: BigInt(length) }),

    /** When the last bytes were there before the length was known, or there are none to come. */
    complete: (upload: Upload, ends: UploadState, finishAt: Date | null): Promise<Upload | undefined> => unlessStale(async () => {
      const { id, epoch } = upload
      const [row] = await client.$transaction([
        client.resumable.update({ where: { id, epoch, state: 'receiving' }, data: { state: ends, finishAt, completeAt: now() } }),
        ...chosen(upload, ends),
      ])
      return toUpload(row)
    }),

    /** The bytes of the segment count from here on. Undefined when somebody else holds it. */
    advance: (upload: Upload, { segment, from, to, ends, expiresAt, finishAt }: Advance): Promise<Upload | undefined> => unlessStale(async () => {
      const { id, epoch } = upload
      const [row] = await client.$transaction([
        client.resumable.update({ where: { id, epoch, state: 'receiving', offset: BigInt(from) }, data: { offset: BigInt(to), expiresAt, finishAt, ...(ends !== undefined && { state: ends, completeAt: now() }) } }),
        client.segment.upsert({ where: { id: nameOf(segment) }, create: { id: nameOf(segment), uploadId: id, start: BigInt(segment.start), bytes: BigInt(segment.bytes) }, update: { bytes: BigInt(segment.bytes) } }),
        ...chosen(upload, ends),
      ])
      return toUpload(row)
    }),

    /** In the order of their bytes. */
    segments: async (uploadId: UploadId): Promise<Segment[]> => {
      const rows = await querying(() => client.segment.findMany({ where: { uploadId }, orderBy: { start: 'asc' } }))
      return rows.map(({ id, start, bytes }) => ({ uploadId, start: Number(start), bytes: Number(bytes), epoch: Number(id.slice(id.lastIndexOf('-') + 1)) }))
    },

    /** Begins an attempt at finishing: who was at it before can commit no more. Undefined when there is nothing to finish, or somebody is at it. */
    claim: ({ id, epoch }: Upload, blobId: BlobId, heldUntil: Date): Promise<Upload | undefined> => change({ id, epoch, state: 'finishing', ...unheld() }, { epoch: { increment: 1 }, blobId, heldUntil }),

    /** Goes on with that. */
    keepHeld: async ({ id, epoch }: Upload, heldUntil: Date): Promise<void> => {
      await querying(() => client.resumable.updateMany({ where: { id, epoch, state: 'finishing' }, data: { heldUntil } }))
    },

    /** What is committed with what the upload became: its parts are used up, so that nothing else is made of one of them. Refuses with ResumableGone. */
    finishing: ({ id, epoch, parts = [] }: Upload, expiresAt: Date): Alongside => ({
      statements: () => [
        Prisma.sql`UPDATE "Resumable" SET "state" = 'finished', "finishAt" = NULL, "heldUntil" = NULL, "expiresAt" = ${expiresAt} WHERE "id" = ${id} AND "epoch" = ${epoch} AND "state" = 'finishing'`,
        // Breaks a constraint, which ends the transaction, unless it was.
        Prisma.sql`INSERT INTO "Owner" ("key", "commits") SELECT '', NULL WHERE NOT EXISTS (SELECT 1 FROM "Resumable" WHERE "id" = ${id} AND "epoch" = ${epoch} AND "state" = 'finished')`,
        Prisma.sql`DELETE FROM "Segment" WHERE "uploadId" = ${id}`,
        ...usingUp(id, [...new Set(parts)]),
      ],
      async refuse (error) {
        const held = await querying(() => client.resumable.count({ where: { id, epoch, state: 'finishing' } }))
        if (held === 0 || breaks(error, 'state')) throw new ResumableGone()
      },
    }),

    /** How many runs of bytes it came in. */
    pieces: (uploadId: UploadId): Promise<number> => querying(() => client.segment.count({ where: { uploadId } })),

    /** It came to nothing, for good: that is told until `expiresAt`. */
    fail: ({ id, epoch }: Upload, failure: Failure, expiresAt: Date): Promise<Upload | undefined> => change({ id, epoch, state: { in: ['receiving', 'finishing'] } }, { state: 'failed', failure: JSON.stringify(failure), finishAt: null, heldUntil: null, expiresAt }),

    /** It is tried again then, by whoever comes first. */
    postpone: async ({ id, epoch }: Upload, finishAt: Date): Promise<void> => {
      await querying(() => client.resumable.updateMany({ where: { id, epoch, state: 'finishing' }, data: { finishAt, heldUntil: null } }))
    },

    /** They are kept for longer. */
    extend: async (ids: readonly UploadId[], expiresAt: Date): Promise<void> => {
      await querying(() => client.resumable.updateMany({ where: { id: { in: [...ids] } }, data: { expiresAt } }))
    },

    /** With its segments. */
    remove: async (id: UploadId): Promise<boolean> => (await querying(() => client.resumable.deleteMany({ where: { id } }))).count > 0,

    /** The same, unless it has become what it is for. */
    removeUnfinished: async (id: UploadId): Promise<boolean> => (await querying(() => client.resumable.deleteMany({ where: { id, NOT: { state: 'finished', kind: { not: 'part' } } } }))).count > 0,

    /** One that this creator made of these parts for the same owner and purpose, with the same said of it, and that has not failed. */
    madeOf: async (creatorId: string, { ownerId, kind, metadata, digests, parts }: Pick<Upload, 'ownerId' | 'kind' | 'metadata' | 'digests'> & { parts: readonly UploadId[] }): Promise<Upload | undefined> =>
      toUpload(await querying(() => client.resumable.findFirst({ where: { creatorId, ownerId, kind, metadata: metadata ?? null, digests: digestsText(digests), parts: JSON.stringify(parts), state: { not: 'failed' } } }))),

    /** What is to be finished, that nobody is at. `isEarly`: also what is to be tried later. */
    due: ({ isEarly, limit }: { isEarly: boolean, limit: number }): Promise<Upload[]> => querying(async () =>
      (await client.resumable.findMany({ where: { state: 'finishing', ...(!isEarly && { finishAt: { lte: now() } }), ...unheld() }, orderBy: { finishAt: 'asc' }, take: limit })).map(known)),

    expired: (patienceMs: number, limit: number): Promise<Upload[]> => querying(async () =>
      (await client.resumable.findMany({ where: isExpired(patienceMs), orderBy: { expiresAt: 'asc' }, take: limit })).map(known)),

    /** With its segments; not when somebody has gone on with it since. */
    removeExpired: async (id: UploadId, patienceMs: number): Promise<boolean> => (await querying(() => client.resumable.deleteMany({ where: { id, ...isExpired(patienceMs) } }))).count > 0,

    /** Those of `ids` whose bytes are needed, or will be. */
    inUse: async (ids: readonly UploadId[]): Promise<Set<string>> => new Set((await querying(() => client.resumable.findMany({
      where: { id: { in: [...ids] }, OR: [{ state: { in: ['receiving', 'finishing'] } }, { kind: 'part', state: 'finished' }] },
      select: { id: true },
    }))).map(({ id }) => id)),
  }
}

/** Where it is on the volume, below the folder of resumable uploads. */
const nameOf = ({ uploadId, start, epoch }: Segment): string => `${uploadId}/${start}-${epoch}`

type Row = Prisma.ResumableGetPayload<object>

const toUpload = (row: Row | null): Upload | undefined => row === null ? undefined : known(row)

function known (row: Row): Upload {
  return {
    id: row.id as UploadId,
    ownerId: row.ownerId as UserId,
    creator: { id: row.creatorId as UserId, scopes: new Set(JSON.parse(row.scopes) as Scope[]) },
    kind: row.kind as UploadKind,
    length: row.length === null ? undefined : Number(row.length),
    offset: Number(row.offset),
    epoch: row.epoch,
    state: row.state as UploadState,
    metadata: row.metadata ?? undefined,
    parts: row.parts === null ? undefined : JSON.parse(row.parts) as UploadId[],
    blobId: row.blobId as BlobId,
    recordId: row.recordId,
    digests: row.digests === null ? [] : JSON.parse(row.digests) as StatedDigests[],
    erasureEpoch: row.erasureEpoch,
    failure: row.failure === null ? undefined : JSON.parse(row.failure) as Failure,
    createdAt: row.createdAt,
    completeAt: row.completeAt ?? undefined,
    choice: row.choice ?? undefined,
    expiresAt: row.expiresAt,
  }
}

function toRow ({ id, ownerId, creator, kind, length, offset, epoch, state, metadata, parts, blobId, recordId, digests, erasureEpoch, createdAt, completeAt, expiresAt }: Upload): Prisma.ResumableCreateInput {
  return {
    id, ownerId, kind, epoch, state, blobId, recordId, erasureEpoch, createdAt, expiresAt,
    creatorId: creator.id,
    scopes: JSON.stringify([...creator.scopes]),
    length: length === undefined ? null : BigInt(length),
    offset: BigInt(offset),
    metadata: metadata ?? null,
    parts: parts === undefined ? null : JSON.stringify(parts),
    digests: digestsText(digests),
    finishAt: state === 'finishing' ? createdAt : null,
    completeAt: completeAt ?? null,
  }
}

const digestsText = (digests: readonly StatedDigests[]): string | null => digests.length === 0 ? null : JSON.stringify(digests)

async function unlessStale<T> (change: () => Promise<T>): Promise<T | undefined> {
  try {
    return await querying(change)
  } catch (error) {
    if (isStale(error)) return undefined
    throw error
  }
}
