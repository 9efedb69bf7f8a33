import t from 'tap'
import { openBulk } from '../../src/records/bulk.ts'
import { createOwners } from '../../src/records/owners.ts'
import { createRebuilding, lastErasures } from '../../src/records/rebuilding.ts'
import { toSidecar, withRecord } from '../../src/records/sidecars.ts'
import { newBlobId } from '../../src/storage/ids.ts'
import type { Sidecar } from '../../src/storage/sidecar.ts'
import { sidecarFor } from '../storage/fixtures/volume.ts'
import { sqliteFor } from './fixtures/database.ts'

const now = () => new Date('2026-11-22T12:00:00.000Z')
const at = (minute: number) => `2026-11-21T10:${String(minute).padStart(2, '0')}:00.000Z`
const recordId = '0192a1b2-0000-7000-8000-000000000001'
const attachment = (others: Partial<Sidecar> = {}) => sidecarFor('x', { kind: 'attachment', recordId, filename: 'a.pdf', visibility: 'private', ...others })

async function setUp (t: Parameters<typeof sqliteFor>[0]) {
  const database = await sqliteFor(t)
  const { client } = database
  const bulk = openBulk(database.file)
  t.teardown(() => bulk.close())
  const rows = async () => (await client.blob.findMany({ include: withRecord, orderBy: { id: 'asc' } })).map(toSidecar)
  const row = async (id: string) => (await rows()).find((one) => one.id === id)
  const dueIds = async () => (await client.blob.findMany({ where: { sidecarDueAt: { not: null } }, orderBy: { id: 'asc' } })).map(({ id }) => id)
  const current = async (userId = 'ada') => (await client.avatar.findUnique({ where: { userId } }))?.blobId
  return { client, bulk, rows, row, dueIds, current, ...createRebuilding({ client, bulk, now }) }
}

t.test('what goes in says what its sidecar says', async (t) => {
  const { insert, rows, dueIds, totals } = await setUp(t)
  const all = [attachment({ aliases: ['/uploads/a'], revision: 3 }), attachment({ recordId: newBlobId(), state: 'deleted' }), sidecarFor('x', { state: 'superseded' }), sidecarFor('x', { state: 'pending', ownerId: null })]
  t.strictSame(await insert(all), [])
  t.strictSame(await rows(), all)
  t.strictSame(await dueIds(), [])
  t.strictSame(await totals(), { currentAvatars: 0, oldUrls: 1, blobs: [{ kind: 'attachment', state: 'deleted', count: 1 }, { kind: 'attachment', state: 'live', count: 1 }, { kind: 'avatar', state: 'pending', count: 1 }, { kind: 'avatar', state: 'superseded', count: 1 }] })
})

t.test('the newest live avatar of an owner is current; older ones that say they are live were replaced', async (t) => {
  const { insert, chooseAvatars, row, current, dueIds } = await setUp(t)
  const [oldest, lagging, newest] = [1, 2, 3].map((minute) => sidecarFor('x', { stateAt: at(minute) })) as [Sidecar, Sidecar, Sidecar]
  // Superseded after the newest one began: that was published before, and committed after it.
  const raced = sidecarFor('x', { state: 'superseded', stateAt: at(4), revision: 2 })
  const other = sidecarFor('x', { ownerId: 'bob', stateAt: at(1) })
  await insert([newest, raced, lagging])
  await insert([oldest, other])
  t.strictSame(await chooseAvatars(), { current: 2, superseded: 2 })
  t.equal(await current(), newest.id)
  t.equal(await current('bob'), other.id)
  for (const { id } of [oldest, lagging]) t.match(await row(id), { state: 'superseded', stateAt: at(3), revision: 2 })
  t.strictSame(await dueIds(), [oldest.id, lagging.id].sort())
  t.strictSame(await row(raced.id), raced)
  t.strictSame(await chooseAvatars(), { current: 0, superseded: 0 }, 'nothing is left to decide')
})

t.test('an owner who removed their avatar later has none, whatever older sidecars say', async (t) => {
  const { insert, chooseAvatars, row, current } = await setUp(t)
  const refused = sidecarFor('x', { stateAt: at(1) })
  const removed = sidecarFor('x', { state: 'deleted', stateAt: at(2), revision: 2 })
  const restored = sidecarFor('x', { ownerId: 'bob', stateAt: at(3), revision: 3 })
  await insert([refused, removed, restored, sidecarFor('x', { ownerId: 'bob', state: 'deleted', stateAt: at(2) })])
  t.strictSame(await chooseAvatars(), { current: 1, superseded: 1 })
  t.equal(await current(), undefined)
  t.match(await row(refused.id), { state: 'superseded', stateAt: at(2) }, 'as long ago as the removal, which hides it')
  t.equal(await current('bob'), restored.id, 'one that was taken back after the removal is current')
})

t.test('of pictures that were taken back in the same millisecond the live one counts', async (t) => {
  const { insert, chooseAvatars, current } = await setUp(t)
  const restored = sidecarFor('x', { stateAt: at(3), revision: 3 })
  await insert([restored, sidecarFor('x', { state: 'superseded', stateAt: at(3), revision: 2 })])
  await chooseAvatars()
  t.equal(await current(), restored.id)
  const [first, second] = [sidecarFor('x', { ownerId: 'bob', stateAt: at(1) }), sidecarFor('x', { ownerId: 'bob', stateAt: at(1) })]
  await insert([second, first])
  await chooseAvatars()
  t.equal(await current('bob'), [first.id, second.id].sort()[1], 'of two such the later picture')
})

t.test('avatars of more owners than fit a page all become current', async (t) => {
  const { insert, chooseAvatars, client } = await setUp(t)
  const all = Array.from({ length: 1201 }, (_, index) => sidecarFor('x', { ownerId: `user-${index}` }))
  await insert(all)
  await insert(all.slice(0, 700).map(({ ownerId }) => sidecarFor('x', { ownerId, stateAt: '2030-01-01T00:00:00.000Z' })))
  t.strictSame(await chooseAvatars(), { current: 1201, superseded: 700 })
  t.equal(await client.avatar.count({ where: { blob: { state: 'live' } } }), 1201)
  t.equal(await client.blob.count({ where: { state: 'live' } }), 1201)
})

t.test('an old URL that two claim goes to the one that is shown, then to the later', async (t) => {
  const { insert, row, dueIds, client } = await setUp(t)
  const shown = sidecarFor('x', { stateAt: at(1), aliases: ['/i/a', '/i/own'] })
  const replaced = sidecarFor('x', { state: 'superseded', stateAt: at(9), aliases: ['/i/a', '/i/b'] })
  const later = sidecarFor('x', { ownerId: 'bob', stateAt: at(5), aliases: ['/i/a'] })
  t.match(await insert([replaced]), { length: 0 })
  t.strictSame(await insert([shown]), [{ id: replaced.id, kind: 'avatar', claim: 'old URL', value: '/i/a', holder: shown.id }])
  t.match(await insert([later, sidecarFor('x', { stateAt: at(2), ownerId: 'eve', aliases: ['/i/a'] })]), [{ holder: later.id }, { holder: later.id }])
  const held = await client.alias.findMany({ orderBy: { path: 'asc' } })
  t.strictSame(held, [{ path: '/i/a', blobId: later.id }, { path: '/i/b', blobId: replaced.id }, { path: '/i/own', blobId: shown.id }])
  t.match(await row(replaced.id), { aliases: ['/i/b'], revision: 2 })
  t.match(await row(shown.id), { aliases: ['/i/own'], revision: 2 })
  t.equal((await dueIds()).length, 3)
  t.notOk((await dueIds()).includes(later.id))
})

t.test('of two attachments with one id one has it, and the other is kept under a new one', async (t) => {
  const { insert, row, dueIds } = await setUp(t)
  const [first, second, third] = [attachment(), attachment(), attachment()]
  t.match(await insert([first, second]), [{ id: first.id, kind: 'attachment', claim: 'attachment id', value: recordId, holder: second.id }])
  t.match(await insert([third]), [{ id: second.id, holder: third.id }])
  t.equal((await row(third.id))?.recordId, recordId)
  const fresh = await Promise.all([first, second].map(async ({ id }) => (await row(id))?.recordId))
  t.equal(new Set([recordId, ...fresh]).size, 3)
  for (const { id } of [first, second]) t.equal((await row(id))?.revision, 2)
  t.strictSame(await dueIds(), [first.id, second.id].sort())
})

t.test('erasures become rows that count on, and owners that were erased', async (t) => {
  const { insertErasures, client } = await setUp(t)
  const erasures = [
    { id: 'a', epoch: 1, owner: 'key of ada', volume: 'v', at: at(1) }, { id: 'b', epoch: 2, owner: 'key of bob', volume: 'v', at: at(2) },
    { id: 'c', epoch: 2, owner: 'key of eve', volume: 'v', at: at(3) }, { id: 'd', epoch: 3, owner: 'key of ada', volume: 'v', at: at(4) },
  ]
  await insertErasures(erasures)
  t.strictSame((await client.erasure.findMany({ orderBy: { epoch: 'asc' } })).map(({ id, epoch, finishedAt }) => [id, epoch, finishedAt]), [['a', 1, null], ['b', 2, null], ['d', 3, null]], 'of two that were counted alike one has a row')
  t.strictSame(await client.owner.findMany({ select: { key: true, epoch: true }, orderBy: { key: 'asc' } }), [{ key: 'key of ada', epoch: 3 }, { key: 'key of bob', epoch: 2 }, { key: 'key of eve', epoch: 2 }])
  t.strictSame([...lastErasures(erasures)], [['key of ada', 3], ['key of bob', 2], ['key of eve', 2]])
})

t.test('one that does not fit is told of, and the others of its page go in', async (t) => {
  const { client, bulk, rows } = await setUp(t)
  const [first, odd, last, twin] = [sidecarFor('x'), sidecarFor('x', { aliases: ['/odd'] }), sidecarFor('x'), sidecarFor('x')]
  const { insert } = createRebuilding({
    client, now, bulk: {
      insert: (all) => {
        if (all.some(({ aliases }) => aliases.length > 0)) throw new RangeError('too big')
        bulk.insert(all)
      }
    }
  })
  t.strictSame(await insert([first, odd, last]), [{ id: odd.id, kind: 'avatar', claim: 'rows', reason: 'too big' }])
  t.match(await insert([twin, { ...twin, kind: 'attachment' }]), [{ id: twin.id, kind: 'attachment', claim: 'blob id', holder: 'avatar' }])
  t.strictSame((await rows()).map(({ id }) => id), [first, last, twin].map(({ id }) => id).sort())
})

t.test('a database that fails as a whole is no matter of one sidecar', async (t) => {
  const { client } = await setUp(t)
  const { insert } = createRebuilding({ client, now, bulk: { insert () { throw new Error('disk I/O error') } } })
  await t.rejects(insert([sidecarFor('x')]), { code: 'DATABASE_UNAVAILABLE' })
})

t.test('the epoch is not lower than it was, and above all that a lost ledger may count', async (t) => {
  const { client, insertErasures } = await setUp(t)
  const floor = 3 * 2 ** 29
  await insertErasures([], { epochFloor: floor })
  t.equal(await createOwners({ client, hash: (_, text) => text }).epoch(), floor + 10_000)
})

t.test('of a picture and its copy without metadata only the copy comes back, whichever comes first, and together', async (t) => {
  for (const order of ['original first', 'copy first', 'together'] as const) {
    const { insert, rows, totals } = await setUp(t)
    const original = attachment({ aliases: ['/uploads/a'] })
    const copy = attachment({ originalId: original.id, metadataRemoved: ['location'], revision: 3, aliases: ['/uploads/a'] })
    const batches = { 'original first': [[original], [copy]], 'copy first': [[copy], [original]], together: [[original, copy]] }[order]
    const disputes = []
    for (const batch of batches) disputes.push(...await insert(batch))
    t.strictSame(disputes, [{ id: original.id, kind: 'attachment', claim: 'its own place', copy: copy.id }], order)
    t.strictSame(await rows(), [copy], order)
    t.match(await totals(), { oldUrls: 1 })
  }
})
