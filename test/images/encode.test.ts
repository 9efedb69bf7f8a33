import realSharp from 'sharp'
import { test } from 'tap'
import { encode, encodeMotion } from '../../src/images/encode.ts'

const pixels = (width: number, height: number, colour: number[]) => ({ width, height, rgba: Buffer.from(Array.from({ length: width * height }, () => colour).flat()) })

test('pixels are encoded in each format, without metadata', async (t) => {
  for (const format of ['avif', 'webp', 'jpeg', 'png'] as const) {
    const { bytes, ...rendered } = await encode(pixels(20, 10, [200, 30, 60, 255]), format)
    t.strictSame(rendered, { contentType: `image/${format}`, width: 20, height: 10 })
    const metadata = await realSharp(bytes).metadata()
    t.match(metadata, { format: format === 'avif' ? 'heif' : format, width: 20, height: 10, hasAlpha: false })
    t.strictSame([metadata.icc, metadata.exif, metadata.xmp, metadata.iptc, metadata.orientation], Array(5).fill(undefined), format)
  }
})

test('transparency is kept where the format has it, and white elsewhere', async (t) => {
  const clear = pixels(20, 10, [200, 30, 60, 128])
  for (const format of ['avif', 'webp', 'png'] as const) t.equal((await realSharp((await encode(clear, format)).bytes).metadata()).hasAlpha, true, format)
  const jpeg = await realSharp((await encode(clear, 'jpeg')).bytes).raw().toBuffer()
  t.ok(Math.abs((jpeg[0] ?? 0) - 227) < 5 && Math.abs((jpeg[1] ?? 0) - 142) < 5, `${jpeg[0]} ${jpeg[1]}`)
})

test('auto is PNG where something shows through, and JPEG elsewhere', async (t) => {
  t.equal((await encode(pixels(4, 4, [1, 2, 3, 255]), 'auto')).contentType, 'image/jpeg')
  t.equal((await encode(pixels(4, 4, [1, 2, 3, 254]), 'auto')).contentType, 'image/png')
})

test('frames become an animated WebP', async (t) => {
  const rgba = Buffer.concat([[255, 0, 0, 255], [0, 255, 0, 255], [0, 0, 255, 255]].map((colour) => pixels(8, 6, colour).rgba))
  const { bytes, ...rendered } = await encodeMotion({ rgba, width: 8, height: 6, delays: [40, 80, 120], loop: 4 })
  t.strictSame(rendered, { contentType: 'image/webp', width: 8, height: 6 })
  t.match(await realSharp(bytes).metadata(), { pages: 3, width: 8, height: 6, delay: [40, 80, 120], loop: 4 })
})
