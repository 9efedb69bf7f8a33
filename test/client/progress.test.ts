import { test } from 'tap'
import { telling, type Progress } from '../../src/client/progress.ts'

test('progress is of the file: what comes before counts, the framing of a form does not', (t) => {
  const told: Progress[] = []
  const onSent = telling((progress) => told.push(progress), { totalBytes: 100, beforeBytes: 40, bytes: 50 })
  onSent?.(0)
  onSent?.(20)
  onSent?.(57)
  t.strictSame(told.map(({ sentBytes }) => sentBytes), [40, 60, 90])
  t.ok(told.every(({ totalBytes }) => totalBytes === 100))
  t.equal(telling(undefined, { totalBytes: 1 }), undefined, 'who does not ask is not told')
  t.end()
})
