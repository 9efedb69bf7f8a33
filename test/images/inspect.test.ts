import { test } from 'tap'
import { thumbHashToAverageRGBA } from 'thumbhash'
import { inspect } from '../../src/images/inspect.ts'
import { heif } from '../fixtures/heif.ts'
import { animation, apng, file, plain, quarters } from './made.ts'

test('the thumbhash is of what is seen, whatever the type', async (t) => {
  for (const format of ['jpeg', 'png', 'webp', 'gif', 'avif'] as const) {
    const { thumbhash } = await inspect(await file(t, plain(300, 200, '#c8641e').toFormat(format).toBuffer(), `image/${format}`))
    const { r, g, b, a } = thumbHashToAverageRGBA(Buffer.from(thumbhash, 'base64'))
    t.ok(Math.abs(r - 200 / 255) < 0.05 && Math.abs(g - 100 / 255) < 0.05 && Math.abs(b - 30 / 255) < 0.05 && a === 1, format)
  }
  t.match(await inspect(await file(t, heif('quad'), 'image/heic')), { thumbhash: /^[A-Za-z0-9+/]{20,34}={0,2}$/ })
})

test('a picture cut off anywhere is refused', async (t) => {
  for (const format of ['jpeg', 'png', 'webp', 'avif'] as const) {
    const whole = await quarters(300, 200).toFormat(format).toBuffer()
    for (const part of [0.1, 0.6, 0.95]) {
      await t.rejects(inspect(await file(t, whole.subarray(0, whole.length * part), `image/${format}`)), { code: 'IMAGE_INVALID' }, `${format} ${part}`)
    }
  }
})

test('every frame of an animation has to be whole', async (t) => {
  const frames = () => [quarters(60, 60), quarters(60, 60).flop()]
  const png = await apng(frames().map((picture) => ({ picture })))
  const webp = await animation('webp', frames())
  t.ok((await inspect(await file(t, png, 'image/png'))).thumbhash)
  t.ok((await inspect(await file(t, webp, 'image/webp'))).thumbhash)
  await t.rejects(inspect(await file(t, Buffer.from(png).fill(0, png.length - 60, png.length - 30), 'image/png')), { code: 'IMAGE_INVALID' })
  await t.rejects(inspect(await file(t, webp.subarray(0, webp.length - 20), 'image/webp')), { code: 'IMAGE_INVALID' })
})

test('the smallest and the narrowest pictures have one too', async (t) => {
  for (const [width, height] of [[1, 1], [10_000, 1], [1, 10_000]] as const) {
    t.ok((await inspect(await file(t, plain(width, height).png().toBuffer(), 'image/png'))).thumbhash, `${width} x ${height}`)
  }
  await t.rejects(inspect(await file(t, plain(10_001, 1).png().toBuffer(), 'image/png')), { code: 'IMAGE_TOO_LARGE' })
})
