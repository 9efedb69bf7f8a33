// What an EXIF block says, as far as removing it needs to know, and the one that says nothing but which way is up.
import type { Bytes } from './bytes.ts'

export type Exif = {
  /** 2 to 8; undefined for upright (1), and where none is given or none can be understood. */
  readonly orientation: number | undefined
  /** Whether the letters "Exif" and two zeros stand before it. */
  readonly isPrefixed: boolean
  readonly hasLocation: boolean
  readonly hasThumbnail: boolean
  /** It says nothing of a person, a place, a time or a device, and hides nothing: it may stay. */
  readonly isImpersonal: boolean
}

const tags = { orientation: 0x0112, exifIfd: 0x8769, gpsIfd: 0x8825, gpsVersion: 0x0000 }

/** Of the size of the picture, its resolution, its colours and the version of EXIF (CIPA DC-008, 4.6). */
const impersonalTags = new Set([
  0x0100, 0x0101, tags.orientation, 0x011a, 0x011b, 0x0128, 0x0213, tags.exifIfd, 0x9000, 0x9101, 0xa000, 0xa001, 0xa002, 0xa003,
])

const prefix = Buffer.from('Exif\0\0')
const unintelligible: Contents = { orientation: undefined, hasLocation: false, hasThumbnail: false, isImpersonal: false }

/** Bytes of one value of each TIFF type, 1 to 12 (TIFF 6.0, section 2). */
const sizes = [0, 1, 1, 2, 4, 8, 1, 1, 2, 4, 8, 4, 8]
// More than one segment of a JPEG file can hold; what stands behind it in other formats counts as personal.
const maxBytes = 64 * 1024
const maxImpersonalValueBytes = 8

/**
 * The EXIF block in [start, end) of a file, which is a TIFF file of its own, with or without the letters "Exif" and two zeros before it.
 * Never throws for what is in it: a damaged block is a personal one.
 */
export function readExif (bytes: Bytes, start: number, end: number): Exif {
  const isPrefixed = bytes.read(start, Math.min(prefix.length, end - start)).equals(prefix)
  const tiffStart = isPrefixed ? start + prefix.length : start
  return { isPrefixed, ...readTiff(bytes.read(tiffStart, Math.min(maxBytes, end - tiffStart))) }
}

/** An EXIF block of 26 bytes (and its prefix), which has no tag but the orientation, 1 to 8. */
export function orientationOnly (orientation: number, isPrefixed: boolean): Buffer {
  const tiff = Buffer.from([0x4d, 0x4d, 0, 42, 0, 0, 0, 8, 0, 1, 0x01, 0x12, 0, 3, 0, 0, 0, 1, 0, orientation, 0, 0, 0, 0, 0, 0])
  return isPrefixed ? Buffer.concat([prefix, tiff]) : tiff
}

type Contents = Omit<Exif, 'isPrefixed'>

function readTiff (block: Buffer): Contents {
  const order = block.toString('latin1', 0, 4)
  if (!['II*\0', 'MM\0*'].includes(order) || block.length < 8) return unintelligible
  const tiff = { block, isLittle: order.startsWith('I') }

  const main = readDirectory(tiff, long(tiff, 4))
  const exifAt = main.entries.find(({ tag }) => tag === tags.exifIfd)
  const gpsAt = main.entries.find(({ tag }) => tag === tags.gpsIfd)
  const exif = exifAt && readDirectory(tiff, long(tiff, exifAt.inline))
  const gps = gpsAt && readDirectory(tiff, long(tiff, gpsAt.inline))
  return {
    orientation: orientationIn(tiff, main),
    hasLocation: gps?.entries.some(({ tag }) => tag !== tags.gpsVersion) ?? false,
    hasThumbnail: main.next !== 0,
    isImpersonal: isImpersonal(tiff, exif ? [main, exif] : [main]),
  }
}

type Tiff = { readonly block: Buffer, readonly isLittle: boolean }
/** `inline` is where its last four bytes are: the value, or where it is. */
type Entry = { readonly tag: number, readonly type: number, readonly count: number, readonly inline: number, readonly valueStart: number, readonly valueEnd: number }
/** `next` is where the next directory begins, 0 if there is none. */
type Directory = { readonly start: number, readonly entries: readonly Entry[], readonly next: number, readonly isWhole: boolean }

/** TIFF 6.0, section 2: a count of two bytes, twelve bytes for each entry, four for where the next directory is. */
function readDirectory (tiff: Tiff, start: number): Directory {
  const size = tiff.block.length
  const count = start + 2 <= size ? short(tiff, start) : 0
  const end = start + 2 + count * 12
  const whole = Math.min(count, Math.max(0, Math.floor((size - start - 2) / 12)))
  const entries = Array.from({ length: whole }, (_, index) => readEntry(tiff, start + 2 + index * 12))
  const isWhole = start >= 8 && end + 4 <= size
  return { start, entries, next: isWhole ? long(tiff, end) : 0, isWhole }
}

function readEntry (tiff: Tiff, at: number): Entry {
  const type = short(tiff, at + 2)
  const count = long(tiff, at + 4)
  const length = count * (sizes[type] ?? Infinity)
  const inline = at + 8
  const valueStart = length <= 4 ? inline : long(tiff, inline)
  return { tag: short(tiff, at), type, count, inline, valueStart, valueEnd: valueStart + length }
}

function orientationIn (tiff: Tiff, { entries }: Directory): number | undefined {
  const entry = entries.find(({ tag }) => tag === tags.orientation)
  if (entry?.count !== 1) return undefined
  // SHORT by the standard; a byte and a LONG are understood by the image library too.
  const readers: Record<number, typeof short> = { 1: byte, 3: short, 4: long }
  const orientation = readers[entry.type]?.(tiff, entry.inline) ?? 1
  return orientation >= 2 && orientation <= 8 ? orientation : undefined
}

function isImpersonal (tiff: Tiff, directories: readonly Directory[]): boolean {
  if (!directories.every(({ isWhole, next, entries }) => isWhole && next === 0 && entries.every(isImpersonalEntry))) return false
  const unsaid = Buffer.from(tiff.block).fill(0, 0, 8)
  for (const { start, entries } of directories) {
    unsaid.fill(0, start, start + 2 + entries.length * 12 + 4)
    for (const { valueStart, valueEnd } of entries) if (valueEnd <= unsaid.length) unsaid.fill(0, valueStart, valueEnd)
  }
  return tiff.block.length < maxBytes && unsaid.every((byte) => byte === 0)
}

function isImpersonalEntry ({ tag, valueStart, valueEnd }: Entry): boolean {
  return impersonalTags.has(tag) && valueEnd - valueStart <= maxImpersonalValueBytes
}

function byte ({ block }: Tiff, at: number): number {
  return block.readUInt8(at)
}

function short ({ block, isLittle }: Tiff, at: number): number {
  return isLittle ? block.readUInt16LE(at) : block.readUInt16BE(at)
}

function long ({ block, isLittle }: Tiff, at: number): number {
  return isLittle ? block.readUInt32LE(at) : block.readUInt32BE(at)
}
