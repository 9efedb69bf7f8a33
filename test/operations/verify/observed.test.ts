import { test } from 'tap'
import { createFindings, mends } from '../../../src/operations/verify/observed.ts'

test('of too many findings the first are kept and the rest counted', (t) => {
  const findings = createFindings(2)
  const one = { problem: 'foreign', path: 'x', detail: '', mend: mends.foreign } as const
  findings.add(one)
  findings.add(one, one)
  findings.add(one)
  t.equal(findings.list.length, 2)
  t.equal(findings.count(), 4)
  t.end()
})

test('whatever is found, what would mend it is a sentence', (t) => {
  for (const mend of Object.values(mends)) t.match(mend, /^[A-Z"].*\.$/)
  t.end()
})
