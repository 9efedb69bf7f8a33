// What the records know of one blob, owner, hash or old URL, as somebody asks who wonders about it. Changes nothing.
import type { Prisma } from '../generated/prisma/client.ts'
import type { BlobId } from '../storage/ids.ts'
import type { BlobState } from '../storage/ledger.ts'
import type { Sidecar } from '../storage/sidecar.ts'
import type { PrismaClient } from './database.ts'
import { querying } from './failures.ts'
import { toSidecar, withRecord } from './sidecars.ts'

/** A user may have had thousands. */
const mostBlobs = 20

const withPointer = { ...withRecord, avatar: true } as const satisfies Prisma.BlobInclude

export type KnownBlob = {
  /** As its sidecar ought to be; of a blob on its way out, as it was. */
  readonly sidecar: Sidecar
  readonly state: BlobState
  readonly isSidecarDue: boolean
  readonly isCurrentAvatar: boolean
}

export type KnownOwner = {
  readonly currentAvatar: BlobId | null
  /** The last of their avatars that was deleted and is not purged. */
  readonly deletedAvatar: { readonly id: BlobId, readonly at: string } | null
  readonly uploads: number
}

export type Known = ReturnType<typeof createKnown>

export function createKnown (client: PrismaClient) {
  const find = (where: Prisma.BlobWhereInput): Promise<KnownBlob[]> => querying(async () => {
    const rows = await client.blob.findMany({ where, orderBy: { id: 'desc' }, take: mostBlobs, include: withPointer })
    return rows.map((row) => ({ sidecar: toSidecar(row), state: row.state as BlobState, isSidecarDue: row.sidecarDueAt !== null, isCurrentAvatar: row.avatar !== null }))
  })

  return {
    /** Of the blob itself, of one that it is a copy of, or of its attachment. */
    byId: (id: string): Promise<KnownBlob[]> => find({ OR: [{ id }, { originalId: id }, { attachment: { id } }] }),
    bySha256: (sha256: string): Promise<KnownBlob[]> => find({ sha256 }),
    byAlias: (path: string): Promise<KnownBlob[]> => find({ aliases: { some: { path } } }),

    owner: (userId: string): Promise<KnownOwner> => querying(async () => {
      const [current, deleted, uploads] = await Promise.all([
        client.avatar.findUnique({ where: { userId }, select: { blobId: true } }),
        client.blob.findFirst({ where: { ownerId: userId, kind: 'avatar', state: 'deleted' }, orderBy: { stateAt: 'desc' }, select: { id: true, stateAt: true } }),
        client.blob.count({ where: { ownerId: userId } }),
      ])
      return {
        currentAvatar: current === null ? null : current.blobId as BlobId,
        deletedAvatar: deleted === null ? null : { id: deleted.id as BlobId, at: deleted.stateAt.toISOString() },
        uploads,
      }
    }),
  }
}
