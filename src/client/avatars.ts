// Avatars: one picture per user, set, shown, gone back to.
import { requireBlob } from './blob.ts'
import { newKey, type Call } from './call.ts'
import { sha256Of } from './digest.ts'
import { telling, type OnProgress } from './progress.ts'
import type { Avatar, AvatarQuery, AvatarVersions } from './shapes.ts'

/** The part that square sizes show, as fractions of the upright picture. */
export type Crop = { readonly x: number, readonly y: number, readonly width: number, readonly height: number }

export type AvatarOptions = {
  readonly crop?: Crop | undefined
  /** Whether location, names and the like stay in the picture. */
  readonly metadata?: 'keep' | 'remove' | undefined
  /** For services: whose it is. */
  readonly ownerId?: string | undefined
  /** The same key is the same upload. Default: one for each call. */
  readonly idempotencyKey?: string | undefined
  readonly onProgress?: OnProgress | undefined
  readonly signal?: AbortSignal | undefined
}

type Wait = { readonly signal?: AbortSignal | undefined }

export type Avatars = ReturnType<typeof createAvatars>

const path = '/api/avatars'
const pathOf = (userId: string) => `${path}/${encodeURIComponent(userId)}`

export function createAvatars ({ call }: { call: Call }) {
  return {
    /** Sends a picture and waits until the gateway has made it durable. */
    async set (file: Blob, { crop, metadata, ownerId = 'me', idempotencyKey = newKey(), onProgress, signal }: AvatarOptions = {}): Promise<Avatar> {
      requireBlob(file)
      const sha256 = await sha256Of(file)
      const form = new FormData()
      if (crop !== undefined) form.append('crop', cropText(crop))
      if (metadata !== undefined) form.append('metadata', metadata)
      if (sha256 !== undefined) form.append('sha256', sha256)
      form.append('avatar', file)
      return call.json('PUT', pathOf(ownerId), { body: form, bytes: file.size, headers: { 'Idempotency-Key': idempotencyKey }, onSent: telling(onProgress, { totalBytes: file.size }), signal })
    },

    /** For an <img>: the same address for ever, which shows the current picture. `version`: that picture for ever. */
    url: (userId: string, { version, ...query }: AvatarQuery & { readonly version?: string | undefined } = {}): string =>
      call.address(version === undefined ? pathOf(userId) : `${pathOf(userId)}/${encodeURIComponent(version)}`, query),

    /** Shows another part of the caller's picture; null: what the gateway chooses. */
    crop: (crop: Crop | null, { signal }: Wait = {}): Promise<Avatar> => call.json('PATCH', `${path}/me`, { json: { crop: crop && cropText(crop) }, signal }),

    /** The caller's picture and those before it. */
    versions: async ({ signal }: Wait = {}): Promise<AvatarVersions['versions']> => (await call.json<AvatarVersions>('GET', `${path}/me/versions`, { signal })).versions,

    restore: (version: string, { signal }: Wait = {}): Promise<Avatar> =>
      call.json('POST', `${path}/me/versions/${encodeURIComponent(version)}/restore`, { headers: { 'Idempotency-Key': newKey() }, signal }),

    /** To the trash; the caller's own, or for services that of another. */
    remove: ({ ownerId = 'me', signal }: Wait & { readonly ownerId?: string | undefined } = {}): Promise<void> => call.gone(pathOf(ownerId), { signal }),
  }
}

/** Six digits are less than a pixel of the largest picture, and never an exponent. */
const cropText = ({ x, y, width, height }: Crop): string => [x, y, width, height].map((part) => String(Number(part.toFixed(6)))).join(',')
