import { randomBytes } from 'node:crypto'
import sharp from 'sharp'
import { test } from 'tap'
import { bytesInMemory } from '../../../src/images/metadata/bytes.ts'
import { orientationOnly } from '../../../src/images/metadata/exif.ts'
import { planPng } from '../../../src/images/metadata/png.ts'
import { artistTag, exifPrefix, insert, personalTiff, pngChunk, strip, tiff } from './parts.ts'

const noise = sharp(randomBytes(90 * 60 * 3), { raw: { width: 90, height: 60, channels: 3 } })
const plain = await noise.clone().png().toBuffer()
const afterHeader = 33
const beforeEnd = -12
const shown = (file: Buffer) => sharp(file).autoOrient().raw().toBuffer()

/** Every chunk that says how the pixels are to be shown. */
const looks = [
  pngChunk('gAMA', Buffer.from([0, 0, 0xb1, 0x8f])), pngChunk('cICP', Buffer.from([12, 13, 0, 1])), pngChunk('pHYs', Buffer.from('000000010000000100', 'hex')),
  pngChunk('sRGB', Buffer.alloc(1)), pngChunk('cHRM', Buffer.alloc(32, 1)), pngChunk('sBIT', Buffer.from([8, 8, 8])),
]

test('everything personal goes; colours, orientation and pixels stay', async (t) => {
  const picture = await noise.clone().withIccProfile('p3').png().toBuffer()
  const pixels = insert(picture, afterHeader, pngChunk('eXIf', orientationOnly(6, false)))
  const head = insert(picture, afterHeader, pngChunk('eXIf', personalTiff(6)), pngChunk('iTXt', 'XML:com.adobe.xmp\0\0\0\0\0Ada Lovelace'), pngChunk('caBX', 'Ada Lovelace'))
  const file = insert(head, beforeEnd, pngChunk('tEXt', 'Author\0Ada Lovelace'), pngChunk('zTXt', 'Raw profile type iptc\0\0'), pngChunk('tIME', Buffer.alloc(7)))
  const stripped = await strip(Buffer.concat([file, Buffer.from('Ada Lovelace')]), planPng)
  t.same(stripped.removed, ['location', 'exif', 'xmp', 'iptc', 'comment', 'other'])
  t.ok(stripped.file.equals(pixels), 'nothing but the orientation is left of it')
  t.match(await sharp(stripped.file, { failOn: 'error' }).metadata(), { orientation: 6, hasProfile: true })
  t.same(await shown(stripped.file), await shown(file))
  t.same(planPng(bytesInMemory(stripped.file)), { edits: [], removed: [] }, 'a second time there is nothing to do')
})

test('a picture without personal metadata stays what it is', async (t) => {
  const pictures = {
    plain,
    'with a colour profile': await noise.clone().withIccProfile('p3').png().toBuffer(),
    palette: await noise.clone().png({ palette: true }).toBuffer(),
    'of 16 bits': await noise.clone().toColourspace('rgb16').png().toBuffer(),
    'with all that colours need': insert(plain, afterHeader, ...looks),
    'with the orientation only': insert(plain, afterHeader, pngChunk('eXIf', orientationOnly(8, false))),
    animated: insert(insert(plain, afterHeader, pngChunk('acTL', Buffer.alloc(8)), pngChunk('fcTL', Buffer.alloc(26))), beforeEnd, pngChunk('fdAT', Buffer.alloc(9))),
    'padded at its end': Buffer.concat([plain, Buffer.alloc(100)]),
  }
  for (const [name, file] of Object.entries(pictures)) t.same(planPng(bytesInMemory(file)), { edits: [], removed: [] }, name)
})

test('only the first EXIF block tells which way is up', async (t) => {
  const [turned, other] = [pngChunk('eXIf', orientationOnly(6, false)), pngChunk('eXIf', orientationOnly(3, false))]
  t.ok((await strip(insert(plain, afterHeader, turned, other), planPng)).file.equals(insert(plain, afterHeader, turned)))
  t.ok((await strip(insert(plain, afterHeader, pngChunk('eXIf', tiff({ main: [artistTag('Ada')] })), other), planPng)).file.equals(plain))
})

test('a block that stands behind the pixels, or has a prefix, is understood by some only, and stays so', async (t) => {
  const behind = await strip(insert(plain, beforeEnd, pngChunk('eXIf', personalTiff(6))), planPng)
  t.ok(behind.file.equals(insert(plain, beforeEnd, pngChunk('eXIf', orientationOnly(6, false)))))
  const file = insert(plain, afterHeader, pngChunk('eXIf', Buffer.concat([exifPrefix, personalTiff(6)])))
  const prefixed = await strip(file, planPng)
  t.ok(prefixed.file.equals(insert(plain, afterHeader, pngChunk('eXIf', orientationOnly(6, true)))))
  t.same(await shown(prefixed.file), await shown(file))
})

test('chunks are as long as decoders read them, and have no names that nobody sees', async (t) => {
  for (const chunk of [pngChunk('gAMA', 'Ada Lovelace'), pngChunk('sPLT', 'Ada\0\x08'), pngChunk('pCAL', 'Ada\0'), pngChunk('acTL', 'Ada Lovelace')]) {
    t.same(await strip(insert(plain, afterHeader, chunk), planPng), { file: plain, removed: ['other'] })
  }
  const behind = Buffer.concat([plain, Buffer.from('Ada')])
  t.equal(planPng(bytesInMemory(behind)).cutsUnclaimed, true)
  t.equal(planPng(bytesInMemory(insert(plain, beforeEnd, pngChunk('iDAT', 'Ada')))).cutsUnclaimed, true, 'one bit may make this of pixels')
  for (const zeros of [0, 1, 7]) t.throws(() => planPng(bytesInMemory(Buffer.concat([plain, Buffer.alloc(zeros), plain]))), { code: 'METADATA_UNREADABLE', message: /film/ })
})

test('a chain of chunks that leads nowhere is refused', (t) => {
  const files = {
    nothing: Buffer.alloc(0),
    'another format': Buffer.from('GIF89a..'),
    'cut off': plain.subarray(0, -20),
    'without an end': plain.subarray(0, -12),
    'a chunk that is longer than the file': insert(plain, afterHeader, Buffer.from('ffffffff', 'hex'), Buffer.from('tEXt')),
    'with its end before its pixels': insert(plain, afterHeader, pngChunk('IEND', '')),
    'without a header': Buffer.concat([plain.subarray(0, 8), plain.subarray(afterHeader)]),
    'with something in its end': insert(plain.subarray(0, beforeEnd), plain.length + beforeEnd, pngChunk('IEND', 'Ada')),
    'one behind the other': Buffer.concat([plain, plain]),
    'a chunk of no type': insert(plain, afterHeader, pngChunk('a b!', 'Ada')),
    'a critical chunk that nobody knows': insert(plain, afterHeader, pngChunk('ABCD', 'Ada')),
    'of empty chunks': insert(plain, afterHeader, Buffer.concat(Array.from({ length: 210_000 }, () => pngChunk('tEXt', '')))),
  }
  for (const [name, file] of Object.entries(files)) t.throws(() => planPng(bytesInMemory(file)), { code: 'METADATA_UNREADABLE' }, name)
  t.end()
})
