import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { deflateSync } from 'node:zlib'
import { parse } from 'opentype.js/dist/opentype.mjs'
import t from 'tap'
import { unwrap } from '../../../src/images/fallback/woff.ts'

/** A WOFF file of these tables, stored as given. */
function woff (tables: Array<{ tag: string, stored: Buffer, length: number }>): Buffer {
  const header = Buffer.alloc(44 + tables.length * 20)
  header.write('wOFF')
  header.writeUInt32BE(0x00010000, 4)
  header.writeUInt16BE(tables.length, 12)
  let offset = header.length
  for (const [index, { tag, stored, length }] of tables.entries()) {
    const at = 44 + index * 20
    header.write(tag, at)
    header.writeUInt32BE(offset, at + 4)
    header.writeUInt32BE(stored.length, at + 8)
    header.writeUInt32BE(length, at + 12)
    header.writeUInt32BE(0xabcd0000 + index, at + 16)
    offset += stored.length
  }
  return Buffer.concat([header, ...tables.map(({ stored }) => stored)])
}

t.test('the tables outlines need come out, inflated where they were deflated', async (t) => {
  const outlines = Buffer.from('outlines '.repeat(50))
  const sfnt = unwrap(woff([
    { tag: 'GSUB', stored: Buffer.from('shaping'), length: 7 },
    { tag: 'glyf', stored: deflateSync(outlines), length: outlines.length },
    { tag: 'head', stored: Buffer.from('as it is'), length: 8 },
  ]))
  t.equal(sfnt.readUInt32BE(0), 0x00010000, 'TrueType')
  t.equal(sfnt.readUInt16BE(4), 2)
  const table = (at: number) => ({
    tag: sfnt.toString('latin1', at, at + 4),
    checksum: sfnt.readUInt32BE(at + 4),
    content: sfnt.toString('latin1', sfnt.readUInt32BE(at + 8), sfnt.readUInt32BE(at + 8) + sfnt.readUInt32BE(at + 12)),
  })
  t.same(table(12), { tag: 'glyf', checksum: 0xabcd0001, content: outlines.toString() })
  t.same(table(28), { tag: 'head', checksum: 0xabcd0002, content: 'as it is' })
})

t.test('every outline is the one the whole font has', async (t) => {
  const file = readFileSync(fileURLToPath(import.meta.resolve('@fontsource/noto-sans/files/noto-sans-vietnamese-600-normal.woff')))
  const whole = parse(file, { lowMemory: false })
  const unwrapped = parse(unwrap(file), { lowMemory: true })
  let glyphs = 0
  for (let code = 0; code < 0x2100; code++) {
    const letter = String.fromCodePoint(code)
    const expected = whole.charToGlyph(letter)
    const found = unwrapped.charToGlyph(letter)
    if (whole.charToGlyphIndex(letter) > 0) glyphs++
    if (found.advanceWidth !== expected.advanceWidth || found.getPath(0, 0, 1000).toPathData(0) !== expected.getPath(0, 0, 1000).toPathData(0)) t.fail(letter)
  }
  t.ok(glyphs > 100, `${glyphs} letters`)
})

t.test('a font that was cut is an error', async (t) => {
  const file = readFileSync(fileURLToPath(import.meta.resolve('@fontsource/noto-sans/files/noto-sans-greek-600-normal.woff')))
  for (const length of [0, 10, 43, 60, 400, file.length >> 1]) t.throws(() => parse(unwrap(file.subarray(0, length)), { lowMemory: true }), `${length} bytes`)
})
