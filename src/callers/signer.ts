// What the gateway signs for itself and hands out: addresses of links, cookies of media sessions. What they say is not decided here.
import { createHmac, timingSafeEqual } from 'node:crypto'
import { dirname, join } from 'node:path'
import type { Config } from '../config.ts'
import { generatedSecret } from './generated-secret.ts'

/** What is signed for one purpose is of no use for another. */
export type Purpose = 'link' | 'media-session'

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
 * With no secret configured, one is created beside the embedded database, so the volume must have been accepted before.
 * @throws ConfigError when it cannot be kept.
 */
export async function openSigner ({ linkSecrets, databaseFile }: Pick<Config, 'linkSecrets' | 'databaseFile'>): Promise<Signer> {
  return createSigner(linkSecrets ?? [await generatedSecret(join(dirname(databaseFile), 'link.secret'), { signed: 'links and media sessions', setting: 'LINK_SECRET' })])
}
