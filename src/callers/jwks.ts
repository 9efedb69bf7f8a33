// The keys of an identity service, fetched from its JWKS document, kept, and fetched again when it rotates them.
import { KeyObject } from 'node:crypto'
import { createLocalJWKSet, createRemoteJWKSet, customFetch, errors, type CryptoKey, type FetchImplementation, type JSONWebKeySet, type RemoteJWKSet } from 'jose'
import { CallersUnavailable } from '../errors.ts'
import type { KeyRing, TokenHeader, VerifyingKey } from './keys.ts'
import { verifyingKey } from './public-key.ts'

const algorithms: readonly unknown[] = ['RS256', 'ES256', 'EdDSA']

const defaults = {
  /** Deadline of one fetch. */
  timeoutMs: 5000,
  /** How soon a token with an unknown key may cause another fetch: what stops a flood of made-up key ids. */
  cooldownMs: 30_000,
  /** How long keys are used before they are fetched again: a withdrawn key is good for no longer. */
  maxAgeMs: 600_000,
  /** How long the service is left alone after a fetch failed. */
  pauseMs: 1000,
}

export function createJwks (url: string, limits: Partial<typeof defaults> = {}): KeyRing {
  const { timeoutMs, cooldownMs, maxAgeMs, pauseMs } = { ...defaults, ...limits }
  let fetches = 0
  const remote = createRemoteJWKSet(new URL(url), {
    timeoutDuration: timeoutMs, cooldownDuration: cooldownMs, cacheMaxAge: maxAgeMs, [customFetch]: pausing(pauseMs, () => { fetches += 1 }),
  })
  return {
    signingSecret: undefined,
    async candidates (header) {
      // Some issuers say where their keys are. It is not followed, and no other place is heard of.
      if (header['jku'] !== undefined && header['jku'] !== url) return []
      return algorithms.includes(header['alg']) ? await find(remote, header) : []
    },

    // Of keys that were fetched anew any may have been withdrawn; while they are, those from before are still used.
    basis () {
      const since = remote.reloading ? undefined : fetches
      return () => remote.fresh && fetches === since
    },
  }
}

async function find (remote: RemoteJWKSet, { alg, kid }: TokenHeader): Promise<VerifyingKey[]> {
  try {
    // The cast: a kid of another type matches no key.
    return usable([await remote({ alg: String(alg), kid: kid as string })])
  } catch (error) {
    if (error instanceof errors.JWKSMultipleMatchingKeys) return await eachOf(error)
    if (error instanceof errors.JWKSNoMatchingKey) return []
    throw new CallersUnavailable({ cause: error })
  }
}

async function eachOf (matching: AsyncIterable<CryptoKey>): Promise<VerifyingKey[]> {
  const keys: CryptoKey[] = []
  for await (const key of matching) keys.push(key)
  return usable(keys)
}

function usable (keys: readonly CryptoKey[]): VerifyingKey[] {
  return keys.map((key) => verifyingKey(KeyObject.from(key))).filter((key) => key !== undefined)
}

/** jose spares the service only after a success: while it is down, every request would call it. */
function pausing (pauseMs: number, onFetched: () => void): FetchImplementation {
  let failure: { readonly cause: unknown, readonly until: number } | undefined
  return async (url, options) => {
    if (failure !== undefined && performance.now() < failure.until) throw new Error('the last fetch failed a moment ago', { cause: failure.cause })
    try {
      const response = await fetch(url, options)
      if (response.status !== 200) throw new Error(`the JWKS document was answered with ${response.status}`)
      // Read here, so that a body that breaks off or is no key set counts as a failure too.
      const body = await response.json() as JSONWebKeySet
      createLocalJWKSet(body)
      onFetched()
      return Response.json(body)
    } catch (cause) {
      failure = { cause, until: performance.now() + pauseMs }
      throw cause
    }
  }
}
