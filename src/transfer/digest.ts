// Digests as clients state them and as answers carry them (RFC 9530), and their comparison. Whose bytes they are of is known elsewhere.
import { createHash } from 'node:crypto'
import { parseDictionary, type Dictionary } from 'structured-headers'
import { DigestInvalid, UploadDigestMismatch } from '../errors.ts'

/** Those of the registry that stand up to an attacker, and their lengths in bytes; others, such as md5, are passed over (RFC 9530 section 5). */
const lengths = { 'sha-256': 32, 'sha-512': 64 } as const

export type Algorithm = keyof typeof lengths

export const algorithms = Object.keys(lengths) as readonly Algorithm[]

/** Lower-case hex. */
export type Digests = { readonly [algorithm in Algorithm]?: string }

/** What the header field `name`, Repr-Digest or Content-Digest, states. @throws DigestInvalid */
export function digestsIn (name: string, field: string): Digests {
  const members = dictionaryIn(field)
  if (members === undefined) throw new DigestInvalid(`${name} must be of the form sha-256=:base64:, several separated by commas`)
  const stated = algorithms.filter((algorithm) => members.has(algorithm))
  return Object.fromEntries(stated.map((algorithm) => {
    const [value] = members.get(algorithm) ?? []
    if (!(value instanceof ArrayBuffer) || value.byteLength !== lengths[algorithm]) throw new DigestInvalid(`${algorithm} in ${name} must be ${lengths[algorithm]} bytes in base64, between colons`)
    return [algorithm, Buffer.from(value).toString('hex')]
  }))
}

/** What a field named sha256 states, of a form or of a resumable upload's metadata. @throws DigestInvalid */
export function sha256In (text: string): Digests {
  if (!/^[0-9a-f]{64}$/i.test(text)) throw new DigestInvalid('"sha256" must be 64 hexadecimal digits')
  return { 'sha-256': text.toLowerCase() }
}

/** Hashes bytes as they pass. */
export function createDigesting (wanted: Iterable<Algorithm>) {
  const hashes = [...new Set(wanted)].map((algorithm) => ({ algorithm, hash: createHash(algorithm.replace('-', '')) }))
  return {
    update (chunk: Buffer): void {
      for (const { hash } of hashes) hash.update(chunk)
    },
    /** Once, when all have passed. */
    end: (): Digests => Object.fromEntries(hashes.map(({ algorithm, hash }) => [algorithm, hash.digest('hex')])),
  }
}

/** `where`: the field that stated them, as the answer names it. @throws UploadDigestMismatch unless all of them are among `actual` */
export function requireSame (where: string, stated: Digests, actual: Digests): void {
  const different = algorithms.find((algorithm) => stated[algorithm] !== undefined && stated[algorithm] !== actual[algorithm])
  if (different !== undefined) throw new UploadDigestMismatch(`${where} (${different})`)
}

/**
 * The Repr-Digest of an answer about bytes with this sha-256 (lower-case hex); none when Want-Repr-Digest refuses it (RFC 9530 section 4).
 * No other is offered: to answer with it, a file would be read as a whole for each of its parts.
 */
export function reprDigest (sha256: string, wanted: string | undefined): { 'repr-digest'?: string } {
  const [preference] = dictionaryIn(wanted ?? '')?.get('sha-256') ?? []
  return preference === 0 ? {} : { 'repr-digest': `sha-256=:${Buffer.from(sha256, 'hex').toString('base64')}:` }
}

function dictionaryIn (field: string): Dictionary | undefined {
  try {
    return parseDictionary(field)
  } catch {
    return undefined
  }
}
