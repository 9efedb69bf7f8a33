import { test } from 'tap'
import { querying } from '../../src/records/failures.ts'
import { retrying } from '../../src/records/retrying.ts'

const conflict = (originalCode = '40P01') => Object.assign(new Error('deadlock detected'), { meta: { driverAdapterError: { cause: { originalCode, kind: 'TransactionWriteConflict' } } } })

/** Fails with these, one after the other, and then succeeds. */
function failing (...errors: readonly unknown[]) {
  let asked = 0
  return async () => {
    if (asked < errors.length) throw errors[asked++]
    return ++asked
  }
}

test('what the database has rolled back because of another transaction is done again', async (t) => {
  t.equal(await retrying(failing(conflict(), conflict('40001'))), 3)
  t.equal(await querying(failing(conflict())), 2, 'for all queries')
})

test('what may have been committed, or can never be, is not', async (t) => {
  for (const error of [new Error('the connection was lost'), 'text', undefined, Object.assign(new Error('x'), { meta: { driverAdapterError: { cause: { kind: 'UniqueConstraintViolation' } } } })]) {
    let asked = 0
    const reason: unknown = await retrying(async () => {
      asked += 1
      throw error
    }).catch((thrown: unknown) => thrown)
    t.equal(reason, error)
    t.equal(asked, 1)
  }
})

test('in the end it is said to be so', async (t) => {
  const errors = Array.from({ length: 100 }, () => conflict())
  await t.rejects(querying(failing(...errors)), { code: 'DATABASE_UNAVAILABLE' })
})
