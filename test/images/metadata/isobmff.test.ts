import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import sharp from 'sharp'
import { test, type Test } from 'tap'
import { decodeHeic } from '../../../src/images/heic.ts'
import { bytesInMemory } from '../../../src/images/metadata/bytes.ts'
import { planIsobmff } from '../../../src/images/metadata/isobmff.ts'
import { box, ftyp, fullBox, hdlr, heif, number, picture, pixels, sampleTables, samples, sequence, type Item, type Parts } from './isobmff/parts.ts'
import { artistTag, insert, personalTiff, strip, tiff as tiffOf } from './parts.ts'

const fixture = (name: string): Buffer => readFileSync(join(import.meta.dirname, '../../fixtures', name))
const red = sharp({ create: { width: 64, height: 48, channels: 3, background: 'red', noise: { type: 'gaussian', mean: 128, sigma: 20 } } })

const secret = 'Ada Lovelace of Marylebone'
const xmp = `<x:xmpmeta xmlns:x="adobe:ns:meta/"><a exif:GPSLatitude="51,31N">${secret}</a></x:xmpmeta>`
const exifItem = { type: 'Exif', data: Buffer.concat([Buffer.alloc(4), personalTiff(6)]) }
const xmpItem = { type: 'mime', strings: '\0application/rdf+xml\0', data: Buffer.from(xmp) }
const xmpUuid = Buffer.from('be7acfcb97a942e89c71999491e3afac', 'hex')

const stripped = (file: Buffer) => strip(file, planIsobmff)
const refused = (t: Test, file: Buffer, message: string | RegExp) =>
  t.throws(() => planIsobmff(bytesInMemory(file)), { code: 'METADATA_UNREADABLE', message: message instanceof RegExp ? message : new RegExp(message) }, String(message))

/** Everything that has to be true of any file that is taken. */
async function checked (t: Test, file: Buffer, removed: readonly string[]): Promise<Buffer> {
  const result = await stripped(file)
  t.same(result.removed, removed)
  t.same(planIsobmff(bytesInMemory(result.file)), { edits: [], removed: [] }, 'nothing is left for a second pass')
  t.notOk(result.file.includes('Lovelace') || result.file.includes('Secret'), 'nothing personal is left')
  if (removed.length === 0) t.ok(result.file.equals(file), 'byte for byte what it was')
  return result.file
}

const unchanged = (t: Test, file: Buffer) => checked(t, file, [])

test('an AVIF file keeps its pixels and its colour profile, and loses the rest', async (t) => {
  const file = await red.clone().withExif({ IFD0: { Artist: secret }, IFD3: { GPSLatitudeRef: 'N', GPSLatitude: '51/1 31/1 0/1' } })
    .withXmp(xmp).withIccProfile('p3').avif({ effort: 0 }).toBuffer()
  const result = await checked(t, file, ['location', 'exif', 'xmp'])
  t.equal(result.length, file.length)
  t.ok((await sharp(file).raw().toBuffer()).equals(await sharp(result).raw().toBuffer()))
  const { icc, exif } = await sharp(result).metadata()
  t.same(icc, (await sharp(file).metadata()).icc)
  t.ok(exif?.includes(Buffer.from('MM\0*\0\0\0\x08\0\0\0\0\0\0', 'latin1')), 'a TIFF file that says nothing')
})

test('a HEIC file keeps its pixels, and loses its thumbnail and the rest', async (t) => {
  const file = fixture('metadata.heic')
  t.ok(file.includes('thmb'))
  const result = await checked(t, file, ['location', 'exif', 'xmp', 'thumbnail'])
  t.notOk(result.includes('thmb'))
  t.equal(result.length, file.length)
  t.ok((await decodeHeic(file)).equals(await decodeHeic(result)))
})

test('a sequence loses what is told in its tracks as well', async (t) => {
  const file = fixture('metadata-sequence.avif')
  t.equal(file.toString('latin1').split('Exif\0').length, 3, 'in the file and in the track')
  const result = await checked(t, file, ['location', 'exif', 'xmp', 'other'])
  t.equal(result.length, file.length)
  // The image library takes pictures only, by what the file says it is.
  for (const each of [file, result]) each.write('avif', 8)
  t.ok((await sharp(file).raw().toBuffer()).equals(await sharp(result).raw().toBuffer()))
})

test('a file without metadata stays what it is', async (t) => {
  await unchanged(t, await red.clone().avif({ effort: 0 }).toBuffer())
  await unchanged(t, await red.clone().withIccProfile('p3').avif({ effort: 0 }).toBuffer())
  await unchanged(t, heif({}))
  await unchanged(t, sequence({}))
  await unchanged(t, heif({ before: [box('free', Buffer.alloc(9)), box('wide')], after: [box('skip', Buffer.alloc(70_000)), Buffer.alloc(3)] }))
  await unchanged(t, heif({ properties: [box('irot', '\x01'), box('free'), fullBox('udes', 0, Buffer.alloc(4))] }))
  await unchanged(t, heif({ items: [{ ...picture, strings: 'HEVC Image\0' }, { ...picture, strings: 'Alpha_2\0' }] }))
  await unchanged(t, heif({ items: [picture, { ...exifItem, data: Buffer.concat([Buffer.alloc(4), Buffer.from('MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0\0\0\0\0', 'latin1')]) }] }))
})

test('metadata items are overwritten where they are', async (t) => {
  const uri = { type: 'uri ', strings: '\0tag:example.com,2026:style\0', data: Buffer.from(secret) }
  const unknown = { type: 'rgan', data: Buffer.from(secret) }
  const jpeg = { type: 'jpeg', data: Buffer.from(secret) }
  const cases: Array<[Parts, string[]]> = [
    [{ items: [picture, exifItem] }, ['location', 'exif']],
    [{ items: [xmpItem, picture], primary: 2 }, ['location', 'xmp']],
    [{ items: [picture, { ...xmpItem, strings: '\0text/plain\0' }] }, ['location', 'other']],
    [{ items: [picture, uri] }, ['other']],
    [{ items: [picture, unknown] }, ['other']],
    [{ items: [picture, jpeg] }, ['thumbnail']],
    [{ items: [picture, { ...jpeg, type: 'mime', strings: '\0image/jpeg\0' }] }, ['thumbnail']],
  ]
  for (const [parts, removed] of cases) {
    const file = heif(parts)
    const result = await checked(t, file, removed)
    t.equal(result.length, file.length)
    t.ok(result.includes(pixels))
  }
})

test('items are found by each version of iloc, in the file and in idat, with fields of any size', async (t) => {
  for (const ilocVersion of [0, 1, 2] as const) {
    for (const size of [4, 8] as const) {
      for (const base of [0, 4, 8] as const) {
        const file = heif({ ilocVersion, items: [picture, exifItem, xmpItem], sizes: { offset: size, length: size, base, index: ilocVersion === 0 ? 0 : size } })
        t.ok((await checked(t, file, ['location', 'exif', 'xmp'])).includes(pixels))
      }
    }
  }
  const isInIdat = true
  const file = heif({ infeVersion: 3, items: [{ ...picture, isInIdat }, { ...xmpItem, isInIdat }, exifItem] })
  t.ok((await checked(t, file, ['location', 'exif', 'xmp'])).includes(pixels))
})

test('an item in several pieces is overwritten as one', async (t) => {
  const file = heif({ items: [picture, { type: 'Exif', extents: [[400, 10], [420, 20], [410, 10], [440, 60]] }], rest: Buffer.alloc(300) })
  const content = exifItem.data.subarray(0, 100)
  let at = 0
  for (const [start, length] of [[400, 10], [420, 20], [410, 10], [440, 60]] as const) content.copy(file, start, at, at += length)
  const result = await checked(t, file, ['location', 'exif'])
  t.same(result.subarray(400, 410), Buffer.from('\0\0\0\0MM\0*\0\0', 'latin1'))
  t.same(result.subarray(420, 440), Buffer.from('\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0\0\0\0\0', 'latin1'), 'orientation is kept, for those who heed it')
})

test('metadata may share bytes with other metadata', async (t) => {
  const tiff = tiffOf({ main: [artistTag(xmp)] })
  const data = Buffer.concat([Buffer.alloc(4), tiff])
  const within = (items: readonly Item[]) => heif({ items: [picture, { type: 'Exif', data }, ...items] })
  const itemAt = (start: number, length: number, item: Item): Item => ({ ...item, data: Buffer.alloc(0), extents: [[start, length]] })
  for (const build of [
    (start: number) => within([itemAt(start + data.indexOf(xmp), xmp.length, xmpItem)]),
    (start: number) => within([itemAt(start, data.length, { type: 'Exif' })]),
    (start: number) => within([itemAt(start + data.indexOf(xmp), xmp.length, xmpItem), itemAt(start + data.indexOf(xmp), xmp.length, xmpItem)]),
  ]) {
    const file = build(build(0).indexOf(data))
    const result = await checked(t, file, file.includes('rdf+xml') ? ['location', 'exif', 'xmp'] : ['location', 'exif'])
    t.equal(result.length, file.length)
    t.ok(result.includes(pixels))
    t.equal(result.includes(Buffer.alloc(xmp.length, ' ')), file.includes('rdf+xml'), 'text becomes spaces')
  }
})

test('a thumbnail goes where it is, and is none any longer', async (t) => {
  const small = { type: 'av01', strings: 'Color\0', data: Buffer.from(secret) }
  const iref = (...references: Buffer[]) => fullBox('iref', 0, ...references)
  const thmb = box('thmb', number(2, 2, 1, 1))
  const file = heif({ items: [picture, small], inMeta: [iref(thmb)] })
  const result = await checked(t, file, ['thumbnail'])
  t.equal(result.length, file.length)
  t.ok(result.includes(pixels))
  t.notOk(/thmb/.test(result.toString('latin1')))
  t.equal(result.toString('latin1').split('av01').length, 2, 'one picture is left')

  const tile = { type: 'av01', data: Buffer.from(secret) }
  const tiled = heif({ items: [picture, { type: 'grid', data: Buffer.alloc(8, 1) }, tile, tile, { ...exifItem, data: Buffer.alloc(8) }], inMeta: [iref(box('dimg', number(2, 2, 2, 3, 4)), thmb, box('cdsc', number(2, 5, 1, 1)))] })
  const without = await checked(t, tiled, ['thumbnail'])
  t.notOk(/thmb|dimg|grid/.test(without.toString('latin1')))
  t.ok(without.includes('cdsc'))

  const kept = { ...small, data: Buffer.from('a small picture') }
  await unchanged(t, heif({ items: [picture, kept], primary: 2, inMeta: [iref(thmb)] }))
  await unchanged(t, heif({ items: [picture, kept], inMeta: [iref(thmb), box('grpl', fullBox('altr', 0, number(4, 9, 2, 1, 2)))] }))
  await unchanged(t, heif({ items: [picture, kept], inMeta: [iref(thmb, box('dimg', number(2, 1, 1, 2)))] }))
  await unchanged(t, heif({ items: [picture, kept], inMeta: [iref(box('auxl', number(2, 2, 1, 1)))] }))
  const start = file.indexOf(pixels)
  refused(t, heif({ items: [picture, { ...small, data: Buffer.alloc(0), extents: [[start, 5]] }], inMeta: [iref(thmb)] }), 'shares bytes')
})

test('compressed metadata is not said to be compressed any longer', async (t) => {
  const file = heif({ items: [picture, { type: 'mime', strings: '\0application/rdf+xml\0deflate\0', data: Buffer.from('something that was compressed') }] })
  const result = await checked(t, file, ['xmp', 'other'])
  t.notOk(result.includes('deflate'))
})

test('names and descriptions go', async (t) => {
  const named = heif({ items: [{ ...picture, strings: `${secret}\0` }, { ...xmpItem, strings: `${secret}\0application/rdf+xml\0`, data: Buffer.from('  ') }] })
  t.ok((await checked(t, named, ['other'])).includes('  application/rdf+xml'.replace('  ', ' \0')), 'the strings behind it stay where they are')
  const hidden = heif({ items: [{ ...picture, strings: `\0${secret}` }] })
  await checked(t, hidden, ['other'])

  const described = heif({ properties: [box('ispe', Buffer.alloc(12)), fullBox('udes', 0, `en\0${secret}\0\0\0`), fullBox('altt', 0, `${secret}\0en\0`), box('irot', '\x01')] })
  t.ok((await checked(t, described, ['comment'])).includes('irot\x01'))
  const dated = heif({ properties: [fullBox('crtt', 0, number(8, 3_900_000_000_000_000)), fullBox('mdft', 0, number(8, 1))] })
  await checked(t, dated, ['other'])
  const unknown = heif({ properties: [box('uuid', Buffer.alloc(16, 1), secret), box('abcd', secret)] })
  t.notOk(/uuid|abcd/.test((await checked(t, unknown, ['other'])).toString('latin1')), 'they are padding, so that the others keep their numbers')
})

test('boxes that belong to nothing are emptied in the midst of a file, and cut off at its end', async (t) => {
  const xmpBox = box('uuid', xmpUuid, xmp)
  const boxes: Array<[Buffer, string[]]> = [
    [box('uuid', Buffer.alloc(16, 7), secret), ['other']],
    [xmpBox, ['location', 'xmp']],
    [box('free', secret), ['other']],
    [box('skip', secret), ['other']],
    [box('mpvd', box('moov', box('udta', box('\xa9xyz', Buffer.from([0, 18, 0x15, 0xc7]), '+51.5200-000.1500/'), secret))), ['location', 'other']],
    [Buffer.concat([number(4, 1), Buffer.from('uuid'), number(8, 16 + 16 + secret.length), Buffer.alloc(16, 7), Buffer.from(secret)]), ['other']],
  ]
  for (const [extra, removed] of boxes) {
    const inside = heif({ before: [extra] })
    const result = await checked(t, inside, removed)
    t.equal(result.length, inside.length)
    t.ok(result.equals(Buffer.concat([ftyp, result.subarray(ftyp.length, ftyp.length + extra.length), inside.subarray(ftyp.length + extra.length)])), 'and nothing else')
    t.ok((await checked(t, heif({ after: [extra] }), removed)).equals(heif({})))
    t.ok((await checked(t, heif({ after: [box('free', Buffer.alloc(8)), extra] }), removed.includes('xmp') ? ['location', 'xmp', 'other'] : removed)).equals(heif({})))
  }
  for (const extra of [xmpBox, fullBox('xml ', 0, secret), box('free', secret)]) await checked(t, heif({ inMeta: [extra] }), extra === xmpBox ? ['location', 'other'] : ['other'])
})

test('bytes behind the last box are cut off', async (t) => {
  for (const tail of [secret, '\0\0\0', 'SEFH', `\0\0\0\x07free${secret}`, `\0\0\0\0${secret}`]) {
    const file = heif({ after: [Buffer.from(tail)] })
    if (tail === '\0\0\0') await unchanged(t, file)
    else t.ok((await checked(t, file, ['other'])).equals(heif({})))
  }
})

test('bytes between the pictures become zeros', async (t) => {
  const file = heif({ rest: Buffer.from(`${xmp} Exif\0\0`) })
  const result = await checked(t, file, ['location', 'other'])
  t.ok(result.equals(heif({ rest: Buffer.alloc(xmp.length + 7) })))
  t.ok((await checked(t, heif({ inMeta: [box('idat', secret)] }), ['other'])).includes('idat\0\0\0'))
  const unnamed = insert(heif({ items: [picture, { data: Buffer.from(secret) }] }), 0)
  unnamed.writeUInt16BE(7, unnamed.indexOf('infe', unnamed.indexOf('infe') + 1) + 8)
  t.ok((await checked(t, unnamed, ['other'])).includes(pixels), 'what iloc knows and iinf does not')
})

test('pictures and metadata may be in a box that goes', async (t) => {
  const start = ftyp.length + 8
  const file = heif({ before: [box('junk', pixels, secret)], items: [{ extents: [[start, pixels.length]] }] })
  const result = await checked(t, file, ['other'])
  t.ok(result.subarray(start - 4, start + pixels.length).equals(Buffer.from(`free${pixels}`)))
  const behind = heif({ after: [box('junk', pixels, secret)], items: [{ extents: [[file.length - pixels.length - secret.length, pixels.length]] }] })
  t.ok((await checked(t, behind, ['other'])).includes(`free${pixels}`))
  await unchanged(t, heif({ before: [box('junk', Buffer.alloc(50))], items: [picture, { ...exifItem, data: Buffer.alloc(0), extents: [[start, 50]] }] }))
})

test('metadata of a movie is emptied where it is', async (t) => {
  const udta = box('udta', box('\xa9xyz', Buffer.from([0, 18, 0x15, 0xc7]), '+51.5200-000.1500/'), box('name', secret))
  const meta = fullBox('meta', 0, hdlr('mdta'), box('ilst', secret))
  for (const file of [sequence({ inTrack: [udta] }), sequence({}, { inMovie: [udta] })]) {
    const result = await checked(t, file, ['location', 'other'])
    t.equal(result.length, file.length)
    t.ok(result.includes(Buffer.concat(samples)))
  }
  const file = sequence({ inTrack: [meta, box('udta')] }, { inMovie: [meta], data: Buffer.from(secret) })
  t.ok((await checked(t, file, ['other'])).includes('udta'), 'what is empty stays')
})

test('a track that neither shows nor sounds goes with its samples', async (t) => {
  const result = await checked(t, sequence({ handler: 'meta', tables: (start) => [...sampleTables(start), box('keys', secret)] }), ['other'])
  t.notOk(result.includes(samples[0] ?? ''))
})

test('a file whose structure cannot be followed is refused', (t) => {
  const plain = heif({})
  const at = (name: string) => plain.indexOf(name)
  const changed = (name: string, offset: number, ...bytes: number[]) => { const file = Buffer.from(plain); file.set(bytes, at(name) + offset); return file }

  refused(t, Buffer.alloc(0), 'no ftyp')
  refused(t, Buffer.from('\xff\xd8\xff'), 'no ftyp')
  refused(t, plain.subarray(ftyp.length), 'no ftyp')
  refused(t, ftyp, 'neither meta nor moov')
  refused(t, heif({ after: [fullBox('meta', 0)] }), 'more than one meta')
  refused(t, heif({ inMeta: [box('iinf')] }), 'more than one iinf')
  refused(t, heif({ inMeta: [hdlr('pict')] }), 'more than one hdlr')
  refused(t, heif({ after: [box('moof')] }), 'a moof')
  refused(t, Buffer.concat([ftyp, box('mini', 'abc')]), 'a mini')
  refused(t, plain.subarray(0, -1), 'mdat is cut off')
  refused(t, plain.subarray(0, at('iinf')), 'meta is cut off')
  refused(t, changed('iloc', -4, 0, 1, 0, 0), 'does not fit')
  refused(t, changed('iloc', -4, 0, 0, 0, 7), 'does not fit')
  refused(t, changed('pict', 0, 0x6d), 'no pictures')
  refused(t, changed('iloc', 0, 0x6a), 'no iloc')
  refused(t, changed('av01', 0, 0x62, 0x76), 'a primary item of the type bv01')
  t.end()
})

test('metadata that shares bytes with pictures or structure is refused', (t) => {
  const length = heif({ items: [picture, exifItem] }).length
  const start = length - exifItem.data.length - pixels.length
  const exifAt = (...extents: Array<[number, number]>) => heif({ items: [picture, { type: 'Exif', extents }] })
  refused(t, exifAt([start, 10]), 'shares bytes')
  refused(t, exifAt([0, 20]), 'shares bytes')
  refused(t, heif({ items: [picture, { ...xmpItem, extents: [[100, 20]] }] }), 'shares bytes')
  refused(t, exifAt([2 ** 31, 10]), 'ends behind the end')
  refused(t, heif({ items: [picture, { ...exifItem, extents: [[length, 10]] }], after: [Buffer.alloc(100, 'x')] }), 'ends behind the end')
  refused(t, heif({ items: [picture, { ...exifItem, isInIdat: true, extents: [[1, exifItem.data.length]] }] }), 'ends behind the end')
  t.end()
})

test('so much metadata that it would fill the memory is refused, unless it is only cut off', async (t) => {
  const much = Buffer.alloc(17 * 1024 * 1024, 'x')
  refused(t, heif({ before: [box('uuid', much)] }), 'too much that belongs to nothing')
  refused(t, heif({ items: [picture, { ...xmpItem, data: much }] }), 'too much metadata')
  t.ok((await checked(t, heif({ after: [box('uuid', much)] }), ['other'])).equals(heif({})))
})

test('whatever a file is made of, it is taken or refused, and at once', async (t) => {
  let seed = 7
  const random = (below: number) => (seed = (seed * 1_103_515_245 + 12_345) & 0x7fffffff) % below
  const files = [fixture('metadata.heic'), fixture('metadata-sequence.avif'), heif({ items: [picture, exifItem, { ...xmpItem, isInIdat: true }], properties: [fullBox('udes', 0, secret)] }), sequence({})]
  const until = performance.now() + 3000
  let slowest = 0
  let taken = 0
  for (let round = 0; round < 8000 && performance.now() < until; round++) {
    const file = Buffer.from(files[round % files.length] ?? '').subarray(0, random(8) === 0 ? random(2000) : undefined)
    for (let changes = random(5); changes >= 0; changes--) if (file.length > 0) file[random(Math.min(file.length, 1400))] = random(3) === 0 ? random(4) : random(256)
    const start = performance.now()
    try {
      const result = await stripped(file)
      taken++
      if (planIsobmff(bytesInMemory(result.file)).edits.length > 0) t.fail(`a second pass finds more in ${file.toString('base64')}`)
    } catch (error) {
      if (!(error instanceof Error && 'code' in error && error.code === 'METADATA_UNREADABLE')) throw error
    }
    slowest = Math.max(slowest, performance.now() - start)
  }
  t.ok(taken > 100, `${taken} taken`)
  t.ok(slowest < 500, `${slowest} ms`)
})
