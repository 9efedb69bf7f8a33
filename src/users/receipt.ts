// Receipts of erasures: what was erased, signed, so that whoever holds one can prove later that it was not changed.
import { calculateJwkThumbprint, CompactSign, compactVerify, exportJWK, generateKeyPair, importJWK, type JWK } from 'jose'
import { Type, type Static } from 'typebox'
import { Check } from 'typebox/schema'
import type { Secrets } from '../secrets.ts'
import { ErasedSchema, type Erased } from './schema.ts'

/** RFC 8037; the signature is Ed25519. */
const alg = 'EdDSA'
const typ = 'erasure-receipt+jws'

const KeySchema = Type.Object({ kty: Type.Literal('OKP'), crv: Type.Literal('Ed25519'), x: Type.String(), d: Type.String() })

type Key = Static<typeof KeySchema>

export type Receipts = Awaited<ReturnType<typeof openReceipts>>

/** Why a receipt proves nothing, as a sentence. */
export class ReceiptError extends Error {
  override name = 'ReceiptError'
}

/** With the key pair among these, made when there is none. @throws ConfigError when it cannot be used */
export async function openReceipts (secrets: Pick<Secrets, 'get'>) {
  const { kty, crv, x, d } = parseKey(await secrets.get({ name: 'erasure-signing.jwk', make: newKey, isWhole: (text) => parseKey(text) !== undefined, purpose: 'The key that receipts of erasures are signed with', advice: '' })) as Key
  const publicKey: JWK = { kty, crv, x, alg, use: 'sig', kid: await calculateJwkThumbprint({ kty, crv, x }) }
  const [signing, verifying] = await Promise.all([importJWK({ kty, crv, x, d }, alg), importJWK(publicKey, alg)])

  return {
    /** As a JWK (RFC 7517), for those who check receipts elsewhere. */
    publicKey,

    /** A compact JWS (RFC 7515). */
    sign: (erased: Erased): Promise<string> =>
      new CompactSign(Buffer.from(JSON.stringify(erased))).setProtectedHeader({ alg, typ, kid: publicKey.kid ?? '' }).sign(signing),

    /** What a receipt says: the JWS, or the answer of the API that holds it. @throws ReceiptError */
    async verify (receipt: string): Promise<Erased> {
      const { payload, protectedHeader } = await compactVerify(jwsIn(receipt), verifying, { algorithms: [alg] }).catch((cause: unknown) => {
        throw new ReceiptError('The signature is not one of this gateway\'s key, or the receipt was changed since it was signed', { cause })
      })
      const erased: unknown = JSON.parse(Buffer.from(payload).toString())
      if (protectedHeader.typ !== typ || !Check(ErasedSchema, erased)) throw new ReceiptError('What is signed is no receipt of an erasure')
      return erased
    },
  }
}

async function newKey (): Promise<string> {
  const { privateKey } = await generateKeyPair(alg, { extractable: true, crv: 'Ed25519' })
  return JSON.stringify(await exportJWK(privateKey))
}

function parseKey (text: string): Key | undefined {
  try {
    const key: unknown = JSON.parse(text)
    return Check(KeySchema, key) ? key : undefined
  } catch {
    return undefined
  }
}

/** Of the JWS itself, or of the answer of the API that holds it. */
export function jwsIn (text: string): string {
  try {
    const { receipt } = JSON.parse(text)
    return String(receipt)
  } catch {
    return text.trim()
  }
}
