// Encodes pixels in the formats of variants. No metadata goes with them: they are sRGB, which is what all take for granted.
import type { Sharp } from 'sharp'
import type { Motion } from './animation.ts'
import type { Pixels } from './scale.ts'
import { sharp } from './sharp.ts'
import type { VariantSpec } from './spec.ts'
import type { Rendered } from './types.ts'

type Format = Exclude<VariantSpec['format'], 'auto'>

const encoders: Record<Format, (picture: Sharp) => Sharp> = {
  // At the effort of 4, the default, 1024 px take 5 seconds.
  avif: (picture) => picture.avif({ quality: 63, effort: 2 }),
  webp: (picture) => picture.webp({ quality: 79 }),
  // To try which order of scans is the smallest takes a third of the time and saves 1 to 4 %.
  jpeg: (picture) => picture.flatten({ background: 'white' }).jpeg({ quality: 80, mozjpeg: true, optimiseScans: false }),
  png: (picture) => picture.png(),
}

/** `auto`: JPEG, or PNG where there is transparency. */
export async function encode (pixels: Pixels, format: VariantSpec['format']): Promise<Rendered> {
  const { rgba, width, height } = pixels
  const isClear = isSeenThrough(rgba)
  const chosen = format === 'auto' ? (isClear ? 'png' : 'jpeg') : format
  const picture = sharp(rgba, { raw: { width, height, channels: 4 } })
  const bytes = await encoders[chosen](isClear ? picture : picture.removeAlpha()).toBuffer()
  return { bytes, contentType: `image/${chosen}`, width, height }
}

/** As WebP, which alone is small, quick to encode and shown in motion by all browsers. */
export async function encodeMotion ({ rgba, width, height, delays, loop }: Motion): Promise<Rendered> {
  const picture = sharp(rgba, { raw: { width, height: rgba.length / 4 / width, channels: 4, pageHeight: height }, limitInputPixels: false })
  const bytes = await picture.webp({ quality: 79, effort: 2, delay: [...delays], loop }).toBuffer()
  return { bytes, contentType: 'image/webp', width, height }
}

function isSeenThrough (rgba: Buffer): boolean {
  for (let at = 3; at < rgba.length; at += 4) if (rgba[at] !== 255) return true
  return false
}
