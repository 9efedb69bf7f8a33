import { test } from 'tap'
import { readAtLeast, sampleOf } from '../../src/operations/sample.ts'

test('of few files all are read, of some about twenty, of many the share', (t) => {
  for (const [files, share, expected] of [[0, 0.05, 1], [1, 0.05, 1], [readAtLeast, 0.05, 1], [40, 0.05, 0.5], [40, 0.6, 0.6], [400, 0.05, 0.05], [1_000_000, 0.05, 0.05], [1_000_000, 1, 1]] as const) {
    t.equal(sampleOf(files, share), expected, `${files} files`)
  }
  t.end()
})
