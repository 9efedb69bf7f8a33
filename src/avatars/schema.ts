// The shapes of the avatar API: what clients send and get.
import { Type, type Static } from 'typebox'
import { digestHeaders, intactCodes } from '../plugins/digest-description.ts'
import { redirected } from '../plugins/redirect-description.ts'
import { userIdPattern } from '../user-id.ts'
import { ScanSchema } from '../scanning/schema.ts'
import { avatarTypes } from '../transfer/sniff.ts'

export const AvatarSchema = Type.Object({
  userId: Type.String({ pattern: userIdPattern }),
  avatarUrl: Type.String({ description: 'Never changes for a user; always the current picture.' }),
  versionedUrl: Type.String({ description: 'This picture for ever; safe to cache.' }),
  version: Type.String({ format: 'uuid' }),
  contentType: Type.String({ examples: ['image/webp'] }),
  size: Type.Integer({ description: 'Bytes.' }),
  width: Type.Integer({ description: 'Pixels, upright.' }),
  height: Type.Integer({ description: 'Pixels, upright.' }),
  sha256: Type.String({ description: 'Of the stored bytes, lower-case hex.' }),
  thumbhash: Type.Union([Type.String({ description: 'A blurred preview in some 25 bytes, base64; see evanw.github.io/thumbhash.' }), Type.Null()]),
  metadataRemoved: Type.Array(Type.String(), { description: 'Kinds of metadata that were removed; when empty, the stored bytes are the ones that were sent.' }),
  crop: Type.Union([Type.String({ description: 'What square sizes show: x,y,width,height as fractions of the upright picture.' }), Type.Null()], { description: 'null: the gateway chooses.' }),
  scan: ScanSchema,
  updatedAt: Type.String({ format: 'date-time' }),
}, { $id: 'Avatar' })

export type Avatar = Static<typeof AvatarSchema>

const VersionSchema = Type.Object({ ...AvatarSchema.properties, isCurrent: Type.Boolean() })

export type Version = Static<typeof VersionSchema>

export const Versions = Type.Object({ versions: Type.Array(VersionSchema, { description: 'The current picture first, then earlier ones, the latest first.' }) })

export const UserParams = Type.Object({ userId: Type.String() })

export const VersionParams = Type.Object({ userId: Type.String(), version: Type.String() })

export const RestoreParams = Type.Object({ version: Type.String() })

/** What the API description says of every route that takes a picture, and of every one that gives it. */
export const keepCodes = ['UPLOAD_CONFLICT', 'OWNER_ERASED', 'STORAGE_FULL', 'STORAGE_UNAVAILABLE', 'DATABASE_UNAVAILABLE']
export const uploadCodes = ['QUOTA_EXCEEDED', 'RATE_EXCEEDED', 'UPLOAD_MISSING', 'UPLOAD_MALFORMED', 'UPLOAD_TOO_LARGE', 'UPLOAD_TYPE_REJECTED', 'IMAGE_INVALID', 'IMAGE_TOO_LARGE', 'IMAGE_TOO_SLOW', 'METADATA_UNREADABLE', 'IMAGES_BUSY', 'UPLOAD_STALLED', ...intactCodes, 'UPLOAD_INFECTED', 'SCANNER_UNAVAILABLE', ...keepCodes]
/** Of making a variant, which a plain address may come to as well. */
export const variantCodes = ['IMAGE_INVALID', 'IMAGE_TOO_LARGE', 'IMAGE_TOO_SLOW', 'IMAGES_BUSY']
export const shown = { responses: { 200: { description: 'The picture.', bytes: [...avatarTypes, 'image/svg+xml'], headers: digestHeaders }, 206: { description: 'A range of it.', bytes: ['*/*'], headers: digestHeaders }, ...redirected }, codes: ['AVATAR_NOT_FOUND', 'PRECONDITION_FAILED', 'RANGE_NOT_SATISFIABLE', 'STORAGE_UNAVAILABLE', ...variantCodes] }
