// What a request says of its own bytes, and their comparison: Upload-Checksum of tus, and Content-Digest (RFC 9530). Of the whole file it knows nothing.
import { createHash, getHashes } from 'node:crypto'
import type { IncomingHttpHeaders } from 'node:http'
import { ChecksumMismatch, ResumableInvalid } from '../errors.ts'
import { createDigesting, digestsIn, requireSame, type Algorithm } from '../transfer/digest.ts'

export type Check = {
  update (chunk: Buffer): void
  /** Once, after the last chunk. @throws ChecksumMismatch, UploadDigestMismatch */
  check (): void
}

/** In the words of tus, which are those of Node. */
export const checksumAlgorithms = ['sha1', 'sha256', 'sha512', 'md5'].filter((algorithm) => getHashes().includes(algorithm))
const checksumBytes: Record<string, number> = { sha1: 20, sha256: 32, sha512: 64, md5: 16 }

/** All that must find the bytes intact. @throws ResumableInvalid, DigestInvalid */
export function checksIn (headers: IncomingHttpHeaders): Check[] {
  const { 'upload-checksum': checksum, 'content-digest': digest, trailer = '' } = headers
  if (/\bcontent-digest\b/i.test(trailer)) throw new ResumableInvalid('Content-Digest must be in the header of a request, not in its trailer')
  return [
    ...(checksum === undefined ? [] : [checksumCheck(String(checksum))]),
    ...(digest === undefined ? [] : digestChecks(String(digest))),
  ]
}

function checksumCheck (field: string): Check {
  const [, algorithm = '', encoded = ''] = /^(\S+) +([A-Za-z0-9+/]+={0,2})$/.exec(field.trim()) ?? []
  const value = Buffer.from(encoded, 'base64')
  if (!checksumAlgorithms.includes(algorithm) || value.length !== checksumBytes[algorithm]) throw new ResumableInvalid(`Upload-Checksum must be one of ${checksumAlgorithms.join(', ')}, and the digest in base64`)
  const hash = createHash(algorithm)
  return {
    update (chunk) { hash.update(chunk) },
    check () { if (!hash.digest().equals(value)) throw new ChecksumMismatch() },
  }
}

/** None when all digests are by algorithms that are passed over. */
function digestChecks (field: string): Check[] {
  const stated = digestsIn('Content-Digest', field)
  const algorithms = Object.keys(stated) as Algorithm[]
  if (algorithms.length === 0) return []
  const { update, end } = createDigesting(algorithms)
  return [{ update, check: () => requireSame('Content-Digest', stated, end()) }]
}
