// An attachment as clients see it in JSON.
import type { Caller } from '../callers/caller.ts'
import { idsIn, namesIn } from '../records/sidecars.ts'
import { mayChange } from './access.ts'
import type { AttachmentRow, AttachmentSidecar } from './records.ts'
import type { Attachment } from './schema.ts'

type Presentable = Omit<Attachment, 'url' | 'metadataRemoved' | 'visibility' | 'readers' | 'scan'> & { metadataRemoved: string[] | null, visibility: string, readers: string[], scan: string | null }

function present ({ id, ownerId, filename, contentType, size, sha256, width, height, thumbhash, alt, visibility, contextType, contextId, readers, metadataRemoved, scan, expiresAt, createdAt }: Presentable): Attachment {
  return { id, url: `/api/attachments/${id}/content`, ownerId, filename, contentType, size, sha256, width, height, thumbhash, alt, visibility: visibility as Attachment['visibility'], contextType, contextId, readers, metadataRemoved: metadataRemoved ?? [], scan: scan as Attachment['scan'], expiresAt, createdAt }
}

export const presentSidecar = (sidecar: AttachmentSidecar): Attachment => present({ ...sidecar, id: sidecar.recordId })

/** As the owner and services see it. */
export const presentRow = (row: AttachmentRow): Attachment => present({ ...row.blob, ...row, size: Number(row.blob.size), readers: idsIn(row.readers), metadataRemoved: namesIn(row.blob.metadataRemoved), expiresAt: row.expiresAt?.toISOString() ?? null, createdAt: row.createdAt.toISOString() })

export function presentTo (caller: Caller | null, row: AttachmentRow): Attachment {
  const { readers, ...seen } = presentRow(row)
  return mayChange(caller, row) ? { ...seen, readers: readers ?? [] } : seen
}
