import { deflateSync } from 'node:zlib'
import realSharp from 'sharp'
import { test } from 'tap'
import { headerOf, open } from '../../src/images/open.ts'
import { chunk, chunksOf, pngSignature } from '../../src/images/png-chunks.ts'
import type { PictureType } from '../../src/images/types.ts'
import { fromDisplayP3, fromRec2020 } from '../../src/images/wide-gamut.ts'
import { heif } from '../fixtures/heif.ts'
import { animation, apng, colourAt, corners, file, isNear, plain, quarters, withChunk } from './made.ts'

/** There are few pixels behind its header. */
async function pngOfSize (width: number, height: number): Promise<Buffer> {
  const [header, ...rest] = chunksOf(await plain(1, 1).png().toBuffer())
  const content = Buffer.from(header?.content ?? [])
  content.writeUInt32BE(width, 0)
  content.writeUInt32BE(height, 4)
  return Buffer.concat([pngSignature, chunk('IHDR', content), ...rest.map(({ type, content }) => chunk(type, content))])
}

test('every type is opened, and says what it is', async (t) => {
  for (const format of ['jpeg', 'png', 'webp', 'gif', 'avif'] as const) {
    const picture = await file(t, quarters(80, 60).toFormat(format).toBuffer(), `image/${format}`)
    t.match(await headerOf(picture), { width: 80, height: 60, frames: 1 }, format)
    const { header, still, canMove } = await open(picture)
    t.strictSame([header, canMove], [await headerOf(picture), false])
    t.strictSame(await corners(await still().png().toBuffer()), ['red', 'green', 'blue', 'white'], format)
  }
  for (const contentType of ['image/heic', 'image/heif'] as const) {
    const picture = await file(t, heif('quad'), contentType)
    t.strictSame(await headerOf(picture), { width: 96, height: 64, frames: 1, hasAlpha: false, isProgressive: false })
    const { header, still } = await open(picture)
    t.strictSame(header, await headerOf(picture))
    t.strictSame(await corners(await still().png().toBuffer()), ['red', 'green', 'blue', 'white'], contentType)
  }
})

test('it is told which are decoded as a whole', async (t) => {
  for (const format of ['jpeg', 'png'] as const) {
    for (const progressive of [true, false]) t.match(await headerOf(await file(t, plain(8, 8).toFormat(format, { progressive }).toBuffer(), `image/${format}`)), { isProgressive: progressive }, format)
  }
})

test('what is in memory is opened as what is in a file is', async (t) => {
  for (const format of ['jpeg', 'png'] as const) {
    const bytes = await quarters(80, 60).toFormat(format).toBuffer()
    const { header, still, canMove } = await open({ bytes, contentType: `image/${format}` })
    t.match([header, canMove], [{ width: 80, height: 60, frames: 1, hasAlpha: false }, false], format)
    t.strictSame(await corners(await still().png().toBuffer()), ['red', 'green', 'blue', 'white'], format)
    await t.rejects(open({ bytes, contentType: 'image/gif' }), { code: 'IMAGE_INVALID' })
  }
})

test('transparency is told', async (t) => {
  for (const format of ['png', 'webp', 'avif'] as const) {
    t.match(await headerOf(await file(t, plain(8, 8, { r: 9, g: 9, b: 9, alpha: 0.5 }).toFormat(format).toBuffer(), `image/${format}`)), { hasAlpha: true }, format)
    t.match(await headerOf(await file(t, plain(8, 8).toFormat(format).toBuffer(), `image/${format}`)), { hasAlpha: false }, format)
  }
})

test('a picture that lies on its side is measured and shown upright', async (t) => {
  for (const orientation of [1, 2, 3, 4, 5, 6, 7, 8]) {
    // Laid down as cameras do it; the tag then says how to raise it.
    const angle = [0, 0, 0, 180, 180, 90, 270, 270, 90][orientation]
    const isMirrored = [2, 4, 5, 7].includes(orientation)
    const laid = await quarters(80, 60).rotate(angle).flip(isMirrored && orientation > 4).flop(isMirrored && orientation < 5).png().toBuffer()
    const picture = await file(t, realSharp(laid).withMetadata({ orientation }).jpeg().toBuffer(), 'image/jpeg')
    t.match(await headerOf(picture), { width: 80, height: 60 }, `orientation ${orientation}`)
    t.strictSame(await corners(await (await open(picture)).still().png().toBuffer()), ['red', 'green', 'blue', 'white'], `orientation ${orientation}`)
  }
})

test('frames are counted, those that move', async (t) => {
  const frames = ['red', 'lime', 'blue'].map((colour) => plain(20, 10, colour))
  for (const format of ['gif', 'webp'] as const) {
    const source = await open(await file(t, animation(format, frames, { delay: [50, 100, 200], loop: 2 }), `image/${format}`))
    t.match(source, { header: { width: 20, height: 10, frames: 3 }, canMove: true, delays: [50, 100, 200], loop: 2 }, format)
    t.match(await source.still().toBuffer({ resolveWithObject: true }), { info: { height: 10 } })
    t.match(await source.allFrames().toBuffer({ resolveWithObject: true }), { info: { pages: 3 } })
  }
  const moving = await file(t, apng(frames.map((picture) => ({ picture }))), 'image/png')
  t.match(await open(moving), { header: { frames: 3 }, canMove: true })
  t.match(await headerOf(await file(t, apng([{ picture: plain(4, 4) }], { declared: 0 }), 'image/png')), { frames: 1 })
})

test('an animation that lies on its side stands still', async (t) => {
  const lying = realSharp(await animation('webp', ['red', 'lime'].map((colour) => plain(20, 10, colour))), { animated: true }).withMetadata({ orientation: 6 }).webp().toBuffer()
  t.match(await open(await file(t, lying, 'image/webp')), { header: { width: 10, height: 20, frames: 2 }, canMove: false })
})

test('an animation stands still whose profile is large, for each frame has its own', async (t) => {
  const profile = (length: number) => chunk('iCCP', Buffer.concat([Buffer.from('icc\0\0'), deflateSync(Buffer.alloc(length))]))
  const moving = async (frames: number, between: Buffer[]) => {
    const { canMove, still } = await open(await file(t, apng(Array.from({ length: frames }, () => ({ picture: plain(4, 4) })), { between }), 'image/png'))
    t.match(await still().toBuffer({ resolveWithObject: true }), { info: { width: 4, height: 4 } })
    return canMove
  }
  t.equal(await moving(4, [profile(4_000_000)]), true)
  t.equal(await moving(5, [profile(4_000_000)]), false)
})

test('a file of another type is refused', async (t) => {
  const pictures = { jpeg: await plain(8, 8).jpeg().toBuffer(), png: await plain(8, 8).png().toBuffer(), avif: await plain(8, 8).avif().toBuffer() }
  const svg = Buffer.from('<svg xmlns="http://www.w3.org/2000/svg" width="8" height="8"/>')
  const wrong: Array<[Buffer, PictureType]> = [
    [pictures.jpeg, 'image/png'], [pictures.png, 'image/gif'], [pictures.png, 'image/avif'], [pictures.avif, 'image/webp'], [pictures.png, 'image/heic'], [heif('quad'), 'image/avif'],
    [svg, 'image/png'], [Buffer.alloc(0), 'image/jpeg'], [Buffer.from('hello'), 'image/heif'],
  ]
  for (const [bytes, contentType] of wrong) {
    const picture = await file(t, bytes, contentType)
    await t.rejects(headerOf(picture), { code: 'IMAGE_INVALID' }, contentType)
    await t.rejects(open(picture), { code: 'IMAGE_INVALID' }, contentType)
  }
})

test('a picture that is too large has a header, but is not opened', async (t) => {
  for (const [width, height] of [[30_000, 30_000], [8000, 5001], [10_001, 1]] as const) {
    const picture = await file(t, pngOfSize(width, height), 'image/png')
    t.match(await headerOf(picture), { width, height })
    await t.rejects(open(picture), { code: 'IMAGE_TOO_LARGE' })
  }
})

test('a file that is not there is no fault of the picture', async (t) => {
  for (const contentType of ['image/png', 'image/heic'] as const) {
    await t.rejects(headerOf({ path: '/nowhere', contentType }), { code: 'ENOENT' })
    await t.rejects(open({ path: '/nowhere', contentType }), { code: 'ENOENT' })
  }
})

test('16 bits a channel with a profile come out in the colours of that profile', async (t) => {
  for (const profile of ['srgb', 'p3']) {
    const deep = plain(8, 8, 'red').toColourspace('rgb16').withIccProfile(profile).png().toBuffer()
    const source = await open(await file(t, deep, 'image/png'))
    t.ok(isNear(await colourAt(source.still(), 0.5, 0.5), [255, 0, 0], 2), profile)
  }
})

test('what is left to do for colours is told where nothing but code points or a gamma declare them', async (t) => {
  const png = await plain(8, 8).png().toBuffer()
  const toSrgb = async (bytes: Buffer) => (await open(await file(t, bytes, 'image/png'))).toSrgb
  const [p3, linear] = [[12, 13, 0, 1], [0, 1, 0x86, 0xa0]]
  t.equal(await toSrgb(withChunk(png, 'cICP', p3)), fromDisplayP3)
  t.equal(await toSrgb(withChunk(png, 'cICP', [9, 1, 0, 1])), fromRec2020)
  t.type(await toSrgb(withChunk(png, 'gAMA', linear)), 'function')
  t.equal(await toSrgb(png), undefined)
  const profiled = await plain(8, 8).withIccProfile('p3').png().toBuffer()
  t.equal(await toSrgb(withChunk(withChunk(profiled, 'cICP', p3), 'gAMA', linear)), undefined, 'the library heeds the profile')
})

test('of a damaged picture what is left is shown to those who ask for it', async (t) => {
  const whole = await quarters(200, 200).jpeg().toBuffer()
  const picture = await file(t, whole.subarray(0, whole.length * 0.7), 'image/jpeg')
  await t.rejects((await open(picture)).still().raw().toBuffer())
  t.strictSame((await corners(await (await open(picture, { failOn: 'none' })).still().png().toBuffer())).slice(0, 2), ['red', 'green'])
})
