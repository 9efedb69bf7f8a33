import { test } from 'tap'
import { bytesInMemory } from '../../../../src/images/metadata/bytes.ts'
import { createBoxReader } from '../../../../src/images/metadata/isobmff/boxes.ts'
import { readChunks } from '../../../../src/images/metadata/isobmff/samples.ts'
import { fullBox, number } from './parts.ts'

function chunks (boxes: Buffer[], fileSize = 1_000_000): Array<[number, number]> {
  const file = Buffer.concat(boxes)
  const reader = createBoxReader(bytesInMemory(file))
  return readChunks(reader, [...reader.boxesIn(0, file.length)], fileSize).map(({ start, end }) => [start, end])
}

const stsz = (size: number, count: number, ...sizes: number[]) => fullBox('stsz', 0, number(4, size, count, ...sizes))
const stz2 = (bits: number, count: number, table: Buffer) => fullBox('stz2', 0, number(4, bits, count), table)
const stsc = (...runs: Array<[first: number, samples: number]>) => fullBox('stsc', 0, number(4, runs.length, ...runs.flatMap((run) => [...run, 1])))
const stco = (...offsets: number[]) => fullBox('stco', 0, number(4, offsets.length, ...offsets))
const co64 = (...offsets: number[]) => fullBox('co64', 0, number(4, offsets.length), number(8, ...offsets))
const unreadable = { code: 'METADATA_UNREADABLE' }

test('chunks are as long as their samples together', (t) => {
  t.same(chunks([stsz(0, 4, 1, 2, 3, 4), stsc([1, 2]), stco(100, 200)]), [[100, 103], [200, 207]])
  t.same(chunks([stsz(0, 6, 1, 2, 3, 4, 5, 6), stsc([1, 1], [2, 2], [4, 1]), stco(100, 200, 300, 400)]), [[100, 101], [200, 205], [300, 309], [400, 406]])
  t.same(chunks([stsz(10, 3), stsc([1, 3]), co64(100)]), [[100, 130]])
  t.same(chunks([stz2(8, 2, Buffer.from([7, 9])), stsc([1, 1]), stco(100, 200)]), [[100, 107], [200, 209]])
  t.same(chunks([stz2(16, 1, number(2, 300)), stsc([1, 1]), stco(100)]), [[100, 400]])
  t.same(chunks([stsz(0, 0), stsc(), stco()]), [])
  t.same(chunks([stsz(0, 0), stsc(), stco(100)]), [[100, 100]])
  t.end()
})

test('tables that cannot be true are refused', (t) => {
  t.throws(() => chunks([stsz(10, 3), stsc([1, 3]), stco(100)], 129), unreadable)
  t.throws(() => chunks([stsz(0, 2, 1, 2), stsc([1, 3]), stco(100)]), unreadable)
  t.throws(() => chunks([stsz(0, 3, 1, 2), stsc([1, 1]), stco(100)]), unreadable)
  t.throws(() => chunks([stsz(10, 0xffffffff), stsc([1, 0xffffffff]), stco(100)]), unreadable)
  t.throws(() => chunks([stsz(10, 9), stsc([2, 1], [2, 3]), stco(100)]), unreadable)
  t.throws(() => chunks([stz2(4, 2, Buffer.alloc(1)), stsc([1, 1]), stco(100)]), unreadable)
  t.throws(() => chunks([stsz(1, 1), stsc([1, 1])]), unreadable)
  t.throws(() => chunks([stsz(1, 1), stco(1)]), unreadable)
  t.throws(() => chunks([stsc([1, 1]), stco(1)]), unreadable)
  t.throws(() => chunks([stsz(1, 1), stsc([1, 1]), stco(1), stco(1)]), unreadable)
  t.end()
})
