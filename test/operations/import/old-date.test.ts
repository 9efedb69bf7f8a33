import { test } from 'tap'
import { dateIn, datedBy } from '../../../src/operations/import/old-date.ts'

const now = new Date('2026-11-22')
const mtime = new Date('2020-02-02')

test('a file is as old as its name says, else its folders, else its own time; never of the future', (t) => {
  for (const [path, at] of [
    ['/i/p/2023/05/avatar_1680000000123_x9.png', new Date(1680000000123)], ['/i/p/2023/05/avatar_1680000000_x9.png', new Date(1680000000000)],
    ['/i/p/2023/05/avatar_9999999999999_x.png', new Date('2023-05-01')], ['/i/p/2023/05/me.png', new Date('2023-05-01')], ['/i/p/2023/13/me.png', mtime],
    ['/i/avatar_12345678901234_x.png', mtime], ['/i/avatar_1000000000_x.png', mtime], ['/uploads/x.pdf', mtime], ['/i/2026/12/x.png', mtime], ['', mtime],
  ] as const) t.strictSame(datedBy({ path, mtime, now }), { createdAt: at, isDated: true, notes: [] }, path)
  t.strictSame(datedBy({ path: `/i/avatar_${now.getTime() + 1000}_x.png`, mtime, now }), { createdAt: now, isDated: true, notes: [] })
  t.strictSame(datedBy({ path: '/uploads/x', mtime: undefined, now }), { createdAt: now, isDated: false, notes: [] }, 'nothing tells')
  t.end()
})

test('the word of the older system counts first; a date that cannot be is taken as unknown, and noted', (t) => {
  const path = '/i/p/2023/05/me.png'
  for (const said of [new Date('2005-01-01'), new Date('2019-01-01'), now]) t.strictSame(datedBy({ said, path, mtime, now }), { createdAt: said, isDated: true, notes: [] }, said.toISOString())
  const infinity = Infinity as unknown as Date
  for (const said of [new Date('2004-12-31'), new Date(now.getTime() + 1), new Date('-000044-03-15'), new Date(NaN), infinity]) {
    t.match(datedBy({ said, path, mtime, now }), { createdAt: new Date('2023-05-01'), notes: [/^its date .* is not between 2005 and now, and is taken as unknown$/] }, String(said))
  }
  for (const odd of [new Date('2030-01-01'), new Date(0), new Date(NaN)]) t.match(datedBy({ said: null, path: '', mtime: odd, now }), { createdAt: now, isDated: false, notes: [/^its file time /] }, String(odd))
  t.equal(datedBy({ said: new Date(0), path: '', mtime: new Date(0), now }).notes.length, 2)
  t.end()
})

test('times of an export are read in the forms they come in', (t) => {
  const at = new Date('2021-03-04T05:06:07Z')
  for (const value of ['2021-03-04T05:06:07Z', at.getTime(), at.getTime() / 1000, { $date: '2021-03-04T05:06:07Z' }, { $date: at.getTime() }]) t.strictSame(dateIn(value), at, JSON.stringify(value))
  for (const value of [undefined, null, 'yesterday', {}, true, Infinity]) t.equal(dateIn(value), undefined, String(value))
  t.end()
})
