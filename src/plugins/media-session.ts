// Media sessions: a cookie that opens the bytes a user may read, and nothing else, so that a private picture works in a plain <img>.
import cookie from '@fastify/cookie'
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import type { FastifyReply, FastifyRequest } from 'fastify'
import fastifyPlugin from 'fastify-plugin'
import { decodeJwt } from 'jose'
import { Type } from 'typebox'
import { both } from '../basis.ts'
import type { UserId } from '../callers/caller.ts'
import { generationClaim, standing, type Claims, type StandingOf } from '../callers/claims.ts'
import type { Signer } from '../callers/signer.ts'
import { authenticate, callerOf, identify, nobody, type Identity } from './auth.ts'
import { mediaCookie, tokenRequired } from './route-description.ts'

type Options = {
  readonly signer: Signer
  /** As for tokens: a session ends with the tokens of the account it was made with. */
  readonly standingOf?: StandingOf
  /** How long one lasts, at most. */
  readonly seconds: number
  readonly publicUrl: string
  readonly now: () => Date
}

/** Of whom, until when in milliseconds since 1970, and what tokenGeneration their account had. */
type Session = { readonly id: UserId, readonly expiresAt: number, readonly generation?: unknown }

declare module 'fastify' {
  interface FastifyInstance {
    /** Nobody when the request carries no media session that holds. */
    identityOfMediaSession (request: FastifyRequest): Promise<Identity>
  }
}

const tags = ['attachments']

const beginning = {
  summary: 'Begin a media session',
  description: `Sets the cookie \`${mediaCookie}\`, which opens the bytes of attachments that the user may read (content and preview, GET and HEAD) and nothing else, so that pictures show in a plain img element. It counts only where no Authorization header is sent, gives no scope, and ends with the token it was made with. Browsers send it from pages of the same site as the gateway; those of another origin ask with credentials and must be listed in CORS_ORIGINS.`,
}

const SessionSchema = Type.Object({ expiresAt: Type.String({ format: 'date-time', description: 'Begin another before then.' }) })

const setsCookie = { 'Set-Cookie': { type: 'string', description: 'The cookie.' } } as const

export const mediaSession = fastifyPlugin(async (app, { signer, standingOf = standing, seconds, publicUrl, now }: Options) => {
  await app.register(cookie, { hook: false })

  app.decorate('identityOfMediaSession', async ({ headers }) => {
    const session = sessionIn(signer, headers.cookie === undefined ? undefined : app.parseCookie(headers.cookie)[mediaCookie])
    const lasts = () => session !== undefined && now().getTime() < session.expiresAt
    if (session === undefined || !lasts()) return nobody
    const { id, generation } = session
    const { isRevoked, basis } = await standingOf({ [generationClaim]: generation }, id)
    return isRevoked ? nobody : { caller: { id, scopes: new Set() }, basis: both(basis, lasts) }
  })

  await app.register(routes)

  function set (reply: FastifyReply, value: string, maxAge: number): void {
    const secure = publicUrl.startsWith('https:') || reply.request.protocol === 'https'
    reply.setCookie(mediaCookie, value, { path: '/api', httpOnly: true, sameSite: 'lax', secure, maxAge })
  }

  async function routes (scope: Parameters<FastifyPluginAsyncTypebox>[0]): Promise<void> {
    scope.addHook('onSend', async (_request, reply) => { reply.header('Cache-Control', 'no-store') })

    scope.post('/api/media-session', {
      onRequest: authenticate,
      config: { openapi: { responses: { 200: { headers: setsCookie } } } },
      schema: { ...beginning, tags, security: tokenRequired, response: { 200: SessionSchema } },
    }, async (request, reply) => {
      const { exp, [generationClaim]: generation } = claimsOf(request)
      const at = now().getTime()
      const expiresAt = Math.min(at + seconds * 1000, exp === undefined ? Infinity : exp * 1000)
      set(reply, sealed(signer, { id: callerOf(request).id, expiresAt, generation }), Math.max(0, Math.floor((expiresAt - at) / 1000)))
      return { expiresAt: new Date(expiresAt).toISOString() }
    })

    scope.delete('/api/media-session', {
      config: { openapi: { responses: { 204: { headers: setsCookie } } } },
      schema: { summary: 'End the media session of this browser', tags, response: { 204: Type.Null() } },
    }, async (_request, reply) => {
      set(reply, '', 0)
      return reply.code(204).send(null)
    })
  }
}, { name: 'media-session', fastify: '5.x', dependencies: ['auth'] })

/** Of the token that `authenticate` has just verified. */
const claimsOf = ({ headers: { authorization = '' } }: FastifyRequest) => decodeJwt<Claims>(authorization.replace(/^bearer +/i, ''))

function sealed (signer: Signer, session: Session): string {
  const content = Buffer.from(JSON.stringify(session))
  return `${content.toString('base64url')}.${signer.sign('media-session', content).toString('base64url')}`
}

/** Undefined when the gateway did not sign it. */
function sessionIn (signer: Signer, value: string = ''): Session | undefined {
  const [content = Buffer.alloc(0), signature = Buffer.alloc(0)] = value.split('.', 2).map((part) => Buffer.from(part, 'base64url'))
  return signer.isSigned('media-session', content, signature) ? JSON.parse(content.toString()) as Session : undefined
}

/**
 * onRequest, for GET and HEAD of bytes alone: as `identify`, but where no Authorization header is sent, a media session says who asks.
 * One that has ended is as none, so that what is public still shows.
 */
export async function identifyReader (request: FastifyRequest): Promise<void> {
  if (request.headers.authorization !== undefined) return identify(request)
  const { caller, basis } = await request.server.identityOfMediaSession(request)
  request.caller = caller
  request.callerBasis = basis
}
