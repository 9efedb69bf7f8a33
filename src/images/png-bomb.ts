// Refuses small PNG files of which the image library would make gigabytes: it unpacks and keeps all texts that stand before the pixels, each time it opens one.
import { inflateSync } from 'node:zlib'
import type { Bytes } from './metadata/bytes.ts'
import { textIn } from './metadata/png-text.ts'
import { pictureError } from './picture-error.ts'
import { contentAt, placesBeforePixels, type Place } from './png-chunks.ts'

/** Chunks that it keeps, whatever they hold; what stands behind the pixels it does not even read. */
const kept = new Set(['tEXt', 'eXIf', 'sPLT', 'zTXt', 'iTXt', 'iCCP'])
const packed = new Set(['zTXt', 'iTXt', 'iCCP'])

/** Of all that is kept, packed and unpacked. The library takes a tenth of a second over them, and eight times the memory. */
const maxKeptBytes = 16 * 1024 * 1024

/** RFC 1951, section 3.2.5: two bits stand for 258 bytes at most. */
const maxRatio = 1032

/**
 * To be asked before the image library sees a file. Others than PNG files are none of its business.
 * @throws IMAGE_INVALID
 */
export function refuseBomb (bytes: Bytes): void {
  let room = maxKeptBytes
  for (const place of placesBeforePixels(bytes)) {
    if (!kept.has(place.type)) continue
    room -= place.end - place.start
    if (packed.has(place.type) && room > 0) room -= unpackedBytes(bytes, place, room)
    if (room < 0) throw pictureError('IMAGE_INVALID', `more than ${maxKeptBytes} bytes of texts stand before the pixels`)
  }
}

/** Of what cannot be unpacked, or comes to more than `atMost`, the most that it could be. */
function unpackedBytes (bytes: Bytes, place: Place, atMost: number): number {
  const content = contentAt(bytes, place)
  const { isCompressed, text } = textIn(place.type, content.subarray(content.indexOf(0) + 1))
  if (!isCompressed) return 0
  try {
    return inflateSync(text, { maxOutputLength: atMost }).length
  } catch {
    return text.length * maxRatio
  }
}
