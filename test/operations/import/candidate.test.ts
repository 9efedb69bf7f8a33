import { test } from 'tap'
import { tooLarge, Unimportable } from '../../../src/operations/import/candidate.ts'

test('a reason has a code for programs and the rest of a sentence for people', (t) => {
  t.match(tooLarge(5, 6), { size: 6, name: 'Unimportable', code: 'too-large', message: 'it is larger than 5 bytes, the most that is taken' })
  t.match(new Unimportable('empty', 'x', { cause: 1 }), { cause: 1 })
  t.end()
})
