import { test } from 'tap'
import { createTelling } from '../../../src/storage/objects/telling.ts'

const telling = createTelling((error, key) => new Error(`${key} is missing`, { cause: error }))
const failing = async () => { throw new Error('404') }

test('what a call throws is what that means, unless its signal ended it', async (t) => {
  t.equal(await telling('key', undefined, async () => 'bytes'), 'bytes')
  await t.rejects(telling('key', new AbortController().signal, failing), { message: 'key is missing', cause: { message: '404' } })
  await t.rejects(telling('key', AbortSignal.abort(new Error('no longer wanted')), failing), { message: 'no longer wanted' })
})
