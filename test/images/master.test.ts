import { randomBytes } from 'node:crypto'
import realSharp from 'sharp'
import { test } from 'tap'
import { master } from '../../src/images/master.ts'
import { render } from '../../src/images/render.ts'
import { codedIn, colrNclx, heif, irot, single, type Coded } from '../fixtures/heif.ts'
import { colourAt, corners, file, isNear, plain } from './made.ts'

const quad = codedIn(heif('quad'))[0] as Coded

test('it is a JPEG of full size, and looks as the picture does', async (t) => {
  for (const name of ['quad', 'deep'] as const) {
    const { bytes, ...rest } = await master(await file(t, heif(name), 'image/heic'))
    t.strictSame(rest, { contentType: 'image/jpeg', width: 96, height: 64 })
    t.strictSame(await corners(bytes), ['red', 'green', 'blue', 'white'])
    t.match(await realSharp(bytes).metadata(), { format: 'jpeg', chromaSubsampling: '4:4:4', isProgressive: false, hasAlpha: false })
  }
})

test('it is upright, in sRGB, and without metadata', async (t) => {
  const { bytes, width, height } = await master(await file(t, single(quad, 96, 64, [irot(1), colrNclx(12, 13)]), 'image/heif'))
  t.strictSame([width, height], [64, 96])
  t.ok(isNear(await colourAt(bytes, 0.25, 0.9), [239, 5, 27], 12), 'a red of Display P3 is more in sRGB')
  const { icc, exif, orientation, space } = await realSharp(bytes).metadata()
  t.strictSame([icc, exif, orientation, space], [undefined, undefined, undefined, 'srgb'])
})

test('what is seen through is a PNG, which tells how much', async (t) => {
  for (const name of ['alpha', 'premultiplied'] as const) {
    const { bytes, ...rest } = await master(await file(t, heif(name), 'image/heic'))
    t.strictSame(rest, { contentType: 'image/png', width: 96, height: 64 })
    const [above, below] = [await pixelAt(bytes, 0.2, 0.2), await pixelAt(bytes, 0.2, 0.8)]
    t.ok(isNear(above, [220, 40, 40, 255]) && isNear(below, [50, 70, 210, 128]), `${above} ${below}`)
  }
})

const pixelAt = async (picture: Buffer, x: number, y: number) => {
  const { data, info } = await realSharp(picture).raw().toBuffer({ resolveWithObject: true })
  const at = (Math.floor(y * info.height) * info.width + Math.floor(x * info.width)) * info.channels
  return [...data.subarray(at, at + info.channels)]
}

test('where all of it is opaque, transparency that the file declares changes nothing', async (t) => {
  t.match(await master(await file(t, plain(60, 40, { r: 200, g: 100, b: 50, alpha: 1 }).png().toBuffer(), 'image/png')), { contentType: 'image/jpeg' })
})

test('a PNG has ten megapixels at most', async (t) => {
  const large = await master(await file(t, plain(4000, 3000, { r: 200, g: 100, b: 50, alpha: 0.5 }).png().toBuffer(), 'image/png'))
  t.match(large, { contentType: 'image/png', width: 3651, height: 2738 })
  t.match(await realSharp(large.bytes).metadata(), { width: 3651, height: 2738 })
  const narrow = plain(10_000, 1, { r: 200, g: 100, b: 50, alpha: 0.5 }).png().toBuffer()
  t.match(await master(await file(t, narrow, 'image/png')), { width: 10_000, height: 1 })
})

const noise = (width: number, height: number, channels: 3 | 4) => realSharp(randomBytes(width * height * channels), { raw: { width, height, channels } }).png({ compressionLevel: 0 }).toBuffer()

test('it has 16 MiB at most, and as many pixels as go into that', async (t) => {
  for (const [channels, contentType, atLeast] of [[4, 'image/png', 3_000_000], [3, 'image/jpeg', 7_000_000]] as const) {
    const { bytes, width, height, ...rest } = await master(await file(t, noise(4000, 3000, channels), 'image/png'))
    t.strictSame(rest, { contentType })
    t.ok(bytes.length <= 16 * 1024 * 1024, `${bytes.length} bytes`)
    t.ok(bytes.length > 12 * 1024 * 1024 && width * height > atLeast, `${width} x ${height}`)
    t.ok(Math.abs(width / height - 4 / 3) < 0.001)
    t.match(await realSharp(bytes).metadata(), { width, height })
  }
})

test('a variant of it is what a variant of the picture itself is', async (t) => {
  for (const name of ['quad', 'alpha'] as const) {
    const picture = await file(t, heif(name), 'image/heic')
    const { bytes, contentType } = await master(picture)
    const spec = { shape: 'inside', size: 48, format: 'png', isAnimated: false, crop: { x: 0.25, y: 0.25, width: 0.5, height: 0.5 } } as const
    const [direct, made] = [await render({ ...picture, spec }), await render({ bytes, contentType: contentType as 'image/png', spec })]
    t.strictSame([made.width, made.height], [direct.width, direct.height])
    const [one, other] = [await realSharp(direct.bytes).raw().toBuffer(), await realSharp(made.bytes).raw().toBuffer()]
    t.equal(one.length, other.length)
    t.ok(one.reduce((sum, value, index) => sum + Math.abs(value - (other[index] ?? 0)), 0) / one.length < 2, name)
  }
})

test('a picture that cannot be decoded has none', async (t) => {
  await t.rejects(master(await file(t, heif('quad').subarray(0, -1), 'image/heic')), { code: 'IMAGE_INVALID' })
  await t.rejects(master(await file(t, single(quad, 8000, 5001), 'image/heic')), { code: 'IMAGE_TOO_LARGE' })
  await t.rejects(master({ path: '/nowhere', contentType: 'image/heic' }), { code: 'ENOENT' })
})
