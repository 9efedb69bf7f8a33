import { randomBytes } from 'node:crypto'
import sharp from 'sharp'
import { test } from 'tap'
import { bytesInMemory } from '../../../src/images/metadata/bytes.ts'
import { orientationOnly } from '../../../src/images/metadata/exif.ts'
import { planJpeg } from '../../../src/images/metadata/jpeg.ts'
import { artistTag, exifPrefix, insert, jpegSegment, latitudeTag, orientationTag, personalTiff, strip, tiff } from './parts.ts'

const noise = sharp(randomBytes(90 * 60 * 3), { raw: { width: 90, height: 60, channels: 3 } })
const plain = await noise.clone().jpeg().toBuffer()
const exif = (block: Buffer) => jpegSegment(0xe1, Buffer.concat([exifPrefix, block]))
const xmp = jpegSegment(0xe1, 'http://ns.adobe.com/xap/1.0/\0<x:xmpmeta>Ada Lovelace</x:xmpmeta>')
const orientationOf = async (file: Buffer) => (await sharp(file).metadata()).orientation
const shown = (file: Buffer) => sharp(file).autoOrient().raw().toBuffer()

/** Between the start of the image and whatever the encoder began with. */
const withSegments = (...segments: Buffer[]) => insert(plain, 2, ...segments)

test('everything personal goes; colours, orientation and pixels stay', async (t) => {
  const thumbnail = tiff({ main: [artistTag('Ada Lovelace')], thumbnail: [artistTag('Ada Lovelace')] })
  const picture = await noise.clone().withIccProfile('p3').jpeg().toBuffer()
  const file = insert(picture, 2,
    exif(personalTiff(6)), exif(thumbnail), xmp,
    jpegSegment(0xe1, 'http://ns.adobe.com/xmp/extension/\0Ada Lovelace'),
    jpegSegment(0xe0, 'JFXX\0\x10Ada Lovelace'),
    jpegSegment(0xe2, 'MPF\0Ada Lovelace'),
    jpegSegment(0xe5, 'Ada Lovelace'),
    jpegSegment(0xed, 'Photoshop 3.0\x008BIM\x04\x04Ada Lovelace'),
    jpegSegment(0xfe, 'made by Ada Lovelace'))
  const second = insert(picture, 2, exif(personalTiff(3)))
  const stripped = await strip(Buffer.concat([file, second, Buffer.from('Ada Lovelace')]), planJpeg)
  t.same(stripped.removed, ['location', 'exif', 'xmp', 'iptc', 'comment', 'thumbnail', 'other'])
  t.notMatch(stripped.file.toString('latin1'), /Lovelace|MPF/)
  t.equal(stripped.file.length, insert(picture, 2, exif(orientationOnly(6, false))).length, 'nothing but the orientation is left of it')

  const metadata = await sharp(stripped.file).metadata()
  t.equal(metadata.orientation, 6)
  t.same(metadata.icc, (await sharp(picture).metadata()).icc)
  t.same(await shown(stripped.file), await shown(file))
  t.same(planJpeg(bytesInMemory(stripped.file)), { edits: [], removed: [] }, 'a second time there is nothing to do')
})

test('a picture without personal metadata stays what it is', async (t) => {
  const pictures = {
    plain,
    progressive: await noise.clone().jpeg({ progressive: true }).toBuffer(),
    'with a colour profile and an orientation': await noise.clone().withIccProfile('p3').withMetadata({ orientation: 5 }).jpeg().toBuffer(),
    'of four inks': await noise.clone().toColourspace('cmyk').jpeg().toBuffer(),
    'with restarts': await sharp(plain).jpeg({ mozjpeg: true }).toBuffer(),
    'with the orientation only': withSegments(exif(orientationOnly(8, false))),
    'with the upright orientation only': withSegments(exif(orientationOnly(1, false))),
    'with a JFIF header': withSegments(jpegSegment(0xe0, 'JFIF\0\x01\x02\x01\0\x48\0\x48\0\0')),
    'with an Adobe marker': withSegments(jpegSegment(0xee, 'Adobe\0\x64\0\0\0\0\x01')),
    'with fill bytes': withSegments(Buffer.alloc(9, 0xff), jpegSegment(0xdd, Buffer.alloc(2))),
    'padded at its end': Buffer.concat([plain, Buffer.alloc(4096)]),
  }
  for (const [name, file] of Object.entries(pictures)) t.same(planJpeg(bytesInMemory(file)), { edits: [], removed: [] }, name)
})

test('metadata between the scans of a progressive picture is found', async (t) => {
  const picture = await noise.clone().jpeg({ progressive: true }).toBuffer()
  const firstScan = picture.indexOf('ffda', 'hex')
  const secondScan = picture.indexOf('ffc4', firstScan, 'hex')
  const file = insert(picture, secondScan, jpegSegment(0xfe, 'Ada Lovelace'), exif(personalTiff(6)), xmp)
  const stripped = await strip(file, planJpeg)
  t.same(stripped.removed, ['location', 'exif', 'xmp', 'comment'])
  t.ok(stripped.file.equals(picture), 'not even an orientation is left there, for nobody looks at it')
  t.same(await shown(file), await shown(picture))
})

test('scans of any length are passed, with stuffed bytes and restarts', async (t) => {
  const picture = await sharp(randomBytes(600 * 400 * 3), { raw: { width: 600, height: 400, channels: 3 } }).jpeg({ quality: 100 }).toBuffer()
  t.ok(picture.length > 200_000)
  t.ok((await strip(Buffer.concat([picture, Buffer.from('Ada')]), planJpeg)).file.equals(picture))
  const restarts = insert(plain, plain.length - 2, Buffer.from('ffd0ff00ffd7ffff', 'hex'), jpegSegment(0xfe, 'Ada'))
  t.match(planJpeg(bytesInMemory(restarts)), { edits: [{ start: plain.length + 6, end: plain.length + 13 }], removed: ['comment'] })
})

test('only the first EXIF block tells which way is up', async (t) => {
  for (const [first, second] of [[orientationOnly(6, false), orientationOnly(3, false)], [personalTiff(6), orientationOnly(3, false)], [tiff({ main: [artistTag('Ada')] }), orientationOnly(3, false)]] as const) {
    const file = withSegments(exif(first), exif(second))
    const stripped = await strip(file, planJpeg)
    t.equal(stripped.removed.includes('exif'), true)
    t.equal(await orientationOf(stripped.file), await orientationOf(file))
    t.same(await shown(stripped.file), await shown(file))
  }
  const upright = await strip(withSegments(exif(tiff({ main: [orientationTag(1)], gps: [latitudeTag] }))), planJpeg)
  t.ok(upright.file.equals(plain), 'none is needed for an upright picture')
  const damaged = await strip(withSegments(jpegSegment(0xe1, 'Exif\0\0Ada')), planJpeg)
  t.ok(damaged.file.equals(plain))
})

test('the thumbnail of a JFIF header is cut off', async (t) => {
  const header = (width: number, rest: Buffer) => jpegSegment(0xe0, Buffer.concat([Buffer.from('JFIF\0\x01\x02\x01\0\x48\0\x48'), Buffer.from([width, width]), rest]))
  const stripped = await strip(withSegments(header(2, Buffer.alloc(12, 7))), planJpeg)
  t.same(stripped.removed, ['thumbnail'])
  t.ok(stripped.file.equals(withSegments(header(0, Buffer.alloc(0)))))
})

test('what decoders skip between two segments is removed', async (t) => {
  const stripped = await strip(withSegments(Buffer.from('Ada Lovelace'), jpegSegment(0xdd, Buffer.alloc(2))), planJpeg)
  t.same(stripped.removed, ['other'])
  t.ok(stripped.file.equals(withSegments(jpegSegment(0xdd, Buffer.alloc(2)))))
})

test('a picture that is cut off within a scan has nothing more to tell', (t) => {
  t.same(planJpeg(bytesInMemory(plain.subarray(0, -100))).edits, [])
  t.same(planJpeg(bytesInMemory(plain.subarray(0, -1))).edits, [])
  t.end()
})

test('frames of a film are not taken for what follows a picture; what phones put there goes', async (t) => {
  const index = jpegSegment(0xe2, 'MPF\0II*\0')
  const small = await sharp(plain).resize(9, 6).jpeg().toBuffer()
  for (const frames of [3, 4, 9]) t.throws(() => planJpeg(bytesInMemory(Buffer.concat(Array.from({ length: frames }, () => plain)))), { code: 'METADATA_UNREADABLE', message: /film/ })
  t.throws(() => planJpeg(bytesInMemory(Buffer.concat([plain, plain, plain.subarray(0, -99)]))), { message: /film/ }, 'also when it is cut off')
  for (const zeros of [1, 5, 70_000]) t.throws(() => planJpeg(bytesInMemory(Buffer.concat([plain, plain, plain].flatMap((frame) => [frame, Buffer.alloc(zeros)])))), { message: /film/ }, `${zeros} zeros between frames`)
  t.throws(() => planJpeg(bytesInMemory(Buffer.concat([small, plain]))), { code: 'METADATA_UNREADABLE', message: /larger/ }, 'what comes first may be a preview')
  const progressive = await sharp(plain).jpeg({ progressive: true }).toBuffer()
  const scans = [...progressive.toString('latin1').matchAll(/\xff\xda/g)].map(({ index }) => index)
  const early = Buffer.concat([progressive.subarray(0, scans[1]), Buffer.from('ffd9', 'hex'), progressive.subarray(scans[1])])
  t.throws(() => planJpeg(bytesInMemory(early)), { code: 'METADATA_UNREADABLE', message: /before its pixels/ }, 'an end between two scans')
  const stripped = {
    'a second one': [plain, plain],
    'a second one that is cut off': [plain, plain.subarray(0, -99)],
    'smaller ones': [plain, small, small],
    'another one, and smaller ones': [plain, plain, small, small],
    'as many as an index names': [withSegments(index), plain, plain],
    'zeros, and a second one': [plain, Buffer.alloc(9), plain],
  }
  for (const [name, parts] of Object.entries(stripped)) {
    const file = Buffer.concat(parts)
    t.same(await strip(file, planJpeg), { file: plain, removed: ['other'] }, name)
    t.equal(planJpeg(bytesInMemory(file)).cutsUnclaimed, true, 'and it is told that it might be pixels of a damaged one')
  }
  t.equal(planJpeg(bytesInMemory(withSegments(exif(personalTiff(6))))).cutsUnclaimed, undefined)
})

test('segments are as long as decoders read them', async (t) => {
  const adobe = jpegSegment(0xee, 'Adobe\0\x64\0\0\0\0\x01')
  const lines = jpegSegment(0xdc, Buffer.from([0, 60]))
  const files = [
    [jpegSegment(0xee, 'Adobe\0\x64\0\0\0\0\x01Ada'), adobe],
    [jpegSegment(0xee, 'Adobe Ada'), Buffer.alloc(0)],
    [jpegSegment(0xe2, 'ICC_PROFILE by Ada'), Buffer.alloc(0)],
    [jpegSegment(0xdc, 'Ada'), Buffer.alloc(0)],
  ] as const
  for (const [segment, left] of files) t.same(await strip(withSegments(segment), planJpeg), { file: withSegments(left), removed: ['other'] })
  t.same(planJpeg(bytesInMemory(insert(plain, plain.length - 2, lines))).edits, [])
})

test('a chain of segments that leads nowhere is refused', (t) => {
  const [start, end] = [plain.subarray(0, 2), plain.subarray(-2)]
  const files = {
    nothing: Buffer.alloc(0),
    'another format': Buffer.from('GIF89a'),
    'the start only': start,
    'a segment without a length': Buffer.concat([start, Buffer.from('ffe1', 'hex')]),
    'a segment that is longer than the file': Buffer.concat([start, Buffer.from('ffe1ffff', 'hex'), Buffer.alloc(100)]),
    'a segment that is shorter than its length': Buffer.concat([start, Buffer.from('ffe10001', 'hex'), plain.subarray(2)]),
    'a second start': withSegments(start),
    'a reserved marker': withSegments(jpegSegment(0xf7, 'Ada')),
    'cut off before the scan': plain.subarray(0, 100),
    'with its end before its pixels': insert(plain, 2, jpegSegment(0xe0, 'JFIF\0\x01\x01\0\0\x01\0\x01\0\0'), end),
    'with its end before its scan': insert(plain, plain.indexOf('ffda', 'hex'), end),
    'with a scan before its frame': Buffer.concat([start, plain.subarray(plain.indexOf('ffda', 'hex'))]),
    'with a scan before its frame, cut off': Buffer.concat([start, plain.subarray(plain.indexOf('ffda', 'hex'), -2)]),
    'with a second picture that leads nowhere': Buffer.concat([plain, start, Buffer.from('Ada')]),
    'of comments only': Buffer.concat([start, ...Array.from({ length: 210_000 }, () => jpegSegment(0xfe, ''))]),
  }
  for (const [name, file] of Object.entries(files)) t.throws(() => planJpeg(bytesInMemory(file)), { code: 'METADATA_UNREADABLE' }, name)
  t.end()
})
