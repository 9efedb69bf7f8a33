import { performance } from 'node:perf_hooks'
import { test } from 'tap'
import { findThumbnails } from '../../../../src/images/metadata/isobmff/thumbnails.ts'

type Triple = readonly [from: number, type: string, to: readonly number[]]
const box = { type: '', start: 0, content: 0, end: 0 }
/** Item 1 is the primary one; those above 100 are metadata. */
const found = (triples: readonly Triple[], needed: readonly number[] = [1]) =>
  [...findThumbnails(triples.map(([from, type, to]) => ({ from, type, to, box })), { isPicture: (id) => id <= 100, isNeeded: (id) => needed.includes(id) })].toSorted()

test('a thumbnail goes with its tiles and its transparency', async (t) => {
  t.same(found([]), [])
  t.same(found([[2, 'thmb', [1]]]), [2])
  t.same(found([[2, 'thmb', [1]], [101, 'cdsc', [1, 2]]]), [2], 'metadata may describe it')
  t.same(found([[1, 'dimg', [3, 4]], [2, 'thmb', [1]], [2, 'dimg', [5, 6]], [7, 'auxl', [2]], [7, 'dimg', [8]]]), [2, 5, 6, 7, 8])
  t.same(found([[2, 'thmb', [1]], [3, 'thmb', [2]]]), [2, 3])
})

test('what is more than a thumbnail stays', async (t) => {
  t.same(found([[1, 'thmb', [2]]]), [], 'the primary picture')
  t.same(found([[2, 'thmb', [1]]], [1, 2]), [], 'one of a group')
  t.same(found([[2, 'thmb', [1]], [1, 'dimg', [2, 3]]]), [], 'what the picture is made of')
  t.same(found([[2, 'thmb', [1]], [2, 'dimg', [4]], [1, 'dimg', [2]], [5, 'auxl', [2]]]), [], 'with its parts')
  t.same(found([[2, 'thmb', [1]], [2, 'dimg', [3, 4]], [1, 'dimg', [4]]]), [2, 3], 'a tile of both')
  t.same(found([[2, 'thmb', [1]], [3, 'auxl', [1, 2]]]), [2], 'transparency of both')
  t.same(found([[2, 'thmb', [1]], [2, 'auxl', [1]]]), [], 'transparency of the picture')
  t.same(found([[2, 'thmb', [1]], [1, 'prem', [2]]]), [])
  t.same(found([[101, 'thmb', [1]]]), [], 'what is no picture')
})

test('pictures made of pictures without end are refused, and at once', async (t) => {
  const chain = Array.from({ length: 90 }, (_, index): Triple => [100 - index, 'dimg', [99 - index]]).toReversed()
  t.throws(() => found([[100, 'thmb', [1]], ...chain]), { code: 'METADATA_UNREADABLE' })
  t.same(found([[2, 'thmb', [1]], [2, 'dimg', [3]], [3, 'dimg', [2]]]), [2, 3], 'a circle of those that go')
  const start = performance.now()
  const many = Array.from({ length: 20_000 }, (_, index): Triple => [2 + index % 90, 'dimg', [3 + index % 90]])
  t.ok(found([[2, 'thmb', [1]], ...many]).length > 0)
  t.ok(performance.now() - start < 1000)
})
