// Walks the chunks of PNG files (PNG Specification, Third Edition, section 5.3), and writes them.
import { crc32 } from 'node:zlib'
import { bytesInMemory, type Bytes } from './metadata/bytes.ts'
import { pictureError } from './picture-error.ts'

/** Where a chunk is: [start, end) with its length and its checksum. The file may end before it does. */
export type Place = { readonly type: string, readonly start: number, readonly end: number }

export type Chunk = { readonly type: string, readonly content: Buffer }

export const pngSignature = Buffer.from('\x89PNG\r\n\x1a\n', 'latin1')

// The length and the type stand before the content, the checksum behind it.
const headBytes = 8
const checksumBytes = 4
const overheadBytes = headBytes + checksumBytes

// Honest files have a few dozen. The image library takes seconds over a million of them.
const maxBeforePixels = 2000
// Of those that are asked for by their type: none needs more.
const maxDeclaredBytes = 32

/** All up to IEND, or to where no further can be read; none of what is no PNG file. */
export function * placesOf (bytes: Bytes): Generator<Place> {
  if (!bytes.read(0, pngSignature.length).equals(pngSignature)) return
  for (let start = pngSignature.length, type = ''; type !== 'IEND';) {
    const head = bytes.read(start, headBytes)
    if (head.length < headBytes) return
    type = head.toString('latin1', 4)
    const end = start + overheadBytes + head.readUInt32BE()
    yield { type, start, end }
    start = end
  }
}

/**
 * Those before the first IDAT.
 * @throws IMAGE_INVALID when there are too many
 */
export function * placesBeforePixels (bytes: Bytes): Generator<Place> {
  let count = 0
  for (const place of placesOf(bytes)) {
    if (place.type === 'IDAT') return
    if (++count > maxBeforePixels) throw pictureError('IMAGE_INVALID', `more than ${maxBeforePixels} chunks stand before the pixels`)
    yield place
  }
}

export const contentSpan = ({ start, end }: Place): [start: number, end: number] => [start + headBytes, end - checksumBytes]

/** Shorter than its length says when the file is cut off. */
export function contentAt (bytes: Bytes, place: Place, atMost = Infinity): Buffer {
  const [start, end] = contentSpan(place)
  return bytes.read(start, Math.min(atMost, end - start))
}

/**
 * What the first chunk of a type says that stands before the pixels, as far as 32 bytes go; undefined when there is none.
 * @throws IMAGE_INVALID when there are too many chunks
 */
export function declaredInPng (bytes: Bytes, type: string): Buffer | undefined {
  for (const place of placesBeforePixels(bytes)) if (place.type === type) return contentAt(bytes, place, maxDeclaredBytes)
  return undefined
}

/** Those of a file that is in memory, up to where the first is cut off. */
export function * chunksOf (file: Buffer): Generator<Chunk> {
  const bytes = bytesInMemory(file)
  for (const place of placesOf(bytes)) {
    if (place.end > file.length) return
    yield { type: place.type, content: contentAt(bytes, place) }
  }
}

export function chunk (type: string, content: Buffer): Buffer {
  const whole = Buffer.alloc(content.length + overheadBytes)
  content.copy(whole, headBytes)
  return frame(whole, type)
}

/** Makes a chunk of bytes whose content is in its place, from the ninth to the fifth from the end. */
export function frame (whole: Buffer, type: string): Buffer {
  const checksumAt = whole.length - checksumBytes
  whole.writeUInt32BE(whole.length - overheadBytes)
  whole.write(type, 4, 'latin1')
  whole.writeUInt32BE(crc32(whole.subarray(4, checksumAt)), checksumAt)
  return whole
}
