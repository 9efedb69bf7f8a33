// HEIC and HEIF pictures: their header, and their pixels in a form that the image library opens. Decoded here, in this process, by libheif.
import { collectGarbage } from './heic/collect.ts'
import { createLibheif } from './heic/libheif.ts'
import { limitedContext, maxMemoryBytes, strictOptions } from './heic/limits.ts'
import { p3Profile } from './heic/p3.ts'
import { openPicture, type HeifPicture } from './heic/picture.ts'
import { createPng } from './heic/png.ts'
import { refuseTooLarge } from './limits.ts'
import { pictureError } from './picture-error.ts'
import type { Header } from './types.ts'

/** Of Display P3 (SMPTE EG 432-1) in ITU-T H.273, table 2. */
const p3Primaries = 12

/**
 * Of the primary picture, of any size, whichever others are in the file. No pixel is decoded.
 * @throws IMAGE_INVALID when libheif does not understand the file
 */
export async function heicHeader (file: Buffer): Promise<Header> {
  return withPicture(file, ({ width, height, hasAlpha }) => ({ width, height, frames: 1, hasAlpha, isProgressive: false }))
}

/**
 * The primary picture as an uncompressed PNG file: upright, with its colour profile, 8 bits a sample whatever it had, for nothing that is made of it has more.
 * A file that is cut off is refused; damage within the data of pixels shows as smears, for the decoder covers it up.
 * @throws IMAGE_INVALID, IMAGE_TOO_LARGE: also when decoding takes more memory than is given
 */
export async function decodeHeic (file: Buffer): Promise<Buffer> {
  const p3 = await p3Profile()
  // What is left of the picture before this one, and then the decoder of this one: the two would add up.
  collectGarbage()
  try {
    return withPicture(file, (picture) => draw(picture, p3))
  } finally {
    collectGarbage()
  }
}

function draw (picture: HeifPicture, p3: Buffer): Buffer {
  refuseTooLarge(picture)
  const png = createPng(picture, picture.icc() ?? (picture.primaries() === p3Primaries ? p3 : undefined))
  for (const piece of picture.pieces()) png.put(piece)
  return png.finish()
}

function withPicture<Result> (file: Buffer, work: (picture: HeifPicture) => Result): Result {
  let isExhausted = false
  const libheif = createLibheif(maxMemoryBytes, () => { isExhausted = true })
  const settings = { context: limitedContext(libheif), options: strictOptions(libheif) }
  try {
    return work(openPicture(libheif, file, settings))
  } catch (cause) {
    if (cause instanceof Error && 'code' in cause) throw cause
    if (isExhausted) throw pictureError('IMAGE_TOO_LARGE', 'decoding the HEIF picture takes more memory than is given', cause)
    throw pictureError('IMAGE_INVALID', 'the HEIF picture cannot be decoded', cause)
  }
}
