// What clients of the Express API called: /api/auth/avatar, and the paths its avatars had. No rules of its own.
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { Type } from 'typebox'
import { shown, uploadCodes } from '../avatars/schema.ts'
import type { Avatars } from '../avatars/service.ts'
import type { AvatarUploads } from '../avatars/uploads.ts'
import { viewOf } from '../avatars/view.ts'
import { asUserId } from '../callers/caller.ts'
import { AvatarNotFound } from '../errors.ts'
import { authenticate, callerOf } from '../plugins/auth.ts'
import { reserveQuota, settleQuota } from '../plugins/quota.ts'
import { countUpload } from '../plugins/rates.ts'
import { multipartBody, tokenRequired } from '../plugins/route-description.ts'
import { beginUpload, uploadFor } from '../plugins/uploads-in-flight.ts'
import type { CountUpload } from '../plugins/upload-count.ts'
import { acceptUploads, admit, type ReceiveOptions } from '../transfer/receive.ts'
import { send } from '../transfer/send.ts'
import { withUpload } from '../transfer/with-upload.ts'
import { CompatUser, type UserOf } from './user.ts'

export type SystemROptions = { avatars: Avatars, avatarUploads: AvatarUploads, receiving: ReceiveOptions, counting: CountUpload, userOf: UserOf }

const tags = ['compatibility']
const params = Type.Object({ userId: Type.String() })
const answer = Type.Object({ avatarUrl: Type.String(), user: CompatUser })

export const systemRAvatarUrl = (userId: string): string => `/api/auth/avatar/${userId}`

export const systemR: FastifyPluginAsyncTypebox<SystemROptions> = async (app, { avatars, avatarUploads, receiving, counting, userOf }) => {
  // Its Avatar component puts /api before what it was given.
  for (const [url, hide] of [['/api/auth/avatar/:userId', false], ['/api/api/auth/avatar/:userId', true]] as const) {
    app.get(url, { schema: { tags, summary: 'The current picture of a user', params, hide }, config: { openapi: shown } }, async (request, reply) => {
      const userId = asUserId(request.params.userId)
      if (userId === undefined) throw new AvatarNotFound()
      return send(request, reply, await avatars.current(userId, viewOf(request, reply)))
    })
  }

  await app.register(async (uploads) => {
    await uploads.register(acceptUploads)

    uploads.put('/api/auth/avatar', {
      onRequest: [authenticate, beginUpload, countUpload, admit(receiving), reserveQuota({ ...receiving, isAvatar: true })],
      config: { openapi: { requestBody: { 'multipart/form-data': multipartBody('avatar', 1) }, codes: uploadCodes } },
      schema: { tags, summary: 'Set your picture', security: tokenRequired, response: { 200: answer } },
    }, async (request) => {
      const { id } = callerOf(request)
      const { epoch, signal } = uploadFor(request, id)
      await counting(() => withUpload(request, { ...receiving, signal }, ([file]) => avatarUploads.set(id, id, file, { epoch, alongside: () => settleQuota(request, [id]) })), (kept) => kept.avatar.size)
      return { avatarUrl: systemRAvatarUrl(id), user: await userOf(id) }
    })
  })
}
