// The API of resumable uploads: /api/resumable, in the words of tus. What becomes of them is the engine's business.
import { buffer } from 'node:stream/consumers'
import type { FastifyReply, FastifyRequest } from 'fastify'
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { Type, type Static } from 'typebox'
import { ownerNamed, type Caller, type UserId } from '../callers/caller.ts'
import { MethodNotAllowed, ResumableFinal, ResumableInvalid, ResumableNotFound, ResumableOffsetWrong, ServiceStopping, UploadTooLarge, withHeaders } from '../errors.ts'
import { authenticate, callerOf } from '../plugins/auth.ts'
import { intactCodes, UploadHeaders } from '../plugins/digest-description.ts'
import { answerOnce, idempotent, unlessAnswered, type Answer } from '../plugins/idempotency.ts'
import { ownerInHeader } from '../plugins/owner.ts'
import { countBytes, countUpload } from '../plugins/rates.ts'
import { tokenRequired } from '../plugins/route-description.ts'
import { beginUpload, uploadFor } from '../plugins/uploads-in-flight.ts'
import { asUploadId, type UploadId } from '../storage/ids.ts'
import { digestsIn, sha256In } from '../transfer/digest.ts'
import { acceptUploads } from '../transfer/receive.ts'
import type { Pace } from '../transfer/watchdog.ts'
import { bytesOf } from './body.ts'
import type { Engine, Piece, Wish } from './engine.ts'
import { metadataIn } from './metadata.ts'
import { fieldsOf, type Features } from './purposes.ts'
import type { Upload } from './records.ts'
import { abilities, addressOf, creationIn, hasBody, patchIn, piecesIn, progressOf, requireVersion, spoken, standingOf } from './tus.ts'

type Options = {
  engine: Engine
  features: Features
  pace: Pace
}

const upkeepEveryMs = 60_000
const finishEveryMs = 15_000

const tags = ['resumable']
const params = Type.Object({ id: Type.String() })
const text = (description: string) => Type.Optional(Type.String({ description }))

const TusHeaders = Type.Object({ 'tus-resumable': text('1.0.0') })
const ContentDigest = text('RFC 9530: sha-256 or sha-512 of the bytes of this request, in its header. When others arrive, none of them is kept.')
const CreationHeaders = Type.Object({
  ...UploadHeaders.properties,
  ...TusHeaders.properties,
  'content-digest': ContentDigest,
  'repr-digest': text('The same of the whole file, of which these may be the first bytes; not of a part. When it has others at the end, nothing is kept.'),
  'upload-length': text('Bytes of the whole file.'),
  'upload-defer-length': text('1: the length is told with a later PATCH.'),
  'upload-metadata': text('Pairs of a name and its value in base64, comma separated: filename, filetype, kind (attachment or avatar), ownerId, sha256, and the fields of an upload of that kind.'),
  'upload-concat': text('partial: a part of others. final; and the addresses of parts: made of them.'),
})
const OverrideHeaders = Type.Object({ 'x-http-method-override': text('PATCH, HEAD or DELETE: what is meant, with its headers and its answer.') })
const PatchHeaders = Type.Object({
  ...TusHeaders.properties,
  'upload-offset': text('Where the bytes belong: what HEAD said.'),
  'upload-length': text('Of the whole file, when it was deferred.'),
  'upload-checksum': text('sha1, sha256, sha512 or md5, and the digest of the bytes of this request in base64. When others arrive, none of them is kept.'),
  'content-digest': ContentDigest,
})

const creation = 'The answer says in Location where the bytes go, by PATCH: the first of them may come along. With all bytes the file is checked and kept, as an attachment or as the avatar, as one that comes in one piece. Send an Idempotency-Key, and a creation whose answer was lost is not begun twice.'

const requestBody = { 'application/offset+octet-stream': { type: 'string', format: 'binary' } }
const header = (description: string) => ({ type: 'string', description })
const progress = { 'Upload-Offset': header('Bytes that are durable.'), 'Upload-Expires': header('When it is removed unless more comes.'), 'Upload-Result': header('Where in the API is what it has become.') }
const finishCodes = ['UPLOAD_TYPE_REJECTED', 'IMAGE_INVALID', 'IMAGE_TOO_LARGE', 'IMAGE_TOO_SLOW', 'METADATA_UNREADABLE', 'UPLOAD_INFECTED', 'RESUMABLE_FINISHING']
const codes = ['RESUMABLE_VERSION', 'RESUMABLE_INVALID', 'RESUMABLE_NOT_FOUND', 'RESUMABLE_GONE', 'OWNER_ERASED', 'STORAGE_UNAVAILABLE', 'DATABASE_UNAVAILABLE']
const byteCodes = ['UPLOAD_TOO_LARGE', 'UPLOAD_STALLED', 'CHECKSUM_MISMATCH', 'RESUMABLE_TAKEN_OVER', 'QUOTA_EXCEEDED', 'RATE_EXCEEDED', 'CONTENT_TYPE_UNSUPPORTED', 'STORAGE_FULL', ...intactCodes, ...finishCodes]

export const resumableRoutes: FastifyPluginAsyncTypebox<Options> = async (app, { engine, features, pace }) => {
  const most = Math.max(features.attachment.maxBytes, features.avatar.maxBytes)
  await app.register(acceptUploads)

  app.addHook('onRequest', async ({ method, headers }, reply) => {
    if (method === 'GET') return
    reply.headers(spoken)
    if (method !== 'OPTIONS') requireVersion(headers)
  })
  app.addHook('onSend', async (_request, reply) => {
    if (!reply.hasHeader('cache-control')) reply.header('Cache-Control', 'no-store')
  })

  /** With what it has become. */
  const resultOf = (upload: Upload): Record<string, string> =>
    upload.state === 'finished' && upload.kind !== 'part' ? { 'upload-result': features[upload.kind].urlOf(upload) } : {}

  function wishOf (request: FastifyRequest, caller: Caller): Wish & { fields: object } {
    const { headers } = request
    const { isPart, length, parts, metadata } = creationIn(headers)
    const said = metadataIn(metadata)
    const kind = kindIn(said.get('kind'))
    const fields = fieldsOf(features[kind], metadata)
    if (!isPart) features[kind].check(fields)
    const { inFlight, ownerId } = { inFlight: uploadFor(request, undefined), ownerId: ownerOf(request, caller, said.get('ownerId')) }
    inFlight.concerns(ownerId)
    const [sha256, digest] = [said.get('sha256'), headers['repr-digest']]
    const digests = [
      ...(sha256 === undefined ? [] : [{ where: 'sha256', digests: sha256In(sha256) }]),
      ...(digest === undefined ? [] : [{ where: 'Repr-Digest', digests: digestsIn('Repr-Digest', String(digest)) }]),
    ]
    if (isPart && digests.length > 0) throw new ResumableInvalid('sha256 and Repr-Digest are of a whole file, not of a part; of the bytes of a request, send Content-Digest or Upload-Checksum')
    return { ownerId, kind: isPart ? 'part' : kind, length, metadata, parts, digests, erasureEpoch: inFlight.epoch, fields }
  }

  const pieceOf = (request: FastifyRequest, { offset, length }: Pick<Piece, 'offset' | 'length'>): Piece => ({
    offset,
    length,
    ...piecesIn(request.headers),
    receive: ({ maxBytes, signal }) => bytesOf(request.raw, { maxBytes, pace, signals: [signal, uploadFor(request, undefined).signal] }),
  })

  /** Before a byte of the body is asked for: what can be told without it. */
  async function regard (request: FastifyRequest): Promise<void> {
    if (methodOf(request) !== 'PATCH') return
    const { offset } = patchIn(request.headers)
    const { ownerId, failure, parts, offset: durable } = await engine.look(callerOf(request), idIn(request))
    uploadFor(request, ownerId)
    // By the time it is held it may stand further on, never further back.
    if (failure === undefined && parts === undefined && offset < durable) throw new ResumableOffsetWrong(durable)
  }

  async function patch (request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> {
    const upload = await engine.append(callerOf(request), idIn(request), pieceOf(request, patchIn(request.headers)))
    return reply.code(204).headers({ ...progressOf(upload), ...resultOf(upload) }).send()
  }

  async function head (request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> {
    const upload = await engine.resume(callerOf(request), idIn(request))
    return reply.code(200).headers({ ...standingOf(upload), ...resultOf(upload) }).send()
  }

  async function remove (request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> {
    await engine.terminate(callerOf(request), idIn(request))
    return reply.code(204).send()
  }

  const onRequest = [authenticate, beginUpload, regard, countBytes]
  const shown = Type.Object({
    id: Type.String({ format: 'uuid' }),
    kind: Type.Enum(['attachment', 'avatar', 'part'], { description: 'part: of others.' }),
    ownerId: Type.String(),
    state: Type.Enum(['receiving', 'finishing', 'finished', 'failed'], { description: 'finishing: all bytes are there, and it is not an attachment or avatar yet.' }),
    offset: Type.Integer({ description: 'Bytes that are durable.' }),
    length: Type.Union([Type.Integer({ description: 'Bytes of the whole file.' }), Type.Null()], { description: 'null: not known yet.' }),
    expiresAt: Type.String({ format: 'date-time', description: 'When this is forgotten; what it has become stays.' }),
    attachment: Type.Optional(Type.Unsafe<object>(features.attachment.schema)),
    avatar: Type.Optional(Type.Unsafe<object>(features.avatar.schema)),
    failure: Type.Optional(Type.Object({ code: Type.String(), status: Type.Integer(), detail: Type.String() }, { description: 'Why it came to nothing.' })),
  }, { $id: 'ResumableUpload' })

  async function show (caller: Caller, upload: Upload): Promise<Static<typeof shown>> {
    const { id, kind, ownerId, state, offset, length = null, expiresAt, failure } = upload
    const result = state === 'finished' && kind !== 'part' ? await features[kind].show(caller, upload) : undefined
    return { id, kind, ownerId, state, offset, length, expiresAt: expiresAt.toISOString(), ...(result !== undefined && { [kind]: result }), ...(failure !== undefined && { failure }) }
  }

  for (const url of ['/api/resumable', '/api/resumable/:id']) {
    app.options(url, { schema: { tags, summary: 'What of tus is spoken here' }, config: { openapi: { responses: { 204: {} } } } }, async (_request, reply) => reply.code(204).headers(abilities(most)).send())
  }

  app.post('/api/resumable', {
    onRequest: [authenticate, idempotent, beginUpload, unlessAnswered(countUpload)],
    schema: { tags, summary: 'Begin a resumable upload', description: creation, security: tokenRequired, headers: CreationHeaders },
    config: { openapi: { requestBody, responses: { 201: { headers: { Location: header('Where its bytes go.'), ...progress } } }, codes: ['OWNER_FORBIDDEN', 'UPLOAD_FIELD_INVALID', 'RESUMABLE_FINAL', ...codes, ...byteCodes] } },
  }, async (request, reply) => {
    const caller = callerOf(request)
    const { fields, ...wish } = wishOf(request, caller)
    const sent = hasBody(request.headers) ? pieceOf(request, { offset: 0, length: undefined }) : undefined
    // tus-js-client on Node sends an empty file without saying that it is.
    const piece = sent !== undefined && wish.length === 0 && await isEmpty(sent) ? undefined : sent
    if (piece !== undefined) requireFitting(wish, piece, features[wish.kind === 'avatar' ? 'avatar' : 'attachment'].maxBytes)
    let begun: Upload | undefined
    await answerOnce<undefined>(request, reply, { ...wish, fields, erasureEpoch: undefined }, async (keeping) => {
      begun = await engine.create(caller, wish, (upload) => keeping(created(upload)), piece?.declaredBytes)
      return created(begun)
    })
    const upload = await come(caller, begun, piece, reply)
    return reply.headers({ ...progressOf(upload), ...resultOf(upload) }).send()
  })

  /** What it has come to: also of one that an earlier request of the same Idempotency-Key began. */
  async function come (caller: Caller, begun: Upload | undefined, piece: Piece | undefined, reply: FastifyReply): Promise<Upload> {
    if (begun === undefined) return engine.finish(await engine.look(caller, String(reply.getHeader('location')).slice(addressOf('').length) as UploadId))
    return piece === undefined ? engine.finish(begun) : engine.append(caller, begun.id, piece)
  }

  app.head('/api/resumable/:id', { onRequest: authenticate, schema: { tags, summary: 'Where a resumable upload goes on', security: tokenRequired, params, headers: TusHeaders }, config: { swagger: { exposeHeadRoute: true }, openapi: { responses: { 200: { headers: { ...progress, 'Upload-Length': header('Bytes of the whole file.') } } }, codes: [...codes, ...finishCodes] } } }, head)

  app.get('/api/resumable/:id', { exposeHeadRoute: false, onRequest: authenticate, schema: { tags, summary: 'What a resumable upload is, and has become', security: tokenRequired, params, response: { 200: shown } }, config: { openapi: { codes: ['RESUMABLE_NOT_FOUND', 'RESUMABLE_GONE', 'DATABASE_UNAVAILABLE'] } } }, async (request) => {
    const caller = callerOf(request)
    return show(caller, await engine.look(caller, idIn(request)))
  })

  app.patch('/api/resumable/:id', { onRequest, schema: { tags, summary: 'Send more bytes', security: tokenRequired, params, headers: PatchHeaders }, config: { openapi: { requestBody, responses: { 204: { headers: progress } }, codes: ['RESUMABLE_OFFSET_WRONG', 'RESUMABLE_FINAL', ...codes, ...byteCodes] } } }, patch)

  app.delete('/api/resumable/:id', { onRequest: authenticate, schema: { tags, summary: 'End a resumable upload', description: 'What it has become stays.', security: tokenRequired, params, headers: TusHeaders }, config: { openapi: { responses: { 204: {} }, codes } } }, remove)

  const overridden: Record<string, (request: FastifyRequest, reply: FastifyReply) => Promise<FastifyReply>> = { PATCH: patch, HEAD: head, DELETE: remove }

  app.post('/api/resumable/:id', { onRequest, schema: { tags, summary: 'The same as PATCH, HEAD or DELETE, for clients that can only send POST', security: tokenRequired, params, headers: OverrideHeaders }, config: { openapi: { requestBody, responses: { 200: { description: 'As of HEAD.' }, 204: { description: 'As of PATCH and DELETE.', headers: progress } }, codes: ['METHOD_NOT_ALLOWED', 'RESUMABLE_OFFSET_WRONG', 'RESUMABLE_FINAL', ...codes, ...byteCodes] } } }, (request, reply) => {
    const method = overridden[methodOf(request)]
    if (method === undefined) throw withHeaders(new MethodNotAllowed(), { Allow: 'GET, HEAD, PATCH, DELETE, OPTIONS' })
    return method(request, reply)
  })

  let starting: Promise<unknown> | undefined
  app.addHook('onReady', async () => {
    // Not waited for: it may take long, and its clients come back by themselves.
    if (app.coordination.leads()) starting = engine.upkeep().then(() => engine.finishDue({ isStart: true })).catch((error: unknown) => app.log.error({ err: error }, 'Upkeep failed: resumable.'))
  })
  app.doNowAndThen({ name: 'finishing', everyMs: finishEveryMs, run: () => engine.finishDue() })
  app.doNowAndThen({ name: 'resumable', everyMs: upkeepEveryMs, run: () => engine.upkeep() })
  app.addHook('preClose', async () => engine.stopReceiving(withHeaders(new ServiceStopping(), { connection: 'close' })))
  app.addHook('onClose', async () => {
    await engine.close()
    await starting
  })
}

const created = (upload: Upload): Answer<undefined> => ({ status: 201, headers: { Location: addressOf(upload.id) }, body: undefined, ownerIds: [upload.ownerId] })

/** Before anything begins that these bytes cannot be of; a body that does not say how many it has brings some. @throws ResumableFinal, UploadTooLarge */
function requireFitting ({ parts, length }: Wish, { declaredBytes = 1 }: Piece, maxBytes: number): void {
  if (parts !== undefined) throw new ResumableFinal()
  if (declaredBytes > (length ?? maxBytes)) throw new UploadTooLarge(length ?? maxBytes)
}

/** Reads a body that does not say how many bytes it has. @throws UploadTooLarge when there are some, and what is wrong with a digest of none */
async function isEmpty ({ declaredBytes, checks, receive }: Piece): Promise<boolean> {
  if (declaredBytes !== undefined) return false
  await buffer(receive({ maxBytes: 0, signal: new AbortController().signal }))
  for (const check of checks) check.check()
  return true
}

const methodOf = ({ method, headers }: FastifyRequest): string =>
  method === 'POST' ? String(headers['x-http-method-override']).toUpperCase() : method

/** Not the caller's own word for an id, ever. @throws ResumableNotFound */
function idIn (request: FastifyRequest): UploadId {
  const id = asUploadId((request.params as { id: string }).id)
  if (id === undefined) throw new ResumableNotFound()
  return id
}

function kindIn (name = 'attachment'): 'attachment' | 'avatar' {
  if (name !== 'attachment' && name !== 'avatar') throw new ResumableInvalid('kind must be attachment or avatar')
  return name
}

/** As the metadata names them, or the header. */
const ownerOf = (request: FastifyRequest, caller: Caller, named: string | undefined): UserId =>
  named === undefined ? ownerInHeader(request) : ownerNamed(caller, named)
