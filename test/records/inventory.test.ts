import { test, type Test } from 'tap'
import { createInventory } from '../../src/records/inventory.ts'
import { newBlobId, newRecordId, type BlobId } from '../../src/storage/ids.ts'
import type { Sidecar } from '../../src/storage/sidecar.ts'
import { sidecarFor } from '../storage/fixtures/volume.ts'
import { removeBlobRows } from './fixtures/by-hand.ts'
import { databaseFor, keep } from './fixtures/database.ts'

async function setUp (t: Test) {
  const database = await databaseFor(t)
  const { client } = database
  const inventory = createInventory(client)
  async function kept (others: Partial<Sidecar> = {}): Promise<Sidecar> {
    const sidecar = sidecarFor('hello', others)
    await keep(client, sidecar)
    return sidecar
  }
  const attachment = (others: Partial<Sidecar> = {}) => kept({ kind: 'attachment', recordId: newRecordId(), filename: 'a', visibility: 'private', ...others })
  const flawOf = async ({ id }: Pick<Sidecar, 'id'>) => (await inventory.items([id])).get(id)?.flaw
  return { ...database, inventory, kept, attachment, flawOf }
}

test('rows that ought to have files come page by page, by id', async (t) => {
  const { client, inventory, kept, attachment } = await setUp(t)
  const all = [await kept({ state: 'pending', ownerId: null }), await attachment(), await kept({ state: 'superseded', aliases: ['/i/b', '/i/a'] })]
  const purging = await kept()
  await client.blob.update({ where: { id: purging.id }, data: { state: 'purging' } })
  t.equal(await inventory.count(), 3)
  const [first, second] = await inventory.page('', 2)
  t.same([first?.sidecar, second?.sidecar], all.slice(0, 2))
  const [third, ...more] = await inventory.page(second?.sidecar.id ?? '', 2)
  t.match(third, { isSidecarDue: false, flaw: undefined, sidecar: { id: all[2]?.id, aliases: ['/i/a', '/i/b'] } })
  t.equal(more.length, 0)
  t.same([...(await inventory.items([purging.id, newBlobId()])).keys()], [])
  t.same(await inventory.known([purging.id]), new Map([[purging.id, { state: 'purging', kind: 'avatar', extension: 'png' }]]))
})

test('rows of the same content are found, but not the row itself', async (t) => {
  const { inventory, kept } = await setUp(t)
  const [one, other] = [await kept({ state: 'superseded' }), await kept({ state: 'superseded' })]
  await kept({ state: 'superseded', sha256: 'another' })
  t.same((await inventory.alike(one, 5)).map(({ id }) => id), [other.id])
})

test('an avatar contradicts itself when what its owner is shown with says otherwise', async (t) => {
  const { client, kept, flawOf } = await setUp(t)
  const current = await kept()
  t.equal(await flawOf(current), 'It is called current, but is not the picture that its owner is shown with.')
  await client.avatar.create({ data: { userId: 'ada', blobId: current.id } })
  t.equal(await flawOf(current), undefined)
  await client.avatar.update({ where: { userId: 'ada' }, data: { userId: 'bob' } })
  t.match(await flawOf(current), /another user than its owner/)
  await client.blob.update({ where: { id: current.id }, data: { state: 'deleted' } })
  t.match(await flawOf(current), /is shown with, but is called deleted/)
  t.match(await flawOf(await kept({ ownerId: null })), /nobody's/)
  const strange = await kept()
  await client.blob.update({ where: { id: strange.id }, data: { state: 'odd' } })
  t.match(await flawOf(strange), /"odd", which an avatar cannot have/)
  t.match(await flawOf(await kept({ recordId: newRecordId(), filename: 'a', visibility: 'private' })), /record of an attachment/)
})

test('an attachment contradicts itself when its record says otherwise', async (t) => {
  const { client, kept, attachment, flawOf } = await setUp(t)
  const fine = await attachment()
  t.equal(await flawOf(fine), undefined)
  await client.attachment.update({ where: { blobId: fine.id }, data: { deletedAt: new Date() } })
  t.equal(await flawOf(fine), 'Its record is deleted, but it is not.')
  await client.blob.update({ where: { id: fine.id }, data: { state: 'deleted' } })
  t.equal(await flawOf(fine), undefined)
  await client.attachment.update({ where: { blobId: fine.id }, data: { deletedAt: null } })
  t.equal(await flawOf(fine), 'It is deleted, but its record is not.')
  await client.attachment.update({ where: { blobId: fine.id }, data: { ownerId: 'eve' } })
  t.match(await flawOf(fine), /owner is not the one of its record/)
  t.match(await flawOf(await kept({ kind: 'attachment' })), /has no record/)
  t.match(await flawOf(await attachment({ state: 'superseded' })), /"superseded", which an attachment cannot have/)
  const shown = await attachment()
  await client.avatar.create({ data: { userId: 'ada', blobId: shown.id } })
  t.match(await flawOf(shown), /a user is shown with it/)
})

test('rows that no gateway made are told', async (t) => {
  const { client, kept, flawOf } = await setUp(t)
  t.match(await flawOf(await kept({ id: '00000000-0000-4000-8000-000000000000' as BlobId })), /Its id is none/)
  t.match(await flawOf(await kept({ extension: '../x' })), /Its extension is none/)
  const { id } = await kept()
  await client.blob.update({ where: { id }, data: { kind: 'song' } })
  t.match(await flawOf({ id }), /kind is "song"/)
})

test('records that were left when their row was removed by hand are found', async (t) => {
  const { inventory, attachment, connect, kept, client, kind } = await setUp(t)
  const one = await attachment({ aliases: ['/uploads/a'] })
  const other = await kept()
  await client.avatar.create({ data: { userId: 'ada', blobId: other.id } })
  t.same(await inventory.dangling(10), [])
  await removeBlobRows({ client, kind, connect })
  t.same(await inventory.dangling(10), [
    { blobId: one.id, what: 'the record of an attachment' },
    { blobId: other.id, what: 'the record of a current avatar' },
    { blobId: one.id, what: 'an old path' },
  ])
})
