import { test } from 'tap'
import { withDeadline } from '../../src/plugins/deadline.ts'

test('gives what it is asked for, or the error', async (t) => {
  t.equal(await withDeadline(1000, async () => 7)(), 7)
  await t.rejects(withDeadline(1000, async () => { throw new Error('no') })(), { message: 'no' })
})

test('does not wait for ever, nor ask again while the first question hangs', async (t) => {
  let asked = 0
  const { promise, resolve } = Promise.withResolvers<string>()
  const ask = withDeadline(5, () => {
    asked++
    return promise
  })
  t.equal(await ask(), undefined)
  t.equal(await ask(), undefined)
  t.equal(asked, 1)
  resolve('at last')
  t.equal(await ask(), 'at last')
  t.equal(await ask(), 'at last')
  t.equal(asked, 2)
})

test('an error that comes after the deadline is nobody\'s', async (t) => {
  const { promise, reject } = Promise.withResolvers<string>()
  const ask = withDeadline(5, () => promise)
  t.equal(await ask(), undefined)
  reject(new Error('late'))
  await t.rejects(ask(), { message: 'late' })
})
