import t from 'tap'
import { checking, ok, reasonOf, unknown, warning } from '../../../src/operations/doctor/check.ts'

t.test('a look that fails is a problem of its own, and keeps none of the others', async (t) => {
  t.strictSame(await checking('volume', [
    { name: 'one', look: () => { throw new Error('EIO') } },
    { name: 'two', look: () => Promise.reject(new Error('gone')) },
    { name: 'three', look: () => ok('It is there.') },
    { name: 'four', look: async () => warning('Slow.', 'Make it faster.') },
    { name: 'five', look: () => unknown('Nobody can say.') },
  ]), [
    { area: 'volume', name: 'one', level: 'problem', detail: 'It could not be looked at: EIO.', change: 'Mend what the sentence says, and run this again.' },
    { area: 'volume', name: 'two', level: 'problem', detail: 'It could not be looked at: gone.', change: 'Mend what the sentence says, and run this again.' },
    { area: 'volume', name: 'three', level: 'ok', detail: 'It is there.', change: null },
    { area: 'volume', name: 'four', level: 'warning', detail: 'Slow.', change: 'Make it faster.' },
    { area: 'volume', name: 'five', level: 'unknown', detail: 'Nobody can say.', change: null },
  ])
})

t.test('a reason is a sentence, whatever was thrown', async (t) => {
  t.strictSame([reasonOf(new Error('a.')), reasonOf(new Error('a')), reasonOf('b')], ['a.', 'a.', 'b.'])
})
