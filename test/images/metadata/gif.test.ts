import { randomBytes } from 'node:crypto'
import sharp from 'sharp'
import { test } from 'tap'
import { bytesInMemory } from '../../../src/images/metadata/bytes.ts'
import { planGif } from '../../../src/images/metadata/gif.ts'
import { insert, strip } from './parts.ts'

const noise = () => sharp(randomBytes(90 * 60 * 3), { raw: { width: 90, height: 60, channels: 3 } })
const frames = await Promise.all([1, 2, 3].map(() => noise().png().toBuffer()))
const animated = await sharp(frames, { join: { animated: true } }).gif({ delay: [100, 200, 300], loop: 2 }).toBuffer()
const shown = (file: Buffer) => sharp(file, { animated: true }).raw().toBuffer()

const subBlocks = (content: string) => Buffer.concat([...content.match(/[^]{1,255}/g) ?? []].map((part) => Buffer.concat([Buffer.of(part.length), Buffer.from(part)])).concat(Buffer.of(0)))
const extension = (label: number, ...blocks: Buffer[]) => Buffer.concat([Buffer.of(0x21, label), ...blocks])
const application = (name: string, ...blocks: Buffer[]) => extension(0xff, Buffer.of(11), Buffer.from(name), ...blocks)
/** Not in sub-blocks: its trailer counts down, so that whoever jumps into it by a length comes out at its end. */
const xmp = application('XMP DataXMP', Buffer.from(`<x:xmpmeta exif:GPSLatitude="48">${'Ada Lovelace '.repeat(99)}</x:xmpmeta>`), Buffer.of(1), Buffer.from(Array.from({ length: 256 }, (_, index) => 255 - index)), Buffer.of(0))

const afterHead = 13 + (3 << ((animated.readUInt8(10) & 7) + 1))

test('everything personal goes; colours, motion and pixels stay', async (t) => {
  const file = insert(animated, afterHead,
    extension(0xfe, subBlocks('made by Ada Lovelace '.repeat(99))), xmp,
    application('MGKIPTC0000', subBlocks('Ada Lovelace')),
    application('ADALOVELACE', subBlocks('Ada Lovelace')),
    extension(0x01, Buffer.of(12), Buffer.alloc(12), subBlocks('Ada Lovelace')),
    extension(0xce, subBlocks('Ada Lovelace')))
  const stripped = await strip(file, planGif)
  t.same(stripped.removed, ['location', 'xmp', 'iptc', 'comment', 'other'])
  t.ok(stripped.file.equals(animated))
  t.match(await sharp(stripped.file, { animated: true }).metadata(), { pages: 3, delay: [100, 200, 300], loop: 2 })
  t.same(await shown(stripped.file), await shown(file))
  const atItsEnd = Buffer.concat([insert(animated, -1, extension(0xfe, subBlocks('Ada Lovelace'))), Buffer.from('Ada Lovelace')])
  t.same(await strip(atItsEnd, planGif), { file: animated, removed: ['comment', 'other'] })
})

test('a picture without personal metadata stays what it is', async (t) => {
  const pictures = {
    animated,
    still: await noise().gif().toBuffer(),
    'of one colour table for each frame': await sharp(frames, { join: { animated: true } }).gif({ reuse: false, interFrameMaxError: 0 }).toBuffer(),
    'with a colour profile': insert(animated, afterHead, application('ICCRGBG1012', subBlocks('profile'.repeat(99)))),
    'with zeros between its blocks': insert(animated, afterHead, Buffer.alloc(3)),
    'padded at its end': Buffer.concat([animated, Buffer.alloc(100)]),
    'with a frame that has a colour table': insert(animated, afterHead, Buffer.from('2c000000000100010080', 'hex'), Buffer.alloc(6), Buffer.from('0202440100', 'hex')),
    'of the first version, without any colour table': Buffer.concat([Buffer.from('GIF87a\x01\0\x01\0\0\0\0'), Buffer.from('2c00000000010001000002024401003b', 'hex')]),
  }
  for (const [name, file] of Object.entries(pictures)) t.same(planGif(bytesInMemory(file)), { edits: [], removed: [] }, name)
})

test('an application is known by its whole name', async (t) => {
  for (const block of [extension(0xff, subBlocks('NETSCAPE2.0!')), extension(0xff, subBlocks('NETSCAPE')), extension(0xff, subBlocks(''))]) {
    t.same(await strip(insert(animated, afterHead, block), planGif), { file: animated, removed: ['other'] })
  }
})

test('what says how to show something is as long as decoders read it', async (t) => {
  const control = animated.indexOf('21f904', 'hex')
  const loop = application('NETSCAPE2.0', Buffer.from('0301020000', 'hex'))
  const loopAt = animated.indexOf('NETSCAPE2.0') - 3
  t.ok(animated.subarray(loopAt, loopAt + 14).equals(loop.subarray(0, 14)))
  t.same(await strip(insert(animated, control + 7, Buffer.from('\x03Ada')), planGif), { file: animated, removed: ['other'] })
  t.same(await strip(insert(animated, loopAt + 18, Buffer.from('\x03Ada')), planGif), { file: animated, removed: ['other'] })
  for (const blocks of [subBlocks('Ada!'), subBlocks('')]) t.same(await strip(insert(animated, afterHead, application('NETSCAPE2.0', blocks)), planGif), { file: animated, removed: ['other'] })
  t.throws(() => planGif(bytesInMemory(insert(animated, control, extension(0xf9, subBlocks('Ada'))))), { code: 'METADATA_UNREADABLE' })
  t.equal(planGif(bytesInMemory(Buffer.concat([animated, Buffer.from('Ada')]))).cutsUnclaimed, true)
  for (const zeros of [0, 1, 70_000]) {
    for (const what of [animated, animated.subarray(control)]) t.throws(() => planGif(bytesInMemory(Buffer.concat([animated, Buffer.alloc(zeros), what]))), { code: 'METADATA_UNREADABLE', message: /before its pixels/ }, 'frames behind the trailer')
  }
})

test('a picture that is cut off anywhere is refused', (t) => {
  const accepted = []
  for (let length = 0; length < animated.length; length++) {
    try {
      planGif(bytesInMemory(animated.subarray(0, length)))
      accepted.push(length)
    } catch (error) {
      if ((error as { code?: string }).code !== 'METADATA_UNREADABLE') throw error
    }
  }
  t.same(accepted, [])
  t.end()
})

test('blocks that lead nowhere are refused', (t) => {
  const files = {
    'another format': Buffer.from('\x89PNG\r\n\x1a\n......', 'latin1'),
    'a block that nobody knows': insert(animated, afterHead, Buffer.from('Ada')),
    'with its end before its pixels': insert(animated, afterHead, Buffer.from(';')),
    'one behind the other': Buffer.concat([animated, animated]),
    'of zeros': insert(animated, afterHead, Buffer.alloc(210_000)),
  }
  for (const [name, file] of Object.entries(files)) t.throws(() => planGif(bytesInMemory(file)), { code: 'METADATA_UNREADABLE' }, name)
  t.end()
})
