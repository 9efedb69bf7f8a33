// Who makes the request: verifies the bearer token and sets request.caller. Which keys there are is up to callers/keys.
import fastifyJwt from '@fastify/jwt'
import type { FastifyRequest } from 'fastify'
import fastifyPlugin from 'fastify-plugin'
import { decodeProtectedHeader } from 'jose'
import { LRUCache } from 'lru-cache'
import { always, both, type Basis } from '../basis.ts'
import type { Config } from '../config.ts'
import type { Caller, Scope } from '../callers/caller.ts'
import { scopeMissing, tokenInvalid, tokenMissing } from '../callers/challenge.ts'
import { callerFrom, standing, type Claims, type StandingOf } from '../callers/claims.ts'
import type { KeyRing, TokenHeader } from '../callers/keys.ts'

export type AuthOptions = {
  readonly config: Pick<Config, 'jwtIssuer' | 'jwtAudience' | 'jwtUserClaim'>
  readonly keys: KeyRing
  readonly standingOf?: StandingOf
  readonly now?: () => Date
}

/** Who a request is by, and what that rests on, where that can be told. */
export type Identity = { readonly caller: Caller | null, readonly basis: Basis | undefined }

declare module 'fastify' {
  interface FastifyInstance {
    /** @throws TokenInvalid, CallersUnavailable */
    identityOf (token: string): Promise<Identity>
  }
  interface FastifyRequest {
    /** Null when there was no token, or before one of the hooks below has run. */
    caller: Caller | null
    /** What that rests on; null as long as nobody has looked who it is. */
    callerBasis: Identity['basis'] | null
  }
}

/** More than any issuer needs; the work of decoding a token stays bounded. */
const maxTokenLength = 16_384

/** Of verified tokens that are remembered: whose they are decides how long they are. */
const mostIdentityBytes = 16 * 1024 ** 2

/** What one costs beside the token. */
const identityBytes = 1024

/** For clocks that are not quite the same; RFC 7519 section 4.1.4 allows minutes. */
const clockToleranceMs = 5000

export const auth = fastifyPlugin(async (app, { config, keys, standingOf = standing, now = () => new Date() }: AuthOptions) => {
  const claims = {
    ...(config.jwtIssuer !== '' && { allowedIss: config.jwtIssuer }),
    ...(config.jwtAudience !== '' && { allowedAud: config.jwtAudience }),
    // Without this, a token that has no such claim at all would pass.
    requiredClaims: [...(config.jwtIssuer !== '' ? ['iss'] : []), ...(config.jwtAudience !== '' ? ['aud'] : [])],
    clockTolerance: clockToleranceMs,
  }
  // Each call of verify names its key and algorithm; this function only keeps the plugin from having a default.
  await app.register(fastifyJwt, { secret: { public: () => Promise.reject(new Error('no key was named')) }, verify: claims })

  app.decorateRequest('caller', null)
  app.decorateRequest('callerBasis', null)
  const identities = new LRUCache<string, Identity>({ maxSize: mostIdentityBytes, sizeCalculation: (_identity, token) => identityBytes + token.length })

  app.decorate('identityOf', async (token) => {
    const known = identities.get(token)
    if (known?.basis?.() === true) return known
    const identity = await find(token)
    if (identity.basis !== undefined) identities.set(token, identity)
    else identities.delete(token)
    return identity
  })

  async function find (token: string): Promise<Identity> {
    const verifiedBy = keys.basis()
    const verified = await verify(token)
    const caller = callerFrom(verified, config.jwtUserClaim)
    if (caller === undefined) throw tokenInvalid()
    const { isRevoked, basis } = await standingOf(verified, caller.id)
    if (isRevoked) throw tokenInvalid()
    const { exp } = verified
    const endsAtMs = typeof exp === 'number' ? exp * 1000 + clockToleranceMs : Infinity
    return { caller, basis: both(both(verifiedBy, basis), () => now().getTime() < endsAtMs) }
  }

  async function verify (token: string): Promise<Claims> {
    const header = headerOf(token)
    let reason: unknown
    for (const { key, algorithm } of await keys.candidates(header)) {
      try {
        return app.jwt.verify<Claims>(token, { ...claims, key, algorithms: [algorithm] })
      } catch (error) {
        reason = error
      }
    }
    throw tokenInvalid(reason)
  }
}, { name: 'auth', fastify: '5.x' })

/**
 * What the token says of itself, so that its key can be found.
 * @throws TokenInvalid also where it brings its own key, or asks for an extension (`crit`): there are none here.
 */
function headerOf (token: string): TokenHeader {
  if (token.length > maxTokenLength) throw tokenInvalid()
  const header = decode(token)
  if (['jwk', 'x5u', 'crit'].some((name) => Object.hasOwn(header, name))) throw tokenInvalid()
  if (header['kid'] !== undefined && typeof header['kid'] !== 'string') throw tokenInvalid()
  return header
}

function decode (token: string): TokenHeader {
  try {
    return decodeProtectedHeader(token)
  } catch (error) {
    throw tokenInvalid(error)
  }
}

export const nobody: Identity = { caller: null, basis: always }

/** onRequest: a token is optional, but one that is sent must be valid. */
export async function identify (request: FastifyRequest): Promise<void> {
  const bearer = /^bearer(?: +(.*))?$/i.exec(request.headers.authorization ?? '')
  const { caller, basis } = bearer === null ? nobody : await request.server.identityOf(bearer[1] ?? '')
  request.caller = caller
  request.callerBasis = basis
}

/** onRequest: a valid token is needed. */
export async function authenticate (request: FastifyRequest): Promise<void> {
  await identify(request)
  if (request.caller === null) throw tokenMissing()
}

/** onRequest, after authenticate: the token must carry `scope`; uploads:admin may do everything. */
export function requireScope (scope: Scope) {
  return async (request: FastifyRequest): Promise<void> => {
    const { scopes } = callerOf(request)
    if (!scopes.has(scope) && !scopes.has('uploads:admin')) throw scopeMissing(scope)
  }
}

/** Who makes this request; for routes behind authenticate. @throws TokenMissing */
export function callerOf (request: FastifyRequest): Caller {
  if (request.caller === null) throw tokenMissing()
  return request.caller
}
