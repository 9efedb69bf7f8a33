import { test } from 'tap'
import { motionOf, type Motion } from '../../src/images/animation.ts'
import { open } from '../../src/images/open.ts'
import { chunk } from '../../src/images/png-chunks.ts'
import type { PictureType } from '../../src/images/types.ts'
import { animation, apng, file, isNear, plain, quarters } from './made.ts'

const colours = ['#dc2828', '#28b43c', '#3246d2']
const rgb = [[220, 40, 40], [40, 180, 60], [50, 70, 210]]

const frame = ({ rgba, width, height }: Motion, index: number) => rgba.subarray(index * width * height * 4, (index + 1) * width * height * 4)
const middle = (motion: Motion, index: number) => [...frame(motion, index).subarray((motion.height >> 1) * motion.width * 4 + (motion.width >> 1) * 4).subarray(0, 3)]

test('all frames are scaled, with their times', async (t) => {
  const frames = colours.map((colour) => plain(60, 40, colour))
  const files: Array<[Promise<Buffer>, PictureType]> = [
    [animation('gif', frames, { delay: [50, 100, 200], loop: 2 }), 'image/gif'],
    [animation('webp', frames, { delay: [50, 100, 200], loop: 2 }), 'image/webp'],
    [apng([[50, 1000], [1, 10], [2, 10]].map(([seconds = 0, parts = 0], index) => ({ picture: plain(60, 40, colours[index]), delay: [seconds, parts] })), { plays: 2 }), 'image/png'],
  ]
  for (const [bytes, contentType] of files) {
    const motion = await motionOf(await open(await file(t, bytes, contentType)), { shape: 'inside', size: 30 })
    t.match(motion, { width: 30, height: 20, delays: [50, 100, 200], loop: 2 }, contentType)
    t.equal(motion.rgba.length, 3 * 30 * 20 * 4)
    t.ok(rgb.every((colour, index) => isNear(middle(motion, index), colour)), contentType)
  }
})

test('what draws attention in the first frame is shown of all', async (t) => {
  const spot = await plain(40, 40, 'red').png().toBuffer()
  const frames = () => [0, 1].map((index) => plain(300, 100, index === 0 ? '#888' : '#999').composite([{ input: spot, left: index === 0 ? 240 : 10, top: 30 }]))
  const files: Array<[Promise<Buffer>, PictureType]> = [
    [animation('gif', frames()), 'image/gif'], [animation('webp', frames()), 'image/webp'],
    [apng(frames().map((picture) => ({ picture }))), 'image/png'],
  ]
  const reds = (pixels: Buffer) => pixels.filter((value, at) => at % 4 === 0 && value > 200).length
  for (const [bytes, contentType] of files) {
    const motion = await motionOf(await open(await file(t, bytes, contentType)), { shape: 'square', size: 50 })
    t.match(motion, { width: 50, height: 50 })
    t.ok(reds(frame(motion, 0)) > 250, `${contentType} ${reds(frame(motion, 0))}`)
    t.equal(reds(frame(motion, 1)), 0, contentType)
  }
})

test('a stored crop is taken of every frame', async (t) => {
  const crop = { x: 0.5, y: 0, width: 0.5, height: 0.5 }
  const files: Array<[Promise<Buffer>, PictureType]> = [
    [animation('gif', [quarters(80, 60), plain(80, 60, colours[2])]), 'image/gif'], [animation('webp', [quarters(80, 60), plain(80, 60, colours[2])]), 'image/webp'],
    [apng([{ picture: quarters(80, 60) }, { picture: plain(80, 60, colours[2]) }]), 'image/png'],
  ]
  for (const [bytes, contentType] of files) {
    const motion = await motionOf(await open(await file(t, bytes, contentType)), { shape: 'square', size: 20, crop })
    t.match(motion, { width: 20, height: 20 })
    t.ok(isNear(middle(motion, 0), [40, 180, 60], 10) && isNear(middle(motion, 1), [50, 70, 210], 10), contentType)
  }
})

test('many frames come out smaller', async (t) => {
  const source = await open(await file(t, animation('gif', [quarters(200, 100), plain(200, 100)]), 'image/gif'))
  const { width, height } = await motionOf({ ...source, header: { ...source.header, frames: 2048 } }, { shape: 'inside', size: 1280 })
  t.strictSame([width, height], [100, 50])
})

test('an animation of Display P3 is shown as sRGB', async (t) => {
  const picture = () => plain(4, 4, { r: 234, g: 51, b: 35, alpha: 1 })
  const png = await apng([{ picture: picture() }, { picture: picture() }], { between: [chunk('cICP', Buffer.from([12, 13, 0, 1]))] })
  const motion = await motionOf(await open(await file(t, png, 'image/png')), { shape: 'inside', size: 4 })
  t.strictSame([middle(motion, 0), middle(motion, 1)], [[255, 0, 0], [255, 0, 0]])
})

test('an animation of another gamma is shown as sRGB', async (t) => {
  const picture = () => plain(4, 4, { r: 128, g: 0, b: 255, alpha: 1 })
  const png = await apng([{ picture: picture() }, { picture: picture() }], { between: [chunk('gAMA', Buffer.from([0, 1, 0x86, 0xa0]))] })
  const motion = await motionOf(await open(await file(t, png, 'image/png')), { shape: 'inside', size: 4 })
  t.strictSame([middle(motion, 0), middle(motion, 1)], [[188, 0, 255], [188, 0, 255]])
})

test('an animation that is broken somewhere is refused', async (t) => {
  const png = await apng([{ picture: quarters(60, 60) }, { picture: quarters(60, 60) }])
  png.fill(0, png.length - 60, png.length - 30)
  await t.rejects(motionOf(await open(await file(t, png, 'image/png')), { shape: 'inside', size: 30 }))
  const webp = await animation('webp', [quarters(60, 60), plain(60, 60)])
  await t.rejects(async () => motionOf(await open(await file(t, webp.subarray(0, webp.length - 20), 'image/webp')), { shape: 'inside', size: 30 }))
})
