import { test, type Test } from 'tap'
import { createTrashRecords, type TrashFilter } from '../../src/records/trash.ts'
import { newBlobId } from '../../src/storage/ids.ts'
import type { Sidecar } from '../../src/storage/sidecar.ts'
import { sidecarFor } from '../storage/fixtures/volume.ts'
import { databaseFor, keep } from './fixtures/database.ts'

async function setUp (t: Test) {
  const { client } = await databaseFor(t)
  const trash = createTrashRecords(client)
  const start = Date.now()
  const at = (second: number) => new Date(start + second * 1000)
  const kept = async (state: Sidecar['state'], second: number, others: Partial<Sidecar> = {}) => {
    const sidecar = sidecarFor('hello', { state, stateAt: at(second).toISOString(), ...others })
    await keep(client, sidecar)
    return sidecar
  }
  const attachment = () => ({ kind: 'attachment' as const, recordId: newBlobId(), filename: 'a.pdf', visibility: 'private' })
  const paged = async (filter: TrashFilter) => {
    const all: Sidecar[] = []
    for await (const page of trash.pages(filter)) all.push(...page)
    return all.map(({ id }) => id).sort()
  }
  return { client, trash, at, kept, attachment, paged }
}

test('the latest come first, of an owner, of a kind, and no more than asked for', async (t) => {
  const { trash, at, kept, attachment, paged } = await setUp(t)
  const first = await kept('deleted', 1, attachment())
  const third = await kept('superseded', 3)
  const second = await kept('deleted', 2, { ownerId: 'bob' })
  await kept('live', 4)
  await kept('pending', 4, { ownerId: null })
  t.strictSame(await trash.list({}, 10), [third, second, first])
  t.strictSame(await trash.list({}, 1), [third])
  t.strictSame(await trash.list({ ownerId: 'ada' }, 10), [third, first])
  t.strictSame(await trash.list({ kind: 'attachment' }, 10), [first])
  t.strictSame(await trash.list({ before: at(2) }, 10), [first])
  t.strictSame(await paged({ ownerId: 'ada' }), [first.id, third.id].sort())
})

test('all of them are counted, with their bytes', async (t) => {
  const { trash, kept } = await setUp(t)
  t.strictSame(await trash.total({}), { count: 0, bytes: 0 })
  await kept('deleted', 1, { size: 2 ** 40 })
  await kept('superseded', 1, { size: 7 })
  await kept('live', 1, { size: 100 })
  t.strictSame(await trash.total({}), { count: 2, bytes: 2 ** 40 + 7 })
  t.strictSame(await trash.total({ ownerId: 'bob' }), { count: 0, bytes: 0 })
})

test('thousands are gone through page by page, also while they are removed', async (t) => {
  const { client, trash, kept } = await setUp(t)
  await Promise.all(Array.from({ length: 1100 }, () => kept('deleted', 1)))
  const sizes: number[] = []
  for await (const page of trash.pages({})) {
    sizes.push(page.length)
    await client.blob.deleteMany({ where: { id: { in: page.map(({ id }) => id) } } })
  }
  t.strictSame(sizes, [500, 500, 100])
})

test('a blob is found by its id or by that of its attachment, whatever its state', async (t) => {
  const { trash, kept, attachment, client } = await setUp(t)
  const live = await kept('live', 1)
  const deleted = await kept('deleted', 1, attachment())
  t.strictSame(await trash.find(live.id), { state: 'live', sidecar: live })
  t.strictSame(await trash.find(deleted.id), { state: 'deleted', sidecar: deleted })
  t.strictSame(await trash.find(deleted.recordId ?? ''), { state: 'deleted', sidecar: deleted })
  await client.blob.update({ where: { id: live.id }, data: { state: 'purging' } })
  t.match(await trash.find(live.id), { state: 'purging' })
  t.equal(await trash.find('nonsense'), undefined)
})
