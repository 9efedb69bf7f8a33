// Whether a browser may show stored bytes or must save them, and under which name (RFC 6266, RFC 8187).
import { create } from 'content-disposition'
import { essenceOf } from './media-type.ts'
import type { Representation } from './representation.ts'

/** Nothing here can run a script or load anything: no HTML, no XML, hence no SVG. */
const shown = new Set([
  'image/jpeg', 'image/png', 'image/apng', 'image/webp', 'image/gif', 'image/avif',
  'audio/mpeg', 'audio/mp4', 'audio/x-m4a', 'audio/aac', 'audio/ogg', 'audio/opus', 'audio/webm', 'audio/flac', 'audio/wav', 'audio/x-wav',
  'video/mp4', 'video/x-m4v', 'video/webm', 'video/ogg', 'video/quicktime',
  'application/pdf',
  'text/plain',
])

/** The value of Content-Disposition. */
export function dispositionOf ({ contentType, filename, asDownload }: Pick<Representation, 'contentType' | 'filename' | 'asDownload'>): string {
  const type = asDownload !== true && shown.has(essenceOf(contentType)) ? 'inline' : 'attachment'
  // A lone surrogate has no UTF-8, and the library throws on it.
  const name = filename?.toWellFormed()
  return create(name, { type, ...(name !== undefined && foreign.test(name) && { fallback: plain(name) }) })
}

const foreign = /[^\x20-\x7e]/

/** For clients that know no `filename*`: what is ASCII of the name, or `file` when that is only its extension. */
function plain (name: string): string {
  const ascii = name.replace(/[^\x20-\x7e]+/g, '_')
  const [extension] = /\.[A-Za-z0-9]+$/.exec(ascii) ?? ['']
  return /[A-Za-z0-9]/.test(ascii.slice(0, ascii.length - extension.length)) ? ascii : `file${extension}`
}
