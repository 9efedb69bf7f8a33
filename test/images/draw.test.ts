import realSharp from 'sharp'
import { test } from 'tap'
import { draw } from '../../src/images/draw.ts'
import { headerOf } from '../../src/images/open.ts'
import { colourAt, file, isNear } from './made.ts'

const disc = (size: string) => `<svg xmlns="http://www.w3.org/2000/svg" ${size}><rect width="100" height="100" fill="#1e64c8"/><circle cx="50" cy="50" r="30" fill="#fff"/></svg>`

test('a drawing is drawn in the size asked for, and sharp', async (t) => {
  for (const size of ['viewBox="0 0 100 100"', 'viewBox="0 0 100 100" width="32" height="32"', 'viewBox="0 0 100 100" width="2000" height="2000"']) {
    for (const format of ['avif', 'webp', 'jpeg', 'png'] as const) {
      const { bytes, ...rendered } = await draw({ svg: disc(size), size: 256, format })
      t.strictSame(rendered, { contentType: `image/${format}`, width: 256, height: 256 })
      t.ok(isNear(await colourAt(bytes, 0.05, 0.05), [30, 100, 200], 8) && isNear(await colourAt(bytes, 0.5, 0.5), [255, 255, 255], 8), format)
    }
    const { bytes } = await draw({ svg: disc(size), size: 256, format: 'png' })
    const across = await realSharp(bytes).extract({ left: 0, top: 128, width: 256, height: 1 }).extractChannel(0).raw().toBuffer()
    t.ok(across.filter((value) => value > 40 && value < 245).length <= 4, `edges are no wider than pixels: ${size}`)
  }
})

test('auto is JPEG, or PNG where something shows through', async (t) => {
  t.match(await draw({ svg: disc('viewBox="0 0 100 100"'), size: 64, format: 'auto' }), { contentType: 'image/jpeg' })
  t.match(await draw({ svg: disc('viewBox="-50 -50 200 200"'), size: 64, format: 'auto' }), { contentType: 'image/png' })
})

test('drawings of others are not opened for that', async (t) => {
  const picture = await file(t, Buffer.from(disc('width="9" height="9"')), 'image/png')
  await t.rejects(headerOf(picture), { code: 'IMAGE_INVALID' })
})
