// The job that makes a variant of a picture.
import { motionOf } from './animation.ts'
import { encode, encodeMotion } from './encode.ts'
import { maxAnimatedBytes } from './limits.ts'
import { open, type Source } from './open.ts'
import { decoding } from './picture-error.ts'
import { cutOf, stillPixels } from './scale.ts'
import type { VariantSpec } from './spec.ts'
import type { Picture, Rendered } from './types.ts'

/**
 * Upright, in sRGB, without metadata, and never larger than the picture is. It moves when that is asked for in WebP, and the animation is
 * within the limits (`canMove`); of all others the first frame is shown.
 * @throws IMAGE_INVALID, IMAGE_TOO_LARGE; what the file system throws
 */
export async function render ({ spec, ...picture }: Picture & { spec: VariantSpec }): Promise<Rendered> {
  const source = await open(picture)
  return decoding(picture, async () => await moving(source, spec) ?? encode(await stillPixels(source, cutOf(source.header, spec)), spec.format))
}

async function moving (source: Source, spec: VariantSpec): Promise<Rendered | undefined> {
  if (!spec.isAnimated || !source.canMove || spec.format !== 'webp') return undefined
  const rendered = await encodeMotion(await motionOf(source, spec))
  return rendered.bytes.length <= maxAnimatedBytes ? rendered : undefined
}
