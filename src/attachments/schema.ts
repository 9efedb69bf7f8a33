// The shapes of the attachment API: what clients send and get.
import { Type, type Static, type TSchemaOptions } from 'typebox'
import { MetadataChoice } from '../images/query.ts'
import { ScanSchema } from '../scanning/schema.ts'
import { userIdPattern } from '../user-id.ts'
import { expiryAllowed, expiryPattern } from './expiry.ts'
import { maxReaders } from './readers.ts'

const nullable = <S extends Parameters<typeof Type.Union>[0][number]>(schema: S) => Type.Union([schema, Type.Null()])

export const Visibility = Type.Enum(['private', 'public'], { description: 'private: the owner, its readers and services. public: anyone with the URL.' })

/** Text of a form that is said in words too, for refusals and for the description. */
const formed = (pattern: string, allowed: string, description: string) => (options: TSchemaOptions = {}) =>
  Type.String({ pattern, 'x-allowed': allowed, description: `${description}: ${allowed}.`, ...options })

const ContextType = formed('^[A-Za-z0-9._-]{1,64}$', '1 to 64 of A-Z a-z 0-9 . _ -', 'What it belongs to, such as message or ticket')
const ContextId = formed('^[!-~]{1,128}$', '1 to 128 ASCII characters without spaces', 'Which of those')
/** Each id is looked at in readers.ts: in one pattern they would be past reading. */
const ReaderList = formed('^[A-Za-z0-9._:@,-]*$', `up to ${maxReaders} user ids, comma separated`, 'Who may read it beside its owner')
const ExpiresAt = formed(expiryPattern, expiryAllowed, 'When it goes to the trash by itself')
const UserId = formed(userIdPattern, '1 to 128 of A-Z a-z 0-9 . _ : @ -, and not "me"', 'The user it belongs to')

export const AttachmentSchema = Type.Object({
  id: Type.String({ format: 'uuid' }),
  url: Type.String({ description: 'Where the bytes are; never changes.' }),
  ownerId: UserId(),
  filename: Type.String({ description: 'For people: never a path.' }),
  contentType: Type.String(),
  size: Type.Integer({ description: 'Bytes.' }),
  sha256: Type.String({ description: 'Of the stored bytes, lower-case hex.' }),
  width: nullable(Type.Integer({ description: 'Pixels, upright; null when it is no picture.' })),
  height: nullable(Type.Integer()),
  thumbhash: nullable(Type.String({ description: 'Of a picture that can be shown: a blurred preview in some 25 bytes, base64; see evanw.github.io/thumbhash.' })),
  alt: nullable(Type.String()),
  visibility: Visibility,
  contextType: nullable(Type.String()),
  contextId: nullable(Type.String()),
  readers: Type.Optional(Type.Array(Type.String(), { description: 'Ids of the users who may read it beside its owner; told to the owner and to services only.' })),
  metadataRemoved: Type.Array(Type.String(), { description: 'Kinds of metadata that were removed; when empty, the stored bytes are the ones that were sent.' }),
  scan: ScanSchema,
  expiresAt: nullable(Type.String({ format: 'date-time', description: 'When it goes to the trash by itself.' })),
  createdAt: Type.String({ format: 'date-time' }),
}, { $id: 'Attachment' })

export type Attachment = Static<typeof AttachmentSchema>

export const Created = Type.Object({ attachments: Type.Array(AttachmentSchema) })

export const Page = Type.Object({
  attachments: Type.Array(AttachmentSchema),
  nextCursor: nullable(Type.String({ description: 'Pass it as cursor for the next page; null on the last.' })),
})

/** Or the page of the API would fill the form with texts made from the patterns. */
const unfilled = { example: '' }

/** What may be said of a file when it is sent: as form fields before it, or in the query. */
export const ParticularsSchema = Type.Object({
  visibility: Type.Optional(Visibility),
  contextType: Type.Optional(ContextType(unfilled)),
  contextId: Type.Optional(ContextId(unfilled)),
  ownerId: Type.Optional(UserId(unfilled)),
  metadata: Type.Optional(MetadataChoice),
  readers: Type.Optional(ReaderList(unfilled)),
  expiresAt: Type.Optional(ExpiresAt(unfilled)),
}, { additionalProperties: false })

export type Particulars = Static<typeof ParticularsSchema>

export const particularNames = ['visibility', 'contextType', 'contextId', 'ownerId', 'metadata', 'readers', 'expiresAt'] as const

/** Of these, those that may come several times before a file, and then hold together. */
export const listNames = ['readers'] as const

export const ChangesSchema = Type.Object({
  filename: Type.Optional(Type.String({ minLength: 1, maxLength: 1024 })),
  visibility: Type.Optional(Visibility),
  contextType: Type.Optional(nullable(ContextType())),
  contextId: Type.Optional(nullable(ContextId())),
  alt: Type.Optional(nullable(Type.String({ maxLength: 2000, description: 'Describes a picture to those who do not see it.' }))),
  readers: Type.Optional(Type.Array(UserId({ description: 'A user.' }), { maxItems: maxReaders, description: 'The users who may read it beside its owner, all of them: those who are not named may not any more.' })),
  expiresAt: Type.Optional(nullable(ExpiresAt())),
}, { additionalProperties: false, minProperties: 1 })

export type Changes = Static<typeof ChangesSchema>

export const maxPage = 200
export const usualPage = 50

export const ListQuery = Type.Object({
  owner: Type.Optional(Type.String({ description: 'With the scope uploads:service: whose. Default: what X-Owner-Id says, or else the caller\'s.' })),
  limit: Type.Optional(Type.Integer({ minimum: 1, maximum: maxPage, default: usualPage })),
  cursor: Type.Optional(Type.String({ maxLength: 64 })),
  contextType: Type.Optional(ContextType(unfilled)),
  contextId: Type.Optional(ContextId(unfilled)),
  ids: Type.Optional(Type.String({ description: `Up to ${maxPage} ids, comma separated: just those of them the caller may read.` })),
}, { additionalProperties: false })

export const IdParams = Type.Object({ id: Type.String() })

const yes = ['true', '1', 'yes', ''] as const

export const isYes = (word: string | undefined): boolean => yes.some((one) => one === word)

export const ContentQuery = Type.Object({
  download: Type.Optional(Type.Enum([...yes, 'false', '0', 'no'], { description: 'true, or no value: ask browsers to save rather than show.' })),
})

/** Seconds. */
const longestLink = 7 * 86_400
const usualLink = 3600

const linkWishes = {
  expiresIn: Type.Integer({ minimum: 1, maximum: longestLink, default: usualLink, description: 'Seconds until it ends.' }),
  download: Type.Optional(Type.Boolean({ description: 'The URL asks browsers to save rather than show.' })),
}

export const LinkWishSchema = Type.Object(linkWishes, { additionalProperties: false })

export type LinkWish = Static<typeof LinkWishSchema>

export const LinkWishesSchema = Type.Object({ ids: Type.Array(Type.String(), { minItems: 1, maxItems: maxPage, description: 'Of attachments.' }), ...linkWishes }, { additionalProperties: false })

export const LinkSchema = Type.Object({
  id: Type.String({ format: 'uuid' }),
  attachmentId: Type.String({ format: 'uuid' }),
  url: Type.String({ description: 'Opens the attachment without a token. What comes after the last slash is only for people to read.' }),
  creatorId: Type.String({ description: 'Who made it.' }),
  createdAt: Type.String({ format: 'date-time' }),
  expiresAt: Type.String({ format: 'date-time' }),
}, { $id: 'Link' })

export type Link = Static<typeof LinkSchema>

export const LinkList = Type.Object({ links: Type.Array(LinkSchema) })

export const MadeLinksSchema = Type.Object({
  links: Type.Array(LinkSchema, { description: 'In the order of the ids.' }),
  missing: Type.Array(Type.String(), { description: 'The ids of attachments that do not exist, that the caller may not hand out, or to which there are 1000 links already.' }),
})

export const LinkIdParams = Type.Object({ id: Type.String(), linkId: Type.String() })

export const LinkTokenParams = Type.Object({ token: Type.String() })

export const LinkAddressParams = Type.Object({ token: Type.String(), filename: Type.String({ description: 'Only for people to read.' }) })
