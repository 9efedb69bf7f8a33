// What is written over the metadata items of a HEIF file: as long as they are, and of the same kind, but saying nothing.
import { bytesInMemory } from '../bytes.ts'
import { orientationOnly, readExif } from '../exif.ts'
import type { Kind } from '../removal.ts'
import { tellsLocation } from '../location.ts'
import type { Item } from './items.ts'
import type { Rewriting } from './layout.ts'

/** A TIFF file with a directory of no entries. */
const emptyExif = Buffer.from([0x4d, 0x4d, 0, 42, 0, 0, 0, 8, 0, 0, 0, 0, 0, 0])
const exifPrefix = Buffer.from('Exif\0\0')
const space = 0x20
const blanks = new Set([0, 0xff, space])

export const isText = ({ type }: Pick<Item, 'type'>): boolean => type === 'mime' || type === 'uri '

/** Undefined when it says nothing of anybody. */
export function rewriteItem (item: Item, content: Buffer): Rewriting | undefined {
  if (content.every((byte) => blanks.has(byte))) return undefined
  if (item.type === 'Exif') return rewriteExif(content)
  return { content: Buffer.alloc(content.length, isText(item) ? space : 0), kinds: withLocation(kindOf(item), tellsLocation(bytesInMemory(content), 0, content.length)) }
}

function kindOf ({ type, contentType }: Item): Kind {
  if (contentType === 'application/rdf+xml') return 'xmp'
  return type === 'jpeg' || contentType.startsWith('image/') ? 'thumbnail' : 'other'
}

/**
 * ISO/IEC 23008-12, annex A.2.1: four bytes that tell how far behind them the TIFF header is, and the EXIF block. Its orientation should be
 * ignored, for the picture has its own; it stays for those who heed it all the same.
 */
function rewriteExif (content: Buffer): Rewriting | undefined {
  const offset = content.length < 4 ? 0 : content.readUInt32BE(0)
  const start = Math.min(4 + offset, content.length)
  const exif = readExif(bytesInMemory(content), start, content.length)
  const before = content.subarray(4, start)
  if (exif.isImpersonal && (before.length === 0 || before.equals(exifPrefix))) return undefined

  const replacement = Buffer.alloc(content.length)
  const tiff = exif.orientation === undefined ? emptyExif : orientationOnly(exif.orientation, false)
  if (4 + tiff.length <= content.length) tiff.copy(replacement, 4)
  return { content: replacement, kinds: [...withLocation('exif', exif.hasLocation), ...exif.hasThumbnail ? ['thumbnail' as const] : []] }
}

const withLocation = (kind: Kind, hasLocation: boolean): Kind[] => hasLocation ? [kind, 'location'] : [kind]
