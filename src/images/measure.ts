// Width and height of pictures, from their headers; no pixel is decoded.
import pLimit from 'p-limit'
import { ImageInvalid, ImageTooLarge } from '../errors.ts'
import { sizeInHeader } from './header.ts'
import { sharp } from './sharp.ts'

/** Pixels, as shown: upright (EXIF orientation applied), and one frame of an animation. */
export type Dimensions = { readonly width: number, readonly height: number }

export const maxPixels = 40_000_000
export const maxSide = 10_000

// Half of the threads that file access shares with it.
const gate = pLimit(2)

/**
 * The dimensions of a whole picture.
 * @throws ImageInvalid when its header cannot be read; ImageTooLarge over maxPixels or maxSide
 */
export async function measure (picture: Buffer): Promise<Dimensions> {
  const dimensions = await read(picture).catch((cause) => { throw new ImageInvalid({ cause }) })
  const { width, height } = dimensions
  if (width * height > maxPixels || Math.max(width, height) > maxSide) throw new ImageTooLarge(maxPixels, maxSide)
  return dimensions
}

/** The dimensions of whatever begins with `head` (1 MiB is plenty), of any size; undefined when it is no picture that can be read. */
export async function measureIfImage (head: Buffer): Promise<Dimensions | undefined> {
  return await read(head).catch(() => sizeInHeader(head))
}

async function read (picture: Buffer): Promise<Dimensions> {
  // The pixel limit is ours to judge here: the library's would make a large picture look like a broken one.
  const { autoOrient } = await gate(() => sharp(picture, { failOn: 'error', limitInputPixels: false }).metadata())
  return { width: autoOrient.width, height: autoOrient.height }
}
