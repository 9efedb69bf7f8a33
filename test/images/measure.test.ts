import { randomBytes } from 'node:crypto'
import { crc32 } from 'node:zlib'
import t from 'tap'
import { maxPixels, maxSide, measure, measureIfImage } from '../../src/images/measure.ts'
import { sharp } from '../../src/images/sharp.ts'

const noise = (width: number, height: number) => sharp(randomBytes(width * height * 3), { raw: { width, height, channels: 3 } })

/** The header of a PNG of any size; there are no pixels behind it. */
function pngHeader (width: number, height: number): Buffer {
  const chunk = (type: string, content: Buffer) => {
    const body = Buffer.concat([Buffer.from(type), content])
    const framed = Buffer.alloc(body.length + 8)
    framed.writeUInt32BE(content.length, 0)
    body.copy(framed, 4)
    framed.writeUInt32BE(crc32(body), body.length + 4)
    return framed
  }
  const size = Buffer.alloc(13)
  size.writeUInt32BE(width, 0)
  size.writeUInt32BE(height, 4)
  size.set([1, 0, 0, 0, 0], 8)
  return Buffer.concat([Buffer.from('89504e470d0a1a0a', 'hex'), chunk('IHDR', size), chunk('IDAT', Buffer.from('789c030000000001', 'hex')), chunk('IEND', Buffer.alloc(0))])
}

t.test('the pictures we take are measured', async (t) => {
  for (const format of ['jpeg', 'png', 'webp', 'gif', 'avif'] as const) {
    const picture = await noise(90, 60).toFormat(format).toBuffer()
    t.same(await measure(picture), { width: 90, height: 60 }, format)
    t.same(await measureIfImage(picture), { width: 90, height: 60 }, format)
  }
})

t.test('a picture lying on its side is measured upright', async (t) => {
  for (const orientation of [1, 2, 3, 4, 5, 6, 7, 8]) {
    const picture = await noise(90, 60).withMetadata({ orientation }).jpeg().toBuffer()
    t.same(await measure(picture), orientation < 5 ? { width: 90, height: 60 } : { width: 60, height: 90 }, `orientation ${orientation}`)
  }
})

t.test('an animation has the height of one frame', async (t) => {
  const frames = await Promise.all([1, 2, 3].map(() => noise(90, 60).png().toBuffer()))
  for (const format of ['gif', 'webp'] as const) {
    const picture = await sharp(frames, { join: { animated: true } }).toFormat(format).toBuffer()
    t.same(await measure(picture), { width: 90, height: 60 }, format)
  }
})

t.test('the limits are met and not passed', async (t) => {
  t.same([maxPixels, maxSide], [40_000_000, 10_000])
  t.same(await measure(pngHeader(8000, 5000)), { width: 8000, height: 5000 })
  t.same(await measure(pngHeader(10_000, 4000)), { width: 10_000, height: 4000 })
  for (const [width, height] of [[8000, 5001], [10_001, 1], [1, 10_001], [30_000, 30_000], [2 ** 24, 2 ** 24]] as const) {
    await t.rejects(measure(pngHeader(width, height)), { code: width > 65_535 * 10 ? /^IMAGE_/ : 'IMAGE_TOO_LARGE' }, `${width} x ${height}`)
  }
  t.same(await measureIfImage(pngHeader(30_000, 30_000)), { width: 30_000, height: 30_000 }, 'an attachment may be larger')
})

t.test('the head of a large picture is enough for an attachment', async (t) => {
  for (const format of ['jpeg', 'png', 'webp', 'gif', 'avif'] as const) {
    const picture = await noise(400, 300).toFormat(format).toBuffer()
    t.same(await measureIfImage(picture.subarray(0, 4096)), { width: 400, height: 300 }, format)
  }
})

t.test('what cannot be read is no valid picture', async (t) => {
  const png = pngHeader(10, 10)
  for (const bytes of [Buffer.alloc(0), Buffer.from('hello'), png.subarray(0, 20), Buffer.concat([png.subarray(0, 8), randomBytes(100)]), randomBytes(10_000)]) {
    await t.rejects(measure(bytes), { code: 'IMAGE_INVALID' })
    t.equal(await measureIfImage(bytes), undefined)
  }
})

t.test('formats that nobody asked for are not even tried', async (t) => {
  const svg = Buffer.from('<svg xmlns="http://www.w3.org/2000/svg" width="10" height="10"/>')
  const tiff = await noise(10, 10).tiff().toBuffer()
  for (const bytes of [svg, tiff, Buffer.from('%PDF-1.7\n')]) {
    await t.rejects(measure(bytes), { code: 'IMAGE_INVALID' })
    t.equal(await measureIfImage(bytes), undefined)
  }
})

t.test('a hundred at once all get their answer', async (t) => {
  const pictures = Array.from({ length: 100 }, (_, index) => pngHeader(index + 1, 7))
  t.same(await Promise.all(pictures.map(measure)), pictures.map((_, index) => ({ width: index + 1, height: 7 })))
})
