import { deflateSync } from 'node:zlib'
import realSharp from 'sharp'
import { test } from 'tap'
import { hasLightProfile, splitApng } from '../../src/images/apng.ts'
import { bytesInMemory } from '../../src/images/metadata/bytes.ts'
import { chunk, chunksOf } from '../../src/images/png-chunks.ts'
import { apng, colourAt, plain, withChunk } from './made.ts'

test('each frame is a picture of its own, with its place and its time', async (t) => {
  const { frames, loop } = splitApng(await apng([
    { picture: plain(20, 10, 'red'), delay: [1, 4] },
    { picture: plain(5, 4, 'lime'), left: 3, top: 2, delay: [7, 0], dispose: 1, blend: 1 },
    { picture: plain(1, 1, 'blue'), dispose: 2, delay: [0, 1000] },
  ], { plays: 3 }))
  t.equal(loop, 3)
  t.strictSame(frames.map(({ png, ...frame }) => frame), [
    { left: 0, top: 0, width: 20, height: 10, delay: 250, disposal: 'none', isBlended: false },
    { left: 3, top: 2, width: 5, height: 4, delay: 70, disposal: 'background', isBlended: true },
    { left: 0, top: 0, width: 1, height: 1, delay: 0, disposal: 'previous', isBlended: false },
  ])
  const seen = await Promise.all(frames.map(({ png }) => colourAt(realSharp(png, { failOn: 'warning' }), 0.5, 0.5)))
  t.strictSame(seen, [[255, 0, 0], [0, 255, 0], [0, 0, 255]])
})

test('a picture that only those see who know no animation is no frame', async (t) => {
  const { frames } = splitApng(await apng([{ picture: plain(8, 8, 'red') }, { picture: plain(8, 8, 'lime') }, { picture: plain(8, 8, 'blue') }], { isHidden: true }))
  t.equal(frames.length, 2)
  t.strictSame(await colourAt(realSharp(frames[0]?.png), 0.5, 0.5), [0, 255, 0])
})

test('all frames have what the file says of its colours, and not what it says else', async (t) => {
  const between = [chunk('gAMA', Buffer.from([0, 0, 0xb1, 0x8f])), chunk('tEXt', Buffer.from('Author\0me')), chunk('tRNS', Buffer.from([0, 255, 0, 0, 0, 0]))]
  const { frames } = splitApng(await apng([{ picture: plain(4, 4, 'red') }, { picture: plain(4, 4, 'red') }], { between }))
  for (const { png } of frames) {
    t.ok(png.includes('gAMA'))
    t.notOk(png.includes('tEXt'))
    t.strictSame((await realSharp(png).ensureAlpha().raw().toBuffer())[3], 0, 'red is clear')
  }
})

test('a chunk goes into the frames once, and only if it can be what it says', async (t) => {
  const sbit = chunk('sBIT', Buffer.from([8, 8, 8]))
  const between = [...Array<Buffer>(1900).fill(sbit), chunk('gAMA', Buffer.alloc(100_000, 1)), chunk('gAMA', Buffer.from([0, 0, 0xb1, 0x8f])), chunk('tRNS', Buffer.alloc(257)), chunk('iCCP', Buffer.alloc(2000))]
  const { frames } = splitApng(await apng(['red', 'lime'].map((colour) => ({ picture: plain(4, 4, colour) })), { between }))
  for (const { png } of frames) t.strictSame([...chunksOf(png)].map(({ type }) => type), ['IHDR', 'sBIT', 'iCCP', 'IDAT', 'IEND'])
})

test('a profile is light that takes 16 MiB at most, unpacked once for each frame', async (t) => {
  const png = await plain(4, 4).png().toBuffer()
  const isLight = (content: Buffer, frames: number) => hasLightProfile(bytesInMemory(withChunk(png, 'iCCP', content)), frames)
  const profile = (length: number) => Buffer.concat([Buffer.from('icc\0\0'), deflateSync(Buffer.alloc(length))])
  t.ok(hasLightProfile(bytesInMemory(png), 200))
  t.ok(hasLightProfile(bytesInMemory(Buffer.from('GIF89a')), 200))
  t.ok(isLight(profile(80_000), 200))
  t.notOk(isLight(profile(90_000), 200))
  t.ok(isLight(profile(8_000_000), 2))
  t.notOk(isLight(profile(8_000_000), 3))
  t.notOk(isLight(Buffer.concat([profile(100), Buffer.alloc(90_000)]), 200), 'what is packed is copied too')
  for (const broken of [profile(1000).subarray(0, -9), Buffer.alloc(0), Buffer.from('icc')]) t.notOk(isLight(broken, 2), 'nobody knows how large one is that cannot be unpacked')
  const [heavy, light] = [profile(90_000), profile(100)]
  t.notOk(hasLightProfile(bytesInMemory(withChunk(withChunk(png, 'iCCP', light), 'iCCP', heavy)), 200), 'the first counts')
})

test('frames beyond those declared are left out', async (t) => {
  t.equal(splitApng(await apng(['red', 'lime', 'blue'].map((colour) => ({ picture: plain(4, 4, colour) })), { declared: 2 })).frames.length, 2)
})

test('what is no animation, or no whole one, is refused', async (t) => {
  const two = await apng([{ picture: plain(9, 9) }, { picture: plain(9, 9) }])
  t.throws(() => splitApng(Buffer.alloc(0)))
  t.throws(() => splitApng(two.subarray(0, 40)))
  t.throws(() => splitApng(two.subarray(0, two.length - 60)), { message: /incomplete|missing/ })
  const still = await plain(4, 4).png().toBuffer()
  t.throws(() => splitApng(still), { message: /no animated/ })
  t.throws(() => splitApng(Buffer.concat([still.subarray(0, 33), chunk('acTL', Buffer.alloc(8)), still.subarray(33)]).fill(9, 41, 45)), { message: /missing/ })
  for (const frame of [{ left: 1 }, { top: 1 }, { left: 2 ** 32 - 1 }, { dispose: 3 }]) {
    await t.rejects(async () => splitApng(await apng([{ picture: plain(9, 9) }, { picture: plain(9, 9), ...frame }])), { message: /fit/ }, JSON.stringify(frame))
  }
  const short = await apng([{ picture: plain(9, 9) }], { between: [chunk('fcTL', Buffer.alloc(5))], declared: 1 })
  t.throws(() => splitApng(short), { message: /incomplete/ })
})

test('whatever is changed in a file, nothing but errors come of it', async (t) => {
  const file = await apng(['red', 'lime', 'blue'].map((colour, index) => ({ picture: plain(16, 16, colour), dispose: index, blend: 1 })))
  for (let at = 8; at < file.length; at++) {
    const changed = Buffer.from(file)
    changed.writeUInt8(changed.readUInt8(at) ^ 0xff, at)
    try {
      t.ok(splitApng(changed).frames.every(({ left, top, width, height }) => left + width <= 2 ** 32 && top + height <= 2 ** 32))
    } catch (error) {
      t.type(error, Error)
    }
  }
})
