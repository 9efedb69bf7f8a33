// The keys that tokens are checked with, by the mode that the configuration chose. A token never chooses its algorithm.
import { always, type Basis } from '../basis.ts'
import type { Config } from '../config.ts'
import type { SecretName, Secrets } from '../secrets.ts'
import { createJwks } from './jwks.ts'
import { publicKey } from './public-key.ts'
import { generatedSecret } from './generated-secret.ts'

/** One key and the one algorithm it is good for. */
export type VerifyingKey = { readonly key: string, readonly algorithm: 'HS256' | 'RS256' | 'ES256' | 'EdDSA' }

/** The protected header of a token nobody has verified yet. */
export type TokenHeader = { readonly [name: string]: unknown }

export type KeyRing = {
  /** HS256 secret of new tokens; undefined where tokens are only checked, not made. */
  readonly signingSecret: string | undefined
  /** The keys a token with this header may have been signed with. Throws CallersUnavailable when they cannot be fetched. */
  candidates (header: TokenHeader): Promise<readonly VerifyingKey[]>
  /** Of what is verified with those that are asked for after this. */
  basis (): Basis
}

/** Of the secret that is made when no key is configured. */
export const generatedKeyName: SecretName = 'jwt.secret'

/**
 * With no key configured, a secret is made and kept with the database, so the volume must have been accepted before.
 * @throws ConfigError when a key is of no use.
 */
export async function openKeys ({ keys }: Pick<Config, 'keys'>, secrets: Pick<Secrets, 'get'>): Promise<KeyRing> {
  switch (keys.mode) {
    case 'secret': return withSecrets(keys.secrets)
    case 'generated': return withSecrets([await generatedSecret(secrets, { name: generatedKeyName, signed: 'tokens', setting: 'JWT_SECRET' })])
    case 'public-key': return withKeys([publicKey(keys.pem)])
    case 'jwks': return createJwks(keys.url)
  }
}

function withSecrets (secrets: readonly [string, ...string[]]): KeyRing {
  return { ...withKeys(secrets.map((key) => ({ key, algorithm: 'HS256' }))), signingSecret: secrets[0] }
}

function withKeys (keys: readonly VerifyingKey[]): KeyRing {
  // A token that says where its keys are is not from an issuer whose key is known here.
  return { signingSecret: undefined, candidates: async ({ jku }) => jku === undefined ? keys : [], basis: () => always }
}
