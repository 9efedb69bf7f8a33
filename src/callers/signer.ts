// What the gateway signs for itself and hands out: addresses of links, cookies of media sessions. What they say is not decided here.
import { createHmac, timingSafeEqual } from 'node:crypto'
import type { Config } from '../config.ts'
import type { SecretName, Secrets } from '../secrets.ts'
import { generatedSecret } from './generated-secret.ts'

/** What is signed for one purpose is of no use for another. */
export type Purpose = 'link' | 'media-session'

/** Of the secret that is made when none is configured. */
export const linkSecretName: SecretName = 'link.secret'

/** Of a signature. */
export const signatureBytes = 32

export type Signer = {
  /** HMAC-SHA-256 (RFC 2104), with the first of the secrets. */
  sign (purpose: Purpose, content: Buffer): Buffer
  /** Whether it was made with any of them. Takes as long for one that is nearly right as for any other. */
  isSigned (purpose: Purpose, content: Buffer, signature: Buffer): boolean
}

export function createSigner (secrets: readonly [string, ...string[]]): Signer {
  const hmac = (secret: string, purpose: Purpose, content: Buffer) => createHmac('sha256', secret).update(`${purpose}:`).update(content).digest()
  return {
    sign: (purpose, content) => hmac(secrets[0], purpose, content),
    isSigned: (purpose, content, signature) => signature.length === signatureBytes &&
      secrets.filter((secret) => timingSafeEqual(hmac(secret, purpose, content), signature)).length > 0,
  }
}

/**
 * With no secret configured, one is made and kept with the database, so the volume must have been accepted before.
 * @throws ConfigError when it cannot be kept.
 */
export async function openSigner ({ linkSecrets }: Pick<Config, 'linkSecrets'>, secrets: Pick<Secrets, 'get'>): Promise<Signer> {
  return createSigner(linkSecrets ?? [await generatedSecret(secrets, { name: linkSecretName, signed: 'links and media sessions', setting: 'LINK_SECRET' })])
}
