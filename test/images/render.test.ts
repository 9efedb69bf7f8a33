import { appendFile } from 'node:fs/promises'
import realSharp from 'sharp'
import { test } from 'tap'
import { maxAnimatedBytes } from '../../src/images/limits.ts'
import { render } from '../../src/images/render.ts'
import type { VariantSpec } from '../../src/images/spec.ts'
import { heif } from '../fixtures/heif.ts'
import { animation, apng, colourAt, corners, file, isNear, plain, quarters } from './made.ts'

const spec = (rest: Partial<VariantSpec> = {}): VariantSpec => ({ shape: 'inside', size: 64, format: 'png', isAnimated: false, ...rest })

const looks = ['red', 'green', 'blue', 'white']

test('every type is shown in every format', async (t) => {
  for (const format of ['jpeg', 'png', 'webp', 'gif', 'avif'] as const) {
    const picture = await file(t, quarters(160, 120).toFormat(format).toBuffer(), `image/${format}`)
    for (const wanted of ['avif', 'webp', 'jpeg', 'png'] as const) {
      const { bytes, ...rendered } = await render({ ...picture, spec: spec({ format: wanted }) })
      t.strictSame(rendered, { contentType: `image/${wanted}`, width: 64, height: 48 })
      t.strictSame(await corners(bytes), looks, `${format} as ${wanted}`)
    }
  }
  const { bytes, width, height } = await render({ ...await file(t, heif('quad'), 'image/heic'), spec: spec({ shape: 'square', size: 32, format: 'webp' }) })
  t.strictSame([width, height, await corners(bytes)], [32, 32, looks])
})

test('what is in memory is shown, and damage to it told', async (t) => {
  const bytes = await quarters(160, 120).jpeg().toBuffer()
  const variant = await render({ bytes, contentType: 'image/jpeg', spec: spec() })
  t.strictSame([variant.width, variant.height, await corners(variant.bytes)], [64, 48, looks])
  await t.rejects(render({ bytes: bytes.subarray(0, bytes.length * 0.7), contentType: 'image/jpeg', spec: spec() }), { code: 'IMAGE_INVALID' })
  const moving = await apng([{ picture: quarters(80, 60) }, { picture: plain(80, 60) }])
  t.equal((await realSharp((await render({ bytes: moving, contentType: 'image/png', spec: spec({ format: 'webp', isAnimated: true }) })).bytes).metadata()).pages, 2)
})

test('it is upright, and its metadata is gone', async (t) => {
  const lying = quarters(160, 120).withExif({ IFD0: { Artist: 'somebody' }, IFD3: { GPSLatitude: '51/1 30/1 0/1' } }).withMetadata({ orientation: 6 }).jpeg().toBuffer()
  const { bytes, width, height } = await render({ ...await file(t, lying, 'image/jpeg'), spec: spec({ format: 'jpeg' }) })
  t.strictSame([width, height], [48, 64])
  t.strictSame(await corners(bytes), ['blue', 'red', 'white', 'green'])
  const { exif, icc, orientation } = await realSharp(bytes).metadata()
  t.strictSame([exif, icc, orientation], [undefined, undefined, undefined])
})

test('it is never larger than the picture', async (t) => {
  const picture = await file(t, quarters(50, 20).png().toBuffer(), 'image/png')
  t.match(await render({ ...picture, spec: spec({ size: 1280 }) }), { width: 50, height: 20 })
  t.match(await render({ ...picture, spec: spec({ shape: 'square', size: 1024 }) }), { width: 20, height: 20 })
})

test('colours come out right', async (t) => {
  const red = [255, 0, 0]
  const grey = [128, 128, 128]
  const files = {
    'CMYK with a profile': [plain(60, 40, 'red').toColourspace('cmyk').withIccProfile('cmyk').jpeg({ quality: 100 }).toBuffer(), 'image/jpeg', [223, 31, 28]],
    '8 bits with a profile': [plain(60, 40, 'red').withIccProfile('p3').png().toBuffer(), 'image/png', red],
    '16 bits with a profile': [plain(60, 40, 'red').toColourspace('rgb16').withIccProfile('p3').png().toBuffer(), 'image/png', red],
    '16 bits': [plain(60, 40, 'red').toColourspace('rgb16').png().toBuffer(), 'image/png', red],
    '16 bits of gray': [plain(60, 40, '#808080').toColourspace('grey16').png().toBuffer(), 'image/png', grey],
    '8 bits of gray': [plain(60, 40, '#808080').toColourspace('b-w').jpeg().toBuffer(), 'image/jpeg', grey],
    palette: [plain(60, 40, 'red').png({ palette: true }).toBuffer(), 'image/png', red],
    'AVIF of 10 bits': [plain(60, 40, 'red').toColourspace('rgb16').avif({ bitdepth: 10, quality: 90 }).toBuffer(), 'image/avif', red],
    'AVIF of 12 bits': [plain(60, 40, 'red').toColourspace('rgb16').avif({ bitdepth: 12, quality: 90 }).toBuffer(), 'image/avif', red],
  } as const
  for (const [name, [bytes, contentType, expected]] of Object.entries(files)) {
    const { bytes: variant } = await render({ ...await file(t, bytes, contentType), spec: spec() })
    const seen = await colourAt(variant, 0.5, 0.5)
    t.ok(isNear(seen, expected, 8), `${name}: ${seen}`)
  }
})

test('CMYK without a profile is shown in colours, and not inverted', async (t) => {
  const withProfile = await plain(60, 40, 'red').toColourspace('cmyk').withIccProfile('cmyk').jpeg({ quality: 100 }).toBuffer()
  // Each APP2 goes.
  const parts: Buffer[] = [withProfile.subarray(0, 2)]
  for (let at = 2; at < withProfile.length;) {
    const end = withProfile[at + 1] === 0xda ? withProfile.length : at + 2 + withProfile.readUInt16BE(at + 2)
    if (withProfile[at + 1] !== 0xe2) parts.push(withProfile.subarray(at, end))
    at = end
  }
  const { bytes } = await render({ ...await file(t, Buffer.concat(parts), 'image/jpeg'), spec: spec() })
  const seen = await colourAt(bytes, 0.5, 0.5)
  t.ok(isNear(seen, [223, 31, 28], 8), seen.join())
})

test('transparency is kept, of a palette too', async (t) => {
  for (const palette of [true, false]) {
    const picture = await file(t, plain(60, 40, { r: 200, g: 100, b: 50, alpha: 0.5 }).png({ palette }).toBuffer(), 'image/png')
    const { bytes, contentType } = await render({ ...picture, spec: spec({ format: 'auto', size: 30 }) })
    const seen = [...(await realSharp(bytes).raw().toBuffer()).subarray(0, 4)]
    t.ok(contentType === 'image/png' && isNear(seen, [200, 100, 50, 128], 3), seen.join())
  }
})

test('an animation stands still unless it is asked to move', async (t) => {
  const frames = () => [quarters(80, 60), plain(80, 60)]
  const files = [
    await file(t, animation('gif', frames()), 'image/gif'), await file(t, animation('webp', frames()), 'image/webp'),
    await file(t, apng(frames().map((picture) => ({ picture }))), 'image/png'),
  ]
  for (const picture of files) {
    for (const [format, isAnimated, pages] of [['webp', false, undefined], ['webp', true, 2], ['auto', true, undefined], ['avif', true, 1], ['jpeg', true, undefined], ['png', true, undefined]] as const) {
      const { bytes, width, height } = await render({ ...picture, spec: spec({ format, isAnimated }) })
      t.strictSame([width, height], [64, 48])
      t.match(await realSharp(bytes).metadata(), { width: 64, height: 48 })
      t.equal((await realSharp(bytes).metadata()).pages, pages, `${picture.contentType} as ${format}, ${isAnimated ? 'moving' : 'still'}`)
      t.strictSame(await corners(bytes), looks)
    }
  }
})

test('an animation beyond the limits stands still', async (t) => {
  const isStill = async (bytes: Buffer | Promise<Buffer>, more = 0) => {
    const picture = await file(t, bytes, 'image/gif')
    await appendFile(picture.path, Buffer.alloc(more))
    return (await realSharp((await render({ ...picture, spec: spec({ format: 'webp', isAnimated: true }) })).bytes).metadata()).pages === undefined
  }
  const frames = (count: number) => animation('gif', Array.from({ length: count }, (_, index) => plain(4, 4, index % 2 ? 'red' : 'blue')))
  t.equal(await isStill(frames(200)), false)
  t.equal(await isStill(frames(201)), true, '201 frames')
  t.equal(await isStill(frames(2), maxAnimatedBytes), true, 'more than 10 MiB')
})

test('a damaged picture is refused, a large one too, and a file that is not there is neither', async (t) => {
  const whole = await quarters(200, 200).jpeg().toBuffer()
  await t.rejects(render({ ...await file(t, whole.subarray(0, whole.length * 0.7), 'image/jpeg'), spec: spec() }), { code: 'IMAGE_INVALID' })
  await t.rejects(render({ ...await file(t, plain(10_001, 2).png().toBuffer(), 'image/png'), spec: spec() }), { code: 'IMAGE_TOO_LARGE' })
  await t.rejects(render({ path: '/nowhere', contentType: 'image/png', spec: spec() }), { code: 'ENOENT' })
})
