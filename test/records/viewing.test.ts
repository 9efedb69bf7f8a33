import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { viewDatabase } from '../../src/records/viewing.ts'
import { createVolumeRecord } from '../../src/records/volume.ts'
import { sqliteFor } from './fixtures/database.ts'

t.test('a database that is looked at can be read while others write, and not be written', async (t) => {
  const { client, file } = await sqliteFor(t)
  await createVolumeRecord(client).remember('abc')
  const view = await viewDatabase({ kind: 'sqlite', file })
  t.teardown(() => view.close())
  await view.check()
  t.strictSame(await view.client.setting.findMany(), [{ key: 'volumeId', value: 'abc' }])
  await t.rejects(view.client.setting.create({ data: { key: 'x', value: 'y' } }), /readonly/)
  await client.setting.create({ data: { key: 'x', value: 'y' } })
  t.equal(await view.client.setting.count(), 2)
})

t.test('one that is not there is not made, and one that is none is left as it is', async (t) => {
  const folder = t.testdir()
  const file = join(folder, 'none.sqlite')
  await t.rejects(viewDatabase({ kind: 'sqlite', file }))
  t.notOk(existsSync(file))
  writeFileSync(file, 'no database')
  const view = await viewDatabase({ kind: 'sqlite', file })
  await t.rejects(view.check())
  await view.close()
  t.equal(readFileSync(file, 'utf8'), 'no database')
})

t.test('a PostgreSQL that does not answer is told of', async (t) => {
  const url = 'postgresql://somebody@127.0.0.1:1/somewhere'
  await t.rejects(viewDatabase({ kind: 'postgresql', url }), { name: 'ConfigError', message: /127\.0\.0\.1:1/ })
})
