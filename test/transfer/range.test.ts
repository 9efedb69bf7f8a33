import t from 'tap'
import { selectRange } from '../../src/transfer/range.ts'

t.test('a range is selected, clamped, ignored or refused', async (t) => {
  const cases: [field: string | undefined, expected: ReturnType<typeof selectRange>][] = [
    [undefined, 'whole'],
    ['bytes=0-0', { start: 0, end: 0 }],
    ['bytes=2-5', { start: 2, end: 5 }],
    ['bytes=2-', { start: 2, end: 9 }],
    ['bytes=0-', { start: 0, end: 9 }],
    ['bytes=9-9', { start: 9, end: 9 }],
    ['bytes=5-99', { start: 5, end: 9 }],
    [`bytes=5-${'9'.repeat(400)}`, { start: 5, end: 9 }],
    ['bytes=-3', { start: 7, end: 9 }],
    ['bytes=-10', { start: 0, end: 9 }],
    ['bytes=-99', { start: 0, end: 9 }],
    [`bytes=-${'9'.repeat(400)}`, { start: 0, end: 9 }],
    ['bytes=007-008', { start: 7, end: 8 }],
    ['Bytes=2-5', { start: 2, end: 5 }],
    ['bytes=10-', 'unsatisfiable'],
    ['bytes=10-20', 'unsatisfiable'],
    [`bytes=${'9'.repeat(400)}-`, 'unsatisfiable'],
    ['bytes=-0', 'unsatisfiable'],
    ['bytes=5-2', 'whole'],
    ['bytes=20-10', 'whole'],
    ['bytes=0-1,3-4', 'whole'],
    ['bytes=0-1, 20-30', 'whole'],
    ['bytes=0-1, bytes=3-4', 'whole'],
    ['bytes=', 'whole'],
    ['bytes=-', 'whole'],
    ['bytes', 'whole'],
    ['', 'whole'],
    ['bytes=a-b', 'whole'],
    ['bytes=0x1-2', 'whole'],
    ['bytes=1.5-2', 'whole'],
    ['bytes=+1-2', 'whole'],
    ['bytes=1e0-2', 'whole'],
    ['bytes=--1', 'whole'],
    ['bytes=1--2', 'whole'],
    ['bytes= 0-1', 'whole'],
    ['bytes=0 - 1', 'whole'],
    ['bytes =0-1', 'whole'],
    ['bytes=0-1x', 'whole'],
    ['bytes=\u0661-\u0662', 'whole'],
    ['items=0-1', 'whole'],
    ['0-1', 'whole'],
  ]
  for (const [field, expected] of cases) t.same(selectRange(field, 10), expected, JSON.stringify(field)?.slice(0, 40) ?? 'absent')
})

t.test('an empty file has no ranges', async (t) => {
  for (const field of ['bytes=0-', 'bytes=0-0', 'bytes=5-', 'bytes=-1', 'bytes=-0']) t.equal(selectRange(field, 0), 'whole', field)
})

t.test('whatever is selected lies in the file', async (t) => {
  for (let size = 1; size <= 6; size++) {
    const bytes = [...Array(size).keys()]
    for (let first = 0; first <= 8; first++) {
      t.same(slice(selectRange(`bytes=${first}-`, size), bytes), bytes.slice(first), `${first}- of ${size}`)
      t.same(slice(selectRange(`bytes=-${first}`, size), bytes), first === 0 ? [] : bytes.slice(-first), `-${first} of ${size}`)
      for (let last = first; last <= 8; last++) t.same(slice(selectRange(`bytes=${first}-${last}`, size), bytes), bytes.slice(first, last + 1), `${first}-${last} of ${size}`)
    }
  }
})

function slice (selected: ReturnType<typeof selectRange>, bytes: number[]): number[] {
  if (typeof selected === 'string') return selected === 'whole' ? bytes : []
  if (selected.start < 0 || selected.end >= bytes.length || selected.start > selected.end) throw new RangeError('outside the file')
  return bytes.slice(selected.start, selected.end + 1)
}
