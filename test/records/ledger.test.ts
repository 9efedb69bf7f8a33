import { test, type Test } from 'tap'
import { createLedger } from '../../src/records/ledger.ts'
import { newBlobId } from '../../src/storage/ids.ts'
import type { Sidecar } from '../../src/storage/sidecar.ts'
import { createSightings } from '../../src/storage/orphans.ts'
import { createSweep } from '../../src/storage/sweep.ts'
import { openVolume, publish, sidecarFor } from '../storage/fixtures/volume.ts'
import { hide } from './fixtures/by-hand.ts'
import { databaseFor, keep } from './fixtures/database.ts'

const hour = 3_600_000

async function setUp (t: Test) {
  const { client } = await databaseFor(t)
  const clock = { date: new Date() }
  const settled: string[] = []
  const ledger = createLedger({ client, settling: { settle: async (id) => { settled.push(id) } }, entomb: async () => {}, now: () => clock.date })
  const kept = async (others: Partial<Sidecar>) => {
    const sidecar = sidecarFor('hello', others)
    await keep(client, sidecar)
    return sidecar
  }
  const ago = (hours: number) => new Date(clock.date.getTime() - hours * hour)
  return { client, clock, ledger, settled, kept, ago }
}

const address = (others = {}) => ({ kind: 'attachment' as const, id: newBlobId(), extension: 'pdf', ...others })

test('it knows the states of the ids that have a row', async (t) => {
  const { ledger, kept } = await setUp(t)
  const live = await kept({})
  const deleted = await kept({ state: 'deleted' })
  const orphan = address()
  t.equal(await ledger.claimOrphan(orphan), true)
  t.strictSame(new Map([...await ledger.states([live.id, deleted.id, orphan.id, newBlobId()])].toSorted()),
    new Map([[live.id, 'live'], [deleted.id, 'deleted'], [orphan.id, 'swept']].toSorted() as Array<[never, never]>))
  t.equal((await ledger.states([])).size, 0)
})

test('of an orphan\'s claim and a late commit, whichever comes first wins', async (t) => {
  const { client, ledger, kept } = await setUp(t)
  const live = await kept({})
  t.equal(await ledger.claimOrphan(live), false)
  t.match(await client.blob.findUnique({ where: { id: live.id } }), { state: 'live', ownerId: 'ada' })
  const orphan = address()
  t.strictSame(await Promise.all([ledger.claimOrphan(orphan), ledger.claimOrphan(orphan)]), [true, false])
  await t.rejects(kept({ id: orphan.id }), { code: 'P2002' })
})

test('swept ids are forgotten by age, and nothing else is', async (t) => {
  const { client, clock, ledger, kept, ago } = await setUp(t)
  await kept({ state: 'deleted', stateAt: ago(1000).toISOString() })
  await ledger.claimOrphan(address())
  t.equal(await ledger.forgetSwept(clock.date), 0)
  t.equal(await ledger.forgetSwept(new Date(clock.date.getTime() + 1)), 1)
  t.equal(await client.blob.count(), 1)
})

test('I9: what is old enough comes as its sidecar ought to be, oldest first', async (t) => {
  const { ledger, kept, ago } = await setUp(t)
  const stateAt = (hours: number) => ({ stateAt: ago(hours).toISOString() })
  const older = await kept({ kind: 'attachment', recordId: newBlobId(), filename: 'a.pdf', visibility: 'public', contextType: 'ticket', contextId: '7', alt: 'x', state: 'deleted', ...stateAt(3) })
  const old = await kept({ state: 'superseded', aliases: ['/i/a.png', '/i/b.png'], ...stateAt(2) })
  await kept({ state: 'deleted', ...stateAt(1) })
  await kept({ state: 'live', ...stateAt(9) })
  t.strictSame(await ledger.inState(['superseded', 'deleted'], ago(1), 10), [older, old])
  t.strictSame(await ledger.inState(['superseded', 'deleted'], ago(1), 1), [older])
})

test('I10: a purge starts only on the row that was looked at, and whose sidecar says what it says', async (t) => {
  const { client, ledger, kept } = await setUp(t)
  const blob = await kept({ state: 'deleted' })
  t.equal(await ledger.startPurge({ ...blob, state: 'superseded' }), false)
  t.equal(await ledger.startPurge({ ...blob, revision: 2 }), false)
  await client.blob.update({ where: { id: blob.id }, data: { sidecarDueAt: new Date() } })
  t.equal(await ledger.startPurge(blob), false)
  await client.blob.update({ where: { id: blob.id }, data: { sidecarDueAt: null } })
  t.strictSame(await Promise.all([ledger.startPurge(blob), ledger.startPurge(blob)]), [true, false])
  t.match(await ledger.purging(10), [{ kind: 'avatar', id: blob.id, extension: 'png', ownerId: 'ada', source: null, aliases: { length: 0 } }])
})

test('I10: what a removed picture hides is deleted with it, and keeps its time in the trash', async (t) => {
  const { client, clock, ledger, settled, kept, ago } = await setUp(t)
  const at = (hours: number) => ({ stateAt: ago(hours).toISOString() })
  const hidden = [await kept({ state: 'superseded', ...at(9) }), await kept({ state: 'superseded', ...at(5) })]
  const others = [await kept({ state: 'superseded', ...at(4) }), await kept({ state: 'live', ...at(9) }), await kept({ state: 'superseded', ownerId: 'bob', ...at(9) }), await kept({ state: 'pending', ownerId: null, ...at(9) })]
  const removed = await kept({ state: 'deleted', ...at(5) })
  const hiddenIds = hidden.map(({ id }) => id).toSorted()
  t.strictSame((await ledger.hiddenBy(removed)).toSorted((a, b) => a.id < b.id ? -1 : 1), hiddenIds.map((id) => ({ id, kind: 'avatar', extension: 'png', state: 'superseded', revision: 1 })))
  for (const one of [...others, { ...removed, kind: 'attachment' as const }, { ...removed, ownerId: null }]) t.strictSame(await ledger.hiddenBy(one), [])

  t.equal(await ledger.startPurge({ ...removed, revision: 2 }), false)
  t.equal(await client.blob.count({ where: { state: 'superseded' } }), 4, 'none without it')
  t.equal(await ledger.startPurge(removed), true)
  for (const { id, stateAt } of hidden) t.match(await client.blob.findUnique({ where: { id } }), { state: 'deleted', stateAt: new Date(stateAt), revision: 2, sidecarDueAt: clock.date })
  for (const { id, state } of others) t.match(await client.blob.findUnique({ where: { id } }), { state, revision: 1, sidecarDueAt: null })

  const [doomed] = await ledger.purging(1)
  if (doomed === undefined) throw new Error('it is purging')
  await ledger.settleHidden({ ...doomed, kind: 'attachment' })
  await ledger.settleHidden({ ...doomed, ownerId: null })
  await ledger.settleHidden({ ...doomed, ownerId: 'bob' })
  t.strictSame(settled, [])
  await ledger.settleHidden(doomed)
  t.strictSame(settled.toSorted(), hiddenIds)
  await client.blob.updateMany({ data: { sidecarDueAt: null } })
  await ledger.settleHidden(doomed)
  t.equal(settled.length, 2, 'once is enough')
})

test('a purged blob takes its record and old URLs along; one that is not being purged stays', async (t) => {
  const { client, ledger, kept } = await setUp(t)
  const blob = await kept({ kind: 'attachment', recordId: newBlobId(), state: 'deleted', aliases: ['/i/a'] })
  await ledger.purged(blob.id)
  t.equal(await client.blob.count(), 1)
  await ledger.startPurge(blob)
  await ledger.purged(blob.id)
  t.strictSame([await client.blob.count(), await client.attachment.count(), await client.alias.count()], [0, 0, 0])
  await ledger.purged(blob.id)
})

test('a ledger that cannot be asked says so, and no orphan is taken then', async (t) => {
  const { client, ledger, ago } = await setUp(t)
  await hide(client, 'Blob')
  const failed = { code: 'DATABASE_UNAVAILABLE' }
  await t.rejects(ledger.states([newBlobId()]), failed)
  await t.rejects(ledger.claimOrphan(address()), failed)
  await t.rejects(ledger.forgetSwept(ago(0)), failed)
  await t.rejects(ledger.startPurge(sidecarFor('hello', { state: 'deleted' })), failed)
})

test('I5, I10: sweep and ledger together: of all blobs just the orphan and the old trash go', async (t) => {
  const { client, ledger, clock } = await setUp(t)
  const { root, store, faults, files } = await openVolume(t)
  const kept = async (others: Partial<Sidecar>) => {
    const sidecar = await publish(store, 'hello', others)
    await keep(client, sidecar)
    return sidecar
  }
  const old = { stateAt: new Date(clock.date.getTime() - 100 * hour).toISOString() }
  const staying = [await kept({}), await kept({ state: 'pending' }), await kept({ state: 'superseded' }), await kept({ kind: 'attachment', recordId: newBlobId(), ...old })]
  await kept({ kind: 'attachment', recordId: newBlobId(), state: 'deleted', ...old })
  await kept({ state: 'pending', ...old })
  await publish(store, 'orphan')
  let ms = 0
  const { run: sweep } = createSweep({
    fs: faults.fs, root, store, ledger, checkClaim: async () => {}, removeDeadStaging: async () => 0, settleSidecars: async () => 0, look: createSightings({ graceMs: 1, monotonicMs: () => ms }),
    maxPercent: 100, trashMs: 99 * hour, pendingMs: 99 * hour, trashMaxBytesPerOwner: 0, now: () => clock.date,
  })
  t.match(await sweep(), { trash: 1, pending: 1, orphans: 0 })
  ms = 1
  t.match(await sweep(), { trash: 0, pending: 0, orphans: 1 })
  t.equal((await files()).length, 2 * staying.length)
  for (const sidecar of staying) t.strictSame(await store.readSidecar(sidecar), sidecar)
  t.strictSame((await client.blob.groupBy({ by: ['state'], _count: true, orderBy: { state: 'asc' } })).map(({ state, _count }) => [state, _count]), [['live', 2], ['pending', 1], ['superseded', 1], ['swept', 1]])
})

test('it counts what is on the volume, or ought to be', async (t) => {
  const { ledger, kept } = await setUp(t)
  await kept({})
  await kept({ state: 'deleted' })
  await ledger.claimOrphan(address())
  t.equal(await ledger.count(), 2)
})

test('a sidecar that is owed is due from now, and one that is due already stays so', async (t) => {
  const { client, clock, ledger, kept } = await setUp(t)
  const { id } = await kept({ state: 'deleted' })
  const first = clock.date
  await ledger.oweSidecar(id)
  clock.date = new Date(first.getTime() + hour)
  await ledger.oweSidecar(id)
  t.strictSame((await client.blob.findUniqueOrThrow({ where: { id } })).sidecarDueAt, first)
})

test('what is due can be counted without being read', async (t) => {
  const { ledger, kept, ago } = await setUp(t)
  for (const state of ['deleted', 'superseded', 'live'] as const) await kept({ state, stateAt: ago(2).toISOString() })
  await kept({ state: 'deleted', stateAt: ago(1).toISOString() })
  t.equal(await ledger.countInState(['deleted', 'superseded'], ago(1)), 2)
  t.equal(await ledger.countInState(['pending'], ago(0)), 0)
})

test('owners whose trash takes more than the limit are found, whatever they have that is live', async (t) => {
  const { ledger, kept } = await setUp(t)
  const trash = (ownerId: string | null, size: number, state: Sidecar['state'] = 'deleted') => kept({ ownerId, size, state })
  await trash('ada', 6)
  await trash('ada', 5, 'superseded')
  await trash('ada', 1000, 'live')
  await trash('bob', 10)
  await trash('bob', 1000, 'pending')
  await trash('eve', 2 ** 52)
  await trash(null, 1000)
  t.strictSame(await ledger.ownersOver(10, 10), [{ ownerId: 'ada', bytes: 11 }, { ownerId: 'eve', bytes: 2 ** 52 }])
  t.strictSame(await ledger.ownersOver(10, 1), [{ ownerId: 'ada', bytes: 11 }])
  t.strictSame(await ledger.ownersOver(2 ** 52, 10), [], 'as much as the limit is not over it')
})

test('the trash of an owner comes page by page, what is there for longest first, also where many went at once', async (t) => {
  const { ledger, kept, ago } = await setUp(t)
  const at = (hours: number) => ago(hours).toISOString()
  const last = await kept({ state: 'deleted', stateAt: at(1) })
  const same = [await kept({ state: 'deleted', stateAt: at(5) }), await kept({ state: 'superseded', stateAt: at(5) }), await kept({ state: 'deleted', stateAt: at(5) })].sort((a, b) => a.id < b.id ? -1 : 1)
  const first = await kept({ state: 'superseded', stateAt: at(9) })
  await kept({ state: 'live', stateAt: at(9) })
  await kept({ state: 'deleted', stateAt: at(9), ownerId: 'bob' })
  const pages: Sidecar[] = []
  for (let after: Sidecar | undefined, page = await ledger.trashOf('ada', after, 2); page.length > 0; page = await ledger.trashOf('ada', after, 2)) {
    pages.push(...page)
    after = page.at(-1)
  }
  t.strictSame(pages, [first, ...same, last])
})

test('it knows which revision of a sidecar is due', async (t) => {
  const { ledger, kept } = await setUp(t)
  t.equal(await ledger.revisionOf((await kept({ revision: 7 })).id), 7)
  t.equal(await ledger.revisionOf(newBlobId()), undefined)
})

test('what is to be remembered of the purged goes to who remembers it', async (t) => {
  const { client } = await databaseFor(t)
  const remembered: unknown[] = []
  const ledger = createLedger({ client, settling: { settle: async () => {} }, entomb: async (doomed) => { remembered.push(...doomed) }, now: () => new Date() })
  const blob = sidecarFor('hello', { kind: 'attachment', recordId: newBlobId(), state: 'deleted', aliases: ['/i/b', '/i/a'], source: 'system-m:/i/a' })
  await keep(client, blob)
  await ledger.startPurge(blob)
  await ledger.entomb(await ledger.purging(10))
  t.match(remembered, [{ id: blob.id, kind: 'attachment', extension: 'png', ownerId: 'ada', source: 'system-m:/i/a' }])
  t.strictSame((remembered as [{ aliases: string[] }])[0].aliases.toSorted(), ['/i/a', '/i/b'])
})
