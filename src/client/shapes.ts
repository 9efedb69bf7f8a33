// The names that programs use for what the gateway gives and takes. The shapes themselves are generated, in api.ts.
import type { operations, paths } from './api.ts'

type Responses<Operation> = Operation extends { responses: infer All } ? All : never
type Json<Response> = Response extends { content: { 'application/json': infer Body } } ? Body : never
/** What an operation answers with when it succeeds. */
type Answer<Operation> = Responses<Operation> extends infer All ? Json<All[Extract<keyof All, 200 | 201>]> : never
/** What is undefined is not sent. */
type Loose<Query> = { readonly [Name in keyof Query]: Query[Name] | undefined }
type QueryOf<Operation> = Operation extends { parameters: { query?: infer Query } } ? Loose<NonNullable<Query>> : never
type BodyOf<Operation> = Operation extends { requestBody?: infer Body } ? Json<NonNullable<Body>> : never

export type Attachment = Answer<operations['getAttachmentsById']>
export type AttachmentPage = Answer<operations['getAttachments']>
export type ListQuery = QueryOf<operations['getAttachments']>
type Changes = BodyOf<operations['patchAttachmentsById']>
export type AttachmentChanges = Omit<Changes, 'expiresAt'> & { expiresAt?: Date | Changes['expiresAt'] }
export type PreviewQuery = QueryOf<operations['getAttachmentsByIdPreview']>
export type Link = Answer<operations['postAttachmentsByIdLinks']>
export type Links = Answer<operations['postAttachmentsLinks']>
export type Avatar = Answer<operations['putAvatarsMe']>
export type AvatarVersions = Answer<operations['getAvatarsMeVersions']>
export type AvatarQuery = QueryOf<operations['getAvatarsByUserId']>
export type ResumableUpload = Answer<operations['getResumableById']>
export type MediaSession = Answer<operations['postMediaSession']>
export type Limits = Answer<paths['/api/limits']['get']>
export type Usage = Answer<paths['/api/usage']['get']>
