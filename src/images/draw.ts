// The job that makes pixels of the gateway's own drawings.
import { encode } from './encode.ts'
import { sharp } from './sharp.ts'
import type { VariantSpec } from './spec.ts'
import type { Rendered } from './types.ts'

/** `svg` must never be what somebody sent; it is drawn to a square of `size` pixels. */
export async function draw ({ svg, size, format }: { svg: string, size: number, format: VariantSpec['format'] }): Promise<Rendered> {
  // From memory alone, and only here: the jobs give the library files of others as paths, and nothing in memory but what was made of them here.
  sharp.unblock({ operation: ['VipsForeignLoadSvgBuffer'] })
  const { width } = await sharp(Buffer.from(svg)).metadata()
  const picture = sharp(Buffer.from(svg), { density: Math.min(72_000, 72 * size / width) })
  const rgba = await picture.resize(size, size, { fit: 'fill' }).ensureAlpha().raw().toBuffer()
  return encode({ rgba, width: size, height: size }, format)
}
