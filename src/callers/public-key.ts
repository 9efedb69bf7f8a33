// A public key and the one algorithm that its type allows: RS256, ES256 or EdDSA.
import { createPublicKey, type KeyObject } from 'node:crypto'
import { ConfigError } from '../config.ts'
import type { VerifyingKey } from './keys.ts'

/** RFC 7518 section 3.3. */
const minRsaBits = 2048

/**
 * Reads a key in PEM: SPKI, PKCS #1 or a certificate.
 * @throws ConfigError when it is none, of another type, too short, or private.
 */
export function publicKey (pem: string): VerifyingKey {
  // createPublicKey would quietly derive the public half of it.
  if (/-----BEGIN [A-Z ]*PRIVATE KEY-----/.test(pem)) throw new ConfigError('JWT_PUBLIC_KEY holds a private key. Give the gateway only the public one: "openssl pkey -pubout" makes it.')
  const key = verifyingKey(parse(pem))
  if (key === undefined) throw new ConfigError(`JWT_PUBLIC_KEY must be RSA of at least ${minRsaBits} bits, EC P-256 or Ed25519.`)
  return key
}

/** Undefined for a key that no accepted algorithm can use. */
export function verifyingKey (key: KeyObject): VerifyingKey | undefined {
  const algorithm = algorithmOf(key)
  return algorithm === undefined ? undefined : { key: key.export({ type: 'spki', format: 'pem' }).toString(), algorithm }
}

function algorithmOf ({ asymmetricKeyType: type, asymmetricKeyDetails: details = {} }: KeyObject): VerifyingKey['algorithm'] | undefined {
  if (type === 'rsa' && (details.modulusLength ?? 0) >= minRsaBits) return 'RS256'
  if (type === 'ec' && details.namedCurve === 'prime256v1') return 'ES256'
  return type === 'ed25519' ? 'EdDSA' : undefined
}

function parse (pem: string): KeyObject {
  try {
    return createPublicKey(pem)
  } catch (error) {
    throw new ConfigError('JWT_PUBLIC_KEY cannot be read as a public key in PEM, which begins with "-----BEGIN PUBLIC KEY-----".', { cause: error })
  }
}
