// Cuts pictures to the shape and scales them to the size of a variant; never up. What comes out are pixels.
import type { Region, Sharp } from 'sharp'
import type { Source } from './open.ts'
import type { VariantSpec } from './spec.ts'

/** sRGB with transparency, 8 bits a channel. */
export type Pixels = {
  readonly rgba: Buffer
  readonly width: number
  readonly height: number
}

export type Shape = Pick<VariantSpec, 'shape' | 'size' | 'crop'>

/** Which part of an upright picture is taken, and how large it comes out; pixels. */
export type Cut = {
  readonly region: Region
  readonly width: number
  readonly height: number
  /** Which part of a region is shown that is of another shape; undefined where it is of the same but for rounding. */
  readonly position?: 'attention' | 'centre'
}

export function cutOf ({ width, height }: { width: number, height: number }, { shape, size, crop }: Shape): Cut {
  const region = crop ? regionOf(crop, width, height) : { left: 0, top: 0, width, height }
  if (shape === 'square') {
    const side = Math.min(size, region.width, region.height)
    return { region, width: side, height: side, position: crop ? 'centre' : 'attention' }
  }
  const scale = Math.min(1, size / Math.max(region.width, region.height))
  const scaled = (side: number) => Math.max(1, Math.round(side * scale))
  return { region, width: scaled(region.width), height: scaled(region.height) }
}

/** At least one pixel, and none outside, whatever the fractions are. */
function regionOf ({ x, y, width, height }: NonNullable<Shape['crop']>, fullWidth: number, fullHeight: number): Region {
  const [left, right] = span(x, x + width, fullWidth)
  const [top, bottom] = span(y, y + height, fullHeight)
  return { left, top, width: right - left, height: bottom - top }
}

function span (from: number, to: number, full: number): [start: number, end: number] {
  const start = Math.min(full - 1, Math.max(0, Math.round(from * full)))
  return [start, Math.min(full, Math.max(start + 1, Math.round(to * full)))]
}

/** `full` is the size of the picture, or of a frame. */
export function take (picture: Sharp, { region, width, height, position }: Cut, full: { width: number, height: number }): Sharp {
  // Not to cut out the whole lets the library read JPEG and WebP files at a smaller scale.
  const isWhole = region.width === full.width && region.height === full.height
  const part = isWhole ? picture : picture.extract(region)
  const resized = position === undefined ? part.resize(width, height, { fit: 'fill' }) : part.resize(width, height, { fit: 'cover', position })
  return resized.ensureAlpha()
}

/** The first frame. */
export async function stillPixels (source: Source, cut: Cut): Promise<Pixels> {
  const { data: rgba, info: { width, height } } = await take(source.still(), cut, source.header).raw().toBuffer({ resolveWithObject: true })
  source.toSrgb?.(rgba)
  return { rgba, width, height }
}
