// Attachments: sent, found, changed, handed out. How a large one goes in chunks is resumable.ts.
import { requireBlob } from './blob.ts'
import { newKey, type Call } from './call.ts'
import { sha256Of } from './digest.ts'
import { UploadGatewayError } from './error.ts'
import { unlessAborted } from './patience.ts'
import { telling, type OnProgress } from './progress.ts'
import type { Resumable } from './resumable.ts'
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
  /** Ends the call, which rejects with the reason of the signal. A large upload goes on where it was when the same file is uploaded again. */
  readonly signal?: AbortSignal | undefined
}

export type AttachmentsOptions = {
  readonly call: Call
  readonly resumable: Resumable
  readonly limits: () => Promise<Limits>
  /** Larger files go in chunks, and so does what is larger than the gateway wants one request to be. */
  readonly plainMaxBytes: number
}

type Wait = { readonly signal?: AbortSignal | undefined }

export type Attachments = ReturnType<typeof createAttachments>

/** Servers and proxies take some 8 to 16 KiB of headers in all, and there it is in base64. */
const headerBytes = 3000

const path = '/api/attachments'
const pathOf = (id: string) => `${path}/${encodeURIComponent(id)}`

export function createAttachments ({ call, resumable, limits, plainMaxBytes }: AttachmentsOptions) {
  async function uploadPlain (file: Blob, filename: string, said: Readonly<Record<string, string>>, { idempotencyKey = newKey(), onProgress, signal }: UploadOptions): Promise<Attachment> {
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

  async function uploadInChunks (file: Blob, filename: string, { readers = '', ...said }: Readonly<Record<string, string>>, { idempotencyKey, onProgress, signal }: UploadOptions, maxChunkBytes: number): Promise<Attachment> {
    // What is said of it goes into a header; more of them than that holds are named once it is there, which nobody else sees before.
    const isTooLong = readers.length > headerBytes
    const all = { ...said, ...(readers !== '' && !isTooLong && { readers }) }
    const { attachment } = await resumable.send(file, {
      said: { ...all, kind: 'attachment', filename, ...(file.type !== '' && { filetype: file.type }) },
      fingerprint: idempotencyKey ?? fingerprintOf(file, { ...all, filename }, call.address(path)),
      key: idempotencyKey,
      maxChunkBytes,
      onProgress,
      signal,
    })
    // Deleted again since it was finished.
    if (attachment === undefined) throw new UploadGatewayError('The attachment is not there any more.', { code: 'ATTACHMENT_NOT_FOUND', status: 404 })
    return isTooLong ? change(attachment.id, { readers: readers.split(',') }, { signal }) : attachment
  }

  async function change (id: string, { readers, expiresAt, ...others }: AttachmentChanges, { signal }: Wait = {}): Promise<Attachment> {
    return call.json('PATCH', pathOf(id), { json: { ...others, readers: readers && idsIn(readers), expiresAt: expiresAt && timeIn(expiresAt) }, signal })
  }

  const list = (query: ListQuery = {}, { signal }: Wait = {}): Promise<AttachmentPage> => call.json('GET', path, { query, signal })

  return {
    /** Sends a file and waits until the gateway has made it durable. */
    async upload (file: Blob, options: UploadOptions = {}): Promise<Attachment> {
      requireBlob(file)
      const { visibility, contextType, contextId, ownerId, readers, expiresAt, metadata, filename = (file as Partial<File>).name ?? 'file' } = options
      const said = given({ visibility, contextType, contextId, ownerId, readers: readers && idsIn(readers).join(','), expiresAt: expiresAt && timeIn(expiresAt), metadata, sha256: await unlessAborted(sha256Of(file), options.signal) })
      const { resumable: { chunkBytes } } = await unlessAborted(limits(), options.signal)
      return file.size > Math.min(plainMaxBytes, chunkBytes) ? uploadInChunks(file, filename, said, options, chunkBytes) : uploadPlain(file, filename, said, options)
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
