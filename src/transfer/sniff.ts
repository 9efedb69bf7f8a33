// What a file is, judged by its first bytes. What the client says counts only where bytes cannot tell, and never for a type that browsers show.
import { isUtf8 } from 'node:buffer'
import { fileTypeFromBuffer } from 'file-type'
import { heifType } from './heif.ts'
import { essenceOf } from './media-type.ts'

export type Sniffed = {
  readonly contentType: string
  /** Without a dot; from a fixed table, else `bin`. */
  readonly extension: string
}

/** The pictures that can become an avatar. */
export const avatarTypes: readonly string[] = ['image/jpeg', 'image/png', 'image/webp', 'image/gif', 'image/avif', 'image/heic', 'image/heif']

/** How much of a file is worth handing over. */
export const sniffedBytes = 64 * 1024

const deadlineMs = 1_000

/** `head`: the first bytes of the file, `sniffedBytes` or all. `declaredType`: the client's Content-Type. Never throws. */
export async function sniff (head: Buffer, declaredType: string | undefined): Promise<Sniffed> {
  const declared = parseType(declaredType)
  const contentType = settle(heifType(head) ?? await detect(head), head, declared)
  return { contentType, extension: extensions[essenceOf(contentType)] ?? 'bin' }
}

type MediaType = { readonly essence: string, readonly charset: string | undefined }

function settle (detected: string | undefined, head: Buffer, declared: MediaType | undefined): string {
  // A closer name for the XML it is, such as that of SVG: none of them is ever shown inline.
  if (detected === 'application/xml') return declared !== undefined && xmlType.test(declared.essence) ? declared.essence : detected
  if (detected !== undefined) return detected
  if (isText(head)) return declared !== undefined && textType.test(declared.essence) ? withCharset(declared) : 'text/plain'
  return declared !== undefined && !mustBeEarned.test(declared.essence) ? declared.essence : 'application/octet-stream'
}

async function detect (head: Buffer): Promise<string | undefined> {
  const over = new AbortController()
  const unknown = () => undefined
  let timer: NodeJS.Timeout | undefined
  const tooLong = new Promise<void>((resolve) => { timer = setTimeout(resolve, deadlineMs) }).then(() => over.abort()).then(unknown)
  const type = await Promise.race([fileTypeFromBuffer(head, { signal: over.signal, maxBufferSize: 1024 ** 2 }).catch(unknown), tooLong])
  clearTimeout(timer)
  const essence = essenceOf(type?.mime ?? '')
  return sameTypes[essence] ?? (essence || undefined)
}

/** Other names for one thing, brought to the one that browsers know. */
const sameTypes: Record<string, string> = {
  'image/apng': 'image/png',
  'audio/x-m4a': 'audio/mp4',
  'video/x-m4v': 'video/mp4',
}

const xmlType = /^(application\/xml|text\/xml|[a-z]+\/[^/]+\+xml)$/
const textType = /^(text\/.+|application\/(json|xml|javascript|ecmascript|x-ndjson|yaml|x-yaml|toml|sql|graphql|x-sh)|[a-z]+\/[^/]+\+(json|xml|yaml))$/
/** Types that browsers show inline or play, which only bytes may earn; and forms, which no file is. */
const mustBeEarned = /^((image|audio|video|multipart)\/.+|application\/(pdf|x-www-form-urlencoded)|text\/plain)$/

/** RFC 6838 section 4.2 for the names; RFC 9110 section 8.3.1 for the parameter. */
const typeSyntax = /^\s*([a-z0-9][a-z0-9!#$&^_.+-]{0,126}\/[a-z0-9][a-z0-9!#$&^_.+-]{0,126})\s*(;.*)?$/i
const charsetSyntax = /;\s*charset="?([a-z0-9_.:-]{1,40})"?\s*(;|$)/i

function parseType (header: string | undefined): MediaType | undefined {
  const [, essence, parameters = ''] = typeSyntax.exec(header ?? '') ?? []
  return essence === undefined ? undefined : { essence: essence.toLowerCase(), charset: charsetSyntax.exec(parameters)?.[1]?.toLowerCase() }
}

const withCharset = ({ essence, charset }: MediaType) => charset === undefined ? essence : `${essence}; charset=${charset}`

/** The WHATWG MIME Sniffing Standard's binary data bytes: control characters but tab, line ends, form feed and escape. */
// eslint-disable-next-line no-control-regex
const binaryByte = /[\x00-\x08\x0b\x0e-\x1a\x1c-\x1f]/

function isText (head: Buffer): boolean {
  const whole = head.subarray(0, endOfLastCharacter(head))
  return isUtf8(whole) && !binaryByte.test(whole.toString('latin1'))
}

/** Where the head must end so that no UTF-8 character, of at most four bytes, is cut in two. */
function endOfLastCharacter (head: Buffer): number {
  for (let start = head.length - 1; start >= Math.max(0, head.length - 3); start--) {
    const byte = head.readUInt8(start)
    if (byte >= 0xc0) return start + (byte >= 0xf0 ? 4 : byte >= 0xe0 ? 3 : 2) > head.length ? start : head.length
    if (byte < 0x80) break
  }
  return head.length
}

const extensions: Record<string, string> = {
  'image/jpeg': 'jpg',
  'image/png': 'png',
  'image/webp': 'webp',
  'image/gif': 'gif',
  'image/avif': 'avif',
  'image/heic': 'heic',
  'image/heif': 'heif',
  'image/tiff': 'tif',
  'image/bmp': 'bmp',
  'image/x-icon': 'ico',
  'image/jxl': 'jxl',
  'image/vnd.adobe.photoshop': 'psd',
  'image/svg+xml': 'svg',
  'video/mp4': 'mp4',
  'video/quicktime': 'mov',
  'video/webm': 'webm',
  'video/matroska': 'mkv',
  'video/vnd.avi': 'avi',
  'video/mpeg': 'mpg',
  'video/3gpp': '3gp',
  'video/ogg': 'ogv',
  'audio/mpeg': 'mp3',
  'audio/mp4': 'm4a',
  'audio/aac': 'aac',
  'audio/ogg': 'ogg',
  'audio/wav': 'wav',
  'audio/flac': 'flac',
  'audio/amr': 'amr',
  'application/pdf': 'pdf',
  'application/rtf': 'rtf',
  'application/epub+zip': 'epub',
  'application/vnd.openxmlformats-officedocument.wordprocessingml.document': 'docx',
  'application/vnd.openxmlformats-officedocument.spreadsheetml.sheet': 'xlsx',
  'application/vnd.openxmlformats-officedocument.presentationml.presentation': 'pptx',
  'application/vnd.oasis.opendocument.text': 'odt',
  'application/vnd.oasis.opendocument.spreadsheet': 'ods',
  'application/vnd.oasis.opendocument.presentation': 'odp',
  'application/zip': 'zip',
  'application/gzip': 'gz',
  'application/x-7z-compressed': '7z',
  'application/x-rar-compressed': 'rar',
  'application/x-tar': 'tar',
  'application/json': 'json',
  'application/xml': 'xml',
  'text/xml': 'xml',
  'text/plain': 'txt',
  'text/csv': 'csv',
  'text/markdown': 'md',
  'text/html': 'html',
  'text/css': 'css',
  'text/javascript': 'js',
  'application/javascript': 'js',
  'text/calendar': 'ics',
  'text/vcard': 'vcf',
}

const typesByExtension = new Map(Object.entries(extensions).map(([type, extension]) => [extension, type]))

/** What the extension of a name says the file is; to be believed no more than what a client says. */
export const typeOfName = (filename: string): string | undefined => typesByExtension.get(/\.([a-z0-9]{1,8})$/i.exec(filename)?.[1]?.toLowerCase() ?? '')
