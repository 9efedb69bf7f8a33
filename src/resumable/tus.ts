// The tus resumable upload protocol, version 1.0.0 (tus.io/protocols/resumable-upload): what its headers ask for, and how an upload is told in them. Does nothing itself.
import type { IncomingHttpHeaders } from 'node:http'
import { ContentTypeUnsupported, ResumableInvalid, ResumableVersion, withHeaders } from '../errors.ts'
import { formatHttpDate } from '../transfer/http-date.ts'
import { essenceOf } from '../transfer/media-type.ts'
import { checksIn, checksumAlgorithms, type Check } from './checks.ts'
import type { Upload } from './records.ts'

const version = '1.0.0'
const extensions = ['creation', 'creation-with-upload', 'creation-defer-length', 'expiration', 'checksum', 'termination', 'concatenation']
const bodyType = 'application/offset+octet-stream'

export const spoken = { 'tus-resumable': version }

/** What OPTIONS says. */
export const abilities = (maxBytes: number): Record<string, string> => ({
  ...spoken,
  'tus-version': version,
  'tus-extension': extensions.join(),
  'tus-max-size': String(maxBytes),
  'tus-checksum-algorithm': checksumAlgorithms.join(),
})

/** @throws ResumableVersion */
export function requireVersion (headers: IncomingHttpHeaders): void {
  if (headers['tus-resumable'] !== version) throw withHeaders(new ResumableVersion(), { 'Tus-Version': version })
}

/** What a POST asks for, but for what its metadata says. @throws ResumableInvalid */
export function creationIn (headers: IncomingHttpHeaders): { isPart: boolean, length: number | undefined, parts: string[] | undefined, metadata: string | undefined } {
  const concat = textIn(headers, 'upload-concat')
  const metadata = textIn(headers, 'upload-metadata')?.trim() || undefined
  const length = countIn(headers, 'upload-length')
  if (concat?.startsWith('final') === true) {
    if (length !== undefined) throw new ResumableInvalid('an upload that is made of others has no Upload-Length of its own')
    return { isPart: false, length, parts: partsIn(concat), metadata }
  }
  if (concat !== undefined && concat !== 'partial') throw new ResumableInvalid('Upload-Concat must be "partial", or "final;" and the addresses of the parts')
  const defers = textIn(headers, 'upload-defer-length')
  if (defers !== undefined && defers !== '1') throw new ResumableInvalid('Upload-Defer-Length must be 1')
  if ((length === undefined) === (defers === undefined)) throw new ResumableInvalid('send either Upload-Length or Upload-Defer-Length')
  return { isPart: concat === 'partial', length, parts: undefined, metadata }
}

/** Ids at the end of their addresses, which may be absolute. */
function partsIn (concat: string): string[] {
  const addresses = concat.slice('final;'.length).trim().split(/ +/)
  const ids = addresses.map((address) => /\/api\/resumable\/([0-9a-f-]{36})$/.exec(address)?.[1])
  if (!concat.startsWith('final;') || ids.includes(undefined) || ids.length > maxParts) throw new ResumableInvalid(`Upload-Concat must be "final;" and up to ${maxParts} addresses of partial uploads here, separated by spaces`)
  return ids.filter((id) => id !== undefined)
}

const maxParts = 1000

/** What a PATCH asks for. @throws ContentTypeUnsupported, ResumableInvalid */
export function patchIn (headers: IncomingHttpHeaders): { offset: number, length: number | undefined } {
  requireBodyType(headers)
  if (headers['repr-digest'] !== undefined) throw new ResumableInvalid('Repr-Digest is of the whole file: send it with the POST that begins the upload; of the bytes of a request, send Content-Digest or Upload-Checksum')
  const offset = countIn(headers, 'upload-offset')
  if (offset === undefined) throw new ResumableInvalid('a PATCH needs an Upload-Offset')
  return { offset, length: countIn(headers, 'upload-length') }
}

/** Of bytes that come with a request. @throws ResumableInvalid, DigestInvalid */
export function piecesIn (headers: IncomingHttpHeaders): { declaredBytes: number | undefined, checks: Check[] } {
  const declaredBytes = headers['transfer-encoding'] === undefined ? Number(headers['content-length'] ?? 0) : undefined
  return { declaredBytes, checks: checksIn(headers) }
}

/** Whether a POST brings the first bytes (creation-with-upload). @throws ContentTypeUnsupported */
export function hasBody (headers: IncomingHttpHeaders): boolean {
  const isThere = headers['transfer-encoding'] !== undefined || Number(headers['content-length'] ?? 0) > 0
  if (isThere) requireBodyType(headers)
  return isThere
}

function requireBodyType (headers: IncomingHttpHeaders): void {
  if (essenceOf(headers['content-type'] ?? '') !== bodyType) throw new ContentTypeUnsupported(bodyType)
  if (!/^\s*(identity)?\s*$/i.test(headers['content-encoding'] ?? '')) throw new ContentTypeUnsupported('the bytes as they are, without Content-Encoding')
}

function countIn (headers: IncomingHttpHeaders, name: string): number | undefined {
  const text = textIn(headers, name)
  if (text === undefined) return undefined
  if (!/^\d{1,15}$/.test(text)) throw new ResumableInvalid(`${name} must be a number of bytes`)
  return Number(text)
}

function textIn (headers: IncomingHttpHeaders, name: string): string | undefined {
  const value = headers[name]
  return value === undefined ? undefined : String(value)
}

/** Where an upload stands. Those that are made of others have an offset only when they are finished. */
export function progressOf ({ offset, state, expiresAt }: Upload): Record<string, string> {
  return {
    'upload-offset': String(offset),
    ...(state === 'receiving' && { 'upload-expires': formatHttpDate(Math.floor(expiresAt.getTime() / 1000)) }),
  }
}

/** All that HEAD says. */
export function standingOf (upload: Upload): Record<string, string> {
  const { length, metadata, kind, parts } = upload
  return {
    ...progressOf(upload),
    ...(length === undefined ? { 'upload-defer-length': '1' } : { 'upload-length': String(length) }),
    ...(metadata !== undefined && { 'upload-metadata': metadata }),
    ...(kind === 'part' && { 'upload-concat': 'partial' }),
    ...(parts !== undefined && { 'upload-concat': `final;${parts.map(addressOf).join(' ')}` }),
  }
}

/** Without an origin: whichever proxies there are, it is right. */
export const addressOf = (id: string): string => `/api/resumable/${id}`
