import { test } from 'tap'
import { open } from '../../src/images/open.ts'
import { cutOf, stillPixels } from '../../src/images/scale.ts'
import { file, isNear, plain, quarters, withChunk } from './made.ts'

test('a square is as large as asked for, but no larger than the picture', async (t) => {
  t.match(cutOf({ width: 400, height: 300 }, { shape: 'square', size: 64 }), { width: 64, height: 64, position: 'attention' })
  t.match(cutOf({ width: 400, height: 30 }, { shape: 'square', size: 64 }), { width: 30, height: 30 })
})

test('what is to fit inside keeps its proportions', async (t) => {
  const sizeOf = (width: number, height: number, size: number) => {
    const cut = cutOf({ width, height }, { shape: 'inside', size })
    return [cut.width, cut.height]
  }
  t.strictSame(sizeOf(4000, 3000, 320), [320, 240])
  t.strictSame(sizeOf(3000, 4000, 320), [240, 320])
  t.strictSame(sizeOf(200, 100, 320), [200, 100], 'never larger')
  t.strictSame(sizeOf(10_000, 1, 320), [320, 1], 'nor of no height')
})

test('a crop is taken of the upright picture, and lies in it whatever it says', async (t) => {
  const regionOf = (x: number, y: number, width: number, height: number) => Object.values(cutOf({ width: 100, height: 50 }, { shape: 'square', size: 64, crop: { x, y, width, height } }).region)
  t.strictSame(regionOf(0.25, 0.5, 0.5, 0.5), [25, 25, 50, 25])
  t.strictSame(regionOf(0, 0, 1, 1), [0, 0, 100, 50])
  t.strictSame(regionOf(0.9999, 0.9999, 0.0001, 0.0001), [99, 49, 1, 1])
  t.strictSame(regionOf(-1, -1, 9, 9), [0, 0, 100, 50])
  t.strictSame(regionOf(2, 2, 0, 0), [99, 49, 1, 1])
  t.match(cutOf({ width: 100, height: 50 }, { shape: 'square', size: 64, crop: { x: 0, y: 0, width: 0.5, height: 1 } }), { width: 50, height: 50, position: 'centre' })
  t.match(cutOf({ width: 100, height: 50 }, { shape: 'inside', size: 20, crop: { x: 0, y: 0, width: 1, height: 0.5 } }), { width: 20, height: 5 })
})

test('pixels are of the size of the cut, and of the part', async (t) => {
  for (const orientation of [1, 6]) {
    const picture = await file(t, quarters(90, 60).withMetadata({ orientation }).jpeg().toBuffer(), 'image/jpeg')
    const source = await open(picture)
    const whole = await stillPixels(source, cutOf(source.header, { shape: 'inside', size: 30 }))
    t.match(whole, orientation === 1 ? { width: 30, height: 20 } : { width: 20, height: 30 })
    t.equal(whole.rgba.length, 30 * 20 * 4)
    const corner = await stillPixels(source, cutOf(source.header, { shape: 'square', size: 16, crop: { x: 0, y: 0, width: 0.4, height: 0.4 } }))
    t.match(corner, { width: 16, height: 16 })
    t.ok(isNear([...corner.rgba.subarray(0, 4)], orientation === 1 ? [220, 40, 40, 255] : [50, 70, 210, 255], 24), `the upper left, orientation ${orientation}`)
  }
})

test('of a picture the part is shown that draws attention', async (t) => {
  const picture = plain(300, 100, '#888').composite([{ input: await plain(40, 40, 'red').png().toBuffer(), left: 240, top: 30 }])
  const source = await open(await file(t, picture.png().toBuffer(), 'image/png'))
  const { rgba } = await stillPixels(source, cutOf(source.header, { shape: 'square', size: 50 }))
  let red = 0
  for (let at = 0; at < rgba.length; at += 4) if ((rgba[at] ?? 0) > 200) red++
  t.ok(red > 250, `${red} red pixels`)
})

test('pixels of Display P3 are shown as sRGB', async (t) => {
  const png = await plain(8, 8, { r: 234, g: 51, b: 35, alpha: 1 }).png().toBuffer()
  const source = await open(await file(t, withChunk(png, 'cICP', [12, 13, 0, 1]), 'image/png'))
  const { rgba } = await stillPixels(source, cutOf(source.header, { shape: 'inside', size: 8 }))
  t.strictSame([...rgba.subarray(0, 4)], [255, 0, 0, 255])
})

test('pixels of another gamma are shown as sRGB, in each kind of PNG', async (t) => {
  const pictures = [
    plain(8, 8, { r: 128, g: 128, b: 128, alpha: 0.5 }), plain(8, 8, '#808080'), plain(8, 8, '#808080').png({ palette: true }), plain(8, 8, '#808080').toColourspace('b-w'),
    plain(8, 8, '#808080').toColourspace('rgb16'),
  ]
  for (const [index, picture] of pictures.entries()) {
    const png = withChunk(await picture.png(index === 2 ? { palette: true } : {}).toBuffer(), 'gAMA', [0, 1, 0x86, 0xa0])
    const source = await open(await file(t, png, 'image/png'))
    const { rgba } = await stillPixels(source, cutOf(source.header, { shape: 'inside', size: 8 }))
    t.strictSame([...rgba.subarray(0, 4)], [188, 188, 188, index === 0 ? 128 : 255], `picture ${index}`)
  }
})
