import { test } from 'tap'
import { DatabaseUnavailable } from '../../src/errors.ts'
import { createAttempts } from '../../src/storage/attempts.ts'

const failing = (message: string) => async () => { throw new Error(message) }

test('what fails keeps nothing else from its turn, and is told at the end', async (t) => {
  const { attempt, end } = createAttempts()
  t.equal(await attempt(async () => 1), 1)
  t.equal(await attempt(failing('one')), undefined)
  t.equal(await attempt(async () => 3), 3)
  await attempt(failing('two'))
  t.throws(end, { message: '2 failed; the first: one', cause: { message: 'one' } })
})

test('nothing is told when nothing failed', async (t) => {
  const { attempt, end } = createAttempts()
  await attempt(async () => {})
  t.doesNotThrow(end)
})

test('when all fails, or the database is gone, it gives up', async (t) => {
  const { attempt } = createAttempts()
  await t.rejects(attempt(() => Promise.reject(new DatabaseUnavailable())), { code: 'DATABASE_UNAVAILABLE' })
  for (let count = 1; count < 20; count += 1) await attempt(failing('gone'))
  // eslint-disable-next-line prefer-promise-reject-errors -- foreign code may throw anything
  await t.rejects(attempt(() => Promise.reject('gone')), /20 failed; the first: gone/)
})
