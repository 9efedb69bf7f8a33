import { test } from 'tap'
import { dateIn, dateOf } from '../../../src/operations/import/old-date.ts'

const now = new Date('2026-11-22')
const mtime = new Date('2020-02-02')

test('a file is as old as its name says, else its folders, else its own time; never of the future', (t) => {
  for (const [path, at] of [
    ['/i/p/2023/05/avatar_1680000000123_x9.png', new Date(1680000000123)], ['/i/p/2023/05/avatar_1680000000_x9.png', new Date(1680000000000)],
    ['/i/p/2023/05/avatar_9999999999999_x.png', new Date('2023-05-01')], ['/i/p/2023/05/me.png', new Date('2023-05-01')], ['/i/p/2023/13/me.png', mtime],
    ['/i/avatar_12345678901234_x.png', mtime], ['/i/avatar_1000000000_x.png', mtime], ['/uploads/x.pdf', mtime], ['/i/2026/12/x.png', mtime], ['', mtime],
  ] as const) t.strictSame(dateOf(path, mtime, now), at, path)
  t.strictSame(dateOf('', new Date('2030-01-01'), now), now)
  t.strictSame(dateOf('', new Date(NaN), now), now)
  t.end()
})

test('times of an export are read in the forms they come in', (t) => {
  const at = new Date('2021-03-04T05:06:07Z')
  for (const value of ['2021-03-04T05:06:07Z', at.getTime(), at.getTime() / 1000, { $date: '2021-03-04T05:06:07Z' }, { $date: at.getTime() }]) t.strictSame(dateIn(value), at, JSON.stringify(value))
  for (const value of [undefined, null, 'yesterday', {}, true, Infinity]) t.equal(dateIn(value), undefined, String(value))
  t.end()
})
