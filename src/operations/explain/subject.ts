// What somebody asks about: an id, a hash, or an address that the gateway once handed out, whatever host and form it is in.
import { asUserId, type UserId } from '../../callers/caller.ts'
import { asBlobId, type BlobId } from '../../storage/ids.ts'
import { Refusal } from '../refusal.ts'

export type Subject =
  | { readonly is: 'id', readonly id: string }
  | { readonly is: 'sha256', readonly sha256: string }
  | { readonly is: 'current avatar', readonly userId: UserId }
  | { readonly is: 'version', readonly userId: UserId, readonly id: BlobId }
  | { readonly is: 'attachment', readonly id: string }
  /** Who knows the token may open it: it is never shown. */
  | { readonly is: 'link', readonly token: string }
  | { readonly is: 'old path', readonly path: string }
  | { readonly is: 'user', readonly userId: UserId }
  /** That can be no user's id. */
  | { readonly is: 'e-mail', readonly email: string }
  | { readonly is: 'no address', readonly path: string }

const uuid = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i

/** Of a file on the volume, also with folders before it. */
const fileName = /(?:^|\/)(?:avatars|attachments)\/\d{4}\/\d{2}\/\d{2}\/([0-9a-f-]{36})\.(?:sidecar\.json|[a-z0-9]{1,8})$/

/** What may be asked about, in words. */
export const askable = "the id of a file or an attachment, a user's id, the e-mail address of an embedded account, a URL or its path, or a sha-256 in hex"

/** @throws Refusal when it is nothing of the gateway's */
export function parseSubject (asked: string): Subject {
  const text = asked.trim()
  if (/^[0-9a-f]{64}$/i.test(text)) return { is: 'sha256', sha256: text.toLowerCase() }
  if (uuid.test(text)) return { is: 'id', id: text.toLowerCase() }
  const [, id] = fileName.exec(text) ?? []
  if (id !== undefined) return { is: 'id', id }
  const path = pathIn(text)
  if (path !== undefined) return atPath(path)
  const userId = asUserId(text)
  if (userId !== undefined) return { is: 'user', userId }
  if (/^[^\s/@]+@[^\s/@]+$/.test(text)) return { is: 'e-mail', email: normalEmail(text) }
  throw new Refusal(`"${withoutToken(text)}" is nothing that the gateway hands out. Give ${askable}.`)
}

/** What was asked, to be shown: without what opens a link. */
export const withoutToken = (text: string): string => text.replaceAll(/(\blinks\/+)[^/?#\s]+/gi, '$1...')

/** The one spelling in which embedded accounts have it. */
export const normalEmail = (text: string): string => text.trim().normalize('NFC').toLowerCase()

/** Decoded, without query and fragment; undefined when it is no URL and no path. */
function pathIn (text: string): string | undefined {
  const isUrl = /^[a-z][a-z0-9+.-]*:\/\//i.test(text)
  if (!isUrl && !text.startsWith('/')) return undefined
  const base = 'http://localhost'
  // Two slashes at the start are a host to URL.
  const url = isUrl ? text : base + text.replace(/^\/{2,}/, '/')
  if (!URL.canParse(url)) throw new Refusal(`"${withoutToken(text)}" is no valid URL.`)
  try {
    return decodeURIComponent(new URL(url).pathname)
  } catch {
    throw new Refusal(`"${withoutToken(text)}" has a percent sign that is not part of an encoded character.`)
  }
}

function atPath (path: string): Subject {
  const parts = path.split('/').slice(1)
  const [first, second] = parts
  if (first === 'i' || first === 'uploads') return { is: 'old path', path }
  // System R's Avatar component puts /api before what it was given.
  if (path.startsWith('/api/uploads/avatars/')) return { is: 'old path', path: path.slice('/api'.length) }
  if (path.startsWith('/api/api/auth/avatar/')) return atPath(path.slice('/api'.length))
  if (first === 'api' && second === 'auth' && parts[2] === 'avatar' && parts.length === 4) return ofUser(path, parts[3], undefined)
  if (first === 'api' && second === 'avatars' && (parts.length === 3 || parts.length === 4)) return ofUser(path, parts[2], parts[3])
  if (first === 'api' && second === 'attachments' && parts[2] !== undefined && uuid.test(parts[2])) return { is: 'attachment', id: parts[2].toLowerCase() }
  if (first === 'api' && second === 'links' && parts[2]) return { is: 'link', token: parts[2] }
  return { is: 'no address', path: withoutToken(path) }
}

function ofUser (path: string, name: string | undefined, version: string | undefined): Subject {
  if (name === 'me') throw new Refusal(`${path} is about whoever asks. Name the user: /api/avatars/<user id>.`)
  const userId = asUserId(name)
  const id = version === undefined ? undefined : asBlobId(version)
  if (userId === undefined || (version !== undefined && id === undefined)) return { is: 'no address', path }
  return id === undefined ? { is: 'current avatar', userId } : { is: 'version', userId, id }
}
