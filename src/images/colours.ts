// What pictures declare of their colours that the image library does not heed: all but profiles.
import { fromGamma } from './gamma.ts'
import { createBoxReader, type Box, type BoxReader, type Range } from './metadata/isobmff/boxes.ts'
import type { Bytes } from './metadata/bytes.ts'
import { declaredInPng } from './png-chunks.ts'
import type { PictureType } from './types.ts'
import { fromDisplayP3, fromRec2020 } from './wide-gamut.ts'

/** Changes pixels in place: RGB of 8 bits a sample, with alpha, which stays. */
export type Conversion = (rgba: Buffer) => void

/** By ITU-T H.273, table 2. */
const byPrimaries: ReadonlyMap<number | undefined, Conversion> = new Map([[9, fromRec2020], [12, fromDisplayP3]])

/**
 * By ITU-T H.273, table 3: sRGB, and the one curve of BT.601, BT.709 and BT.2020, which is shown as that of sRGB whatever the primaries. PQ (16)
 * and HLG (18) stay as they are: no standard says how to show so much light with so little.
 */
const curvesOfSrgb = new Set<number | undefined>([1, 6, 13, 14, 15])

/** Makes sRGB of the pixels of a picture; undefined where they are, or a profile says what they are. */
export function conversionToSrgb (bytes: Bytes, contentType: PictureType): Conversion | undefined {
  if (contentType === 'image/png') return conversionOfPng(bytes)
  return contentType === 'image/avif' ? conversionOfAvif(bytes) : undefined
}

function conversionOf (primaries: number | undefined, transfer: number | undefined): Conversion | undefined {
  return curvesOfSrgb.has(transfer) ? byPrimaries.get(primaries) : undefined
}

/** PNG Specification, Third Edition, section 4.3: the first of cICP, iCCP, sRGB and gAMA counts. Primaries (cHRM) are taken to be those of sRGB. */
function conversionOfPng (bytes: Bytes): Conversion | undefined {
  const codePoints = declaredInPng(bytes, 'cICP')
  if (codePoints) return conversionOf(codePoints[0], codePoints[1])
  if (declaredInPng(bytes, 'iCCP') || declaredInPng(bytes, 'sRGB')) return undefined
  const gamma = declaredInPng(bytes, 'gAMA')
  return gamma?.length === 4 ? fromGamma(gamma.readUInt32BE()) : undefined
}

/** ISO/IEC 14496-12, section 12.1.5: a colr box among the properties of items. Of several pictures in a file, all are in one space. */
function conversionOfAvif (bytes: Bytes): Conversion | undefined {
  for (const { content } of boxesAt(createBoxReader(bytes), { start: 0, end: bytes.size }, ['meta', 'iprp', 'ipco', 'colr'])) {
    const [kind, codePoints] = [bytes.read(content, 4), bytes.read(content + 4, 4)]
    if (kind.toString('latin1') !== 'nclx' || codePoints.length < 4) continue
    const conversion = conversionOf(codePoints.readUInt16BE(0), codePoints.readUInt16BE(2))
    // Transparency is a picture too, with a colr box that need not say anything.
    if (conversion) return conversion
  }
  return undefined
}

function * boxesAt (boxes: BoxReader, { start, end }: Range, [type, ...deeper]: readonly string[]): Generator<Box> {
  for (const box of boxes.boxesThatFit(start, end)) {
    if (box.type !== type) continue
    if (deeper.length === 0) yield box
    // A version and flags come first in a meta box.
    else yield * boxesAt(boxes, { start: box.content + (type === 'meta' ? 4 : 0), end: box.end }, deeper)
  }
}
