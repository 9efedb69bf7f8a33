// The pictures that nobody has looked into for what is personal in them, and the note of those in which there is nothing.
import type { Prisma } from '../generated/prisma/client.ts'
import type { Sidecar } from '../storage/sidecar.ts'
import type { Kind } from '../storage/store.ts'
import type { PrismaClient } from './database.ts'
import { querying } from './failures.ts'
import { toSidecar, withRecord } from './sidecars.ts'

export type UnseenFilter = {
  readonly kinds: readonly Kind[]
  /** Content types of pictures. */
  readonly contentTypes: readonly string[]
  readonly ownerId?: string | undefined
  /** Also attachments of users that somebody else attached for them. */
  readonly withServices: boolean
}

/** What becomes known of a picture by looking at it. */
export type Seen = Pick<Sidecar, 'thumbhash' | 'width' | 'height'>

export type UnseenPictures = ReturnType<typeof createUnseenPictures>

export function createUnseenPictures ({ client, now }: { client: PrismaClient, now: () => Date }) {
  /** What an import brought has no creator. */
  const ofOwners: Prisma.BlobWhereInput = { OR: [{ kind: 'avatar' }, { creatorId: null }, { creatorId: { equals: client.blob.fields.ownerId } }] }

  const pictures = ({ kinds, contentTypes, ownerId }: UnseenFilter): Prisma.BlobWhereInput => ({
    kind: { in: [...kinds] },
    contentType: { in: [...contentTypes] },
    state: { in: ['live', 'superseded', 'deleted'] },
    ownerId: ownerId ?? { not: null },
    metadataRemoved: null,
  })

  const where = (filter: UnseenFilter): Prisma.BlobWhereInput => ({ ...pictures(filter), keepsMetadata: false, ...(!filter.withServices && ofOwners) })

  return {
    count: (filter: UnseenFilter): Promise<number> => querying(() => client.blob.count({ where: where(filter) })),

    /** Those that are left alone: as whoever uploaded them asked for it, and as services attached them. */
    async kept (filter: UnseenFilter): Promise<{ asked: number, services: number }> {
      const [asked, all, some] = await querying(() => Promise.all([
        client.blob.count({ where: { ...pictures(filter), keepsMetadata: true } }),
        client.blob.count({ where: where({ ...filter, withServices: true }) }),
        client.blob.count({ where: where(filter) }),
      ]))
      return { asked, services: all - some }
    },

    /** By id, page by page; what changes meanwhile is no hindrance. */
    async * pages (filter: UnseenFilter, perPage: number): AsyncGenerator<Sidecar[]> {
      for (let after = ''; ;) {
        const rows = await querying(() => client.blob.findMany({ where: { ...where(filter), id: { gt: after } }, orderBy: { id: 'asc' }, take: perPage, include: withRecord }))
        const last = rows.at(-1)
        if (last === undefined) return
        after = last.id
        yield rows.map(toSidecar)
      }
    },

    /** As it is now; undefined when it is none of these any more. */
    async find (id: string, filter: UnseenFilter): Promise<Sidecar | undefined> {
      const row = await querying(() => client.blob.findFirst({ where: { ...where(filter), id }, include: withRecord }))
      return row === null ? undefined : toSidecar(row)
    },

    /** There is nothing personal in it. False when it was changed meanwhile. */
    async note ({ id, state, revision }: Sidecar, seen: Seen): Promise<boolean> {
      const { count } = await querying(() => client.blob.updateMany({
        where: { id, state, revision, metadataRemoved: null },
        data: { ...seen, metadataRemoved: '', revision: { increment: 1 }, sidecarDueAt: now() },
      }))
      return count === 1
    },
  }
}
