// How a copy of a picture, without its metadata, comes to the place of the picture: its record, its old URLs and all that is said of it.
import { randomUUID } from 'node:crypto'
import type { Prisma } from '../generated/prisma/client.ts'
import type { BlobId } from '../storage/ids.ts'
import type { Doomed } from '../storage/ledger.ts'
import type { Sidecar } from '../storage/sidecar.ts'
import type { BlobAddress, Kind } from '../storage/store.ts'
import { committing } from './commits.ts'
import type { PrismaClient } from './database.ts'
import { isStale, isTaken, querying } from './failures.ts'
import type { Owners } from './owners.ts'
import { toBlobRow } from './sidecars.ts'

const rowsPerPage = 500

/** Before a UUID: the addresses that a run is about to put copies at. */
const announcementMark = 'picture-copies:'

/** Copies that may be on the volume before anything is committed of them. */
export type Announcement = { readonly key: string, readonly addresses: readonly BlobAddress[] }

/** Whether there is a copy in the place of this blob. */
export const hasCopy = async (client: PrismaClient, id: string): Promise<boolean> => await querying(() => client.blob.count({ where: { originalId: id } })) > 0

export type PictureCopies = ReturnType<typeof createPictureCopies>

export function createPictureCopies ({ client, owners, now }: { client: PrismaClient, owners: Pick<Owners, 'entering' | 'refuseErased'>, now: () => Date }) {
  function changes (original: Sidecar, copy: Sidecar): Prisma.PrismaPromise<unknown>[] {
    const { id, kind, state, revision, ownerId } = original
    const at = now()
    const over = { where: { blobId: id }, data: { blobId: copy.id } }
    return [
      client.blob.update({ where: { id, state, revision, metadataRemoved: null }, data: { state: 'purging', stateAt: at, sidecarDueAt: null } }),
      // The sidecar on the volume is that of a draft.
      client.blob.create({ data: { ...toBlobRow({ ...copy, aliases: [] }), sidecarDueAt: at } }),
      client.alias.updateMany(over),
      ...(kind === 'attachment' ? [client.attachment.update(over)] : []),
      ...(kind === 'avatar' && state === 'live' ? [client.avatar.update({ where: { userId: ownerId ?? '', blobId: id }, data: { blobId: copy.id } })] : []),
    ]
  }

  return {
    /**
     * Commits a copy that is published as a draft; the original is on its way out then. False, and nothing committed, when that was
     * changed meanwhile. @throws OwnerErased, UploadConflict, and what a failed commit means
     */
    async replace (original: Sidecar, copy: Sidecar): Promise<boolean> {
      const { ownerId, epoch } = original
      const commit = () => client.$transaction([client.$executeRaw(owners.entering(ownerId ?? '', epoch)), ...changes(original, copy)])
      try {
        await committing(client, [copy.id], commit, () => owners.refuseErased(ownerId ?? '', epoch))
        return true
      } catch (error) {
        if (!isStale(error) && !isTaken(error)) throw error
        return false
      }
    },

    /** Originals on their way out whose copies are there, such as a run left that was killed. */
    async * replaced (): AsyncGenerator<Doomed[]> {
      for (let after = ''; ;) {
        const rows = await querying(() => client.blob.findMany({ where: { state: 'purging', id: { gt: after } }, orderBy: { id: 'asc' }, take: rowsPerPage }))
        const last = rows.at(-1)
        if (last === undefined) return
        after = last.id
        const copies = await querying(() => client.blob.findMany({ where: { originalId: { in: rows.map(({ id }) => id) }, state: { not: 'purging' } }, select: { originalId: true } }))
        const originals = new Set(copies.map(({ originalId }) => originalId))
        yield rows.filter(({ id }) => originals.has(id)).map(({ id, kind, extension, ownerId, source }) => ({ id: id as BlobId, kind: kind as Kind, extension, ownerId, source, aliases: [] }))
      }
    },

    /** Durable before any of these is on the volume, so that what a kill leaves of them is found. Returns what to withdraw it by. */
    async announce (addresses: readonly BlobAddress[]): Promise<string> {
      const key = `${announcementMark}${randomUUID()}`
      await querying(() => client.setting.create({ data: { key, value: JSON.stringify(addresses) } }))
      return key
    },

    async announced (): Promise<Announcement[]> {
      const rows = await querying(() => client.setting.findMany({ where: { key: { startsWith: announcementMark } } }))
      return rows.map(({ key, value }) => ({ key, addresses: JSON.parse(value) as BlobAddress[] }))
    },

    async withdraw (key: string): Promise<void> {
      await querying(() => client.setting.deleteMany({ where: { key } }))
    },
  }
}
