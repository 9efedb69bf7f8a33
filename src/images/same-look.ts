// The job that proves that taking metadata out of a picture has changed nothing that is seen.
import { isDeepStrictEqual } from 'node:util'
import { motionOf } from './animation.ts'
import { small } from './inspect.ts'
import { open } from './open.ts'
import { decoding } from './picture-error.ts'
import { cutOf, stillPixels } from './scale.ts'
import type { PictureFile } from './types.ts'

/**
 * Whether two files show the same, in size, pixels and motion. Damaged pictures are compared as far as they can be shown.
 * @throws IMAGE_INVALID when one shows nothing, IMAGE_TOO_LARGE; what the file system throws
 */
export async function isSameLook ({ path, otherPath, contentType }: PictureFile & { otherPath: string }): Promise<boolean> {
  const look = await lookOf({ path, contentType })
  return isDeepStrictEqual(look, await lookOf({ path: otherPath, contentType }))
}

async function lookOf (file: PictureFile) {
  const intact = await decodedLook(file, 'error').catch(() => undefined)
  return { isDamaged: intact === undefined, look: intact ?? await decodedLook(file, 'none') }
}

async function decodedLook (file: PictureFile, failOn: 'error' | 'none') {
  const source = await open(file, { failOn })
  const { header, delays, loop } = source
  return decoding(file, async () => ({
    header, delays, loop, still: await stillPixels(source, cutOf(header, small)), motion: source.canMove ? await motionOf(source, small) : undefined,
  }))
}
