// The avatar API: /api/avatars. What may be done is the service's business.
import type { FastifyReply, FastifyRequest } from 'fastify'
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { Type } from 'typebox'
import { asUserId, ownerNamed, type UserId } from '../callers/caller.ts'
import { AvatarNotFound } from '../errors.ts'
import { AvatarQuery, CropText, VariantQuerySchema } from '../images/query.ts'
import { checkedFields } from '../plugins/form-fields.ts'
import { answerOnce, idempotent, receivingFor, sentIn, unlessAnswered, type Answer } from '../plugins/idempotency.ts'
import { authenticate, callerOf } from '../plugins/auth.ts'
import { Sha256Field, UploadHeaders } from '../plugins/digest-description.ts'
import { tokenRequired } from '../plugins/route-description.ts'
import { OwnerHeader, ownerInHeader } from '../plugins/owner.ts'
import { reserveQuota, settleQuota } from '../plugins/quota.ts'
import { countUpload } from '../plugins/rates.ts'
import { beginUpload, uploadFor } from '../plugins/uploads-in-flight.ts'
import type { CountUpload } from '../plugins/upload-count.ts'
import { asBlobId } from '../storage/ids.ts'
import { meterOf } from '../transfer/meter.ts'
import { acceptUploads, admit, type ReceiveOptions } from '../transfer/receive.ts'
import { send } from '../transfer/send.ts'
import { avatarTypes } from '../transfer/sniff.ts'
import { withUpload } from '../transfer/with-upload.ts'
import { AvatarSchema, keepCodes, RestoreParams, shown, uploadCodes, UserParams, VersionParams, Versions, type Avatar } from './schema.ts'
import { choicesIn, cropIn, PictureFields } from './choices.ts'
import type { Fallbacks } from './fallbacks.ts'
import type { Avatars } from './service.ts'
import type { AvatarUploads, SetAvatar } from './uploads.ts'
import { viewOf } from './view.ts'

export type AvatarRoutesOptions = {
  avatars: Avatars
  uploads: AvatarUploads
  fallbacks: Fallbacks
  receiving: ReceiveOptions
  counting: CountUpload
}

const tags = ['avatars']
const picture = { type: 'string', format: 'binary' }

const requestBody = {
  'multipart/form-data': { type: 'object', required: ['avatar'], properties: { ...PictureFields.properties, sha256: Sha256Field, avatar: { ...picture, description: 'The first file part is taken, whatever its name.' } } },
  ...Object.fromEntries(avatarTypes.map((type) => [type, picture])),
}
const upload = { tags, security: tokenRequired, headers: UploadHeaders, querystring: PictureFields, response: { 200: AvatarSchema, 201: AvatarSchema } }
const config = { openapi: { requestBody, codes: ['OWNER_FORBIDDEN', ...uploadCodes] } }
const CropBody = Type.Object({ crop: Type.Union([CropText, Type.Null()], { description: 'null: the gateway chooses.' }) }, { additionalProperties: false })

const removal = { tags, security: tokenRequired, headers: OwnerHeader, response: { 204: Type.Null() } }
const removalConfig = { openapi: { codes: ['OWNER_FORBIDDEN', 'AVATAR_NOT_FOUND', 'STORAGE_UNAVAILABLE', 'DATABASE_UNAVAILABLE'] } }

export const avatarRoutes: FastifyPluginAsyncTypebox<AvatarRoutesOptions> = async (app, { avatars, uploads, fallbacks, receiving, counting }) => {
  app.get('/api/avatars/:userId', { schema: { tags, summary: 'The current picture of a user', params: UserParams, querystring: AvatarQuery }, config: { openapi: shown } }, async (request, reply) => {
    const { fallback = '404', name } = request.query
    const view = viewOf(request, reply, request.query)
    const userId = known(request.params.userId)
    return send(request, reply, await avatars.current(userId, view).catch((error: unknown) => {
      if (!(error instanceof AvatarNotFound) || fallback === '404') throw error
      return fallbacks.draw(fallback, userId, { ...view, name })
    }))
  })

  app.get('/api/avatars/:userId/:version', { schema: { tags, summary: 'One version of a user\'s picture', params: VersionParams, querystring: VariantQuerySchema }, config: { openapi: shown } }, async (request, reply) => {
    const view = viewOf(request, reply, request.query)
    const version = asBlobId(request.params.version)
    if (version === undefined) throw new AvatarNotFound()
    return send(request, reply, await avatars.version(known(request.params.userId), version, view))
  })

  app.patch('/api/avatars/me', { onRequest: [authenticate, beginUpload, countUpload], schema: { tags, summary: 'Show another part of your picture', security: tokenRequired, headers: OwnerHeader, body: CropBody, response: { 200: AvatarSchema } }, config: { openapi: { codes: ['OWNER_FORBIDDEN', 'QUOTA_EXCEEDED', 'RATE_EXCEEDED', 'AVATAR_NOT_FOUND', 'CROP_INVALID', 'PICTURE_REPLACED', ...keepCodes] } } }, async (request) => {
    const owner = ownerInHeader(request)
    const { crop } = request.body
    const { id: callerId } = callerOf(request)
    return uploads.recrop(callerId, owner, crop === null ? null : cropIn(crop), {
      epoch: uploadFor(request, owner).epoch,
      async reserve (bytes) {
        // A copy takes as much as if the picture were sent once more.
        const refusal = meterOf(request.raw)?.(bytes)
        if (refusal !== undefined) throw refusal
        return app.quota.reserve({ callerId, ownerId: owner, bytes, files: 1, isAvatar: true })
      },
      alongside: settleQuota(request, [owner]),
    })
  })

  app.get('/api/avatars/me/versions', { onRequest: authenticate, schema: { tags, summary: 'Your pictures that can be gone back to', security: tokenRequired, response: { 200: Versions } } }, async (request, reply) => {
    reply.header('Cache-Control', 'no-store')
    return { versions: await avatars.versions(callerOf(request).id) }
  })

  app.post('/api/avatars/me/versions/:version/restore', { onRequest: [authenticate, idempotent], schema: { tags, summary: 'Go back to an earlier picture', security: tokenRequired, params: RestoreParams, response: { 200: AvatarSchema } }, config: { openapi: { codes: ['AVATAR_NOT_FOUND'] } } }, (request, reply) => answerOnce(request, reply, request.body, async () => {
    const version = asBlobId(request.params.version)
    if (version === undefined) throw new AvatarNotFound()
    const { id } = callerOf(request)
    return { status: 200, body: await avatars.restore(id, version), ownerIds: [id] }
  }))

  app.delete('/api/avatars/me', { onRequest: authenticate, config: removalConfig, schema: { ...removal, summary: 'Remove your picture' } }, async (request, reply) => {
    await avatars.remove(ownerInHeader(request))
    return reply.code(204).send(null)
  })

  app.delete('/api/avatars/:userId', { onRequest: authenticate, config: removalConfig, schema: { ...removal, params: UserParams, summary: 'Remove the picture of another user' } }, async (request, reply) => {
    await avatars.remove(ownerNamed(callerOf(request), request.params.userId))
    return reply.code(204).send(null)
  })

  await app.register(uploadRoutes, { uploads, receiving, counting })
}

const uploadRoutes: FastifyPluginAsyncTypebox<Pick<AvatarRoutesOptions, 'uploads' | 'receiving' | 'counting'>> = async (app, { uploads, receiving, counting }) => {
  await app.register(acceptUploads)
  const onRequest = [authenticate, idempotent, beginUpload, unlessAnswered(countUpload), unlessAnswered(admit(receiving)), unlessAnswered(reserveQuota({ ...receiving, isAvatar: true }))]

  async function set (request: FastifyRequest, reply: FastifyReply, owner: UserId): Promise<Avatar> {
    const { epoch, signal } = uploadFor(request, owner)
    let keptBytes: number | undefined
    return counting(
      () => withUpload(request, { ...receivingFor(request, receiving), fieldNames: Object.keys(PictureFields.properties), signal }, (files) => answerOnce(request, reply, sentIn(files), async (keeping) => {
        const [file] = files
        const choices = choicesIn(checkedFields(PictureFields, { ...request.query as object, ...file.fields }))
        const kept = await uploads.set(callerOf(request).id, owner, file, { epoch, choices, alongside: (set) => settleQuota(request, [owner], keeping(answerOf(set))) })
        keptBytes = kept.avatar.size
        return answerOf(kept)
      })),
      () => keptBytes
    )
  }

  app.put('/api/avatars/me', { onRequest, config, schema: { ...upload, summary: 'Set your picture' } }, (request, reply) => set(request, reply, ownerInHeader(request)))

  app.put('/api/avatars/:userId', { onRequest, config, schema: { ...upload, params: UserParams, summary: 'Set the picture of another user' } }, (request, reply) =>
    set(request, reply, ownerNamed(callerOf(request), request.params.userId)))
}

const answerOf = ({ avatar, isFirst }: SetAvatar): Answer<Avatar> =>
  ({ status: isFirst ? 201 : 200, headers: { Location: avatar.avatarUrl }, body: avatar, ownerIds: [avatar.userId] })

function known (userId: string): UserId {
  const id = asUserId(userId)
  if (id === undefined) throw new AvatarNotFound()
  return id
}
