import { existsSync } from 'node:fs'
import { test, type Test } from 'tap'
import type { BlobId } from '../../src/storage/ids.ts'
import { createPurge } from '../../src/storage/purge.ts'
import type { Sidecar } from '../../src/storage/sidecar.ts'
import { blobPath } from '../../src/storage/volume/layout.ts'
import { createRows } from './fixtures/ledger.ts'
import { openVolume, publish } from './fixtures/volume.ts'

async function setUp (t: Test) {
  const volume = await openVolume(t)
  const { rows, ledger, owed, entombed, hiding } = createRows(() => new Date())
  const removed: BlobId[] = []
  const purge = createPurge({ store: volume.store, ledger, removed: (id) => removed.push(id) })
  async function kept (others: Partial<Sidecar> = {}): Promise<Sidecar> {
    const sidecar = await publish(volume.store, 'hello', { state: 'deleted', revision: 2, ...others })
    rows.set(sidecar.id, sidecar)
    return sidecar
  }
  const isThere = (sidecar: Sidecar) => existsSync(blobPath(volume.root, sidecar))
  return { ...volume, rows, ledger, owed, entombed, hiding, removed, purge, kept, isThere }
}

test('I10: what row and sidecar both call deleted is condemned, remembered, removed and forgotten, in this order', async (t) => {
  const { rows, ledger, entombed, removed, purge, kept, files, faults } = await setUp(t)
  const sidecar = await kept()
  t.equal(await purge.condemn([sidecar]), 1)
  t.equal(rows.get(sidecar.id)?.state, 'purging')
  t.equal((await files()).length, 2, 'nothing is removed yet')
  const order: string[] = []
  const { purged } = ledger
  ledger.purged = (id) => { order.push('row'); return purged(id) }
  faults.inject({ on: 'unlink', path: /json$/, before: () => order.push(`sidecar, ${entombed.length} remembered`) }, { on: 'unlink', path: /png$/, before: () => order.push('blob') })
  t.equal(await purge.finish(10), 1)
  t.strictSame(order, ['sidecar, 1 remembered', 'blob', 'row'])
  t.strictSame(removed, [sidecar.id])
  t.strictSame(await files(), [])
  t.equal(rows.size, 0)
})

test('I10: a live file is never condemned, also when it is named', async (t) => {
  const { rows, purge, kept, isThere } = await setUp(t)
  const live = await kept({ state: 'live' })
  t.equal(await purge.condemn([{ ...live, state: 'deleted' }]), 0)
  const liveRow = await kept()
  rows.set(liveRow.id, { ...liveRow, state: 'live', revision: 3 })
  t.equal(await purge.condemn([liveRow]), 0)
  t.equal(await purge.finish(10), 0)
  t.ok(isThere(live) && isThere(liveRow))
})

test('a sidecar that lags behind its row is owed, not trusted', async (t) => {
  const { owed, purge, kept, store, isThere } = await setUp(t)
  const sidecar = await kept()
  await store.writeSidecar({ ...sidecar, state: 'live', revision: 1 })
  t.equal(await purge.condemn([sidecar]), 0)
  t.strictSame(owed, [sidecar.id])
  t.ok(isThere(sidecar))
})

test('a sidecar that is ahead of its row is a sign of an older database: it is told, left alone, and not written over', async (t) => {
  const { owed, purge, kept, store, isThere } = await setUp(t)
  const [restored, other] = [await kept(), await kept()]
  const newer = { ...restored, state: 'live' as const, revision: 3 }
  await store.writeSidecar(newer)
  await t.rejects(purge.condemn([restored, other]), { message: new RegExp(`1 failed; the first: The sidecar of ${restored.id} is newer than its record.*older than the volume`) })
  t.strictSame(owed, [])
  t.strictSame(await store.readSidecar(restored), newer)
  await store.writeSidecar({ ...restored, revision: 4 })
  await t.rejects(purge.condemn([restored]), /newer than its record/, 'also when it says deleted again')
  t.equal(await purge.finish(10), 1, 'the other one goes')
  t.ok(isThere(restored))
})

test('one that is restored while it is looked at stays, and no alarm is raised', async (t) => {
  const { rows, owed, purge, kept, store, isThere } = await setUp(t)
  const sidecar = await kept()
  const restored = { ...sidecar, state: 'live' as const, revision: 3 }
  rows.set(sidecar.id, restored)
  await store.writeSidecar(restored)
  t.equal(await purge.condemn([sidecar]), 0)
  t.strictSame(owed, [])
  t.ok(isThere(sidecar))
})

test('one whose row went meanwhile is nobody\'s work any more', async (t) => {
  const { rows, purge, kept, store } = await setUp(t)
  const sidecar = await kept()
  await store.writeSidecar({ ...sidecar, revision: 3 })
  rows.delete(sidecar.id)
  t.equal(await purge.condemn([sidecar]), 0)
})

test('nothing is removed when it cannot be remembered', async (t) => {
  const { ledger, purge, kept, isThere } = await setUp(t)
  const sidecar = await kept()
  await purge.condemn([sidecar])
  ledger.entomb = () => Promise.reject(new Error('no space'))
  await t.rejects(purge.finish(10), { message: 'no space' })
  t.ok(isThere(sidecar))
})

test('one that cannot be removed keeps no other, and is removed by the next', async (t) => {
  const { rows, purge, kept, faults, isThere } = await setUp(t)
  const [stuck, other] = [await kept(), await kept()]
  await purge.condemn([stuck, other])
  faults.inject({ on: 'unlink', path: new RegExp(stuck.id), errno: 'EIO' })
  await t.rejects(purge.finish(10), /1 failed/)
  t.strictSame([rows.get(stuck.id)?.state, rows.has(other.id), isThere(other)], ['purging', false, false])
  t.equal(await purge.finish(10), 1)
  t.notOk(isThere(stuck))
})

test('two purges at once remove each blob once, and neither fails', async (t) => {
  const { purge, kept, files, rows } = await setUp(t)
  const all = await Promise.all(Array.from({ length: 30 }, () => kept()))
  const condemned = await Promise.all([purge.condemn(all), purge.condemn(all)])
  t.equal(condemned[0] + condemned[1], 30)
  await Promise.all([purge.finish(100), purge.finish(100)])
  t.strictSame(await files(), [])
  t.equal(rows.size, 0)
})

test('what a deleted one hides is settled before its files go; where that fails it stays, and keeps no other', async (t) => {
  const { ledger, hiding, purge, kept, isThere } = await setUp(t)
  const [stuck, other] = [await kept(), await kept()]
  await purge.condemn([stuck, other])
  const { settleHidden } = ledger
  ledger.settleHidden = (doomed) => doomed.id === stuck.id ? Promise.reject(new Error('no folder')) : settleHidden(doomed)
  await t.rejects(purge.finish(10), /1 failed; the first: no folder/)
  t.strictSame([isThere(stuck), isThere(other)], [true, false])
  ledger.settleHidden = async (doomed) => {
    t.ok(isThere(stuck), 'before')
    await settleHidden(doomed)
  }
  t.equal(await purge.finish(10), 1)
  t.strictSame(hiding.settled, [other.id, stuck.id])
  t.notOk(isThere(stuck))
})

test('one that hides a picture whose sidecar is ahead of its row stays: what the volume knows of that would be written over', async (t) => {
  const { rows, hiding, purge, kept, store } = await setUp(t)
  const [hider, hidden] = [await kept(), await kept({ state: 'superseded', revision: 2 })]
  hiding.hidden.push(hidden)
  await store.writeSidecar({ ...hidden, state: 'live', revision: 3 })
  await t.rejects(purge.condemn([hider]), new RegExp(`The sidecar of ${hidden.id} is newer than its record, which says superseded: the database is older`))
  t.equal(rows.get(hider.id)?.state, 'deleted')
  await store.writeSidecar(hidden)
  t.equal(await purge.condemn([hider]), 1)
})

test('what was replaced is condemned before what was deleted, whose going would change it', async (t) => {
  const { ledger, purge, kept } = await setUp(t)
  const [deleted, replaced] = [await kept(), await kept({ state: 'superseded' })]
  const order: string[] = []
  const { startPurge } = ledger
  ledger.startPurge = (sidecar) => { order.push(sidecar.state); return startPurge(sidecar) }
  t.equal(await purge.condemn([deleted, replaced]), 2)
  t.strictSame(order, ['superseded', 'deleted'])
})
