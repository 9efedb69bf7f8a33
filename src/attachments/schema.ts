// The shapes of the attachment API: what clients send and get.
import { Type, type Static } from 'typebox'
import { userIdPattern } from '../callers/caller.ts'

const nullable = <S extends Parameters<typeof Type.Union>[0][number]>(schema: S) => Type.Union([schema, Type.Null()])

export const Visibility = Type.Enum(['private', 'public'], { description: 'private: the owner and services. public: anyone with the URL.' })
const ContextType = Type.String({ pattern: '^[A-Za-z0-9._-]{1,64}$', description: 'What it belongs to, such as message or ticket.' })
const ContextId = Type.String({ pattern: '^[!-~]{1,128}$', description: 'Which of those.' })
const UserId = Type.String({ pattern: userIdPattern })

export const AttachmentSchema = Type.Object({
  id: Type.String({ format: 'uuid' }),
  url: Type.String({ description: 'Where the bytes are; never changes.' }),
  ownerId: UserId,
  filename: Type.String({ description: 'For people: never a path.' }),
  contentType: Type.String(),
  size: Type.Integer({ description: 'Bytes.' }),
  sha256: Type.String({ description: 'Of the stored bytes, lower-case hex.' }),
  width: nullable(Type.Integer({ description: 'Pixels, upright; null when it is no picture.' })),
  height: nullable(Type.Integer()),
  thumbhash: nullable(Type.String()),
  alt: nullable(Type.String()),
  visibility: Visibility,
  contextType: nullable(Type.String()),
  contextId: nullable(Type.String()),
  metadataRemoved: Type.Array(Type.String(), { description: 'Kinds of metadata that were removed; when empty, the stored bytes are the ones that were sent.' }),
  createdAt: Type.String({ format: 'date-time' }),
}, { $id: 'Attachment' })

export type Attachment = Static<typeof AttachmentSchema>

export const Created = Type.Object({ attachments: Type.Array(AttachmentSchema) })

export const Page = Type.Object({
  attachments: Type.Array(AttachmentSchema),
  nextCursor: nullable(Type.String({ description: 'Pass it as cursor for the next page; null on the last.' })),
})

/** What may be said of a file when it is sent: as form fields before it, or in the query. */
export const ParticularsSchema = Type.Object({
  visibility: Type.Optional(Visibility),
  contextType: Type.Optional(ContextType),
  contextId: Type.Optional(ContextId),
  ownerId: Type.Optional(UserId),
})

export type Particulars = Static<typeof ParticularsSchema>

export const particularNames = ['visibility', 'contextType', 'contextId', 'ownerId'] as const

export const ChangesSchema = Type.Object({
  filename: Type.Optional(Type.String({ minLength: 1, maxLength: 1024 })),
  visibility: Type.Optional(Visibility),
  contextType: Type.Optional(nullable(ContextType)),
  contextId: Type.Optional(nullable(ContextId)),
  alt: Type.Optional(nullable(Type.String({ maxLength: 2000, description: 'Describes a picture to those who do not see it.' }))),
}, { additionalProperties: false, minProperties: 1 })

export type Changes = Static<typeof ChangesSchema>

export const maxPage = 200

export const ListQuery = Type.Object({
  owner: Type.Optional(Type.String({ description: 'With the scope uploads:service: whose. Default: the caller\'s.' })),
  limit: Type.Integer({ minimum: 1, maximum: maxPage, default: 50 }),
  cursor: Type.Optional(Type.String({ maxLength: 64 })),
  contextType: Type.Optional(ContextType),
  contextId: Type.Optional(ContextId),
  ids: Type.Optional(Type.String({ description: `Up to ${maxPage} ids, comma separated: just those of them the caller may read.` })),
})

export const IdParams = Type.Object({ id: Type.String() })

export const ContentQuery = Type.Object({
  download: Type.Optional(Type.Enum(['0', '1'], { description: '1: ask browsers to save rather than show.' })),
})
