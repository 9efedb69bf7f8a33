import { test } from 'tap'
import { committing, eachOwner, isOwnerErased } from '../../src/records/commits.ts'
import { createOwners, leapEpoch } from '../../src/records/owners.ts'
import { createErasureRecords } from '../../src/users/records.ts'
import { createKeyedHash } from '../../src/storage/keyed-hash.ts'
import { sidecarFor } from '../storage/fixtures/volume.ts'
import { databaseFor, keep } from './fixtures/database.ts'
import type { Test } from 'tap'
import { throughPrisma } from '../../src/records/statements.ts'

const hash = createKeyedHash('a volume')
const now = () => new Date()

const at = new Date('2026-11-22T10:00:00.000Z')

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
  const enter = (ownerId: string, epoch: number) => client.$transaction([client.$executeRaw(owners.entering(ownerId, epoch)), client.setting.create({ data: { key: `${ownerId} ${epoch} ${Math.random()}`, value: '' } })])
  await enter('ada', 0)
  await enter('ada', 0)
  t.strictSame(await client.owner.findMany(), [{ key: hash('owner', 'ada'), epoch: 0, commits: 2, choices: 0, choice: 0 }], 'the row has no name')
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
  const error: unknown = await committing(client, [sidecar.id], () => client.$executeRaw(owners.entering('ada', 0)), () => owners.refuseErased('ada', 0)).catch((reason: unknown) => reason)
  t.ok(isOwnerErased(error))
  t.notOk(isOwnerErased(new Error('another')))
  await t.rejects(committing(client, [sidecar.id], async () => { throw new Error('the disk is gone') }, () => owners.refuseErased('bob', 0)), { code: 'DATABASE_UNAVAILABLE' })
})

test('owners have their turn in one order, and once', (t) => {
  t.strictSame(eachOwner(['b', 'a', 'b'], (id) => id), ['a', 'b'])
  t.end()
})

test('after a leap uploads lie above what a lost ledger may count, and erasures above those; so again after each', async (t) => {
  const { client, owners, erase } = await setUp(t)
  await erase('ada')
  await leapEpoch(client, at)
  const first = await owners.epoch()
  t.ok(first > 20_000_000)
  t.match(await erase('ada'), { epoch: first + 1 })
  await leapEpoch(client, at)
  const again = await createOwners({ client, hash }).epoch()
  t.ok(again > first + 5_000, 'also at the same moment')
  t.match(await erase('eve'), { epoch: again + 1 })
})

test('of two databases that leap without knowing of each other, the later one is above what the other erased meanwhile', async (t) => {
  const [one, other] = [await setUp(t), await setUp(t)]
  await leapEpoch(one.client, at)
  await one.erase('ada')
  const { epoch } = await one.erase('ada')
  await leapEpoch(other.client, new Date(at.getTime() + 10_000))
  t.ok(await other.owners.epoch() > epoch)
})

test('a clock that is wrong leaves room above, and epochs never fall', async (t) => {
  for (const time of ['1970-01-01', '2026-01-01', '9999-01-01']) {
    const { client, erase } = await setUp(t)
    await leapEpoch(client, new Date(time))
    const { epoch } = await erase('ada')
    t.ok(epoch >= 10_000 && epoch < 1_500_000_000, time)
  }
  const { client } = await setUp(t)
  for (const [highest, floor] of [[1_999_985_000, 1_999_990_000], [1_999_995_000, 1_999_995_000], [2_000_000_000, 2_000_000_000]] as const) {
    await client.owner.create({ data: { key: `${highest}`, epoch: highest } })
    await leapEpoch(client, at)
    t.equal(await createOwners({ client, hash }).epoch(), floor)
  }
})

test('however many readers are named, one who was erased is noticed, and else nothing', async (t) => {
  const { client, owners, erase } = await setUp(t)
  const { commit } = throughPrisma(client)
  const readers = Array.from({ length: 5000 }, (_, index) => `reader-${index}`)
  const alongside = owners.naming([...readers, 'bob'], 0)
  await commit(alongside.statements())
  await alongside.refuse()
  await erase('bob')
  await t.rejects(commit(alongside.statements()))
  await t.rejects(alongside.refuse(), { code: 'READER_ERASED' })
  await owners.naming([...readers, 'bob'], 1).refuse()
})
