// The attachment API: /api/attachments. What may be done is the service's business.
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { Type } from 'typebox'
import { ownerNamed } from '../callers/caller.ts'
import { RequestInvalid } from '../errors.ts'
import { PreviewQuery } from '../images/query.ts'
import { authenticate, callerOf, identify, requireScope } from '../plugins/auth.ts'
import { digestHeaders, intactCodes, Sha256Field, UploadHeaders } from '../plugins/digest-description.ts'
import { redirected } from '../plugins/redirect-description.ts'
import { readerOptional, tokenOptional, tokenRequired } from '../plugins/route-description.ts'
import { checkedFields } from '../plugins/form-fields.ts'
import { identifyReader } from '../plugins/media-session.ts'
import { answerOnce, idempotent, receivingFor, sentIn, unlessAnswered, type Answer } from '../plugins/idempotency.ts'
import { OwnerHeader, ownerInHeader } from '../plugins/owner.ts'
import { reserveQuota, settleQuota } from '../plugins/quota.ts'
import { countUpload } from '../plugins/rates.ts'
import { beginUpload, uploadFor } from '../plugins/uploads-in-flight.ts'
import type { CountUpload } from '../plugins/upload-count.ts'
import { acceptUploads, admit, type ReceivedFile, type ReceiveOptions } from '../transfer/receive.ts'
import { send } from '../transfer/send.ts'
import { varyByAccept } from '../transfer/vary.ts'
import { withUpload } from '../transfer/with-upload.ts'
import { AttachmentSchema, ChangesSchema, ContentQuery, Created, IdParams, isYes, ListQuery, maxPage, Page, ParticularsSchema, usualPage, type Attachment, type Particulars } from './schema.ts'
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

/** All readers, with ids as long as they come. */
const maxChangeBytes = 128 * 1024

const params = IdParams
const anyFile = { type: 'string', format: 'binary' }
const requestBody = {
  'multipart/form-data': {
    type: 'object',
    required: ['file'],
    description: 'Fields hold for the files that come after them.',
    properties: { ...ParticularsSchema.properties, sha256: Sha256Field, file: { type: 'array', items: anyFile, description: 'One or more file parts, whatever their names.' } },
  },
  'application/octet-stream': { ...anyFile, description: 'Or any other type; the name in Content-Disposition: attachment; filename*=, the fields in the query.' },
}
const uploadCodes = ['QUOTA_EXCEEDED', 'RATE_EXCEEDED', 'UPLOAD_MISSING', 'UPLOAD_MALFORMED', 'UPLOAD_FIELD_INVALID', 'UPLOAD_FILES_EXCEEDED', 'UPLOAD_TOO_LARGE', 'UPLOAD_STALLED', ...intactCodes, 'UPLOAD_INFECTED', 'SCANNER_UNAVAILABLE', 'METADATA_UNREADABLE', 'IMAGES_BUSY', 'UPLOAD_CONFLICT', 'OWNER_ERASED', 'STORAGE_FULL', 'STORAGE_UNAVAILABLE', 'DATABASE_UNAVAILABLE']
const missing = { codes: ['ATTACHMENT_NOT_FOUND', 'DATABASE_UNAVAILABLE'] }
const restoration = {
  summary: 'Bring an attachment back from the trash',
  description: 'Needs a token with the scope uploads:admin. Undoes a deletion, whoever the owner is, for as long as the trash keeps the attachment. One that was not deleted stays as it is.',
}
const restoring = { scope: 'uploads:admin', responses: { 200: { description: 'The attachment, which is back where it was.' } }, codes: ['ATTACHMENT_NOT_FOUND', 'STORAGE_FULL', 'STORAGE_UNAVAILABLE', 'DATABASE_UNAVAILABLE'] } as const
const bytes = { responses: { 200: { description: 'The bytes.', bytes: ['*/*'], headers: digestHeaders }, 206: { description: 'A range of them.', bytes: ['*/*'], headers: digestHeaders }, ...redirected }, codes: [...missing.codes, 'PRECONDITION_FAILED', 'RANGE_NOT_SATISFIABLE', 'STORAGE_UNAVAILABLE'] }
const preview = { responses: { 200: { description: 'The picture.', bytes: ['image/avif', 'image/webp', 'image/jpeg', 'image/png'], headers: digestHeaders }, 206: { description: 'A range of it.', bytes: ['*/*'], headers: digestHeaders } }, codes: [...missing.codes, 'PREVIEW_UNAVAILABLE', 'PRECONDITION_FAILED', 'RANGE_NOT_SATISFIABLE', 'IMAGES_BUSY', 'STORAGE_UNAVAILABLE'] }

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

  app.get('/api/attachments/:id/content', { onRequest: identifyReader, schema: { tags, summary: 'The bytes of an attachment', security: readerOptional, params, querystring: ContentQuery }, config: { openapi: bytes } }, async (request, reply) =>
    send(request, reply, await attachments.content(request.caller, request.params.id, { asDownload: isYes(request.query.download) })))

  app.get('/api/attachments/:id/preview', { onRequest: identifyReader, schema: { tags, summary: 'A picture attachment in the size of a screen', security: readerOptional, params, querystring: PreviewQuery }, config: { openapi: preview } }, async (request, reply) => {
    const { query, headers: { accept } } = request
    if (query.format === undefined) varyByAccept(reply)
    return send(request, reply, await previews.preview(request.caller, request.params.id, { query, accept }))
  })

  app.patch('/api/attachments/:id', { bodyLimit: maxChangeBytes, onRequest: authenticate, schema: { tags, summary: 'Change what is said of an attachment', security: tokenRequired, params, body: ChangesSchema, response: { 200: AttachmentSchema } }, config: { openapi: missing } }, (request) =>
    attachments.change(callerOf(request), request.params.id, request.body))

  app.delete('/api/attachments/:id', { onRequest: authenticate, schema: { tags, summary: 'Delete an attachment', security: tokenRequired, params, response: { 204: Type.Null() } }, config: { openapi: missing } }, async (request, reply) => {
    await attachments.remove(callerOf(request), request.params.id)
    return reply.code(204).send(null)
  })

  app.post('/api/attachments/:id/restore', { onRequest: [authenticate, requireScope('uploads:admin'), idempotent], schema: { ...restoration, tags, security: tokenRequired, params, response: { 200: AttachmentSchema } }, config: { openapi: restoring } }, (request, reply) =>
    answerOnce(request, reply, request.body, async () => {
      const body = await attachments.restore(request.params.id)
      return { status: 200, body, ownerIds: namedIn(body) }
    }))

  await app.register(uploadRoute, { uploads, receiving, counting })
}

const uploadRoute: FastifyPluginAsyncTypebox<Pick<AttachmentRoutesOptions, 'uploads' | 'receiving' | 'counting'>> = async (app, { uploads, receiving, counting }) => {
  await app.register(acceptUploads)

  app.post('/api/attachments', {
    onRequest: [authenticate, idempotent, beginUpload, unlessAnswered(countUpload), unlessAnswered(admit(receiving)), unlessAnswered(reserveQuota(receiving))],
    config: { openapi: { requestBody, codes: ['OWNER_FORBIDDEN', ...uploadCodes] } },
    schema: { tags, summary: 'Keep files: all of the request, or none', security: tokenRequired, headers: UploadHeaders, querystring: ParticularsSchema, response: { 201: Created } },
  }, async (request, reply) => {
    // Before the body is read: a service that names nobody's id learns it at once.
    const owner = ownerInHeader(request)
    const said = { ownerId: owner, ...request.query }
    const { epoch, signal, concerns } = uploadFor(request, said.ownerId)
    const onField = (name: string, value: string) => { if (name === 'ownerId') concerns(value) }
    let keptBytes: number | undefined
    return counting(
      () => withUpload(request, { ...receivingFor(request, receiving), signal, onField }, (files) => {
        // Also where an answer is only given again: the same subject may come back with a token of fewer scopes.
        for (const { fields } of files) ownerNamed(callerOf(request), fields['ownerId'] ?? said.ownerId)
        return answerOnce(request, reply, sentIn(files), async (keeping) => {
          const kept = await uploads.create(callerOf(request), files.map((file) => ({ file, particulars: particularsOf(file, said) })), epoch, (all) => settleQuota(request, all.map(({ ownerId }) => ownerId), keeping(created(all))))
          keptBytes = kept.reduce((sum, { size }) => sum + size, 0)
          return created(kept)
        })
      }),
      () => keptBytes
    )
  })
}

const created = (kept: readonly Attachment[]): Answer<{ attachments: Attachment[] }> => ({
  status: 201,
  ...(kept.length === 1 && { headers: { Location: `/api/attachments/${kept[0]?.id}` } }),
  body: { attachments: [...kept] },
  ownerIds: kept.flatMap(namedIn),
})

/** The answer is not given again when the owner is erased, and without a reader who is. */
const namedIn = ({ ownerId, readers = [] }: Attachment): string[] => [ownerId, ...readers]

/** The fields before the file, over what header and query say of all. */
const particularsOf = ({ fields }: ReceivedFile, said: Particulars): Particulars => checkedFields(ParticularsSchema, { ...said, ...fields })

function idsOf (list: string): string[] {
  const ids = list.split(',').map((id) => id.trim()).filter((id) => id !== '')
  if (ids.length > maxPage) throw new RequestInvalid(`ids names more than ${maxPage}`)
  return ids
}
