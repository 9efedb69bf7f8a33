// A picture as clients see it in JSON.
import type { UserId } from '../callers/caller.ts'
import { namesIn } from '../records/sidecars.ts'
import type { Sidecar } from '../storage/sidecar.ts'
import type { AvatarBlob } from './records.ts'
import type { Avatar } from './schema.ts'

export const avatarUrl = (userId: string): string => `/api/avatars/${userId}`

type Presentable = Pick<Sidecar, 'contentType' | 'size' | 'sha256' | 'stateAt' | 'width' | 'height' | 'thumbhash' | 'metadataRemoved' | 'crop'> & { id: string, scan: string | null }

export function present (userId: UserId, { id, contentType, size, width, height, sha256, thumbhash, metadataRemoved, crop, scan, stateAt }: Presentable): Avatar {
  return {
    userId, avatarUrl: avatarUrl(userId), versionedUrl: `${avatarUrl(userId)}/${id}`, version: id,
    contentType, size, width: width ?? 0, height: height ?? 0, sha256, thumbhash, metadataRemoved: metadataRemoved ?? [], crop, scan: scan as Avatar['scan'], updatedAt: stateAt,
  }
}

export function presentRow (userId: UserId, blob: AvatarBlob): Avatar {
  return present(userId, { ...blob, size: Number(blob.size), metadataRemoved: namesIn(blob.metadataRemoved), stateAt: blob.stateAt.toISOString() })
}
