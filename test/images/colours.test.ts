import { test } from 'tap'
import { conversionToSrgb } from '../../src/images/colours.ts'
import { bytesInMemory } from '../../src/images/metadata/bytes.ts'
import { fromDisplayP3, fromRec2020 } from '../../src/images/wide-gamut.ts'
import { plain, withChunk } from './made.ts'

const box = (type: string, ...contents: Array<Buffer | number[]>) => {
  const content = Buffer.concat(contents.map((part) => Buffer.from(part)))
  const header = Buffer.alloc(8)
  header.writeUInt32BE(content.length + 8)
  header.write(type, 4)
  return Buffer.concat([header, content])
}
const nclx = (primaries: number, transfer: number) => box('colr', Buffer.from('nclx'), [0, primaries, 0, transfer, 0, 0, 0x80])
const avif = (...properties: Buffer[]) => bytesInMemory(Buffer.concat([
  box('ftyp', Buffer.from('avif')), box('meta', [0, 0, 0, 0], box('hdlr'), box('iprp', box('ipco', box('ispe'), ...properties))), box('mdat', [1, 2, 3]),
]))

const gamma = (value: number) => {
  const content = Buffer.alloc(4)
  content.writeUInt32BE(value)
  return content
}

test('a PNG declares Display P3 or Rec. 2020 before its pixels', async (t) => {
  const png = await plain(2, 2).png().toBuffer()
  const told = (file: Buffer) => conversionToSrgb(bytesInMemory(file), 'image/png')
  t.equal(told(withChunk(png, 'cICP', [12, 13, 0, 1])), fromDisplayP3)
  for (const transfer of [1, 13, 14, 15]) {
    t.equal(told(withChunk(png, 'cICP', [9, transfer, 0, 1])), fromRec2020)
    t.equal(told(withChunk(png, 'cICP', [12, transfer, 0, 1])), fromDisplayP3)
  }
  for (const other of [[1, 13, 0, 1], [1, 1, 0, 1], [12, 16, 0, 1], [9, 16, 0, 1], [9, 18, 0, 1], [9, 8, 0, 1], [9], []]) t.equal(told(withChunk(png, 'cICP', other)), undefined, other.join())
  t.equal(told(png), undefined)
  t.equal(told(Buffer.alloc(0)), undefined)
})

test('a PNG declares a gamma, which counts where nothing better is told', async (t) => {
  const png = await plain(2, 2).png().toBuffer()
  const shown = (file: Buffer) => {
    const pixel = Buffer.from([128, 0, 255, 7])
    conversionToSrgb(bytesInMemory(file), 'image/png')?.(pixel)
    return [...pixel]
  }
  const linear = withChunk(png, 'gAMA', gamma(100_000))
  t.strictSame(shown(linear), [188, 0, 255, 7])
  for (const better of ['sRGB', 'iCCP', 'cICP']) t.strictSame(shown(withChunk(linear, better, [1])), [128, 0, 255, 7], better)
  t.strictSame(shown(withChunk(linear, 'cHRM', Buffer.alloc(32, 1))), [188, 0, 255, 7])
  for (const wrong of [[], [0, 1, 134], [0, 1, 134, 160, 0]]) t.strictSame(shown(withChunk(png, 'gAMA', wrong)), [128, 0, 255, 7], `a gamma of ${wrong.length} bytes`)
})

test('an AVIF declares Display P3 or Rec. 2020 in its properties', async (t) => {
  t.equal(conversionToSrgb(avif(nclx(12, 13)), 'image/avif'), fromDisplayP3)
  for (const transfer of [1, 13, 14, 15]) t.equal(conversionToSrgb(avif(nclx(9, transfer)), 'image/avif'), fromRec2020)
  for (const before of [box('colr', Buffer.from('prof')), nclx(2, 2), box('colr', Buffer.from('nclx\0'))]) t.equal(conversionToSrgb(avif(before, nclx(12, 13)), 'image/avif'), fromDisplayP3)
  for (const other of [avif(), avif(nclx(1, 13)), avif(nclx(12, 16)), avif(nclx(9, 16)), avif(nclx(9, 18)), avif(box('colr')), bytesInMemory(Buffer.alloc(0)), bytesInMemory(Buffer.alloc(50, 255))]) t.equal(conversionToSrgb(other, 'image/avif'), undefined)
})

test('other types are not looked into', async (t) => {
  t.equal(conversionToSrgb(avif(nclx(12, 13)), 'image/heic'), undefined)
})
