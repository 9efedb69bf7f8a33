import { test } from 'tap'
import type { Item } from '../../../../src/images/metadata/isobmff/items.ts'
import { rewriteItem } from '../../../../src/images/metadata/isobmff/rewriting.ts'
import { exifPrefix, orientationTag, personalTiff, tiff } from '../parts.ts'

const none = { start: 0, end: 0 }
const item = (type: string, contentType = ''): Item => ({ type, contentType, name: { ...none, text: '' }, encoding: none, entry: none, extents: [] })
const rewritten = (content: Buffer, type = 'Exif', contentType = '') => rewriteItem(item(type, contentType), content)

const empty = Buffer.from('\0\0\0\0MM\0*\0\0\0\x08\0\0\0\0\0\0', 'latin1')
const turned = Buffer.from('\0\0\0\0MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0\0\0\0\0', 'latin1')
const behind = (offset: number, ...content: Buffer[]) => Buffer.concat([Buffer.from([0, 0, 0, offset]), ...content])
const padded = (content: Buffer, length: number) => Buffer.concat([content, Buffer.alloc(length - content.length)])

test('EXIF says nothing any longer but which way is up', (t) => {
  for (const content of [behind(0, personalTiff(6)), behind(6, exifPrefix, personalTiff(6)), behind(0, exifPrefix, personalTiff(6)), behind(3, Buffer.from('abc'), personalTiff(6))]) {
    t.same(rewritten(content), { content: padded(turned, content.length), kinds: ['exif', 'location'] })
  }
  const upright = behind(0, personalTiff(1))
  t.same(rewritten(upright), { content: padded(empty, upright.length), kinds: ['exif', 'location'] })
  const thumbnail = behind(0, tiff({ thumbnail: [] }))
  t.match(rewritten(thumbnail), { kinds: ['exif', 'thumbnail'] })
  t.end()
})

test('EXIF that cannot be understood goes', (t) => {
  for (const content of [Buffer.from('a'), Buffer.from('abcd'), Buffer.alloc(17, 'a'), behind(255, personalTiff(6)), Buffer.alloc(200, 0xfe), personalTiff(6)]) {
    const { content: replacement, kinds } = rewritten(content) ?? {}
    t.equal(replacement?.length, content.length)
    t.ok(replacement?.every((byte) => byte === 0) || replacement?.equals(padded(empty, content.length)), `${content.length} bytes`)
    t.same(kinds, ['exif'])
  }
  t.end()
})

test('EXIF of nobody stays', (t) => {
  for (const content of [empty, turned, behind(0, tiff({ main: [orientationTag(3)] })), behind(6, exifPrefix, tiff({})), padded(turned, 500)]) t.equal(rewritten(content), undefined)
  t.same(rewritten(behind(4, Buffer.from('Ada '), tiff({})))?.kinds, ['exif'], 'unless something is hidden before it')
  t.end()
})

test('text becomes spaces, other things zeros', (t) => {
  const spaces = Buffer.alloc(5, ' ')
  t.same(rewritten(Buffer.from('hello'), 'mime', 'application/rdf+xml'), { content: spaces, kinds: ['xmp'] })
  t.same(rewritten(Buffer.from('hello'), 'mime', 'text/plain'), { content: spaces, kinds: ['other'] })
  t.same(rewritten(Buffer.from('hello'), 'uri ', 'tag:x'), { content: spaces, kinds: ['other'] })
  t.same(rewritten(Buffer.from('hello'), 'abcd'), { content: Buffer.alloc(5), kinds: ['other'] })
  t.same(rewritten(Buffer.from('GPSLatitude'), 'mime', 'application/rdf+xml')?.kinds, ['xmp', 'location'])
  for (const blank of ['', '   ', '\0\0', '\xff\0']) for (const type of ['mime', 'Exif', 'abcd']) t.equal(rewritten(Buffer.from(blank, 'latin1'), type), undefined)
  t.end()
})
