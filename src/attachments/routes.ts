// The attachment API: /api/attachments. What may be done is the service's business.
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { Type } from 'typebox'
import { RequestInvalid } from '../errors.ts'
import { PreviewQuery } from '../images/query.ts'
import { authenticate, callerOf, identify, requireScope } from '../plugins/auth.ts'
import { tokenOptional, tokenRequired } from '../plugins/route-description.ts'
import { checkedFields } from '../plugins/form-fields.ts'
import { OwnerHeader, ownerInHeader } from '../plugins/owner.ts'
import { beginUpload, uploadFor } from '../plugins/uploads-in-flight.ts'
import type { CountUpload } from '../plugins/upload-count.ts'
import { acceptUploads, admit, type ReceivedFile, type ReceiveOptions } from '../transfer/receive.ts'
import { send } from '../transfer/send.ts'
import { varyByAccept } from '../transfer/vary.ts'
import { withUpload } from '../transfer/with-upload.ts'
import { AttachmentSchema, ChangesSchema, ContentQuery, Created, IdParams, isYes, ListQuery, maxPage, Page, ParticularsSchema, usualPage, type Particulars } from './schema.ts'
import type { Previews } from './previews.ts'
import type { Attachments } from './service.ts'
import type { AttachmentUploads } from './uploads.ts'

export type AttachmentRoutesOptions = {
  attachments: Attachments
  uploads: AttachmentUploads
  previews: Previews
  receiving: ReceiveOptions
  counting: CountUpload
}

const tags = ['attachments']
const params = IdParams
const anyFile = { type: 'string', format: 'binary' }
const requestBody = {
  'multipart/form-data': {
    type: 'object',
    required: ['file'],
    description: 'Fields hold for the files that come after them.',
    properties: { ...ParticularsSchema.properties, file: { type: 'array', items: anyFile, description: 'One or more file parts, whatever their names.' } },
  },
  'application/octet-stream': { ...anyFile, description: 'Or any other type; the name in Content-Disposition: attachment; filename*=, the fields in the query.' },
}
const uploadCodes = ['UPLOAD_MISSING', 'UPLOAD_MALFORMED', 'UPLOAD_FIELD_INVALID', 'UPLOAD_FILES_EXCEEDED', 'UPLOAD_TOO_LARGE', 'UPLOAD_STALLED', 'METADATA_UNREADABLE', 'IMAGES_BUSY', 'UPLOAD_CONFLICT', 'OWNER_ERASED', 'STORAGE_FULL', 'STORAGE_UNAVAILABLE', 'DATABASE_UNAVAILABLE']
const missing = { codes: ['ATTACHMENT_NOT_FOUND', 'DATABASE_UNAVAILABLE'] }
const restoration = {
  summary: 'Bring an attachment back from the trash',
  description: 'Needs a token with the scope uploads:admin. Undoes a deletion, whoever the owner is, for as long as the trash keeps the attachment. One that was not deleted stays as it is.',
}
const restoring = { scope: 'uploads:admin', responses: { 200: { description: 'The attachment, which is back where it was.' } }, codes: ['ATTACHMENT_NOT_FOUND', 'STORAGE_FULL', 'STORAGE_UNAVAILABLE', 'DATABASE_UNAVAILABLE'] } as const
const bytes = { responses: { 200: { description: 'The bytes.', bytes: ['*/*'] }, 206: { description: 'A range of them.', bytes: ['*/*'] } }, codes: [...missing.codes, 'PRECONDITION_FAILED', 'RANGE_NOT_SATISFIABLE', 'STORAGE_UNAVAILABLE'] }
const preview = { responses: { 200: { description: 'The picture.', bytes: ['image/avif', 'image/webp', 'image/jpeg', 'image/png'] }, 206: { description: 'A range of it.', bytes: ['*/*'] } }, codes: [...missing.codes, 'PREVIEW_UNAVAILABLE', 'PRECONDITION_FAILED', 'RANGE_NOT_SATISFIABLE', 'IMAGES_BUSY', 'STORAGE_UNAVAILABLE'] }

export const attachmentRoutes: FastifyPluginAsyncTypebox<AttachmentRoutesOptions> = async (app, { attachments, uploads, previews, receiving, counting }) => {
  app.addHook('onSend', async (_request, reply) => {
    if (!reply.hasHeader('cache-control')) reply.header('Cache-Control', 'no-store')
  })

  app.get('/api/attachments', { onRequest: authenticate, schema: { tags, summary: 'List attachments, newest first', security: tokenRequired, headers: OwnerHeader, querystring: ListQuery, response: { 200: Page } }, config: { openapi: { codes: ['OWNER_FORBIDDEN', 'DATABASE_UNAVAILABLE'] } } }, async (request) => {
    const caller = callerOf(request)
    const { query } = request
    if (query.ids !== undefined) return { attachments: await attachments.listIds(caller, idsOf(query.ids)), nextCursor: null }
    const { owner = ownerInHeader(request), limit = usualPage } = query
    return attachments.list(caller, { ...query, owner, limit })
  })

  app.get('/api/attachments/:id', { onRequest: identify, schema: { tags, summary: 'What an attachment is', security: tokenOptional, params, response: { 200: AttachmentSchema } }, config: { openapi: missing } }, (request) =>
    attachments.get(request.caller, request.params.id))

  app.get('/api/attachments/:id/content', { onRequest: identify, schema: { tags, summary: 'The bytes of an attachment', security: tokenOptional, params, querystring: ContentQuery }, config: { openapi: bytes } }, async (request, reply) =>
    send(request, reply, await attachments.content(request.caller, request.params.id, { asDownload: isYes(request.query.download) })))

  app.get('/api/attachments/:id/preview', { onRequest: identify, schema: { tags, summary: 'A picture attachment in the size of a screen', security: tokenOptional, params, querystring: PreviewQuery }, config: { openapi: preview } }, async (request, reply) => {
    const { query, headers: { accept } } = request
    if (query.format === undefined) varyByAccept(reply)
    return send(request, reply, await previews.preview(request.caller, request.params.id, { query, accept }))
  })

  app.patch('/api/attachments/:id', { onRequest: authenticate, schema: { tags, summary: 'Change what is said of an attachment', security: tokenRequired, params, body: ChangesSchema, response: { 200: AttachmentSchema } }, config: { openapi: missing } }, (request) =>
    attachments.change(callerOf(request), request.params.id, request.body))

  app.delete('/api/attachments/:id', { onRequest: authenticate, schema: { tags, summary: 'Delete an attachment', security: tokenRequired, params, response: { 204: Type.Null() } }, config: { openapi: missing } }, async (request, reply) => {
    await attachments.remove(callerOf(request), request.params.id)
    return reply.code(204).send(null)
  })

  app.post('/api/attachments/:id/restore', { onRequest: [authenticate, requireScope('uploads:admin')], schema: { ...restoration, tags, security: tokenRequired, params, response: { 200: AttachmentSchema } }, config: { openapi: restoring } }, (request) =>
    attachments.restore(request.params.id))

  await app.register(uploadRoute, { uploads, receiving, counting })
}

const uploadRoute: FastifyPluginAsyncTypebox<Pick<AttachmentRoutesOptions, 'uploads' | 'receiving' | 'counting'>> = async (app, { uploads, receiving, counting }) => {
  await app.register(acceptUploads)

  app.post('/api/attachments', {
    onRequest: [authenticate, beginUpload, admit(receiving)],
    config: { openapi: { requestBody, codes: ['OWNER_FORBIDDEN', ...uploadCodes] } },
    schema: { tags, summary: 'Keep files: all of the request, or none', security: tokenRequired, headers: OwnerHeader, querystring: ParticularsSchema, response: { 201: Created } },
  }, async (request, reply) => {
    // Before the body is read: a service that names nobody's id learns it at once.
    const owner = ownerInHeader(request)
    const said = { ownerId: owner, ...request.query }
    const { epoch, signal, concerns } = uploadFor(request, said.ownerId)
    const onField = (name: string, value: string) => { if (name === 'ownerId') concerns(value) }
    const kept = await counting(
      () => withUpload(request, { ...receiving, signal, onField }, (files) => uploads.create(callerOf(request), files.map((file) => ({ file, particulars: particularsOf(file, said) })), epoch)),
      (all) => all.reduce((sum, { size }) => sum + size, 0)
    )
    reply.code(201)
    if (kept.length === 1) reply.header('Location', `/api/attachments/${kept[0]?.id}`)
    return { attachments: kept }
  })
}

/** The fields before the file, over what header and query say of all. */
const particularsOf = ({ fields }: ReceivedFile, said: Particulars): Particulars => checkedFields(ParticularsSchema, { ...said, ...fields })

function idsOf (list: string): string[] {
  const ids = list.split(',').map((id) => id.trim()).filter((id) => id !== '')
  if (ids.length > maxPage) throw new RequestInvalid(`ids names more than ${maxPage}`)
  return ids
}
