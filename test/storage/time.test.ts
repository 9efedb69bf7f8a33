import { test } from 'tap'
import { isTime } from '../../src/storage/time.ts'

test('a time is what toISOString gives, in years of four digits', async (t) => {
  t.ok(isTime('2026-11-22T07:20:00.000Z'))
  for (const text of ['', '1', 'garbage', '2026-11-22', '2026-11-22T07:20:00Z', '2026-11-22T07:20:00.000+00:00', '2026-02-30T00:00:00.000Z', '+275760-09-13T00:00:00.000Z', '-000001-01-01T00:00:00.000Z']) t.notOk(isTime(text), text)
})
