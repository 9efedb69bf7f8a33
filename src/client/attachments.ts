// Attachments: sent, found, changed, handed out. How a large one goes in chunks is resumable.ts.
import { requireBlob } from './blob.ts'
import { newKey, type Call } from './call.ts'
import { piecesSha256Of, sha256Of } from './digest.ts'
import { UploadGatewayError } from './error.ts'
import { unlessAborted } from './patience.ts'
import { telling, type OnProgress } from './progress.ts'
import type { Resumable, Sending } from './resumable.ts'
import type { Attachment, AttachmentChanges, AttachmentPage, Limits, Link, Links, ListQuery, PreviewQuery } from './shapes.ts'
import { fingerprintOf } from './unfinished.ts'

export type UploadOptions = {
  /** For people. Default: that of the file. */
  readonly filename?: string | undefined
  readonly visibility?: 'private' | 'public' | undefined
  readonly contextType?: string | undefined
  readonly contextId?: string | undefined
  /** For services: whose it is. */
  readonly ownerId?: string | undefined
  /** Users who may read it as well. */
  readonly readers?: readonly string[] | undefined
  /** When it goes to the trash; as a string, in ISO 8601 with its zone. */
  readonly expiresAt?: Date | string | undefined
  /** Whether location, names and the like stay in a picture. */
  readonly metadata?: 'keep' | 'remove' | undefined
  /** The same key is the same upload, however often and from wherever it is sent. Default: one for each call. */
  readonly idempotencyKey?: string | undefined
  readonly onProgress?: OnProgress | undefined
  /**
   * Ends the call, which rejects with the reason of the signal. With an idempotencyKey, or where storage remembers it, a large upload goes
   * on where it was when the same file is uploaded again; until then its size counts as used, unless `abandon` gives it up. Any other is
   * ended in the gateway as well.
   */
  readonly signal?: AbortSignal | undefined
}

export type AttachmentsOptions = {
  readonly call: Call
  readonly resumable: Resumable
  readonly limits: () => Promise<Limits>
  /** Larger files go in chunks, and so does what is larger than the gateway wants one request to be. */
  readonly plainMaxBytes: number
}

/** What is said of a file, and how it is sent. */
type Regarded = { readonly filename: string, readonly said: Readonly<Record<string, string>>, readonly isLarge: boolean, readonly chunkBytes: number }

type Wait = { readonly signal?: AbortSignal | undefined }

export type Attachments = ReturnType<typeof createAttachments>

/** Servers and proxies take some 8 to 16 KiB of headers in all, and there it is in base64. */
const headerBytes = 3000

const path = '/api/attachments'
const pathOf = (id: string) => `${path}/${encodeURIComponent(id)}`

export function createAttachments ({ call, resumable, limits, plainMaxBytes }: AttachmentsOptions) {
  async function regarded (file: Blob, options: UploadOptions): Promise<Regarded> {
    requireBlob(file)
    const { visibility, contextType, contextId, ownerId, readers, expiresAt, metadata, filename = (file as Partial<File>).name ?? 'file', signal } = options
    const said = given({ visibility, contextType, contextId, ownerId, readers: readers && idsIn(readers).join(','), expiresAt: expiresAt && timeIn(expiresAt), metadata, sha256: await unlessAborted(sha256Of(file), signal) })
    const { resumable: { chunkBytes } } = await unlessAborted(limits(), signal)
    return { filename, said, isLarge: file.size > Math.min(plainMaxBytes, chunkBytes), chunkBytes }
  }

  async function uploadPlain (file: Blob, { filename, said }: Regarded, { idempotencyKey = newKey(), onProgress, signal }: UploadOptions): Promise<Attachment> {
    const form = new FormData()
    for (const [name, value] of Object.entries(said)) form.append(name, value)
    form.append('file', file, filename)
    const { attachments: [attachment] } = await call.json<{ attachments: [Attachment] }>('POST', path, {
      body: form,
      bytes: file.size,
      headers: { 'Idempotency-Key': idempotencyKey },
      onSent: telling(onProgress, { totalBytes: file.size }),
      signal,
    })
    return attachment
  }

  async function sendingOf (file: Blob, { filename, said: { readers = '', ...said }, chunkBytes: maxChunkBytes }: Regarded, { idempotencyKey, onProgress, signal }: UploadOptions): Promise<Sending> {
    // What goes on under the program's key must be this file, also where the gateway cannot tell by its sha256.
    const piecesSha256 = idempotencyKey === undefined || said['sha256'] !== undefined ? undefined : await unlessAborted(piecesSha256Of(file, signal), signal)
    const all = given({ ...said, readers: readers === '' || isTooLong(readers) ? undefined : readers, filename, piecesSha256 })
    return {
      said: { ...all, kind: 'attachment', ...(file.type !== '' && { filetype: file.type }) },
      fingerprint: fingerprintOf(file, all, call.address(path), idempotencyKey),
      key: idempotencyKey,
      maxChunkBytes,
      onProgress,
      signal,
    }
  }

  async function uploadInChunks (file: Blob, sending: Sending, readers = ''): Promise<Attachment> {
    const { attachment } = await resumable.send(file, sending)
    // Deleted again since it was finished.
    if (attachment === undefined) throw new UploadGatewayError('The attachment is not there any more.', { code: 'ATTACHMENT_NOT_FOUND', status: 404 })
    return isTooLong(readers) ? change(attachment.id, { readers: readers.split(',') }, sending) : attachment
  }

  async function change (id: string, { readers, expiresAt, ...others }: AttachmentChanges, { signal }: Wait = {}): Promise<Attachment> {
    return call.json('PATCH', pathOf(id), { json: { ...others, readers: readers && idsIn(readers), expiresAt: expiresAt && timeIn(expiresAt) }, signal })
  }

  const list = (query: ListQuery = {}, { signal }: Wait = {}): Promise<AttachmentPage> => call.json('GET', path, { query, signal })

  return {
    /** Sends a file and waits until the gateway has made it durable. */
    async upload (file: Blob, options: UploadOptions = {}): Promise<Attachment> {
      const regard = await regarded(file, options)
      return regard.isLarge ? uploadInChunks(file, await sendingOf(file, regard, options), regard.said['readers']) : uploadPlain(file, regard, options)
    },

    /**
     * Gives up an upload that was not finished, so that its size counts as used no longer; `options` are those that it was begun with, but
     * its signal does not count here. One that is still under way from here is waited for. What has become an attachment stays, and so does
     * what was never begun.
     */
    async abandon (file: Blob, options: UploadOptions = {}): Promise<void> {
      const own = { ...options, signal: undefined }
      const regard = await regarded(file, own)
      if (regard.isLarge) await resumable.abandon(file, await sendingOf(file, regard, own))
    },

    get: (id: string, { signal }: Wait = {}): Promise<Attachment> => call.json('GET', pathOf(id), { signal }),

    list,

    /** All of them, page by page as they are asked for. */
    async * each (query: ListQuery = {}, wait: Wait = {}): AsyncGenerator<Attachment, void> {
      for (let cursor: string | undefined; ;) {
        const { attachments, nextCursor } = await list({ ...query, ...(cursor !== undefined && { cursor }) }, wait)
        yield * attachments
        if (nextCursor === null) return
        cursor = nextCursor
      }
    },

    change,

    /** To the trash. */
    remove: (id: string, { signal }: Wait = {}): Promise<void> => call.gone(pathOf(id), { signal }),

    /** The bytes, as fetch answers: for what is private, and no media session is there for. */
    content: (id: string, { range, signal }: Wait & { readonly range?: string | undefined } = {}): Promise<Response> => call.ask('GET', `${pathOf(id)}/content`, { headers: { Range: range }, signal }),

    /** Opens for whoever may read it: all where it is public, else this browser during a media session. */
    url: (id: string, { download = false } = {}): string => call.address(`${pathOf(id)}/content`, { download: download || undefined }),

    previewUrl: (id: string, query: PreviewQuery): string => call.address(`${pathOf(id)}/preview`, query),

    /** An address that needs no token, for `expiresIn` seconds. */
    link: (id: string, { expiresIn, download, signal }: Wait & { readonly expiresIn?: number | undefined, readonly download?: boolean | undefined } = {}): Promise<Link> =>
      call.json('POST', `${pathOf(id)}/links`, { json: { expiresIn, download }, headers: { 'Idempotency-Key': newKey() }, signal }),

    /** The same for up to 200 at once. */
    linkAll: (ids: readonly string[], { expiresIn, download, signal }: Wait & { readonly expiresIn?: number | undefined, readonly download?: boolean | undefined } = {}): Promise<Links> =>
      call.json('POST', `${path}/links`, { json: { ids, expiresIn, download }, headers: { 'Idempotency-Key': newKey() }, signal }),

    links: async (id: string, { signal }: Wait = {}): Promise<Link[]> => (await call.json<{ links: Link[] }>('GET', `${pathOf(id)}/links`, { signal })).links,

    revoke: (id: string, linkId: string, { signal }: Wait = {}): Promise<void> => call.gone(`${pathOf(id)}/links/${encodeURIComponent(linkId)}`, { signal }),
  }
}

/** Readers, for a header: more than it holds are named once the attachment is there, which nobody else sees before. */
const isTooLong = (readers: string): boolean => readers.length > headerBytes

function given (values: Readonly<Record<string, string | undefined>>): Record<string, string> {
  return Object.fromEntries(Object.entries(values).filter((entry): entry is [string, string] => entry[1] !== undefined))
}

/** @throws TypeError */
function idsIn (readers: unknown): string[] {
  if (Array.isArray(readers) && readers.every((id) => typeof id === 'string')) return readers
  throw new TypeError("readers must be an array of user ids, such as ['kim'].")
}

/** @throws TypeError */
function timeIn (time: Date | string): string {
  if (typeof time === 'string') return time
  // As with files, those of another window will do.
  if (typeof (time as Partial<Date>).toISOString === 'function' && !Number.isNaN(time.getTime())) return time.toISOString()
  throw new TypeError("expiresAt must be a Date or a string in ISO 8601, such as new Date(Date.now() + 86_400_000) or '2030-01-31T12:00:00Z'.")
}
