import { test } from 'tap'
import { heifType } from '../../src/transfer/heif.ts'
import { sniff } from '../../src/transfer/sniff.ts'
import { box, fullBox, hdlr, number } from '../images/metadata/isobmff/parts.ts'

const ftyp = (major: string, ...compatible: string[]) => box('ftyp', major, Buffer.alloc(4), ...compatible)
const pictures = fullBox('meta', 0, hdlr('pict'))
const movie = box('moov', fullBox('mvhd', 0, Buffer.alloc(96)))
const mdat = box('mdat', 'pixels')

test('a major brand of pictures or of sequences says what it is', async (t) => {
  const types: Array<[string[], string]> = [
    [['heic', 'mif1', 'heic'], 'image/heic'],
    [['mif1', 'heic', 'mif1'], 'image/heic'],
    [['mif1'], 'image/heif'],
    [['avif', 'mif1', 'miaf'], 'image/avif'],
    [['mif1', 'miaf', 'avif'], 'image/avif'],
    [['avis', 'msf1', 'iso8'], 'image/avif'],
    [['msf1', 'hevc', 'iso8'], 'image/heic'],
    [['msf1', 'iso8'], 'image/heif'],
    [['avci', 'mif1'], 'image/heif'],
    ...['heim', 'heis', 'heix', 'hevc', 'hevm', 'hevs', 'hevx'].map((brand) => [[brand], 'image/heic'] as [string[], string]),
    ...['miaf', 'MiHB', '1pic', 'avcs', 'vvic', 'jpgs', 'j2ki'].map((brand) => [[brand, 'mif1'], 'image/heif'] as [string[], string]),
  ]
  for (const [[major = '', ...compatible], type] of types) {
    for (const rest of [[], [pictures, mdat], [pictures, movie, mdat]]) {
      t.equal(heifType(Buffer.concat([ftyp(major, ...compatible), ...rest])), type, `${major} ${compatible}`)
    }
    t.same(await sniff(ftyp(major, ...compatible), 'video/mp4'), { contentType: type, extension: type.replace('image/', '') })
  }
})

test('among the compatible brands it counts where there are pictures and no movie', async (t) => {
  for (const major of ['isom', 'mp42', 'abcd', '\0\0\0\0', 'qt  ']) {
    const brands = ftyp(major, 'isom', 'mif1', 'heic')
    t.equal(heifType(Buffer.concat([brands, pictures, mdat])), 'image/heic', major)
    t.equal(heifType(Buffer.concat([brands, box('free', Buffer.alloc(50)), pictures, number(4, 900_000), Buffer.from('mdat')])), 'image/heic', 'of which the head is a part')
    for (const rest of [[], [mdat], [movie, mdat], [movie, pictures, mdat], [pictures, movie, mdat], [fullBox('meta', 0, hdlr('mdta')), mdat], [fullBox('meta', 0), mdat], [fullBox('meta', 0, box('iloc', Buffer.alloc(20), 'pict'))]]) {
      t.equal(heifType(Buffer.concat([brands, ...rest])), undefined, `${major} with ${rest.length}`)
    }
    t.equal(heifType(Buffer.concat([ftyp(major, 'isom', 'mp41'), pictures, mdat])), undefined, 'without such a brand')
  }
  t.equal((await sniff(Buffer.concat([ftyp('isom', 'iso2', 'mif1'), movie, mdat]), undefined)).contentType, 'video/mp4')
  t.equal((await sniff(Buffer.concat([ftyp('isom', 'iso2', 'mif1'), pictures, mdat]), undefined)).contentType, 'image/heif')
  t.equal((await sniff(Buffer.concat([ftyp('qt  ', 'qt  '), pictures, mdat]), undefined)).contentType, 'video/quicktime')
})

test('sizes are read as they are written, and no further than the head', async (t) => {
  const large = Buffer.concat([number(4, 1), Buffer.from('ftypmif1'.slice(0, 4)), number(8, 28), Buffer.from('mif1'), Buffer.alloc(4), Buffer.from('heic')])
  t.equal(heifType(large), 'image/heic')
  t.equal(heifType(Buffer.concat([ftyp('mif1'), box('abcd', 'avif')])), 'image/heif', 'brands end with their box')
  for (const whole of [ftyp('isom', 'mif1', 'heic'), Buffer.concat([ftyp('isom', 'mif1'), pictures])]) {
    for (let length = 0; length < whole.length; length++) t.doesNotThrow(() => heifType(whole.subarray(0, length)))
  }
  for (const other of [Buffer.alloc(0), Buffer.alloc(64 * 1024), Buffer.alloc(64 * 1024, '\0\0\0\x08ftyp'), Buffer.concat([box('free'), ftyp('heic')]), Buffer.from('\xff\xd8\xff\xe0', 'latin1')]) t.equal(heifType(other), undefined)
})
