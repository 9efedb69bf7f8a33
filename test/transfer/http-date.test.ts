import t from 'tap'
import { formatHttpDate, parseHttpDate } from '../../src/transfer/http-date.ts'

const seconds = Date.UTC(1994, 10, 6, 8, 49, 37) / 1000
const now = new Date('2026-11-21T00:00:00Z')

t.test('all three forms of the RFC name the same second', async (t) => {
  for (const field of ['Sun, 06 Nov 1994 08:49:37 GMT', 'Sunday, 06-Nov-94 08:49:37 GMT', 'Sun Nov  6 08:49:37 1994']) {
    t.equal(parseHttpDate(field, now), seconds, field)
  }
})

t.test('what is written is read back', async (t) => {
  t.equal(formatHttpDate(seconds), 'Sun, 06 Nov 1994 08:49:37 GMT')
  for (const second of [0, 1, 951_782_400, 1_709_164_800, 4_102_444_799]) t.equal(parseHttpDate(formatHttpDate(second)), second)
})

t.test('what only looks like a date is none', async (t) => {
  const fields = [
    '', '0', '1', '2026', 'now', '2026-11-21T10:11:12Z', 'Sun, 06 Nov 1994 08:49:37', 'Sun, 06 Nov 1994 08:49:37 UTC', 'Sun, 06 Nov 1994 08:49:37 +0000',
    'sun, 06 nov 1994 08:49:37 gmt', 'Sun, 6 Nov 1994 08:49:37 GMT', 'Sun, 06 Nov 94 08:49:37 GMT', 'Sun, 06 Nov 1994 24:00:00 GMT', 'Sun, 06 Nov 1994 08:60:37 GMT',
    'Sun, 06 Nov 1994 08:49:61 GMT', 'Sun, 31 Feb 1994 08:49:37 GMT', 'Sun, 00 Nov 1994 08:49:37 GMT', 'Sun, 32 Nov 1994 08:49:37 GMT', ' Sun, 06 Nov 1994 08:49:37 GMT',
    'Sun, 06 Nov 1994 08:49:37 GMT, Sun, 06 Nov 1994 08:49:37 GMT', 'Fun, 06 Nov 1994 08:49:37 GMT', 'Sun, 06 Foo 1994 08:49:37 GMT', '"Sun, 06 Nov 1994 08:49:37 GMT"',
  ]
  for (const field of fields) t.equal(parseHttpDate(field), undefined, JSON.stringify(field))
})

t.test('a leap second and a leap day are dates', async (t) => {
  t.equal(parseHttpDate('Sat, 31 Dec 2016 23:59:60 GMT'), Date.UTC(2017, 0, 1) / 1000)
  t.equal(parseHttpDate('Thu, 29 Feb 2024 00:00:00 GMT'), Date.UTC(2024, 1, 29) / 1000)
  t.equal(parseHttpDate('Wed, 29 Feb 2023 00:00:00 GMT'), undefined)
})

t.test('two digits of a year are at most 50 years ahead', async (t) => {
  const yearOf = (digits: string) => new Date((parseHttpDate(`Sunday, 06-Nov-${digits} 08:49:37 GMT`, now) ?? NaN) * 1000).getUTCFullYear()
  t.equal(yearOf('26'), 2026)
  t.equal(yearOf('76'), 2076)
  t.equal(yearOf('77'), 1977)
  t.equal(yearOf('99'), 1999)
  t.equal(yearOf('00'), 2000)
})
