// What is told of an attachment when something happens to it: what its owner knows of it, and nothing of anybody else, such as its readers.
import { Type } from 'typebox'
import type { EventDescription } from '../plugins/event-description.ts'
import type { Happening } from '../records/events.ts'
import { presentRow, presentSidecar } from './present.ts'
import type { AttachmentRow, AttachmentSidecar } from './records.ts'
import { AttachmentSchema, type Attachment } from './schema.ts'

const changeable = ['filename', 'visibility', 'contextType', 'contextId', 'alt', 'readers', 'expiresAt']

const told = ({ id, url, filename, contentType, size, sha256, width, height, alt, visibility, contextType, contextId, expiresAt, createdAt }: Attachment) =>
  ({ id, url, filename, contentType, size, sha256, width, height, alt, visibility, contextType, contextId, expiresAt, createdAt })

export const ofSidecar = (sidecar: AttachmentSidecar): Happening =>
  ({ type: 'attachment.created', ownerId: sidecar.ownerId, epoch: sidecar.epoch, data: told(presentSidecar(sidecar)) })

export const ofRow = (type: 'attachment.deleted' | 'attachment.restored', row: AttachmentRow): Happening =>
  ({ type, ownerId: row.ownerId, epoch: row.blob.epoch, data: told(presentRow(row)) })

/** The names alone: when two change it at once, neither knows how it looks afterwards. */
export const ofChange = ({ id, ownerId, blob }: AttachmentRow, changes: object): Happening =>
  ({ type: 'attachment.changed', ownerId, epoch: blob.epoch, data: { id, url: `/api/attachments/${id}/content`, changed: Object.keys(changes).filter((name) => changeable.includes(name)) } })

const { id, url, filename, contentType, size, sha256, width, height, alt, visibility, contextType, contextId, expiresAt, createdAt } = AttachmentSchema.properties
const Told = Type.Object({ id, url, filename, contentType, size, sha256, width, height, alt, visibility, contextType, contextId, expiresAt, createdAt })
const Changed = Type.Object({ id, url, changed: Type.Array(Type.Enum(changeable), { description: 'What is another now: ask for the rest.' }) })

/** What `data` is, for the description of the API. */
export const attachmentEvents = {
  'attachment.created': { summary: 'An attachment is there', data: Told },
  'attachment.changed': { summary: 'What is said of an attachment was changed', data: Changed },
  'attachment.deleted': { summary: 'An attachment is in the trash; also when it expired', data: Told },
  'attachment.restored': { summary: 'An attachment is back from the trash', data: Told },
} satisfies Record<string, EventDescription>
