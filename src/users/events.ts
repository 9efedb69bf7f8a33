// What is told of the files of a user who is erased: that they are gone, and nothing that a file or its owner said.
import { Type } from 'typebox'
import type { EventDescription } from '../plugins/event-description.ts'
import type { Happening } from '../records/events.ts'

/** `id`: of the blob; `attachmentId`: null of an avatar. The id of the event is the same when two erase it. */
export const ofErased = (ownerId: string, epoch: number, { id, attachmentId }: { readonly id: string, readonly attachmentId: string | null }): Happening => attachmentId === null
  ? { type: 'avatar.erased', ownerId, epoch, id: `erased-${id}`, data: { userId: ownerId, avatarUrl: `/api/avatars/${ownerId}`, version: id } }
  : { type: 'attachment.erased', ownerId, epoch, id: `erased-${id}`, data: { id: attachmentId, url: `/api/attachments/${attachmentId}/content` } }

const text = Type.String()

/** What `data` is, for the description of the API. */
export const erasedEvents = {
  'attachment.erased': { summary: 'An attachment of a user who is erased is gone for good', data: Type.Object({ id: text, url: text }) },
  'avatar.erased': { summary: 'A picture of a user who is erased is gone for good', data: Type.Object({ userId: text, avatarUrl: text, version: text }) },
} satisfies Record<string, EventDescription>
