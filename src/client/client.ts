// The client that programs make: upload-gateway/client. For browsers and for Node; needs nothing but fetch.
import { createAttachments, type Attachments } from './attachments.ts'
import { createAvatars, type Avatars } from './avatars.ts'
import { createCall, type GetToken } from './call.ts'
import { createResumable } from './resumable.ts'
import type { Limits, MediaSession, Usage } from './shapes.ts'
import { byFetch, type Fetch, type Transport } from './transport.ts'
import { createUnfinished, usualStorage, type UploadStorage } from './unfinished.ts'
import { byXhr, type Xhr } from './xhr.ts'

export { UploadGatewayError } from './error.ts'
export type { ErrorCode, FieldError } from './error.ts'
export type { Attachments, UploadOptions } from './attachments.ts'
export type { AvatarOptions, Avatars, Crop } from './avatars.ts'
export type { GetToken } from './call.ts'
export type { OnProgress, Progress } from './progress.ts'
export type { Attachment, AttachmentChanges, AttachmentPage, Avatar, AvatarQuery, AvatarVersions, Limits, Link, Links, ListQuery, MediaSession, PreviewQuery, Usage } from './shapes.ts'
export type { UploadStorage } from './unfinished.ts'

export type ClientOptions = {
  /** Where the gateway is, such as https://uploads.example. Default: the origin of the page; where there is no page, there is none. */
  readonly baseUrl?: string | undefined
  readonly token?: string | undefined
  /** Instead of `token`, asked before each request, and once more when the gateway has refused what it gave. */
  readonly getToken?: GetToken | undefined
  /** Instead of the platform's. Without XMLHttpRequest, progress is told once a request is through. */
  readonly fetch?: Fetch | undefined
  /** Remembers where uploads go on after a reload. Default: localStorage in pages, nothing in Node. null: nothing. */
  readonly storage?: UploadStorage | null | undefined
  /** How often in a row a request is tried again when that may help. */
  readonly retries?: number | undefined
  /** The first wait before that; each is twice the one before. */
  readonly retryDelayMs?: number | undefined
  /** Larger attachments go in chunks, which can go on after a cut. */
  readonly plainMaxBytes?: number | undefined
}

export type Client = {
  readonly avatars: Avatars
  readonly attachments: Attachments
  /** A cookie that opens what the caller may read to a plain <img> or <a> of this browser, and nothing else. */
  readonly mediaSession: {
    readonly start: () => Promise<MediaSession>
    readonly end: () => Promise<void>
  }
  /** What may be uploaded. Asked once. */
  readonly limits: () => Promise<Limits>
  /** What the caller, or for services and admins another user, keeps and may keep. */
  readonly usage: (options?: { readonly owner?: string | undefined }) => Promise<Usage>
}

const usualRetries = 8
const usualRetryDelayMs = 500
const usualPlainMaxBytes = 4 * 1024 ** 2

/** @throws TypeError when there is no such address as `baseUrl` */
export function createClient ({ baseUrl = '', token, getToken = () => token, fetch, storage = usualStorage() ?? null, retries = usualRetries, retryDelayMs = usualRetryDelayMs, plainMaxBytes = usualPlainMaxBytes }: ClientOptions = {}): Client {
  requireAddress(baseUrl)
  const pace = { retries, delayMs: retryDelayMs }
  const call = createCall({ baseUrl, getToken, pace, transport: transportOf(fetch) })
  let asked: Promise<Limits> | undefined
  const limits = (): Promise<Limits> => {
    asked ??= call.json<Limits>('GET', '/api/limits').catch((error: unknown) => {
      asked = undefined
      throw error
    })
    return asked
  }
  const resumable = createResumable({ call, unfinished: createUnfinished(storage ?? undefined), pace })
  return {
    avatars: createAvatars({ call }),
    attachments: createAttachments({ call, resumable, limits, plainMaxBytes }),
    mediaSession: {
      start: () => call.json('POST', '/api/media-session', { hasCookies: true }),
      end: async () => { await call.ask('DELETE', '/api/media-session', { hasCookies: true }) },
    },
    limits,
    usage: ({ owner } = {}) => call.json('GET', '/api/usage', { query: { owner } }),
  }
}

/** Else every request would fail as if the network did, and be tried again. In pages, an address may be relative to theirs. */
function requireAddress (baseUrl: string): void {
  const hasPage = (globalThis as { location?: unknown }).location !== undefined
  if (hasPage || /^https?:\/\/[^/]/i.test(baseUrl)) return
  throw new TypeError(`baseUrl must be where the gateway is, such as https://uploads.example, not ${JSON.stringify(baseUrl)}.`)
}

/** XMLHttpRequest where there is one and progress is asked for; fetch for all the rest. */
function transportOf (fetch: Fetch | undefined): Transport {
  const plain = byFetch(fetch ?? ((...request) => globalThis.fetch(...request)))
  const { XMLHttpRequest } = globalThis as { XMLHttpRequest?: new () => Xhr }
  if (fetch !== undefined || XMLHttpRequest === undefined) return plain
  const telling = byXhr(XMLHttpRequest)
  return (request) => (request.onSent === undefined ? plain : telling)(request)
}
