import { test } from 'tap'
import { committing, eachOwner, isOwnerErased } from '../../src/records/commits.ts'
import { createOwners } from '../../src/records/owners.ts'
import { createErasureRecords } from '../../src/users/records.ts'
import { createKeyedHash } from '../../src/storage/keyed-hash.ts'
import { sidecarFor } from '../storage/fixtures/volume.ts'
import { databaseFor, keep } from './fixtures/database.ts'
import type { Test } from 'tap'

const hash = createKeyedHash('a volume')
const now = () => new Date()

async function setUp (t: Test) {
  const { client, connect } = await databaseFor(t)
  const owners = createOwners({ client, hash })
  const records = createErasureRecords({ client, now })
  let count = 0
  const erase = async (ownerId: string) => records.begin({ id: `e${count++}`, owner: hash('owner', ownerId), at: now().toISOString() })
  return { client, connect, owners, erase }
}

test('the epoch counts all erasures', async (t) => {
  const { owners, erase } = await setUp(t)
  t.equal(await owners.epoch(), 0)
  t.match(await erase('ada'), { epoch: 1 })
  t.match(await erase('bob'), { epoch: 2 })
  t.equal(await owners.epoch(), 2)
  t.strictSame(await owners.erasedSince(1), [{ ownerKey: hash('owner', 'bob'), epoch: 2 }])
  t.equal(await owners.hasErasures('ada'), true)
  t.equal(await owners.hasErasures('eve'), false)
})

test('a commit of an owner who was erased since takes nothing with it; of all others, and later, it does', async (t) => {
  const { client, owners, erase } = await setUp(t)
  const enter = (ownerId: string, epoch: number) => client.$transaction([owners.entering(ownerId, epoch), client.setting.create({ data: { key: `${ownerId} ${epoch} ${Math.random()}`, value: '' } })])
  await enter('ada', 0)
  await enter('ada', 0)
  t.strictSame(await client.owner.findMany(), [{ key: hash('owner', 'ada'), epoch: 0, commits: 2 }], 'the row has no name')
  await erase('ada')
  await t.rejects(enter('ada', 0))
  t.equal(await client.setting.count(), 2)
  await enter('bob', 0)
  await enter('ada', 1)
  t.equal(await client.setting.count(), 4)
  await t.rejects(owners.refuseErased('ada', 0), { code: 'OWNER_ERASED', statusCode: 410 })
  await owners.refuseErased('ada', 1)
  await owners.refuseErased('bob', 0)
})

test('a commit that came before the erasure is one, also when its answer was lost', async (t) => {
  const { client, owners, erase } = await setUp(t)
  const sidecar = sidecarFor('one')
  await committing(client, [sidecar.id], async () => {
    await keep(client, sidecar)
    await erase('ada')
    throw new Error('the connection was lost')
  }, () => owners.refuseErased('ada', 0))
  t.equal(await client.blob.count(), 1)
})

test('a commit that came after it is told so, whatever else is wrong', async (t) => {
  const { client, owners, erase } = await setUp(t)
  await erase('ada')
  const sidecar = sidecarFor('one')
  const error: unknown = await committing(client, [sidecar.id], () => client.$transaction([owners.entering('ada', 0)]), () => owners.refuseErased('ada', 0)).catch((reason: unknown) => reason)
  t.ok(isOwnerErased(error))
  t.notOk(isOwnerErased(new Error('another')))
  await t.rejects(committing(client, [sidecar.id], async () => { throw new Error('the disk is gone') }, () => owners.refuseErased('bob', 0)), { code: 'DATABASE_UNAVAILABLE' })
})

test('owners have their turn in one order, and once', (t) => {
  t.strictSame(eachOwner(['b', 'a', 'b'], (id) => id), ['a', 'b'])
  t.end()
})
