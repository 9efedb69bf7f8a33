import { test, type Test } from 'tap'
import { createInventory } from '../../src/records/inventory.ts'
import { createRepairs } from '../../src/records/repairs.ts'
import { newRecordId } from '../../src/storage/ids.ts'
import type { Sidecar } from '../../src/storage/sidecar.ts'
import { sidecarFor } from '../storage/fixtures/volume.ts'
import { removeBlobRows } from './fixtures/by-hand.ts'
import { databaseFor, keep } from './fixtures/database.ts'

async function setUp (t: Test) {
  const database = await databaseFor(t)
  const { client } = database
  const repairs = createRepairs({ client, now: () => new Date() })
  async function kept (others: Partial<Sidecar> = {}): Promise<Sidecar> {
    const sidecar = sidecarFor('hello', others)
    await keep(client, sidecar)
    return sidecar
  }
  const attachment = (others: Partial<Sidecar> = {}) => kept({ kind: 'attachment', recordId: newRecordId(), filename: 'a', visibility: 'private', ...others })
  const flawOf = async ({ id }: Sidecar) => (await createInventory(client).items([id])).get(id)?.flaw
  async function repaired (sidecar: Sidecar): Promise<string | undefined> {
    const repair = await repairs.plan(sidecar.id)
    await repair?.run()
    t.equal(await flawOf(sidecar), undefined, repair?.action ?? 'nothing to do')
    return repair?.action
  }
  const stateOf = async ({ id }: Sidecar) => (await client.blob.findUniqueOrThrow({ where: { id } })).state
  return { ...database, repairs, kept, attachment, repaired, stateOf }
}

test('the record of an attachment follows the state of its blob', async (t) => {
  const { client, attachment, repaired } = await setUp(t)
  const deleted = await attachment({ state: 'deleted' })
  t.match(await repaired(deleted), /deleted too/)
  t.match(await client.attachment.findMany(), [{ deletedAt: new Date(deleted.stateAt) }])
  t.match(await client.blob.findMany(), [{ revision: 2, sidecarDueAt: Date }])
  const live = await attachment()
  await client.attachment.update({ where: { blobId: live.id }, data: { deletedAt: new Date() } })
  t.match(await repaired(live), /not deleted/)
})

test('a current avatar that nobody is shown with becomes current, or a replaced one', async (t) => {
  const { client, kept, repaired, stateOf } = await setUp(t)
  const first = await kept()
  t.match(await repaired(first), /current picture/)
  t.match(await client.avatar.findMany(), [{ userId: 'ada', blobId: first.id }])
  const second = await kept()
  t.match(await repaired(second), /replaced/)
  t.same([await stateOf(first), await stateOf(second)], ['live', 'superseded'])
  const old = await kept({ stateAt: new Date(0).toISOString() })
  await repaired(old)
  t.match(await client.blob.findUnique({ where: { id: old.id } }), { state: 'superseded', stateAt: new Date(first.stateAt) })
})

test('a picture that a user is shown with stays so, unless it was deleted', async (t) => {
  const { client, kept, repaired, stateOf } = await setUp(t)
  const replaced = await kept({ state: 'superseded' })
  await client.avatar.create({ data: { userId: 'ada', blobId: replaced.id } })
  t.match(await repaired(replaced), /Call it current/)
  t.equal(await stateOf(replaced), 'live')
  const deleted = await kept({ state: 'deleted', ownerId: 'bob' })
  await client.avatar.create({ data: { userId: 'bob', blobId: deleted.id } })
  t.match(await repaired(deleted), /without it/)
  t.match(await client.avatar.findMany(), [{ userId: 'ada' }])
})

test('what the rows do not settle is left alone', async (t) => {
  const { client, kept, attachment, repairs } = await setUp(t)
  const planned = async ({ id }: { id: string }) => (await repairs.plan(id))?.action
  const others = await attachment()
  await client.attachment.update({ where: { blobId: others.id }, data: { ownerId: 'eve' } })
  t.equal(await planned(others), undefined)
  const pending = await kept({ state: 'pending', ownerId: null })
  t.equal(await planned(pending), undefined)
  const shown = await kept({ state: 'pending' })
  await client.avatar.create({ data: { userId: 'ada', blobId: shown.id } })
  t.equal(await planned(shown), undefined)
  await client.avatar.update({ where: { userId: 'ada' }, data: { userId: 'bob' } })
  t.equal(await planned(shown), undefined)
  t.equal(await planned(await kept({ state: 'deleted' })), undefined)
  t.equal(await planned({ id: 'none' }), undefined)
})

test('a change that came in between is not undone', async (t) => {
  const { client, attachment, repairs } = await setUp(t)
  const { id } = await attachment({ state: 'deleted' })
  const repair = await repairs.plan(id)
  await client.blob.update({ where: { id }, data: { state: 'live', revision: 5 } })
  if (repair === undefined) throw new Error('there is nothing to do')
  await t.rejects(repair.run())
  t.match(await client.attachment.findMany(), [{ deletedAt: null }])
})

test('records that were left behind go, but not those of a row', async (t) => {
  const { client, attachment, connect, kind, repairs } = await setUp(t)
  const { id } = await attachment({ aliases: ['/uploads/a'] })
  await repairs.removeDangling(id)
  t.equal(await client.attachment.count(), 1)
  await removeBlobRows({ client, kind, connect })
  await repairs.removeDangling(id)
  t.same([await client.attachment.count(), await client.alias.count()], [0, 0])
})
