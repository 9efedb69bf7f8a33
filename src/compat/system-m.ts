// What the Next.js frontend called: upload a picture for a URL under /i, then make that URL one's avatar. No rules of its own.
import { randomBytes } from 'node:crypto'
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { RateLimiterMemory } from 'rate-limiter-flexible'
import { Type, type Static } from 'typebox'
import { uploadCodes } from '../avatars/schema.ts'
import type { Avatars } from '../avatars/service.ts'
import type { AvatarUploads } from '../avatars/uploads.ts'
import { AttemptsExceeded, AvatarUrlRejected, InternalError, withHeaders } from '../errors.ts'
import { authenticate, callerOf, identify } from '../plugins/auth.ts'
import { answerOnce, idempotent, receivingFor, sentIn, unlessAnswered, type Keeping } from '../plugins/idempotency.ts'
import { networkOf } from '../plugins/network.ts'
import { answerFailure } from '../plugins/problems.ts'
import { reserveQuota, settleQuota } from '../plugins/quota.ts'
import { countUpload } from '../plugins/rates.ts'
import { multipartBody, tokenOptional, tokenRequired } from '../plugins/route-description.ts'
import { beginUpload, uploadFor } from '../plugins/uploads-in-flight.ts'
import type { CountUpload } from '../plugins/upload-count.ts'
import { acceptUploads, admit, type ReceivedFile, type ReceiveOptions } from '../transfer/receive.ts'
import { withUpload } from '../transfer/with-upload.ts'
import { CompatUser, type UserOf } from './user.ts'

export type SystemMOptions = {
  avatars: Avatars
  avatarUploads: AvatarUploads
  receiving: ReceiveOptions
  counting: CountUpload
  userOf: UserOf
  /** Without a slash at the end. */
  publicUrl: string
  acceptsAnonymous: boolean
  now: () => Date
}

const tags = ['compatibility']
const accepted = ['image/jpeg', 'image/png', 'image/webp']
const maxBytes = 5 * 1024 ** 2

/** Pictures that one network may send without a token. */
const anonymousLimit = { points: 10, duration: 600 }

const uploaded = Type.Object({
  success: Type.Literal(true),
  url: Type.String(),
  data: Type.Object({ url: Type.String(), filename: Type.String(), path: Type.String() }),
})
const failure = Type.Object({ success: Type.Literal(false), error: Type.String({ description: 'For people.' }), code: Type.String({ description: 'For programs; the codes of Problem.' }) })
const claimed = Type.Object({ success: Type.Literal(true), user: Type.Intersect([CompatUser, Type.Object({ avatar: Type.String() })]) })

export const systemM: FastifyPluginAsyncTypebox<SystemMOptions> = async (app, { avatars, avatarUploads, receiving, counting, userOf, publicUrl, acceptsAnonymous, now }) => {
  app.setErrorHandler((error, request, reply) => {
    const { detail, code } = answerFailure(error, request, reply)
    // As a Buffer, so that no response schema of the route is applied.
    reply.type('application/json').send(Buffer.from(JSON.stringify({ success: false, error: detail, code })))
  })

  app.patch('/api/users/me/avatar', {
    onRequest: [authenticate, beginUpload],
    config: { openapi: { codes: ['AVATAR_URL_REJECTED', 'OWNER_ERASED', 'STORAGE_UNAVAILABLE', 'DATABASE_UNAVAILABLE'], failure } },
    schema: { tags, summary: 'Make an uploaded picture your avatar', security: tokenRequired, body: Type.Object({ avatar: Type.String({ maxLength: 2048 }) }), response: { 200: claimed } },
  }, async (request) => {
    const { id } = callerOf(request)
    const { inUrl, path } = pathsOf(request.body.avatar, publicUrl)
    await avatars.claim(id, path, uploadFor(request, id).epoch)
    return { success: true as const, user: { ...await userOf(id), avatar: publicUrl + inUrl } }
  })

  await app.register(async (uploads) => {
    await uploads.register(acceptUploads)
    const limits = { ...receiving, maxBytes: Math.min(receiving.maxBytes, maxBytes) }
    const limiter = new RateLimiterMemory(anonymousLimit)

    uploads.post('/api/upload/avatar', {
      onRequest: [acceptsAnonymous ? identify : authenticate, async (request) => { if (request.caller === null) await limited(limiter, networkOf(request.ip)) }, idempotent, beginUpload, unlessAnswered(countUpload), unlessAnswered(admit(limits)), unlessAnswered(reserveQuota({ ...limits, isAvatar: true }))],
      config: { openapi: { requestBody: { 'multipart/form-data': multipartBody('file', 1) }, codes: ['ATTEMPTS_EXCEEDED', ...uploadCodes], failure } },
      schema: { tags, summary: 'Upload a picture (JPEG, PNG or WebP); it becomes your avatar', security: tokenOptional, response: { 200: uploaded } },
    }, async (request, reply) => {
      const { caller } = request
      const alias = oldPath(now())
      const { epoch, signal } = uploadFor(request, caller?.id)
      const answerOf = (path: string | undefined) => ({ status: 200, body: uploadedAt(path, publicUrl), ownerIds: caller === null ? [] : [caller.id] })
      async function keep (file: ReceivedFile, keeping: Keeping<Static<typeof uploaded>>) {
        if (caller === null) return avatarUploads.keepPending(file, { epoch, alias, accepted })
        const { avatar, path } = await avatarUploads.set(caller.id, caller.id, file, { epoch, alias, accepted, alongside: (set) => settleQuota(request, [caller.id], keeping(answerOf(set.path))) })
        return { size: avatar.size, path }
      }
      let keptBytes: number | undefined
      return counting(() => withUpload(request, { ...receivingFor(request, limits), signal }, (files) => answerOnce(request, reply, sentIn(files), async (keeping) => {
        const kept = await keep(files[0], keeping)
        keptBytes = kept.size
        return answerOf(kept.path)
      })), () => keptBytes)
    })
  })
}

function uploadedAt (path: string | undefined, publicUrl: string): Static<typeof uploaded> {
  if (path === undefined) throw new InternalError()
  const url = publicUrl + path
  return { success: true, url, data: { url, filename: path.slice(path.lastIndexOf('/') + 1), path } }
}

/** `/i/p/YYYY/MM/avatar_<timestamp>_<random>.<ext>`; the random part cannot be guessed. */
function oldPath (at: Date): (extension: string) => string {
  const month = at.toISOString().slice(0, 7).replace('-', '/')
  const name = `avatar_${at.getTime()}_${BigInt(`0x${randomBytes(12).toString('hex')}`).toString(36)}`
  return (extension) => `/i/p/${month}/${name}.${extension}`
}

/** Of a URL with any host, as clients may have kept one of an older host, or of a path: as it is in URLs, and as the router hands it over. */
function pathsOf (url: string, publicUrl: string): { inUrl: string, path: string } {
  if (!URL.canParse(url, publicUrl)) throw new AvatarUrlRejected()
  const { pathname } = new URL(url, publicUrl)
  try {
    return { inUrl: pathname, path: decodeURIComponent(pathname) }
  } catch (cause) {
    throw new AvatarUrlRejected({ cause })
  }
}

async function limited (limiter: RateLimiterMemory, network: string): Promise<void> {
  const { msBeforeNext, consumedPoints } = await limiter.consume(network).catch((refusal: unknown) => refusal as Awaited<ReturnType<typeof limiter.consume>>)
  if (consumedPoints > anonymousLimit.points) throw withHeaders(new AttemptsExceeded(), { 'Retry-After': String(Math.ceil(msBeforeNext / 1000)) })
}
