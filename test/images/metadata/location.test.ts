import { test } from 'tap'
import { bytesInMemory } from '../../../src/images/metadata/bytes.ts'
import { tellsLocation } from '../../../src/images/metadata/location.ts'
import { exifPrefix, personalTiff, tiff } from './parts.ts'

const tells = (content: string | Buffer) => tellsLocation(bytesInMemory(Buffer.from(content as string, 'latin1')), 0, content.length)

test('coordinates are found in text, in films and in EXIF blocks', (t) => {
  const location = {
    xmp: '<rdf:Description exif:GPSLatitude="48,51.46N"/>',
    film: 'com.apple.quicktime.location.ISO6709',
    phone: '\xa9xyz\0\x12\x15\xc7+48.8577+002.2950/',
    exif: Buffer.concat([exifPrefix, personalTiff(1)]),
  }
  for (const [name, content] of Object.entries(location)) {
    t.equal(tells(content), true, name)
    t.equal(tells(Buffer.concat([Buffer.alloc(65_531), Buffer.from(content as string, 'latin1')])), true, `${name}, across what is read at once`)
  }
  t.end()
})

test('other words are no coordinates', (t) => {
  t.equal(tells(''), false)
  t.equal(tells('the GPS was off; Latitude; \xa9xyz of it'), false)
  t.equal(tells(Buffer.concat([exifPrefix, tiff({})])), false)
  t.end()
})

test('only the bytes asked for are looked at', (t) => {
  const bytes = bytesInMemory(Buffer.from('....GPSLatitude....GPSLatitude'))
  t.equal(tellsLocation(bytes, 5, 29), false)
  t.equal(tellsLocation(bytes, 4, 15), true)
  t.end()
})

test('a file full of EXIF blocks is not read again for each', (t) => {
  const many = Buffer.concat(Array.from({ length: 100 }, () => Buffer.concat([exifPrefix, tiff({})])))
  t.equal(tells(Buffer.concat([many, exifPrefix, personalTiff(1)])), false)
  t.end()
})
