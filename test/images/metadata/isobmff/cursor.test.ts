import { test } from 'tap'
import { createCursor } from '../../../../src/images/metadata/isobmff/cursor.ts'
import { number } from './parts.ts'

test('numbers, types and strings are read one after the other', (t) => {
  const cursor = createCursor(Buffer.concat([number(1, 1), number(2, 0x0203), number(4, 0x80000004), number(8, 2 ** 52 + 1), Buffer.from('av01one\0\0last', 'latin1')]))
  t.same([1, 2, 4, 0, 8].map(cursor.number), [1, 0x0203, 0x80000004, 0, 2 ** 52 + 1])
  t.equal(cursor.fourLetters(), 'av01')
  t.same([cursor.string(), cursor.string(), cursor.string(), cursor.string()], [
    { start: 19, text: 'one' }, { start: 23, text: '' }, { start: 24, text: 'last' }, { start: 28, text: '' },
  ])
  t.equal(cursor.skip(0), 28)
  t.end()
})

test('nothing is read behind the end', (t) => {
  for (const read of [() => createCursor(Buffer.alloc(3)).number(4), () => createCursor(Buffer.alloc(3)).fourLetters(), () => createCursor(Buffer.alloc(3)).skip(4)]) {
    t.throws(read, { code: 'METADATA_UNREADABLE' })
  }
  t.end()
})
