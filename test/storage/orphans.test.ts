import { existsSync } from 'node:fs'
import { copyFile, writeFile } from 'node:fs/promises'
import { test, type Test } from 'tap'
import { timeOf } from '../../src/storage/ids.ts'
import { createLoneLook, createOrphans, createSightings, type Look } from '../../src/storage/orphans.ts'
import type { Pace } from '../../src/storage/pace.ts'
import { blobPath, sidecarPath } from '../../src/storage/volume/layout.ts'
import { createRows } from './fixtures/ledger.ts'
import { openVolume, publish } from './fixtures/volume.ts'

async function setUp (t: Test, look: () => Look = () => ({ isRipe: () => true, end: async () => true }), pace?: () => Pace) {
  const volume = await openVolume(t)
  const { rows, ledger } = createRows(() => new Date())
  const orphans = createOrphans({ fs: volume.faults.fs, root: volume.root, store: volume.store, ledger, look, pace })
  return { ...volume, rows, ledger, orphans }
}

test('I5: an orphan is ripe when it stood in two looks a grace period apart, and what was gone in between starts anew', async (t) => {
  const clock = { ms: 0 }
  const look = createSightings({ graceMs: 100, monotonicMs: () => clock.ms })
  const { store, orphans } = await setUp(t, look)
  const one = await publish(store, 'one')
  t.match(await orphans.find(10), { count: 0, isLeft: false })
  clock.ms = 99
  t.match(await orphans.find(10), { count: 0 })
  clock.ms = 100
  t.match(await orphans.find(10), { count: 1, orphans: [{ id: one.id, hasSidecar: true }] })
  clock.ms = 200
  const unseen = look()
  await unseen.end()
  t.match(await orphans.find(10), { count: 0 }, 'a look that did not see it')
})

test('a look that failed half-way forgets nothing of what was seen before', async (t) => {
  const clock = { ms: 0 }
  const { store, orphans, faults } = await setUp(t, createSightings({ graceMs: 100, monotonicMs: () => clock.ms }))
  await publish(store, 'one')
  await orphans.find(10)
  clock.ms = 50
  faults.inject({ on: 'readdir', path: /\d\d$/, errno: 'EIO' })
  await t.rejects(orphans.find(10), { code: 'EIO' })
  await t.rejects(orphans.find(10, AbortSignal.abort(new Error('stopping'))), /stopping/, 'nor one that was ended')
  clock.ms = 100
  t.match(await orphans.find(10), { count: 1 })
})

test('for who looks once the age of the id counts, and nobody else may be there after the look', async (t) => {
  const clock = { date: new Date(), isAlone: true }
  const asked: string[] = []
  const { store, orphans } = await setUp(t, createLoneLook({
    graceMs: 1000,
    now: () => { asked.push('age'); return clock.date },
    isAlone: async () => { asked.push('alone'); return clock.isAlone },
  }))
  const { id } = await publish(store, 'one')
  clock.date = new Date(timeOf(id).getTime() + 999)
  t.match(await orphans.find(10), { count: 0, isLeft: false })
  clock.date = new Date(timeOf(id).getTime() + 1000)
  t.match(await orphans.find(10), { count: 1, isLeft: false })
  clock.isAlone = false
  asked.length = 0
  t.match(await orphans.find(10), { count: 1, isLeft: true })
  t.strictSame(asked, ['age', 'alone'], 'asked when all was seen')
  clock.date = new Date(0)
  t.match(await orphans.find(10), { count: 0 }, 'an id of the future is not old')
})

test('all are counted, and only so many named', async (t) => {
  const { store, orphans } = await setUp(t)
  for (let n = 0; n < 5; n += 1) await publish(store, 'hello')
  const { orphans: found, count } = await orphans.find(3)
  t.equal(found.length, 3)
  t.equal(count, 5)
})

test('every file under the id of an orphan goes, whatever its extension', async (t) => {
  const { root, store, orphans, files } = await setUp(t)
  const sidecar = await publish(store, 'hello')
  for (const extension of ['webp', 'bin', 'mp4']) await copyFile(blobPath(root, sidecar), blobPath(root, { ...sidecar, extension }))
  const { orphans: found } = await orphans.find(10)
  t.equal(found.length, 1)
  t.equal(await orphans.remove(found), 1)
  t.strictSame(await files(), [])
})

test('a second file under the id of a row is not an orphan\'s, and stays for who looks into it', async (t) => {
  const { root, store, orphans, rows, files } = await setUp(t)
  const sidecar = await publish(store, 'hello')
  rows.set(sidecar.id, sidecar)
  await copyFile(blobPath(root, sidecar), blobPath(root, { ...sidecar, extension: 'webp' }))
  t.match(await orphans.find(10), { count: 0 })
  t.equal((await files()).length, 3)
})

test('an upload that commits between the look and the removal is kept whole', async (t) => {
  const { root, store, orphans, rows } = await setUp(t)
  const sidecar = await publish(store, 'hello')
  const { orphans: found } = await orphans.find(10)
  rows.set(sidecar.id, sidecar)
  const gone: number[] = []
  t.equal(await orphans.remove(found, () => gone.push(1)), 0)
  t.strictSame(gone, [])
  t.ok(existsSync(blobPath(root, sidecar)))
  t.strictSame(await store.readSidecar(sidecar), sidecar)
})

test('two that remove the same orphans at once take nothing from each other', async (t) => {
  const { store, orphans, files } = await setUp(t)
  for (let n = 0; n < 20; n += 1) await publish(store, 'hello')
  const { orphans: found } = await orphans.find(100)
  await Promise.all([orphans.remove(found), orphans.remove(found)])
  t.strictSame(await files(), [])
})

test('one whose sidecar is there but damaged, or cannot be read, stays: no crash leaves that', async (t) => {
  const { store, orphans, root, faults } = await setUp(t)
  const damaged = await publish(store, 'one')
  await writeFile(sidecarPath(root, damaged), '{}')
  const whole = await publish(store, 'two')
  t.match(await orphans.find(10), { count: 1, orphans: [{ id: whole.id }] })
  faults.inject({ on: 'readFile', path: new RegExp(whole.id), errno: 'EIO' })
  t.match(await orphans.find(10), { count: 0, orphans: { length: 0 } })
})

test('the time between two looks is not rested for: each has a pace of its own', async (t) => {
  const paces: number[] = []
  const { store, orphans } = await setUp(t, undefined, () => {
    const pace = paces.push(0) - 1
    return async () => { paces[pace] = (paces[pace] ?? 0) + 1 }
  })
  await publish(store, 'one')
  await orphans.find(10)
  await orphans.find(10)
  t.strictSame(paces, [1, 1])
})
