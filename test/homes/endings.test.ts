import { test } from 'tap'
import { createEndings } from './endings.ts'

test('a teardown that fails keeps no other from being done, and is told', async (t) => {
  const endings = createEndings()
  const done: string[] = []
  const failure = new Error('it does not end')
  endings.t.teardown(() => done.push('first'))
  endings.t.teardown(() => Promise.reject(failure))
  endings.t.teardown(async () => done.push('last'))
  t.strictSame(await endings.end(), [failure])
  t.strictSame(done, ['last', 'first'])
})
