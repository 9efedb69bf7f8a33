import { test } from 'tap'
import { tilingOf } from '../../../src/images/heic/tiling.ts'

/** As libheif tells it: version, columns, rows, size of a tile, size of the picture, rest above and on the left. */
const words = (columns: number, rows: number, width: number, height: number, top = 0, left = 0) => Uint32Array.from([1, columns, rows, 64, 64, width, height, top, left])

test('tiles that just cover the picture are put together', async (t) => {
  t.strictSame(tilingOf(words(3, 2, 150, 100), { width: 150, height: 100 }), { columns: 3, rows: 2, tileWidth: 64, tileHeight: 64, left: 0, top: 0 })
  t.strictSame(tilingOf(words(3, 2, 192, 128), { width: 192, height: 128 }), { columns: 3, rows: 2, tileWidth: 64, tileHeight: 64, left: 0, top: 0 })
})

test('what hangs over on the left or above is what the tiles are wider and higher, whatever rest is told', async (t) => {
  t.match(tilingOf(words(3, 2, 150, 100, 36, 22), { width: 150, height: 100 }), { left: 42, top: 28 })
  t.match(tilingOf(words(3, 2, 150, 100, 0, 22), { width: 150, height: 100 }), { left: 42, top: 0 })
})

test('other pictures are decoded as a whole', async (t) => {
  t.equal(tilingOf(words(1, 1, 64, 64), { width: 64, height: 64 }), undefined, 'one tile')
  t.equal(tilingOf(words(3, 2, 150, 100), { width: 150, height: 90 }), undefined, 'cropped')
  t.equal(tilingOf(words(3, 2, 150, 100), { width: 140, height: 100 }), undefined, 'cropped')
  t.equal(tilingOf(words(3, 2, 193, 100), { width: 193, height: 100 }), undefined, 'too few columns')
  t.equal(tilingOf(words(3, 2, 150, 129), { width: 150, height: 129 }), undefined, 'too few rows')
  t.equal(tilingOf(words(4, 2, 150, 100), { width: 150, height: 100 }), undefined, 'a column that shows nothing')
  t.equal(tilingOf(words(3, 3, 150, 100), { width: 150, height: 100 }), undefined, 'a row that shows nothing')
  t.equal(tilingOf(new Uint32Array(2), { width: 150, height: 100 }), undefined, 'nothing told')
})
