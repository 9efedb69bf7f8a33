import { test } from 'tap'
import { openDatabase } from '../../src/records/database.ts'
import { createErasureRecords } from '../../src/users/records.ts'
import { databaseFor, keep } from '../records/fixtures/database.ts'
import { sidecarFor } from '../storage/fixtures/volume.ts'

const now = () => new Date('2026-11-21T10:00:00Z')
const at = now().toISOString()

test('of erasures begun at once, in several processes, each has an epoch of its own', async (t) => {
  const { client, address } = await databaseFor(t)
  const other = await openDatabase({ address, requireMount: false, connections: 4 })
  t.teardown(() => other.close())
  const both = [createErasureRecords({ client, now }), createErasureRecords({ client: other.client, now })]
  const begun = await Promise.all(Array.from({ length: 20 }, (_, index) => both[index % 2]?.begin({ id: `e${index}`, owner: `owner ${index % 3}`, at })))
  t.strictSame(begun.map((one) => one?.epoch).sort((a = 0, b = 0) => a - b), Array.from({ length: 20 }, (_, index) => index + 1))
  for (const { key, epoch } of await client.owner.findMany()) t.equal(epoch, Math.max(...begun.map((one) => one?.owner === key ? one.epoch : 0)), 'an owner has the last of theirs')
})

test('a failing database is no reason to try again', async (t) => {
  const { client } = await databaseFor(t)
  await client.$executeRaw`ALTER TABLE "Owner" RENAME TO "Elsewhere"`
  await t.rejects(createErasureRecords({ client, now }).begin({ id: 'e', owner: 'o', at }), { code: 'DATABASE_UNAVAILABLE' })
})

test('an erasure is finished only when it is old enough', async (t) => {
  const { client } = await databaseFor(t)
  const records = createErasureRecords({ client, now })
  const { epoch } = await records.begin({ id: 'e', owner: 'o', at })
  const before = new Date(now().getTime() - 1)
  await records.finish([epoch], before)
  t.equal(await records.hasOpen(before), false)
  t.equal(await records.hasOpen(now()), true)
  await records.finish([epoch], now())
  t.equal(await records.hasOpen(now()), false)
  t.strictSame(await records.all({ isOpen: true }), [])
  t.strictSame(await records.all(), [{ id: 'e', epoch: 1, owner: 'o', at }])
})

test('an erasure is later than whatever is there, though nobody knows any more who counted it', async (t) => {
  const { client } = await databaseFor(t)
  const begin = async (id: string) => createErasureRecords({ client, now }).begin({ id, owner: 'o', at })
  await keep(client, sidecarFor('x', { epoch: 3 }))
  t.match(await begin('first'), { epoch: 4 })
  await client.owner.create({ data: { key: 'another', epoch: 7 } })
  t.match(await begin('second'), { epoch: 8 })
})
