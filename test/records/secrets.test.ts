import { join } from 'node:path'
import { test } from 'tap'
import { openSecrets, secretRows } from '../../src/records/secrets.ts'
import type { SecretKind } from '../../src/secrets.ts'
import { databaseFor } from './fixtures/database.ts'

const kindOf = (make: SecretKind['make']): SecretKind => ({ name: 'jwt.secret', make, isWhole: (text) => /^\w{3,}\n$/.test(text), purpose: 'The key to the cellar', advice: '' })

test('a secret in the database is made once, by whoever comes first', async (t) => {
  const { client } = await databaseFor(t)
  const secrets = secretRows(client)
  t.equal(await secrets.find('jwt.secret'), undefined)
  const all = await Promise.all(Array.from({ length: 8 }, (_, index) => secrets.get(kindOf(async () => `made${index}`))))
  t.equal(new Set(all).size, 1)
  t.equal(await secrets.get(kindOf(() => t.fail('made again') ? '' : '')), all[0])
  t.strictSame(await client.setting.findMany({ where: { key: { startsWith: 'secret:' } } }), [{ key: 'secret:jwt.secret', value: all[0] }])
  t.match(secrets.placeOf('jwt.secret'), 'setting secret:jwt.secret in the database')
})

test('of two that make one at once, the second gets that of the first', async (t) => {
  const { client } = await databaseFor(t)
  const late = await secretRows(client).get(kindOf(async () => {
    await secretRows(client).keep('jwt.secret', 'first')
    return 'second'
  }))
  t.equal(late, 'first')
})

test('one that is there is not replaced, and one that is not whole is refused', async (t) => {
  const { client } = await databaseFor(t)
  const secrets = secretRows(client)
  t.equal(await secrets.keep('jwt.secret', 'ab'), true)
  t.equal(await secrets.keep('jwt.secret', 'abc'), false)
  t.equal(await secrets.find('jwt.secret'), 'ab')
  await t.rejects(secrets.get(kindOf(() => 'abc')), { name: 'ConfigError', message: /^The key to the cellar cannot be read: the setting secret:jwt\.secret .*no whole secret/ })
})

test('a database that is gone cannot say', async (t) => {
  const { client } = await databaseFor(t)
  await client.$executeRaw`DROP TABLE "Setting"`
  const secrets = secretRows(client)
  await t.rejects(secrets.find('jwt.secret'), { code: 'DATABASE_UNAVAILABLE' })
  await t.rejects(secrets.keep('jwt.secret', 'abc'), { code: 'DATABASE_UNAVAILABLE' })
})

test('they are files beside the embedded database, and rows of PostgreSQL', async (t) => {
  const { client } = await databaseFor(t)
  const folder = t.testdir()
  const file = join(folder, 'gateway.sqlite')
  t.equal(openSecrets({ kind: 'sqlite', client }, file).placeOf('jwt.secret'), join(folder, 'jwt.secret'))
  t.match(openSecrets({ kind: 'postgresql', client }, file).placeOf('jwt.secret'), /^setting /)
})
