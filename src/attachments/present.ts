// An attachment as clients see it in JSON.
import { namesIn } from '../records/sidecars.ts'
import type { AttachmentRow, AttachmentSidecar } from './records.ts'
import type { Attachment } from './schema.ts'

type Presentable = Omit<Attachment, 'url' | 'metadataRemoved' | 'visibility'> & { metadataRemoved: string[] | null, visibility: string }

function present ({ id, ownerId, filename, contentType, size, sha256, width, height, thumbhash, alt, visibility, contextType, contextId, metadataRemoved, createdAt }: Presentable): Attachment {
  return { id, url: `/api/attachments/${id}/content`, ownerId, filename, contentType, size, sha256, width, height, thumbhash, alt, visibility: visibility as Attachment['visibility'], contextType, contextId, metadataRemoved: metadataRemoved ?? [], createdAt }
}

export const presentSidecar = (sidecar: AttachmentSidecar): Attachment => present({ ...sidecar, id: sidecar.recordId })

export const presentRow = (row: AttachmentRow): Attachment => present({ ...row.blob, ...row, size: Number(row.blob.size), metadataRemoved: namesIn(row.blob.metadataRemoved), createdAt: row.createdAt.toISOString() })
