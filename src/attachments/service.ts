// The rules of attachments, and the order of their steps: all files of a request are kept, or none.
import { ownerNamed, type Caller, type UserId } from '../callers/caller.ts'
import { AttachmentNotFound, RequestInvalid } from '../errors.ts'
import { measureIfImage } from '../images/measure.ts'
import { isOwnerErased } from '../records/commits.ts'
import type { Settling } from '../records/sidecars.ts'
import { newBlobId, newRecordId } from '../storage/ids.ts'
import type { Store } from '../storage/store.ts'
import { cleanFilename } from '../transfer/filename.ts'
import type { ReceivedFile } from '../transfer/receive.ts'
import type { Representation } from '../transfer/representation.ts'
import { sniff, sniffedBytes } from '../transfer/sniff.ts'
import { mayChange, mayRead } from './access.ts'
import { blobIdOf, toChanges, type AttachmentRecords, type AttachmentRow, type AttachmentSidecar } from './records.ts'
import type { Attachment, Changes, Particulars } from './schema.ts'

/** Picture headers can lie behind large colour profiles and thumbnails. */
const measuredBytes = 1024 ** 2

const revalidated = { public: 'public, no-cache', private: 'private, no-cache' }

export type Attachments = ReturnType<typeof createAttachments>

/** A staged file and what was said of it. */
export type Sent = { readonly file: ReceivedFile, readonly particulars: Particulars }

type ListQuery = { owner?: string, limit: number, cursor?: string, contextType?: string, contextId?: string }

export function createAttachments ({ store, records, settling, now }: { store: Store, records: AttachmentRecords, settling: Settling, now: () => Date }) {
  async function describe (caller: Caller, { file, particulars }: Sent, epoch: number): Promise<AttachmentSidecar> {
    const ownerId = ownerNamed(caller, particulars.ownerId)
    const head = await file.staged.head(measuredBytes)
    const { contentType, extension } = await sniff(head.subarray(0, sniffedBytes), file.declaredType)
    const dimensions = contentType.startsWith('image/') ? await measureIfImage(head) : undefined
    const id = newBlobId()
    const at = now().toISOString()
    return {
      version: 1, kind: 'attachment', id, extension, state: 'live', stateAt: at, createdAt: at, revision: 1,
      recordId: newRecordId(), ownerId, creatorId: caller.id, contentType, size: file.size, sha256: file.sha256,
      width: dimensions?.width ?? null, height: dimensions?.height ?? null,
      filename: file.filename ?? `file.${extension}`,
      visibility: particulars.visibility ?? 'private',
      contextType: particulars.contextType ?? null, contextId: particulars.contextId ?? null,
      alt: null, aliases: [], epoch, source: null, sourceSha256: null,
    }
  }

  async function publish (sent: readonly Sent[], sidecars: readonly AttachmentSidecar[]): Promise<void> {
    const published = await Promise.allSettled(sent.map(({ file }, index) => store.publish(file.staged, at(sidecars, index))))
    const failed = published.find((result) => result.status === 'rejected')
    if (failed === undefined) return
    // No row points at the others, and none will.
    await Promise.allSettled(sidecars.map((sidecar) => store.remove(sidecar)))
    throw failed.reason
  }

  /** Nothing of a user who was erased meanwhile may stay, and nothing of this has or will have a row. */
  async function takenBack (sidecars: readonly AttachmentSidecar[], error: unknown): Promise<never> {
    if (isOwnerErased(error)) await Promise.allSettled(sidecars.map((sidecar) => store.remove(sidecar)))
    throw error
  }

  async function readable (caller: Caller | null, id: string): Promise<AttachmentRow> {
    const row = await records.find(id)
    if (row === null || !mayRead(caller, row)) throw new AttachmentNotFound()
    return row
  }

  function represent (row: AttachmentRow, asDownload: boolean): Representation {
    const { blob, filename, visibility } = row
    const address = { kind: 'attachment' as const, id: blobIdOf(row), extension: blob.extension }
    const isPublic = visibility === 'public'
    return {
      size: Number(blob.size), sha256: blob.sha256, contentType: blob.contentType, lastModified: blob.createdAt,
      cacheControl: isPublic ? revalidated.public : revalidated.private, isPublic, filename, asDownload,
      read: (range) => store.read(address, range),
    }
  }

  async function changeable (caller: Caller, id: string): Promise<AttachmentRow> {
    const row = await records.find(id)
    if (row === null || !mayChange(caller, row)) throw new AttachmentNotFound()
    return row
  }

  return {
    /** Keeps the staged files of one request, which are used up: all, or none. `epoch`: when it began. @throws OwnerErased */
    async create (caller: Caller, sent: readonly Sent[], epoch: number): Promise<Attachment[]> {
      const sidecars = await Promise.all(sent.map((one) => describe(caller, one, epoch)))
      await publish(sent, sidecars)
      await records.create(sidecars, epoch).catch((error: unknown) => takenBack(sidecars, error))
      return sidecars.map(presentSidecar)
    },

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
      return rows.filter((row) => mayRead(caller, row)).map(presentRow)
    },

    get: async (caller: Caller | null, id: string): Promise<Attachment> => presentRow(await readable(caller, id)),

    content: async (caller: Caller | null, id: string, { asDownload }: { asDownload: boolean }): Promise<Representation> =>
      represent(await readable(caller, id), asDownload),

    /** What an older client's URL shows; undefined when it is no attachment's, or not for this caller. */
    async behind (caller: Caller | null, path: string): Promise<Representation | undefined> {
      const row = await records.byAlias(path)
      return row === null || !mayRead(caller, row) ? undefined : represent(row, false)
    },

    async change (caller: Caller, id: string, changes: Changes): Promise<Attachment> {
      const row = await changeable(caller, id)
      const filename = changes.filename === undefined ? undefined : cleanFilename(changes.filename)
      if (changes.filename !== undefined && filename === undefined) throw new RequestInvalid('nothing is left of the filename once control characters and folders are taken out')
      const changed = await records.change(row, toChanges({ ...changes, ...(filename !== undefined && { filename }) }))
      if (changed === null) throw new AttachmentNotFound()
      await settling.settle(blobIdOf(changed))
      return presentRow(changed)
    },

    /** To the trash. */
    async remove (caller: Caller, id: string): Promise<void> {
      // A delete whose sidecar failed was answered with an error: asking again finishes it (I4).
      const row = await records.find(id) ?? await records.halfDeleted(id)
      if (row === null || !mayChange(caller, row)) throw new AttachmentNotFound()
      if (row.deletedAt === null && !await records.remove(row)) throw new AttachmentNotFound()
      await settling.settle(blobIdOf(row))
    },

    /** Back from the trash, under its id and URL. @throws AttachmentNotFound when it is not there any more */
    async restore (id: string): Promise<Attachment> {
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

type Presentable = Omit<Attachment, 'url' | 'thumbhash' | 'metadataRemoved' | 'visibility'> & { visibility: string }

function present ({ id, ownerId, filename, contentType, size, sha256, width, height, alt, visibility, contextType, contextId, createdAt }: Presentable): Attachment {
  return { id, url: `/api/attachments/${id}/content`, ownerId, filename, contentType, size, sha256, width, height, thumbhash: null, alt, visibility: visibility as Attachment['visibility'], contextType, contextId, metadataRemoved: [], createdAt }
}

const presentSidecar = (sidecar: AttachmentSidecar): Attachment => present({ ...sidecar, id: sidecar.recordId })

const presentRow = (row: AttachmentRow): Attachment => present({ ...row.blob, ...row, size: Number(row.blob.size), createdAt: row.createdAt.toISOString() })
