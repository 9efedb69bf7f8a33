// Holds one body, as it came over the wire, against the digests that its headers or trailers state. What is said of a single file of a form is not its business.
import type { IncomingMessage } from 'node:http'
import { DigestInvalid } from '../errors.ts'
import { algorithms, createDigesting, digestsIn, requireSame, type Algorithm, type Digests } from './digest.ts'

export type BodyDigest = {
  update (chunk: Buffer): void
  /** When the message has ended, trailers and all. @throws UploadDigestMismatch, DigestInvalid */
  check (): void
}

/** Uploads have no Content-Encoding: content and representation are the same bytes. @throws DigestInvalid */
export function createBodyDigest (body: IncomingMessage, isMultipart: boolean): BodyDigest {
  const stated = statedIn(body.headers, isMultipart)
  // Who knows the digest only at the end announces it: nothing is hashed in vain for all others (RFC 9110 section 6.6.2).
  const isAnnounced = /\b(?:content|repr)-digest\b/i.test(body.headers.trailer ?? '')
  const digesting = createDigesting(isAnnounced ? algorithms : stated.flatMap(({ digests }) => Object.keys(digests) as Algorithm[]))
  return {
    update: digesting.update,
    check () {
      const actual = digesting.end()
      const all = isAnnounced ? [...stated, ...statedIn(body.trailers, isMultipart)] : stated
      for (const { name, digests } of all) requireSame(name, digests, actual)
    },
  }
}

function statedIn (fields: NodeJS.Dict<string | string[]>, isMultipart: boolean): Array<{ name: string, digests: Digests }> {
  if (isMultipart && fields['repr-digest'] !== undefined) throw new DigestInvalid('Repr-Digest is for a body that is the file itself; for a form, send Content-Digest of the whole body, or a field sha256 before each file')
  return ['Content-Digest', 'Repr-Digest'].flatMap((name) => {
    const field = fields[name.toLowerCase()]
    return field === undefined ? [] : [{ name, digests: digestsIn(name, String(field)) }]
  })
}
