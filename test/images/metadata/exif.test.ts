import sharp from 'sharp'
import { test } from 'tap'
import { bytesInMemory } from '../../../src/images/metadata/bytes.ts'
import { orientationOnly, readExif } from '../../../src/images/metadata/exif.ts'
import { artistTag, exifPrefix, latitudeTag, orientationTag, personalTiff, tiff, type Tag } from './parts.ts'

const read = (block: Buffer) => readExif(bytesInMemory(block), 0, block.length)

test('a block of nothing but the orientation may stay, with its prefix and without', (t) => {
  for (const orientation of [1, 2, 3, 4, 5, 6, 7, 8]) {
    const expected = { orientation: orientation === 1 ? undefined : orientation, hasLocation: false, hasThumbnail: false, isImpersonal: true }
    t.same(read(orientationOnly(orientation, false)), { ...expected, isPrefixed: false })
    t.same(read(orientationOnly(orientation, true)), { ...expected, isPrefixed: true })
    t.same(read(tiff({ main: [orientationTag(orientation)] })), { ...expected, isPrefixed: false })
  }
  t.end()
})

test('so may what the image library writes of a picture', async (t) => {
  const picture = await sharp({ create: { width: 3, height: 2, channels: 3, background: 'red' } }).withMetadata({ orientation: 6 }).jpeg().toBuffer()
  const { exif } = await sharp(picture).metadata()
  t.match(read(exif ?? Buffer.alloc(0)), { orientation: 6, isPrefixed: true, isImpersonal: true }, 'little-endian, and with sizes and resolutions')
})

test('a location, a thumbnail and a name are found', (t) => {
  t.match(read(personalTiff(8)), { orientation: 8, hasLocation: true, hasThumbnail: false, isImpersonal: false })
  t.match(read(tiff({ main: [artistTag('Ada')] })), { hasLocation: false, isImpersonal: false })
  t.match(read(tiff({ exif: [[0xa431, 2, 5, Buffer.from('F2LX\0')]] })), { hasLocation: false, isImpersonal: false }, 'a serial number')
  t.match(read(tiff({ main: [orientationTag(3)], thumbnail: [[0x0201, 4, 1, Buffer.alloc(4)]] })), { orientation: 3, hasThumbnail: true, isImpersonal: false })
  const version: Tag = [0x0000, 1, 4, Buffer.from([2, 3, 0, 0])]
  t.match(read(tiff({ gps: [version] })), { hasLocation: false, isImpersonal: false }, 'a version is no location')
  t.match(read(tiff({ exif: [], gps: [version, latitudeTag] })), { hasLocation: true })
  t.end()
})

test('the orientation is a number of any size', (t) => {
  t.equal(read(tiff({ main: [[0x0112, 1, 1, Buffer.from([6])]] })).orientation, 6)
  t.equal(read(tiff({ main: [[0x0112, 4, 1, Buffer.from([0, 0, 0, 6])]] })).orientation, 6)
  for (const wrong of [orientationTag(0), orientationTag(9), [0x0112, 3, 2, Buffer.from([0, 6, 0, 6])], [0x0112, 2, 1, Buffer.from([6])]] as const) {
    t.equal(read(tiff({ main: [wrong] })).orientation, undefined)
  }
  t.end()
})

test('what hides something, or is not what it says, is personal', (t) => {
  const plain = orientationOnly(6, false)
  const broken = (at: number, ...bytes: number[]) => {
    const block = Buffer.from(plain)
    block.set(bytes, at)
    return block
  }
  const blocks = {
    'behind the directories': Buffer.concat([plain, Buffer.from('Ada')]),
    'in a tag that is too long for it': tiff({ main: [[0x011a, 2, 13, Buffer.from('Ada Lovelace\0')]] }),
    'of an unknown type': broken(12, 0, 99),
    'of an unknown type, and none of it': broken(12, 0, 99, 0, 0, 0, 0),
    'with a directory that is not there': broken(4, 0xff, 0xff, 0xff, 0xff),
    'with a directory within the header': broken(4, 0, 0, 0, 0),
    'with more tags than there are': broken(8, 0xff, 0xff),
    'cut off': plain.subarray(0, 25),
    'without a byte order': broken(0, 0x41),
    'a header only': plain.subarray(0, 7),
    nothing: Buffer.alloc(0),
    'more than can be looked through': Buffer.concat([plain, Buffer.alloc(70_000)]),
  }
  for (const [name, block] of Object.entries(blocks)) t.match(read(block), { isImpersonal: false, hasLocation: false }, name)
  t.match(read(Buffer.concat([plain, Buffer.alloc(9)])), { isImpersonal: true }, 'zeros hide nothing')
  t.equal(read(plain.subarray(0, 25)).orientation, 6, 'the orientation is read where it can be')
  t.end()
})

test('no byte of a block can make it fail', (t) => {
  const whole = tiff({ main: [orientationTag(6), artistTag('Ada Lovelace')], exif: [artistTag('a')], gps: [latitudeTag], thumbnail: [artistTag('b')] })
  const asIfHarmless = []
  for (let at = 0; at < whole.length; at++) {
    for (const value of [0, 1, 0x7f, 0xff]) {
      const block = Buffer.concat([exifPrefix, whole])
      block[at + exifPrefix.length] = value
      if (read(block).isImpersonal) asIfHarmless.push(at)
    }
    if (read(whole.subarray(0, at)).isImpersonal) asIfHarmless.push(at)
  }
  t.same(asIfHarmless, [])
  t.end()
})
