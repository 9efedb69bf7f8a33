import { test } from 'tap'
import { createLayout } from '../../../../src/images/metadata/isobmff/layout.ts'
import type { Kind } from '../../../../src/images/metadata/removal.ts'
import { strip } from '../parts.ts'

const unreadable = { code: 'METADATA_UNREADABLE' }
const box = (start: number, end: number, type = 'abcd') => ({ type, start, content: start + 8, end })

type Layout = ReturnType<typeof createLayout>
const laidOut = async (text: string, arrange: (layout: Layout) => void, end = 0) => {
  const { file, removed } = await strip(Buffer.from(text, 'latin1'), (bytes) => { const layout = createLayout(bytes); arrange(layout); return layout.plan(end) })
  return { text: file.toString('latin1'), removed }
}
const by = (text: string, ...kinds: Kind[]) => () => ({ content: Buffer.from(text), kinds })

test('what nobody keeps becomes zeros, or is cut off at the end', async (t) => {
  t.same(await laidOut('0123456789', (layout) => { layout.keep(5, 7); layout.keep(1, 3); layout.keep(2, 3) }), { text: '\x0012\0\x0056', removed: ['other'] })
  t.same(await laidOut('0123456789', (layout) => layout.keep(0, 2), 5), { text: '01\0\0\0', removed: ['other'] })
  t.same(await laidOut('0123456789', (layout) => layout.keep(0, 10)), { text: '0123456789', removed: [] })
  t.same(await laidOut('01\0\xff45\0\0', (layout) => { layout.keep(0, 2); layout.keep(4, 6) }), { text: '01\0\xff45\0\0', removed: [] }, 'what is empty stays')
})

test('what is written over something has its length, in pieces if need be', async (t) => {
  const pieces = [{ start: 6, end: 8 }, { start: 2, end: 3 }]
  t.same(await laidOut('0123456789', (layout) => { layout.keep(0, 10); layout.overwrite([], by('')) }), { text: '0123456789', removed: [] })
  t.same(await laidOut('01234567', (layout) => { layout.keep(0, 2); layout.keep(3, 6); layout.overwrite(pieces, (old) => ({ content: Buffer.from(`${old}`.toUpperCase().replaceAll(/\d/g, 'x')), kinds: ['xmp'] })) }),
    { text: '01x345xx', removed: ['xmp'] })
  for (const rewrite of [() => undefined, by('672', 'xmp')]) {
    t.same(await laidOut('01234567', (layout) => { layout.keep(0, 2); layout.keep(3, 6); layout.overwrite(pieces, rewrite) }), { text: '01234567', removed: [] })
  }
})

test('nothing is written over what stays, nor twice', async (t) => {
  await t.rejects(laidOut('0123456789', (layout) => { layout.keep(0, 5); layout.overwrite([{ start: 4, end: 6 }], by('xx')) }), unreadable)
  await t.rejects(laidOut('0123456789', (layout) => { layout.keep(5, 9); layout.overwrite([{ start: 4, end: 6 }], by('xx')) }), unreadable)
  await t.rejects(laidOut('0123456789', (layout) => { layout.overwrite([{ start: 4, end: 6 }], by('xx')); layout.overwrite([{ start: 4, end: 6 }], by('xx')) }), unreadable)
  await t.resolves(laidOut('0123456789', (layout) => { layout.keep(0, 4); layout.overwrite([{ start: 4, end: 6 }], by('xx')); layout.keep(6, 10) }))
})

test('what becomes nothing may share bytes with others that do, and with nothing else', async (t) => {
  const range = (start: number, end: number) => ({ start, end })
  const blanking = (layout: Layout, isText: boolean, extents: Array<[number, number]>, ...kinds: Kind[]) =>
    layout.blank(extents.map(([start, end]) => range(start, end)), { isText, rewrite: ({ length }) => kinds.length === 0 ? undefined : { content: Buffer.alloc(length, 'x'), kinds } })
  const outer = (layout: Layout) => { layout.keep(0, 2); blanking(layout, false, [[2, 8]], 'exif'); layout.keep(8, 10) }

  t.same(await laidOut('0123456789', (layout) => { outer(layout); blanking(layout, true, [[4, 6]], 'xmp') }), { text: '01\0\0  \0\x0089', removed: ['exif', 'xmp'] }, 'within')
  t.same(await laidOut('0123456789', (layout) => { outer(layout); blanking(layout, false, [[2, 8]]) }), { text: '01\0\0\0\0\0\x0089', removed: ['exif'] }, 'the same')
  t.same(await laidOut('0123456789', (layout) => { blanking(layout, true, [[4, 6], [0, 1]], 'xmp'); blanking(layout, true, [[7, 9], [5, 7]], 'other'); layout.keep(1, 4); layout.keep(9, 10) }), { text: ' 123     9', removed: ['xmp', 'other'] }, 'in pieces')
  t.same(await laidOut('0123456789', (layout) => { layout.keep(0, 4); blanking(layout, false, [[4, 8], [6, 10]], 'exif') }), { text: '0123\0\0\0\0\0\0', removed: ['exif'] }, 'with itself')
  t.same(await laidOut('0123456789', (layout) => { blanking(layout, false, [[0, 10]], 'exif'); blanking(layout, true, [[1, 2]], 'xmp'); blanking(layout, true, [[8, 9]], 'xmp') }), { text: '\0 \0\0\0\0\0\0 \0', removed: ['exif', 'xmp'] }, 'two in one')
  t.same(await laidOut('0123456789', (layout) => { outer(layout); blanking(layout, true, [[10, 10]], 'xmp') }), { text: '01xxxxxx89', removed: ['exif'] }, 'beside one another nothing changes')
  t.same(await laidOut('0123456789', (layout) => { blanking(layout, false, [[0, 10]]); blanking(layout, true, [[4, 6]]) }), { text: '0123456789', removed: [] }, 'nothing has to go')

  await t.rejects(laidOut('0123456789', (layout) => { outer(layout); blanking(layout, true, [[7, 9]], 'xmp') }), unreadable, 'with what stays')
  await t.rejects(laidOut('0123456789', (layout) => { outer(layout); layout.overwrite([range(4, 6)], by('xx')) }), unreadable, 'with what is written over')
})

test('a box that goes is padding, of a kind', async (t) => {
  t.same(await laidOut('\0\0\0\x0cabcdAda.kept', (layout) => { layout.drop(box(0, 12), 'comment'); layout.keep(12, 16) }), { text: '\0\0\0\x0cfree\0\0\0\0kept', removed: ['comment'] })
  t.same(await laidOut('\0\0\0\x0cabcd\0\0\0\0kept', (layout) => { layout.drop(box(0, 12), 'comment'); layout.keep(12, 16) }), { text: '\0\0\0\x0cabcd\0\0\0\0kept', removed: [] })
  t.same(await laidOut('\0\0\0\x0cskipAda.kept', (layout) => { layout.drop(box(0, 12, 'skip'), 'comment'); layout.keep(12, 16) }), { text: '\0\0\0\x0cskip\0\0\0\0kept', removed: ['comment'] })
})

test('a box at the end goes for good, unless it is empty or something in it stays', async (t) => {
  const two = (text: string, arrange: (layout: Layout) => void = () => {}) =>
    laidOut(`kept${text}`, (layout) => { layout.keep(0, 4); layout.dropOrCut(box(4, 14, text.slice(4, 8)), 'xmp'); layout.dropOrCut(box(14, 26, text.slice(14, 18)), 'comment'); arrange(layout) })
  t.same(await two('\0\0\0\x0aabcdAd\0\0\0\x0cefghAda.'), { text: 'kept', removed: ['xmp', 'comment'] })
  t.same(await two('\0\0\0\x0afree\0\0\0\0\0\x0cskip\0\0\0\0'), { text: 'kept\0\0\0\x0afree\0\0\0\0\0\x0cskip\0\0\0\0', removed: [] })
  t.same(await two('\0\0\0\x0afreeAd\0\0\0\x0cefghAda.', (layout) => layout.keep(13, 14)), { text: 'kept\0\0\0\x0afree\0d', removed: ['xmp', 'comment'] })
  t.same(await two('\0\0\0\x0aabcdAd\0\0\0\x0cefghAda.', (layout) => layout.keep(13, 14)), { text: 'kept\0\0\0\x0afree\0d', removed: ['xmp', 'comment'] }, 'with its whole length')
})
