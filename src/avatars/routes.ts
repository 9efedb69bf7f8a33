// The avatar API: /api/avatars. What may be done is the service's business.
import type { FastifyReply, FastifyRequest } from 'fastify'
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { Type } from 'typebox'
import { asUserId, ownerNamed, type UserId } from '../callers/caller.ts'
import { AvatarNotFound } from '../errors.ts'
import { authenticate, callerOf } from '../plugins/auth.ts'
import { tokenRequired } from '../plugins/route-description.ts'
import { OwnerHeader, ownerInHeader } from '../plugins/owner.ts'
import { beginUpload, uploadFor } from '../plugins/uploads-in-flight.ts'
import type { CountUpload } from '../plugins/upload-count.ts'
import { asBlobId } from '../storage/ids.ts'
import { acceptUploads, admit, type ReceiveOptions } from '../transfer/receive.ts'
import { send } from '../transfer/send.ts'
import { avatarTypes } from '../transfer/sniff.ts'
import { withUpload } from '../transfer/with-upload.ts'
import { AvatarSchema, bytes, RestoreParams, uploadCodes, UserParams, VersionParams, Versions } from './schema.ts'
import type { Avatars } from './service.ts'

export type AvatarRoutesOptions = {
  avatars: Avatars
  receiving: ReceiveOptions
  counting: CountUpload
}

const tags = ['avatars']
const picture = { type: 'string', format: 'binary' }
const requestBody = {
  'multipart/form-data': { type: 'object', required: ['avatar'], properties: { avatar: { ...picture, description: 'The first file part is taken, whatever its name.' } } },
  ...Object.fromEntries(avatarTypes.map((type) => [type, picture])),
}
const upload = { tags, security: tokenRequired, headers: OwnerHeader, response: { 200: AvatarSchema, 201: AvatarSchema } }
const config = { openapi: { requestBody, codes: ['OWNER_FORBIDDEN', ...uploadCodes] } }
const removal = { tags, security: tokenRequired, headers: OwnerHeader, response: { 204: Type.Null() } }
const removalConfig = { openapi: { codes: ['OWNER_FORBIDDEN', 'AVATAR_NOT_FOUND', 'STORAGE_UNAVAILABLE', 'DATABASE_UNAVAILABLE'] } }

export const avatarRoutes: FastifyPluginAsyncTypebox<AvatarRoutesOptions> = async (app, { avatars, receiving, counting }) => {
  app.get('/api/avatars/:userId', { schema: { tags, summary: 'The current picture of a user', params: UserParams }, config: { openapi: bytes } }, async (request, reply) =>
    send(request, reply, await avatars.current(known(request.params.userId))))

  app.get('/api/avatars/:userId/:version', { schema: { tags, summary: 'One version of a user\'s picture', params: VersionParams }, config: { openapi: bytes } }, async (request, reply) => {
    const version = asBlobId(request.params.version)
    if (version === undefined) throw new AvatarNotFound()
    return send(request, reply, await avatars.version(known(request.params.userId), version))
  })

  app.get('/api/avatars/me/versions', { onRequest: authenticate, schema: { tags, summary: 'Your pictures that can be gone back to', security: tokenRequired, response: { 200: Versions } } }, async (request, reply) => {
    reply.header('Cache-Control', 'no-store')
    return { versions: await avatars.versions(callerOf(request).id) }
  })

  app.post('/api/avatars/me/versions/:version/restore', { onRequest: authenticate, schema: { tags, summary: 'Go back to an earlier picture', security: tokenRequired, params: RestoreParams, response: { 200: AvatarSchema } }, config: { openapi: { codes: ['AVATAR_NOT_FOUND'] } } }, async (request) => {
    const version = asBlobId(request.params.version)
    if (version === undefined) throw new AvatarNotFound()
    return avatars.restore(callerOf(request).id, version)
  })

  app.delete('/api/avatars/me', { onRequest: authenticate, config: removalConfig, schema: { ...removal, summary: 'Remove your picture' } }, async (request, reply) => {
    await avatars.remove(ownerInHeader(request))
    return reply.code(204).send(null)
  })

  app.delete('/api/avatars/:userId', { onRequest: authenticate, config: removalConfig, schema: { ...removal, params: UserParams, summary: 'Remove the picture of another user' } }, async (request, reply) => {
    await avatars.remove(ownerNamed(callerOf(request), request.params.userId))
    return reply.code(204).send(null)
  })

  await app.register(uploadRoutes, { avatars, receiving, counting })
}

const uploadRoutes: FastifyPluginAsyncTypebox<AvatarRoutesOptions> = async (app, { avatars, receiving, counting }) => {
  await app.register(acceptUploads)
  const onRequest = [authenticate, beginUpload, admit(receiving)]

  async function set (request: FastifyRequest, reply: FastifyReply, owner: UserId) {
    const { epoch, signal } = uploadFor(request, owner)
    const { avatar, isFirst } = await counting(
      () => withUpload(request, { ...receiving, signal }, ([file]) => avatars.set(callerOf(request).id, owner, file, { epoch })),
      (kept) => kept.avatar.size
    )
    return reply.code(isFirst ? 201 : 200).header('Location', avatar.avatarUrl).send(avatar)
  }

  app.put('/api/avatars/me', { onRequest, config, schema: { ...upload, summary: 'Set your picture' } }, (request, reply) => set(request, reply, ownerInHeader(request)))

  app.put('/api/avatars/:userId', { onRequest, config, schema: { ...upload, params: UserParams, summary: 'Set the picture of another user' } }, (request, reply) =>
    set(request, reply, ownerNamed(callerOf(request), request.params.userId)))
}

function known (userId: string): UserId {
  const id = asUserId(userId)
  if (id === undefined) throw new AvatarNotFound()
  return id
}
