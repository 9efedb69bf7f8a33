// The job that makes of a HEIC picture, which takes seconds to decode, one that takes a moment: all its variants are made of that.
import type { Sharp } from 'sharp'
import { open, type Source } from './open.ts'
import { decoding } from './picture-error.ts'
import type { PictureFile, Rendered } from './types.ts'

/** As much as the cache is sure to keep; the gateway's own process passes it on. */
const maxBytes = 16 * 1024 * 1024

/** More take too long as PNG, to make and to read. */
const maxClearPixels = 10_000_000

/** Pictures that shrink to more bytes than expected are made to be hostile. */
const maxTries = 3

/**
 * Upright, in sRGB and without metadata: a JPEG that is hard to tell from the picture. One that is seen through is a PNG, of ten megapixels at
 * most. Of full size, unless that takes more than 16 MiB.
 * @throws IMAGE_INVALID, IMAGE_TOO_LARGE; what the file system throws
 */
export async function master (file: PictureFile): Promise<Rendered> {
  const source = await open(file)
  return decoding(file, async () => await isSeenThrough(source)
    ? fitting(source, 'image/png', maxClearPixels, (picture) => picture.png({ compressionLevel: 1 }))
    : fitting(source, 'image/jpeg', Infinity, (picture) => picture.removeAlpha().jpeg({ quality: 92, chromaSubsampling: '4:4:4', optimiseCoding: false })))
}

async function isSeenThrough ({ header, still }: Source): Promise<boolean> {
  return header.hasAlpha && !(await still().extractChannel('alpha').raw().toBuffer()).every((value) => value === 255)
}

/** With fewer pixels from try to try, until it is small enough. */
async function fitting (source: Source, contentType: string, maxPixels: number, encoded: (picture: Sharp) => Sharp, triesLeft = maxTries): Promise<Rendered> {
  const { data: bytes, info: { width, height } } = await encoded(bounded(source, maxPixels)).toBuffer({ resolveWithObject: true })
  if (bytes.length <= maxBytes || triesLeft === 1) return { bytes, contentType, width, height }
  return fitting(source, contentType, 0.9 * width * height * maxBytes / bytes.length, encoded, triesLeft - 1)
}

function bounded ({ header: { width, height }, still }: Source, maxPixels: number): Sharp {
  const scale = Math.sqrt(maxPixels / (width * height))
  return scale < 1 ? still().resize(Math.floor(width * scale), Math.floor(height * scale), { fit: 'fill' }) : still()
}
