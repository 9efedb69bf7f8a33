import { test } from 'tap'
import { bytesInMemory } from '../../../../src/images/metadata/bytes.ts'
import { createBoxReader, only, required } from '../../../../src/images/metadata/isobmff/boxes.ts'
import { box, number } from './parts.ts'

const reader = (file: Buffer) => createBoxReader(bytesInMemory(file))
const unreadable = { code: 'METADATA_UNREADABLE' }

test('boxes follow one another, of small and large size, and to the end', (t) => {
  const file = Buffer.concat([box('aaaa', 'xyz'), number(4, 1), Buffer.from('bbbb'), number(8, 20), Buffer.alloc(4), number(4, 0), Buffer.from('cccc rest')])
  t.same([...reader(file).boxesIn(0, file.length)], [
    { type: 'aaaa', start: 0, content: 8, end: 11 },
    { type: 'bbbb', start: 11, content: 27, end: 31 },
    { type: 'cccc', start: 31, content: 39, end: file.length },
  ])
  t.same([...reader(file).boxesIn(0, 11 + 7)].map(({ type }) => type), ['aaaa'], 'less than a header is none')
  t.end()
})

test('a box that does not fit is told from those that do', (t) => {
  for (const size of [2, 7, 12, 0xffffffff]) {
    const file = Buffer.concat([box('aaaa'), number(4, size), Buffer.from('bbbb'), Buffer.alloc(3)])
    const walk = reader(file).boxesThatFit(0, file.length)
    t.match(walk.next(), { done: false, value: { type: 'aaaa' } })
    t.match(walk.next(), { done: true, value: { type: 'bbbb', start: 8 } })
    t.throws(() => [...reader(file).boxesIn(0, file.length)], unreadable)
  }
  const large = Buffer.concat([number(4, 1), Buffer.from('aaaa'), number(8, 15)])
  t.throws(() => [...reader(large).boxesIn(0, 16)], unreadable, 'smaller than its own header')
  t.throws(() => [...reader(large).boxesIn(0, 12)], unreadable, 'without room for its size')
  t.end()
})

test('a file of nothing but boxes is given up', (t) => {
  const file = Buffer.alloc(50_001 * 8, box('free'))
  t.throws(() => [...reader(file).boxesIn(0, file.length)], unreadable)
  t.equal([...reader(file).boxesIn(0, file.length - 8)].length, 50_000)
  t.end()
})

test('what is in a box is read as a whole, up to a size', (t) => {
  const file = box('aaaa', 'xyz')
  const whole = { type: 'aaaa', start: 0, content: 8, end: 11 }
  t.same(reader(file).contentOf(whole), Buffer.from('xyz'))
  t.throws(() => reader(file).contentOf({ ...whole, end: 12 }), unreadable)
  t.throws(() => reader(file).contentOf({ ...whole, end: 8 + 4 * 1024 * 1024 + 1 }), unreadable)
  t.end()
})

test('there is one box of a type, or none where that may be', (t) => {
  const [a, b] = [{ type: 'a', start: 0, content: 8, end: 8 }, { type: 'b', start: 8, content: 16, end: 16 }]
  t.equal(only([a, b], 'b'), b)
  t.equal(only([a, b], 'c'), undefined)
  t.throws(() => only([a, b, a], 'a'), unreadable)
  t.equal(required([a, b], 'a'), a)
  t.throws(() => required([a, b], 'c'), unreadable)
  t.end()
})
