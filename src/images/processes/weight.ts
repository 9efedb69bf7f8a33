// What a job weighs: the most memory it holds while it runs, measured with sharp 0.35 and libheif 1.23.
import { stat } from 'node:fs/promises'
import { isHeic, type Header, type Picture, type PictureType } from '../types.ts'

/** Bytes for each pixel of one frame, of the worst kind of its format; of a progressive one; and for each pixel of all other frames. */
const costs: Readonly<Record<PictureType, { readonly first: number, readonly progressive?: number, readonly further: number }>> = {
  // With full colour resolution: progressive, all coefficients at once.
  'image/jpeg': { first: 1, progressive: 7, further: 0 },
  // With 16 bits and alpha.
  'image/png': { first: 5, progressive: 11, further: 5 },
  // Frames of an animation are held together.
  'image/webp': { first: 5, further: 5 },
  'image/gif': { first: 7, further: 0 },
  // 12 bits with full colour resolution; with 8 bits it is 20.
  'image/avif': { first: 27, further: 0 },
  'image/heic': { first: 16, further: 0 },
  'image/heif': { first: 16, further: 0 },
}

/** Of any job, in bytes. */
const base = 8 * 1024 ** 2

/** Bytes for each pixel that is drawn or encoded. */
export const pixelBytes = 8
const pixelBytesOfAvif = 40

/** What of a header the decoding depends on; where nobody has asked, a picture counts as progressive. */
export type Measures = Pick<Header, 'width' | 'height' | 'frames'> & { readonly isProgressive?: boolean }

/** Bytes that the decoding of a picture takes; `frames` are those that are decoded. */
export function weightOf ({ contentType, width, height, frames, isProgressive = true }: Measures & { contentType: PictureType }): number {
  const { first, progressive = first, further } = costs[contentType]
  return base + width * height * ((isProgressive ? progressive : first) + further * (frames - 1))
}

/**
 * Bytes that a job takes beside that, whatever else it asks of the pixels or the header: HEIC is read whole, and once more for its decoder.
 * @throws what the file system throws
 */
export async function weightOfFile (picture: Picture): Promise<number> {
  if (!isHeic(picture.contentType)) return 0
  return 2 * ('bytes' in picture ? picture.bytes.length : (await stat(picture.path)).size)
}

/** Bytes that making a picture with sides up to `size` pixels takes, beside the decoding of what it is made from. */
export function weightOfOutput ({ size, format }: { size: number, format: string }): number {
  return size ** 2 * (format === 'avif' ? pixelBytesOfAvif : pixelBytes)
}
