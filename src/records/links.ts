// The rows of links: made, listed, revoked, and removed when they have expired. What their addresses are is not decided here.
import type { Link, Prisma } from '../generated/prisma/client.ts'
import type { Alongside } from './commits.ts'
import type { PrismaClient } from './database.ts'
import { querying } from './failures.ts'
import { inPrisma } from './statements.ts'

export type LinkRow = Pick<Link, 'id' | 'attachmentId' | 'creatorId' | 'expiresAt' | 'createdAt'>

export type LinkRecords = ReturnType<typeof createLinkRecords>

export function createLinkRecords ({ client, now }: { client: PrismaClient, now: () => Date }) {
  const open = (): Prisma.LinkWhereInput => ({ revokedAt: null, expiresAt: { gt: now() } })

  return {
    /** All, or none. `alongside`: what is committed with them. @throws what that refuses for */
    async create (rows: readonly LinkRow[], { statements, refuse }: Alongside): Promise<void> {
      try {
        await querying(() => client.$transaction([client.link.createMany({ data: [...rows] }), ...inPrisma(client, statements())]))
      } catch (error) {
        await refuse(error)
        throw error
      }
    },

    /** One that is neither revoked nor expired. */
    find: (id: string): Promise<LinkRow | null> => querying(() => client.link.findFirst({ where: { id, ...open() } })),

    /** Those of the attachments that have `count` of them, or more. */
    async withAtLeast (count: number, attachmentIds: readonly string[]): Promise<string[]> {
      const groups = await querying(() => client.link.groupBy({ by: ['attachmentId'], where: { attachmentId: { in: [...attachmentIds] }, ...open() }, having: { attachmentId: { _count: { gte: count } } } }))
      return groups.map(({ attachmentId }) => attachmentId)
    },

    /** Of one attachment, those that are neither revoked nor expired; newest first, as the ids are UUIDv7. */
    of: (attachmentId: string): Promise<LinkRow[]> => querying(() => client.link.findMany({ where: { attachmentId, ...open() }, orderBy: { id: 'desc' } })),

    /** False when it was revoked or had expired, or is none of this attachment. */
    async revoke (id: string, attachmentId: string): Promise<boolean> {
      const { count } = await querying(() => client.link.updateMany({ where: { id, attachmentId, ...open() }, data: { revokedAt: now() } }))
      return count === 1
    },

    /** Returns how many have expired and are gone. */
    async removeExpired (): Promise<number> {
      const { count } = await querying(() => client.link.deleteMany({ where: { expiresAt: { lte: now() } } }))
      return count
    },
  }
}
