import { test, type Test } from 'tap'
import { bytesInMemory } from '../../../../src/images/metadata/bytes.ts'
import { createBoxReader } from '../../../../src/images/metadata/isobmff/boxes.ts'
import { readItems, readPrimary } from '../../../../src/images/metadata/isobmff/items.ts'
import { box, fullBox, heif, number } from './parts.ts'

/** What is in a "meta" box that holds these. */
function opened (...boxes: Buffer[]) {
  const file = Buffer.concat(boxes)
  const reader = createBoxReader(bytesInMemory(file))
  return { file, reader, children: [...reader.boxesIn(0, file.length)] }
}

const items = (...boxes: Buffer[]) => {
  const { file, reader, children } = opened(...boxes)
  return [...readItems(reader, children, file.length)].map(([id, item]) => ({ id, ...item, text: file.toString('latin1', item.name.start, item.name.end) }))
}

const infe = (version: number, id: number, rest: string) => fullBox('infe', version, number(version === 3 ? 4 : 2, id), number(2, 0), Buffer.from(rest, 'latin1'))
const iinf = (version: number, ...entries: Buffer[]) => fullBox('iinf', version, number(version === 0 ? 2 : 4, entries.length), ...entries)
const iloc = (version: number, fields: number[], ...entries: Buffer[]) => fullBox('iloc', version, Buffer.from(fields), number(version === 2 ? 4 : 2, entries.length), ...entries)
const nowhere = iloc(0, [0x44, 0])
const refused = (t: Test, ...boxes: Buffer[]) => t.throws(() => items(...boxes), { code: 'METADATA_UNREADABLE' })

test('items have an id, a type, a name and, if they are files, a type of content', (t) => {
  t.match(items(iinf(0, infe(2, 1, 'av01Color\0'), infe(3, 70_000, 'mimeone\0text/plain\0gzip\0'), infe(2, 3, 'uri \0tag:x\0'), infe(2, 4, 'Exif'), infe(2, 5, 'mime\0a/b')), nowhere), [
    { id: 1, type: 'av01', text: 'Color', contentType: '', extents: { length: 0 } },
    { id: 70_000, type: 'mime', text: 'one', contentType: 'text/plain', encoding: { text: 'gzip' } },
    { id: 3, type: 'uri ', text: '', contentType: 'tag:x' },
    { id: 4, type: 'Exif', text: '' },
    { id: 5, type: 'mime', contentType: 'a/b', encoding: { text: '' } },
  ])
  t.match(items(iinf(1, infe(2, 1, 'av01Color\0')), nowhere), [{ id: 1, text: 'Color' }], 'with a count of four bytes')
  t.end()
})

test('items that nobody can tell the meaning of are refused', (t) => {
  refused(t, iinf(0, infe(0, 1, 'name\0')), nowhere)
  refused(t, iinf(0, infe(4, 1, 'av01\0')), nowhere)
  refused(t, iinf(0, box('evil', infe(2, 1, 'av01\0').subarray(8))), nowhere)
  refused(t, iinf(0, infe(2, 1, 'av01\0'), infe(2, 1, 'Exif\0')), nowhere)
  refused(t, iinf(0, infe(2, 1, 'av')), nowhere)
  refused(t, iinf(0))
  refused(t, nowhere)
  t.end()
})

test('extents are counted from the start of the file, or of idat', (t) => {
  const id = iinf(0, infe(2, 1, 'av01\0'))
  const extents = (...boxes: Buffer[]) => items(id, ...boxes)[0]?.extents
  t.same(extents(iloc(0, [0x44, 0x40], Buffer.concat([number(2, 1, 0), number(4, 10), number(2, 2), number(4, 1, 2, 5, 6)]))), [{ start: 11, end: 13 }, { start: 15, end: 21 }])
  t.same(extents(iloc(1, [0x48, 0x84], Buffer.concat([number(2, 1, 0, 0), number(8, 10), number(2, 1), number(4, 99, 1), number(8, 2)]))), [{ start: 11, end: 13 }])
  t.same(extents(iloc(2, [0x04, 0x40], Buffer.concat([number(4, 1), number(2, 0, 0), number(4, 10), number(2, 1), number(4, 2)]))), [{ start: 10, end: 12 }])
  const inIdat = iloc(1, [0x44, 0], Buffer.concat([number(2, 1, 1, 0, 1), number(4, 1, 2)]))
  t.same(extents(inIdat, box('idat', 'xyz')), [{ start: id.length + inIdat.length + 9, end: id.length + inIdat.length + 11 }])
  t.same(extents(iloc(0, [0x44, 0], Buffer.concat([number(2, 1, 0, 1), number(4, 1, 0)]))), [], 'none of no length')
  t.end()
})

test('extents that are elsewhere or nowhere are refused', (t) => {
  const id = iinf(0, infe(2, 1, 'av01\0'))
  const one = (method: number, reference: number, offset: number, length: number) => iloc(1, [0x44, 0], Buffer.concat([number(2, 1, method, reference, 1), number(4, offset, length)]))
  const end = id.length + one(0, 0, 0, 0).length
  t.match(items(id, one(0, 0, 0, end)), [{ extents: [{ start: 0, end }] }])
  refused(t, id, one(0, 0, 1, end))
  refused(t, id, one(0, 0, 0xffffffff, 0xffffffff))
  refused(t, id, one(2, 0, 0, 1))
  refused(t, id, one(0, 1, 0, 1))
  refused(t, id, one(1, 0, 0, 1))
  refused(t, id, one(1, 0, 0, 3), box('idat', 'xy'))
  refused(t, id, one(1, 0, 0, 1), box('idat'), box('idat', 'xy'))
  refused(t, id, iloc(3, [0x44, 0]))
  for (const fields of [[0x34, 0], [0x41, 0], [0x44, 0x20], [0x44, 0x02]]) refused(t, id, iloc(1, fields))
  const place = Buffer.concat([number(2, 1, 0, 1), number(4, 0, 1)])
  refused(t, id, iloc(0, [0x44, 0], place, place))
  refused(t, id, iloc(0, [0x44, 0], place.subarray(0, -1)))
  const far = Buffer.concat([number(2, 1, 0, 1), Buffer.alloc(8, 0xff), number(4, 1)])
  refused(t, id, iloc(0, [0x84, 0], far))
  t.end()
})

test('the primary item is known by its id', (t) => {
  const primaryOf = (...boxes: Buffer[]) => { const { reader, children } = opened(...boxes); return readPrimary(reader, children) }
  t.equal(primaryOf(fullBox('pitm', 0, number(2, 7))), 7)
  t.equal(primaryOf(fullBox('pitm', 1, number(4, 70_000))), 70_000)
  t.equal(primaryOf(), undefined)
  t.throws(() => primaryOf(fullBox('pitm', 1, number(2, 7))), { code: 'METADATA_UNREADABLE' })
  t.ok(heif({}).includes('pitm'))
  t.end()
})
