import { test } from 'tap'
import { isStale, isTaken, querying } from '../../src/records/failures.ts'
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
  for (const message of ['database or disk is full', 'Disk quota exceeded', 'code: 53100']) {
    await t.rejects(querying(() => Promise.reject(new Error(message))), { code: 'STORAGE_FULL', cause: { message } })
  }
  // eslint-disable-next-line prefer-promise-reject-errors -- foreign code may throw anything
  await t.rejects(querying(() => Promise.reject('disk is full')), { code: 'DATABASE_UNAVAILABLE' })
})
