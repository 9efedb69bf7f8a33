// How large a picture may be that is decoded, and how long an animation that is shown in motion.
import { pictureError } from './picture-error.ts'
import type { Header } from './types.ts'

/** And of all frames of an animation together, if it is to move: of PNG, the slowest, they take three seconds of one core. */
export const maxPixels = 40_000_000
/** Pixels. */
export const maxSide = 10_000

/** Of a file of which any is shown. */
export const maxFrames = 2000
export const maxAnimatedFrames = 200
/** Of the file, and of the variant made of it. */
export const maxAnimatedBytes = 10 * 1024 * 1024
/** Of the profiles of all frames of a PNG: each is unpacked with its own. */
export const maxAnimatedProfileBytes = 16 * 1024 * 1024
/** Pixels of all frames of what is made of it: 320 px a side at 200 frames. Encoding takes two seconds of one core. */
export const maxAnimatedPixelsOut = maxAnimatedFrames * 320 * 320

/** To be decoded. */
export const isTooLarge = ({ width, height }: Pick<Header, 'width' | 'height'>): boolean => width * height > maxPixels || Math.max(width, height) > maxSide

/** @throws IMAGE_TOO_LARGE */
export function refuseTooLarge ({ width, height }: Pick<Header, 'width' | 'height'>): void {
  if (isTooLarge({ width, height })) throw pictureError('IMAGE_TOO_LARGE', `a picture of ${width} x ${height} pixels is not decoded`)
}

/** Whether an animation is one that is shown in motion; of others only the first frame is ever looked at. */
export function canMove ({ width, height, frames }: Pick<Header, 'width' | 'height' | 'frames'>, bytes: number): boolean {
  return frames > 1 && frames <= maxAnimatedFrames && bytes <= maxAnimatedBytes && frames * width * height <= maxPixels
}
