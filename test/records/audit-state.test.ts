import { test } from 'tap'
import { createAuditRecord, noAudit } from '../../src/records/audit-state.ts'
import { databaseFor } from './fixtures/database.ts'

test('what one gateway writes the others read; of two that change it at once one does', async (t) => {
  const { client } = await databaseFor(t)
  const [one, other] = [createAuditRecord(client), createAuditRecord(client)]
  t.same(await one.read(), { state: noAudit, text: undefined })
  const written = await one.replace(undefined, { ...noAudit, missing: 1 })
  t.equal(await other.replace(undefined, noAudit), false)
  t.same(await other.read(), { state: { ...noAudit, missing: 1 }, text: written })
  t.type(await other.replace(written || undefined, { ...noAudit, missing: 2 }), 'string')
  t.equal(await one.replace(written || undefined, { ...noAudit, missing: 3 }), false)
  t.match(await one.read(), { state: { missing: 2 } })
})

test('what another version wrote is begun anew, and can be replaced', async (t) => {
  const { client } = await databaseFor(t)
  const record = createAuditRecord(client)
  for (const value of ['{', '{"cursor":7}']) {
    await client.setting.upsert({ where: { key: 'audit' }, create: { key: 'audit', value }, update: { value } })
    t.same(await record.read(), { state: noAudit, text: value })
    t.type(await record.replace(value, noAudit), 'string')
  }
})

test('a database that fails is no other gateway', async (t) => {
  const { client } = await databaseFor(t)
  await client.$executeRaw`DROP TABLE "Setting"`
  await t.rejects(createAuditRecord(client).replace(undefined, noAudit), { code: 'DATABASE_UNAVAILABLE' })
})
