import { randomBytes } from 'node:crypto'
import sharp from 'sharp'
import { test } from 'tap'
import { bytesInMemory } from '../../../src/images/metadata/bytes.ts'
import { orientationOnly } from '../../../src/images/metadata/exif.ts'
import { planWebp } from '../../../src/images/metadata/webp.ts'
import { artistTag, exifPrefix, personalTiff, riffChunk, strip, tiff } from './parts.ts'

const noise = () => sharp(randomBytes(90 * 60 * 3), { raw: { width: 90, height: 60, channels: 3 } })
const plain = await noise().webp().toBuffer()
const frames = await Promise.all([1, 2, 3].map(() => noise().png().toBuffer()))
const animated = await sharp(frames, { join: { animated: true } }).webp({ delay: [100, 200, 300], loop: 2 }).toBuffer()
const shown = (file: Buffer) => sharp(file, { animated: true }).autoOrient().raw().toBuffer()

const [profileFlag, alphaFlag, exifFlag, xmpFlag] = [0x20, 0x10, 0x08, 0x04]
const exif = (block: Buffer) => riffChunk('EXIF', block)
const webp = (...chunks: Buffer[]) => riffChunk('RIFF', Buffer.concat([Buffer.from('WEBP'), ...chunks]))
const pixels = plain.subarray(12)
/** Of 90 x 60 pixels. */
const extended = (flags: number) => riffChunk('VP8X', Buffer.from([flags, 0, 0, 0, 89, 0, 0, 59, 0, 0]))

test('everything personal goes; colours, orientation and pixels stay', async (t) => {
  const profile = riffChunk('ICCP', (await sharp(await noise().withIccProfile('p3').webp().toBuffer()).metadata()).icc ?? '')
  const file = webp(extended(profileFlag | exifFlag | xmpFlag), profile, pixels, exif(personalTiff(6)), riffChunk('XMP ', '<x>Ada Lovelace</x>'), riffChunk('JUNK', 'Ada'))
  const stripped = await strip(Buffer.concat([file, Buffer.from('Ada Lovelace')]), planWebp)
  t.same(stripped.removed, ['location', 'exif', 'xmp', 'other'])
  t.ok(stripped.file.equals(webp(extended(profileFlag | exifFlag), profile, pixels, exif(orientationOnly(6, false)))), 'nothing but the orientation is left of it')
  t.match(await sharp(stripped.file, { failOn: 'error' }).metadata(), { orientation: 6, hasProfile: true })
  t.same(await shown(stripped.file), await shown(file))
  t.same(planWebp(bytesInMemory(stripped.file)), { edits: [], removed: [] }, 'a second time there is nothing to do')
})

test('flags speak of what is left', async (t) => {
  const upright = await strip(webp(extended(alphaFlag | exifFlag | xmpFlag), pixels, exif(personalTiff(1)), riffChunk('XMP ', 'Ada')), planWebp)
  t.ok(upright.file.equals(webp(extended(alphaFlag), pixels)))
  const small = tiff({ main: [artistTag('Ada')] })
  t.equal(small.length, orientationOnly(1, false).length)
  const same = Buffer.from(small)
  orientationOnly(6, false).copy(same, 10, 10, 22)
  same[25] = 1
  const ofOneSize = await strip(webp(extended(exifFlag), pixels, exif(same)), planWebp)
  t.ok(ofOneSize.file.equals(webp(extended(exifFlag), pixels, exif(orientationOnly(6, false)))), 'and the length of the file is the same')
})

test('an orientation is kept only where decoders look for it', async (t) => {
  const turned = exif(orientationOnly(6, false))
  const files = {
    'of a simple file': [webp(pixels, exif(personalTiff(6))), webp(pixels)],
    'that no flag speaks of': [webp(extended(0), pixels, turned), webp(extended(0), pixels)],
    'of a second block': [webp(extended(exifFlag), pixels, turned, exif(orientationOnly(3, false))), webp(extended(exifFlag), pixels, turned)],
    'behind a block without one': [webp(extended(exifFlag), pixels, exif(tiff({ main: [artistTag('Ada')] })), turned), webp(extended(0), pixels)],
    'with a prefix': [webp(extended(exifFlag), pixels, exif(Buffer.concat([exifPrefix, personalTiff(6)]))), webp(extended(exifFlag), pixels, exif(orientationOnly(6, true)))],
  } as const
  for (const [name, [file, expected]] of Object.entries(files)) {
    const stripped = await strip(file, planWebp)
    t.ok(stripped.file.equals(expected), name)
    t.same(await shown(stripped.file), await shown(file), name)
  }
})

test('a picture without personal metadata stays what it is', async (t) => {
  const pictures = {
    plain,
    animated,
    lossless: await noise().webp({ lossless: true }).toBuffer(),
    'with a colour profile and an orientation': await noise().withIccProfile('p3').withMetadata({ orientation: 5 }).webp().toBuffer(),
    transparent: await noise().ensureAlpha(0.5).webp().toBuffer(),
    'with flags of what is not there': webp(extended(exifFlag | xmpFlag), pixels),
    'padded at its end': Buffer.concat([plain, Buffer.alloc(100)]),
  }
  for (const [name, file] of Object.entries(pictures)) t.same(planWebp(bytesInMemory(file)), { edits: [], removed: [] }, name)
})

test('frames of an animation are freed of what is no pixel', async (t) => {
  for (const hidden of ['Ada', 'Ada Lovelace', '']) {
    const chunks = []
    for (let at = 12; at < animated.length;) {
      const end = at + 8 + animated.readUInt32LE(at + 4)
      const type = animated.toString('latin1', at, at + 4)
      const content = animated.subarray(at + 8, end)
      chunks.push(riffChunk(type, type === 'ANMF' ? Buffer.concat([content, riffChunk('EXIF', hidden), riffChunk('JUNK', hidden)]) : content))
      at = end + end % 2
    }
    const file = webp(...chunks)
    const stripped = await strip(file, planWebp)
    t.same(stripped.removed, ['other'])
    t.ok(stripped.file.equals(animated))
    t.match(await sharp(stripped.file, { animated: true }).metadata(), { pages: 3, delay: [100, 200, 300], loop: 2 })
    t.same(await shown(stripped.file), await shown(file))
  }
})

test('a last chunk without the byte that makes its length even is taken as decoders take it', async (t) => {
  const hidden = Buffer.from('JUNK\x03\0\0\0Ada')
  const frame = riffChunk('ANMF', Buffer.concat([Buffer.alloc(16), pixels, hidden]))
  t.ok((await strip(webp(extended(0), frame), planWebp)).file.equals(webp(extended(0), riffChunk('ANMF', Buffer.concat([Buffer.alloc(16), pixels])))))
  t.ok((await strip(webp(extended(0), pixels, hidden).subarray(0, -1), planWebp)).file.equals(webp(extended(0), pixels)))
})

test('a file that was written to a pipe, which tells no length, goes to its end', async (t) => {
  const piped = (file: Buffer) => { const copy = Buffer.from(file); copy.writeUInt32LE(0, 4); return copy }
  for (const file of [plain, animated]) t.same(planWebp(bytesInMemory(piped(file))), { edits: [], removed: [] })
  const stripped = await strip(piped(webp(extended(exifFlag), pixels, exif(personalTiff(1)))), planWebp)
  t.same(stripped, { file: piped(webp(extended(0), pixels)), removed: ['location', 'exif'] })
})

test('a length that leaves pixels out is not believed', (t) => {
  const ofLength = (file: Buffer, length: number) => { const copy = Buffer.from(file); copy.writeUInt32LE(length, 4); return copy }
  const firstFrame = animated.indexOf('ANMF')
  const secondFrame = animated.indexOf('ANMF', firstFrame + 1)
  for (const end of [4, 9, 12, 100, firstFrame, secondFrame, animated.length / 2]) t.throws(() => planWebp(bytesInMemory(ofLength(animated, end - 8 >>> 0))), { code: 'METADATA_UNREADABLE' }, `${end}`)
  t.equal(planWebp(bytesInMemory(Buffer.concat([plain, Buffer.from('Ada')]))).cutsUnclaimed, true)
  const gap = (bytes: number) => Buffer.concat([ofLength(animated.subarray(0, secondFrame), secondFrame - 8), Buffer.alloc(bytes), animated.subarray(secondFrame)])
  for (const bytes of [0, 1, 9]) t.throws(() => planWebp(bytesInMemory(gap(bytes))), { code: 'METADATA_UNREADABLE', message: /before its pixels/ }, 'frames behind a gap')
  t.end()
})

test('what is too short for a chunk goes', async (t) => {
  const hidden = Buffer.from('Ada Lo')
  const frame = (...parts: Buffer[]) => riffChunk('ANMF', Buffer.concat([Buffer.alloc(16), pixels, ...parts]))
  t.equal(planWebp(bytesInMemory(webp(extended(0), pixels, riffChunk('ANMG', Buffer.from('Ada!'))))).cutsUnclaimed, true, 'one bit may make this of pixels')
  t.same(await strip(webp(extended(0), pixels, hidden), planWebp), { file: webp(extended(0), pixels), removed: ['other'] })
  t.same(await strip(webp(extended(0), frame(hidden)), planWebp), { file: webp(extended(0), frame()), removed: ['other'] })
  t.same(planWebp(bytesInMemory(webp(extended(0), pixels, Buffer.alloc(6)))).edits, [])
})

test('chunks that lead nowhere are refused', (t) => {
  const files = {
    nothing: Buffer.alloc(0),
    'another format': riffChunk('RIFF', Buffer.from('WAVEfmt ..................')),
    'cut off': plain.subarray(0, -1),
    'a chunk that is longer than the file': webp(extended(0), Buffer.from('JUNK\xff\xff\xff\x7f', 'latin1')),
    'a frame without a head': webp(extended(0), riffChunk('ANMF', 'Ada'), Buffer.from('\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff', 'latin1')),
    'a frame without pixels': webp(extended(0), riffChunk('ANMF', Buffer.concat([Buffer.alloc(16), riffChunk('P8  ', 'Ada')]))),
    'a chunk that is longer than its frame': webp(extended(0), riffChunk('ANMF', Buffer.concat([Buffer.alloc(16), Buffer.from('JUNK\x09\0\0\0Ada!')]))),
    'without pixels': webp(extended(0), riffChunk('ALPH', 'Ada')),
    'one behind the other': Buffer.concat([plain, plain]),
    'a first chunk that is too long': webp(riffChunk('VP8X', Buffer.concat([Buffer.alloc(10), Buffer.from('Ada')])), pixels),
    'of empty chunks': webp(Buffer.concat(Array.from({ length: 210_000 }, () => riffChunk('ALPH', '')))),
  }
  for (const [name, file] of Object.entries(files)) t.throws(() => planWebp(bytesInMemory(file)), { code: 'METADATA_UNREADABLE' }, name)
  t.end()
})
