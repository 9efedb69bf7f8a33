// The rules of attachments that are there: who may read and change them, and the order of steps of a change.
import { both } from '../basis.ts'
import { ownerNamed, type Caller, type UserId } from '../callers/caller.ts'
import { AttachmentNotFound, RequestInvalid } from '../errors.ts'
import { invalidFields } from '../plugins/foreign-errors.ts'
import { isReaderErased } from '../records/commits.ts'
import type { Settling } from '../records/sidecars.ts'
import { createAttempts } from '../storage/attempts.ts'
import { cleanFilename } from '../transfer/filename.ts'
import type { Representation } from '../transfer/representation.ts'
import { stored } from '../transfer/stored.ts'
import { mayChange, mayRead } from './access.ts'
import { expiryAllowed, expiryIn } from './expiry.ts'
import { presentRow, presentTo } from './present.ts'
import { addressOf, blobIdOf, toChanges, type AttachmentRecords, type AttachmentRow } from './records.ts'
import type { Attachment, Changes } from './schema.ts'

const revalidated = { public: 'public, no-cache', private: 'private, no-cache' }

/** So many rows are held in memory at a time. */
const expiriesPerPage = 500

export type Attachments = ReturnType<typeof createAttachments>

type ListQuery = { owner?: string, limit: number, cursor?: string, contextType?: string, contextId?: string }

export function createAttachments ({ store, records, settling, now }: { store: Parameters<typeof stored>[0], records: AttachmentRecords, settling: Settling, now: () => Date }) {
  async function readable (caller: Caller | null, id: string): Promise<AttachmentRow> {
    const row = await records.shown(id)
    if (row === null || !mayRead(caller, row)) throw new AttachmentNotFound()
    return row
  }

  function represent (row: AttachmentRow, asDownload: boolean): Representation {
    const { blob, filename, visibility } = row
    const isPublic = visibility === 'public'
    return {
      size: Number(blob.size), sha256: blob.sha256, contentType: blob.contentType, lastModified: blob.createdAt,
      cacheControl: isPublic ? revalidated.public : revalidated.private, isPublic, filename, asDownload,
      ...stored(store, addressOf(row), Number(blob.size)), basis: both(records.basisOf(row), () => !records.hasExpired(row)),
    }
  }

  async function changeable (caller: Caller, id: string): Promise<AttachmentRow> {
    const row = await records.find(id)
    if (row === null || !mayChange(caller, row)) throw new AttachmentNotFound()
    return row
  }

  /** Its bytes are in another blob by now, as when their metadata was taken out: what was about to be done is to be done there. */
  async function isMoved ({ id, blobId }: AttachmentRow): Promise<boolean> {
    const row = await records.find(id)
    return row !== null && row.blobId !== blobId
  }

  /** `since`: how many erasures there had been when it began. Who is erased while it goes on is not made a reader by it. */
  async function change (caller: Caller, id: string, changes: Changes, since?: number): Promise<Attachment> {
    const epoch = since ?? (changes.readers === undefined ? 0 : await records.epoch())
    const row = await changeable(caller, id)
    const filename = changes.filename === undefined ? undefined : cleanFilename(changes.filename)
    if (changes.filename !== undefined && filename === undefined) throw new RequestInvalid('nothing is left of the filename once control characters and folders are taken out')
    if (changes.expiresAt != null && expiryIn(changes.expiresAt, now()) === undefined) throw invalidFields([{ in: 'body', name: '/expiresAt', detail: `must be ${expiryAllowed} or null` }])
    const readers = changes.readers && await records.remaining(changes.readers, epoch)
    const changed = await records.change(row, toChanges({ ...changes, ...(filename !== undefined && { filename }), ...(readers && { readers }) }, epoch), records.naming(readers ?? [], epoch)).catch((error: unknown) => {
      if (!isReaderErased(error)) throw error
      return undefined
    })
    if (changed === undefined || (changed === null && await isMoved(row))) return change(caller, id, changes, epoch)
    if (changed === null) throw new AttachmentNotFound()
    await settling.settle(blobIdOf(changed))
    return presentRow(changed)
  }

  async function remove (caller: Caller, id: string): Promise<void> {
    // A delete whose sidecar failed was answered with an error: asking again finishes it (I4).
    const row = await records.find(id) ?? await records.halfDeleted(id)
    if (row === null || !mayChange(caller, row)) throw new AttachmentNotFound()
    const isRemoved = row.deletedAt !== null || await records.remove(row)
    if (!isRemoved && await isMoved(row)) return remove(caller, id)
    if (!isRemoved) throw new AttachmentNotFound()
    await settling.settle(blobIdOf(row))
  }

  return {
    async list (caller: Caller, { owner, limit, cursor, contextType, contextId }: ListQuery): Promise<{ attachments: Attachment[], nextCursor: string | null }> {
      const ownerId: UserId = ownerNamed(caller, owner)
      const before = cursor === undefined ? undefined : decodeCursor(cursor)
      const rows = await records.list({ ownerId, contextType, contextId, limit: limit + 1, before })
      const page = rows.slice(0, limit)
      return { attachments: page.map(presentRow), nextCursor: rows.length > limit ? encodeCursor(at(page, page.length - 1).id) : null }
    },

    /** Those of `ids` that exist and that the caller may read. */
    async listIds (caller: Caller, ids: readonly string[]): Promise<Attachment[]> {
      const rows = await records.findAll(ids)
      return rows.filter((row) => mayRead(caller, row)).map((row) => presentTo(caller, row))
    },

    get: async (caller: Caller | null, id: string): Promise<Attachment> => presentTo(caller, await readable(caller, id)),

    content: async (caller: Caller | null, id: string, { asDownload }: { asDownload: boolean }): Promise<Representation> =>
      represent(await readable(caller, id), asDownload),

    /** The row, for who makes something of it. @throws AttachmentNotFound */
    readable,

    represent,

    /** What an older client's URL shows; undefined when it is no attachment's, or not for this caller. */
    async behind (caller: Caller | null, path: string): Promise<Representation | undefined> {
      const row = await records.byAlias(path)
      return row === null || !mayRead(caller, row) ? undefined : represent(row, false)
    },

    change,

    /** To the trash. */
    remove,

    /** To the trash with all whose time has passed, or with as many as there is time for. Returns how many. */
    async expire (stopping?: AbortSignal): Promise<number> {
      const attempts = createAttempts()
      let count = 0
      let expired: AttachmentRow[]
      do {
        expired = await records.expired(expiriesPerPage)
        for (const row of expired) {
          if (stopping?.aborted === true) break
          count++
          await attempts.attempt(async () => {
            // Unless somebody has given it more time meanwhile.
            if (await records.remove(row, { ifExpired: true })) await settling.settle(blobIdOf(row))
          })
        }
      } while (expired.length === expiriesPerPage && stopping?.aborted !== true)
      attempts.end()
      return count
    },

    /** Back from the trash, under its id and URL. @throws AttachmentNotFound when it is not there any more */
    async restore (id: string): Promise<Attachment> {
      // Nobody may have moved it there yet.
      const expired = await records.findExpired(id)
      if (expired !== null) await records.remove(expired, { ifExpired: true })
      const deleted = await records.findDeleted(id)
      if (deleted !== null) await records.restore(deleted)
      // Also when another restored it, or an earlier restore was answered with an error: only its sidecar may be owed then (I4).
      const row = await records.find(id)
      if (row === null) throw new AttachmentNotFound()
      await settling.settle(blobIdOf(row))
      return presentRow(row)
    },
  }
}

const encodeCursor = (id: string): string => Buffer.from(id).toString('base64url')

function decodeCursor (cursor: string): string {
  const id = Buffer.from(cursor, 'base64url').toString('latin1')
  if (!/^[0-9a-f-]{36}$/.test(id)) throw new RequestInvalid('cursor is not one that a page gave as nextCursor')
  return id
}

function at<T> (items: readonly T[], index: number): T {
  const item = items[index]
  if (item === undefined) throw new RangeError(`there is no item ${index}`)
  return item
}
