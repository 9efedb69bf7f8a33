import { test } from 'tap'
import { breaks, databaseRefusal, isStale, isTaken, querying, writeFailure } from '../../src/records/failures.ts'
import { isOnPostgres } from '../fixtures/database-server.ts'
import { databaseFor } from './fixtures/database.ts'

test('stale and taken are for the caller to judge; everything else is the database\'s failure', async (t) => {
  const { client } = await databaseFor(t)
  const row = { data: { key: 'a', value: '1' } }
  t.match(await querying(() => client.setting.create(row)), row.data)
  const taken: unknown = await querying(() => client.setting.create(row)).catch((error: unknown) => error)
  t.ok(isTaken(taken) && !isStale(taken))
  const stale: unknown = await querying(() => client.setting.update({ where: { key: 'a', value: '2' }, data: { value: '3' } })).catch((error: unknown) => error)
  t.ok(isStale(stale) && !isTaken(stale))
  await t.rejects(querying(() => client.$queryRawUnsafe('SELECT nothing')), { code: 'DATABASE_UNAVAILABLE', statusCode: 503 })
})

test('a full disk is told as one, whichever database says it', async (t) => {
  for (const message of ['database or disk is full', 'Disk quota exceeded']) {
    await t.rejects(querying(() => Promise.reject(new Error(message))), { code: 'STORAGE_FULL', cause: { message } })
  }
  const ofPostgres = (originalCode: string) => Promise.reject(Object.assign(new Error('53100'), { meta: { driverAdapterError: { cause: { originalCode } } } }))
  await t.rejects(querying(() => ofPostgres('53100')), { code: 'STORAGE_FULL' })
  await t.rejects(querying(() => ofPostgres('53200')), { code: 'DATABASE_UNAVAILABLE' })
  // eslint-disable-next-line prefer-promise-reject-errors -- foreign code may throw anything
  await t.rejects(querying(() => Promise.reject('disk is full')), { code: 'DATABASE_UNAVAILABLE' })
})

test('what is said of a refused query has its codes, and nothing of what was asked', async (t) => {
  const { client } = await databaseFor(t)
  const failures = [
    [await client.account.create({ data: { email: 'ada@example.org' } as never }).catch((error: unknown) => error), '(PrismaClientValidationError).'],
    [await client.$queryRawUnsafe("SELECT nothing WHERE 'ada'").catch((error: unknown) => error), `(PrismaClientKnownRequestError, P2010, ${isOnPostgres ? '42703' : 'SQLITE_ERROR'}).`],
    [Object.assign(new Error('ada'), { name: 'DriverAdapterError', cause: { originalCode: 'SQLITE_BUSY' } }), '(DriverAdapterError, SQLITE_BUSY).'],
  ] as const
  for (const [error, codes] of failures) t.equal(databaseRefusal(error), `The database refused what was asked of it ${codes}`)
  for (const error of [new Error('x'), 'x', undefined]) t.equal(databaseRefusal(error), undefined)
})

test('that SQLite could not write is known wherever it says so', (t) => {
  const coded = (code: string) => Object.assign(new Error('x'), { code })
  for (const error of [coded('SQLITE_IOERR_SHMSIZE'), coded('EROFS'), new Error('x', { cause: coded('SQLITE_CANTOPEN') }), Object.assign(new Error('x'), { meta: { driverAdapterError: { cause: { originalCode: 'SQLITE_READONLY' } } } })]) t.equal(writeFailure(error), true)
  for (const error of [coded('SQLITE_NOTADB'), new Error('x'), 'x', undefined]) t.equal(writeFailure(error), false)
  t.end()
})

test('which column was left without a value is known, also behind our own error', async (t) => {
  const { client } = await databaseFor(t)
  await client.owner.create({ data: { key: 'a' } })
  const broken = (column: string) => querying(() => client.$executeRawUnsafe(`UPDATE "Owner" SET "${column}" = NULL`)).catch((error: unknown) => error)
  const error = await broken('epoch')
  t.match(error, { code: 'DATABASE_UNAVAILABLE' })
  t.ok(breaks(error, 'epoch') && !breaks(error, 'commits'))
  t.ok(breaks(await broken('commits'), 'commits'))
  for (const other of [new Error('epoch'), new Error('x', { cause: 'epoch' }), 'epoch', null, undefined, { meta: { driverAdapterError: { cause: { kind: 'NullConstraintViolation' } } } }]) t.equal(breaks(other, 'epoch'), false)
})
