// The job that proves that a picture can be shown: it decodes all of it once, to the size of a thumbhash.
import { rgbaToThumbHash } from 'thumbhash'
import { motionOf } from './animation.ts'
import { open } from './open.ts'
import { decoding } from './picture-error.ts'
import { cutOf, stillPixels } from './scale.ts'
import type { PictureFile } from './types.ts'

/** More a thumbhash does not take. */
export const small = { shape: 'inside', size: 100 } as const

/**
 * Of animations every frame is decoded, if they are to be shown in motion.
 * @throws IMAGE_INVALID, IMAGE_TOO_LARGE; what the file system throws
 */
export async function inspect (file: PictureFile): Promise<{ /** Base64. */ thumbhash: string }> {
  const source = await open(file)
  return decoding(file, async () => {
    const { rgba, width, height } = await stillPixels(source, cutOf(source.header, small))
    if (source.canMove) await motionOf(source, small)
    return { thumbhash: Buffer.from(rgbaToThumbHash(width, height, rgba)).toString('base64') }
  })
}
