// Whether the preconditions of a GET or HEAD hold, in the order of RFC 9110 section 13.2.2. What to answer is decided elsewhere.
import type { IncomingMessage } from 'node:http'
import { etagOf, matchesStrongly, matchesWeakly, parseTags } from './etag.ts'
import { parseHttpDate } from './http-date.ts'
import type { Representation } from './representation.ts'

/** What a precondition is compared with. `lastModified` is in whole seconds since 1970, as HTTP dates are. */
export type Validators = { readonly etag: string, readonly lastModified: number }

type Asked = Pick<IncomingMessage, 'headers' | 'rawHeaders'>

/** Last-Modified is never later than the answer that carries it (RFC 9110 section 8.8.2.1). */
export function validatorsOf ({ sha256, lastModified }: Pick<Representation, 'sha256' | 'lastModified'>, now = new Date()): Validators {
  return { etag: etagOf(sha256), lastModified: Math.floor(Math.min(lastModified.getTime(), now.getTime()) / 1000) }
}

/** `failed` asks for 412, `unmodified` for 304. */
export function judge (request: Asked, validators: Validators): 'failed' | 'unmodified' | 'proceed' {
  if (isAnotherVersion(request, validators)) return 'failed'
  return isAlreadyHeld(request, validators) ? 'unmodified' : 'proceed'
}

function isAnotherVersion (request: Asked, { etag, lastModified }: Validators): boolean {
  const expected = request.headers['if-match']
  if (expected !== undefined) return !matchesStrongly(parseTags(expected), etag)
  const since = dateIn(request, 'if-unmodified-since')
  return since !== undefined && lastModified > since
}

function isAlreadyHeld (request: Asked, { etag, lastModified }: Validators): boolean {
  const held = request.headers['if-none-match']
  if (held !== undefined) return held === etag || matchesWeakly(parseTags(held), etag)
  const since = dateIn(request, 'if-modified-since')
  return since !== undefined && lastModified <= since
}

/** A field that is no date, or is sent twice, is as good as absent; of two, Node would show the first alone. */
function dateIn (request: Asked, name: 'if-modified-since' | 'if-unmodified-since'): number | undefined {
  const field = request.headers[name]
  if (field === undefined) return undefined
  const timesSent = request.rawHeaders.filter((text, index) => index % 2 === 0 && text.toLowerCase() === name).length
  return timesSent > 1 ? undefined : parseHttpDate(field)
}

/** If-Range (RFC 9110 section 13.1.5): whether the part the client holds is of these bytes. Strong tags and exact dates only. */
export function allowsRange (ifRange: string | undefined, { etag, lastModified }: Validators): boolean {
  return ifRange === undefined || ifRange === etag || parseHttpDate(ifRange) === lastModified
}
