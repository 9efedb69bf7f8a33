import { test } from 'tap'
import { refuseFrameFlood } from '../../src/images/frame-flood.ts'
import { inspect } from '../../src/images/inspect.ts'
import { bytesInMemory } from '../../src/images/metadata/bytes.ts'
import { headerOf, open } from '../../src/images/open.ts'
import { animation, file, plain } from './made.ts'

const riffChunk = (type: string, ...contents: Buffer[]) => {
  const content = Buffer.concat(contents)
  const head = Buffer.from(`${type}1234`)
  head.writeUInt32LE(content.length, 4)
  return Buffer.concat([head, content, Buffer.alloc(content.length % 2)])
}
/** Of one pixel each. */
const pixel = (await plain(1, 1).webp({ lossless: true }).toBuffer()).subarray(12)
const webpFrame = (...more: Buffer[]) => riffChunk('ANMF', Buffer.from([0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 40, 0, 0, 0]), pixel, ...more)
const webp = (...frames: Buffer[]) => riffChunk('RIFF', Buffer.from('WEBP'), riffChunk('VP8X', Buffer.from([2, 0, 0, 0, 63, 0, 0, 63, 0, 0])), riffChunk('ANIM', Buffer.alloc(6)), ...frames)

const table = [0, 0, 0, 255, 255, 255]
const gifFrame = Buffer.from([0x21, 0xf9, 4, 4, 1, 0, 0, 0, 0x2c, 0, 0, 0, 0, 1, 0, 1, 0, 0, 2, 2, 0x44, 1, 0])
const gifFrameOfOwnColours = Buffer.from([0x2c, 0, 0, 0, 0, 1, 0, 1, 0, 0x80, ...table, 2, 2, 0x44, 1, 0])
const gif = (...blocks: Buffer[]) => Buffer.concat([Buffer.from([...Buffer.from('GIF89a'), 64, 0, 64, 0, 0x80, 0, 0, ...table]), ...blocks, Buffer.of(0x3b)])

const times = (count: number, one: Buffer) => Buffer.alloc(count * one.length, one)
const nested = (count: number) => {
  let frame = webpFrame()
  for (let depth = 1; depth < count; depth++) frame = webpFrame(frame)
  return frame
}

const floods = {
  webp: {
    'many frames': webp(times(2001, webpFrame())),
    'frames among other chunks': webp(times(2001, Buffer.concat([webpFrame(), riffChunk('abcd', Buffer.alloc(3))]))),
    'frames within frames': webp(times(201, nested(10))),
  },
  gif: {
    'many frames': gif(times(2001, gifFrame)),
    'frames with colours of their own': gif(times(2001, gifFrameOfOwnColours)),
    'frames among comments': gif(times(2001, Buffer.concat([Buffer.from([0x21, 0xfe, 0, 0x21, 0xfe, 2, 0, 0, 0]), gifFrame]))),
    'frames behind an extension that seems to end': gif(Buffer.from([0x21, 1, 0, 1, 0x3b, 0]), times(2001, gifFrame)),
    'a trailer that is missing': gif(times(2001, gifFrame)).subarray(0, -1),
  },
}

test('an animation of more than 2000 frames is refused before the library sees it', async (t) => {
  for (const [format, files] of Object.entries(floods)) {
    for (const [name, bytes] of Object.entries(files)) t.throws(() => refuseFrameFlood(bytesInMemory(bytes)), { code: 'IMAGE_TOO_LARGE', message: /2000 frames/ }, `${format}: ${name}`)
  }
  for (const format of ['webp', 'gif'] as const) {
    const picture = await file(t, floods[format]['many frames'], `image/${format}`)
    for (const job of [headerOf, open, inspect]) await t.rejects(async () => { await job(picture) }, { code: 'IMAGE_TOO_LARGE' }, `${format} ${job.name}`)
    await t.rejects(headerOf({ ...picture, contentType: 'image/png' }), { code: 'IMAGE_TOO_LARGE' }, 'of whatever type it is said to be')
  }
})

test('an animation that is only too long to move is shown', async (t) => {
  for (const [contentType, bytes] of [['image/webp', webp(times(1500, webpFrame()))], ['image/gif', gif(times(1500, gifFrame))], ['image/gif', gif(times(2000, gifFrame))]] as const) {
    const picture = await file(t, bytes, contentType)
    t.match(await headerOf(picture), { width: 64, height: 64 })
    t.match(await open(picture), { canMove: false })
    t.match(await inspect(picture), { thumbhash: String })
  }
  for (const format of ['webp', 'gif'] as const) t.match(await headerOf(await file(t, animation(format, [plain(9, 9, 'red'), plain(9, 9, 'blue')]), `image/${format}`)), { frames: 2 })
})

test('what has endless parts that are no frames is refused too', async (t) => {
  for (const bytes of [webp(times(20_001, riffChunk('abcd'))), gif(times(20_001, Buffer.from([0x21, 0xfe, 0])))]) t.throws(() => refuseFrameFlood(bytesInMemory(bytes)), { code: 'IMAGE_INVALID', message: /parts/ })
})

test('it is told within a moment, however large the file is', async (t) => {
  const huge = {
    'a million frames of WebP': webp(times(1_000_000, webpFrame())),
    'two million frames of GIF': gif(times(2_000_000, gifFrame)),
    'a frame of sub-blocks of one byte': gif(gifFrame.subarray(0, 19), Buffer.alloc(50_000_000, 1), Buffer.of(0)),
    'extensions and nothing else': gif(times(2_000_000, Buffer.from([0x21, 0xfe, 0]))),
  }
  for (const [name, bytes] of Object.entries(huge)) {
    const start = process.cpuUsage()
    try { refuseFrameFlood(bytesInMemory(bytes)) } catch {}
    const { user, system } = process.cpuUsage(start)
    t.ok(user + system < 1_000_000, `${name} takes ${user + system} microseconds`)
  }
})

test('other files, and what is left of broken ones, pass', async (t) => {
  const whole = [webp(webpFrame(), webpFrame()), gif(gifFrame, gifFrameOfOwnColours), gif(Buffer.from('nothing that is a block')), Buffer.from('RIFF1234AVI '), Buffer.from('GIF'), Buffer.alloc(0), await plain(9, 9).png().toBuffer()]
  for (const bytes of whole) for (let end = 0; end <= bytes.length; end++) t.doesNotThrow(() => refuseFrameFlood(bytesInMemory(bytes.subarray(0, end))))
})
