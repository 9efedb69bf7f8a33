import { existsSync } from 'node:fs'
import { copyFile, mkdir, readdir, rename, utimes, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { test, type Test } from 'tap'
import { newBlobId } from '../../src/storage/ids.ts'
import type { Sidecar } from '../../src/storage/sidecar.ts'
import { createLoneLook, createSightings } from '../../src/storage/orphans.ts'
import { createSweep } from '../../src/storage/sweep.ts'
import { blobPath, sidecarPath } from '../../src/storage/volume/layout.ts'
import { createRows } from './fixtures/ledger.ts'
import { openVolume, publish, sidecarFor, stage } from './fixtures/volume.ts'

const day = 86_400_000
const graceMs = 1000

async function setUp (t: Test, changes: { trashMaxBytesPerOwner?: number, progress?: { step (name: string, total?: number): void, advance (count?: number): void } } = {}) {
  const volume = await openVolume(t)
  const clock = { ms: 0, date: new Date() }
  const { rows, ledger, owed, entombed } = createRows(() => clock.date)
  const steps = { claim: async () => {}, staging: async () => 0, sidecars: async () => 0 }
  const settings = { maxPercent: 5, trashMaxBytesPerOwner: 0, ...changes }
  const { plan, take, run } = createSweep({
    fs: volume.faults.fs, root: volume.root, store: volume.store, ledger,
    checkClaim: () => steps.claim(), removeDeadStaging: () => steps.staging(), settleSidecars: () => steps.sidecars(),
    look: createSightings({ graceMs, monotonicMs: () => clock.ms }), ...settings, trashMs: 30 * day, now: () => clock.date,
  })
  /** A blob with its row, in a state since so long. */
  async function kept (state: Sidecar['state'], ageMs = 0): Promise<Sidecar> {
    const sidecar = await publish(volume.store, 'hello', { state, stateAt: new Date(clock.date.getTime() - ageMs).toISOString() })
    rows.set(sidecar.id, sidecar)
    return sidecar
  }
  const isThere = (sidecar: Sidecar) => existsSync(blobPath(volume.root, sidecar))
  return { ...volume, clock, rows, ledger, owed, entombed, steps, plan, take, sweep: run, kept, isThere }
}

test('I5: a blob without a row goes after two runs a grace period apart, its id taken first', async (t) => {
  const { store, clock, rows, sweep, files, faults, ledger } = await setUp(t)
  const { id } = await publish(store, 'hello')
  t.match(await sweep(), { orphans: 0 })
  clock.ms = graceMs - 1
  t.match(await sweep(), { orphans: 0 })
  t.equal((await files()).length, 2)
  clock.ms = graceMs
  let stateAtRemoval: unknown
  faults.inject({ on: 'unlink', before: async () => { stateAtRemoval = (await ledger.states([id])).get(id) } })
  t.match(await sweep(), { orphans: 1 })
  t.equal(stateAtRemoval, 'swept')
  t.equal(rows.get(id)?.state, 'swept')
  t.strictSame(await files(), [])
  t.match(await sweep(), { orphans: 0 })
})

test('I5: the grace counts on a clock that never jumps, not on the files\' own times', async (t) => {
  const { root, store, clock, sweep, files } = await setUp(t)
  const sidecar = await publish(store, 'hello')
  await utimes(blobPath(root, sidecar), new Date(0), new Date(0))
  await sweep()
  clock.date = new Date(clock.date.getTime() + 365 * day)
  t.match(await sweep(), { orphans: 0 })
  t.equal((await files()).length, 2)
})

test('an upload that commits between two runs is safe, also when it commits while its id is being taken', async (t) => {
  const { store, clock, rows, ledger, sweep, files } = await setUp(t)
  const one = await publish(store, 'one')
  const two = await publish(store, 'two')
  await sweep()
  rows.set(one.id, one)
  clock.ms = graceMs
  const { claimOrphan } = ledger
  ledger.claimOrphan = async (address) => {
    rows.set(two.id, two)
    return claimOrphan(address)
  }
  t.match(await sweep(), { orphans: 0 })
  t.equal((await files()).length, 4)
})

test('I10: blobs in every state that a row can be in are no orphans', async (t) => {
  const { clock, sweep, kept, files } = await setUp(t)
  for (const state of ['live', 'pending', 'superseded', 'deleted'] as const) await kept(state)
  for (let run = 0; run < 3; run += 1) {
    t.match(await sweep(), { orphans: 0, trash: 0, pending: 0 })
    clock.ms += 10 * graceMs
  }
  t.equal((await files()).length, 8)
})

test('a lone sidecar and a lone blob are orphans too; staged files are not looked at', async (t) => {
  const { root, store, clock, sweep, files } = await setUp(t)
  const one = await publish(store, 'one')
  const two = await publish(store, 'two', { extension: 'webp' })
  await rename(blobPath(root, one), join(root, 'elsewhere'))
  await rename(sidecarPath(root, two), join(root, 'elsewhere.json'))
  const upload = await stage(store, 'in flight')
  await sweep()
  clock.ms = graceMs
  t.match(await sweep(), { orphans: 2 })
  t.strictSame((await files()).filter((path) => !path.startsWith('staging/')), ['elsewhere', 'elsewhere.json'])
  t.equal((await files()).length, 3)
  await upload.discard()
})

test('files that are not the gateway\'s, or not where their id says, are left alone, and no id is taken for them', async (t) => {
  const { root, clock, rows, sweep, kept, files } = await setUp(t)
  const live = await kept('live')
  const folder = dirname(blobPath(root, live))
  const other = sidecarFor('x')
  for (const name of ['.DS_Store', 'notes.txt', `${newBlobId()}.webp.bak`, `${newBlobId()}`]) await writeFile(join(folder, name), '')
  await mkdir(join(folder, `${newBlobId()}.png`))
  for (const path of ['avatars/lost+found/01/01', 'avatars/2001/01/02', 'avatars/2001/01/02/03', 'backup']) {
    await mkdir(join(root, path), { recursive: true })
    await copyFile(blobPath(root, live), join(root, path, `${other.id}.png`))
  }
  const before = await files()
  for (let run = 0; run < 3; run += 1) {
    t.match(await sweep(), { orphans: 0 })
    clock.ms += graceMs
  }
  t.strictSame(await files(), before)
  t.strictSame([...rows.keys()], [live.id])
})

test('I10: trash is purged only by age, and only when row and sidecar both call it so', async (t) => {
  const { store, rows, sweep, kept, isThere, root } = await setUp(t)
  const old = await kept('deleted', 30 * day + 1)
  const oldSuperseded = await kept('superseded', 30 * day + 1)
  const young = await kept('deleted', 30 * day - 1)
  const rowOnly = await kept('live', 60 * day)
  rows.set(rowOnly.id, { ...rowOnly, state: 'deleted', revision: 2 })
  const sidecarOnly = await kept('live', 60 * day)
  await store.writeSidecar({ ...sidecarOnly, state: 'deleted', revision: 2 })
  const other = await kept('superseded', 60 * day)
  rows.set(other.id, { ...other, state: 'deleted', revision: 2 })
  const damaged = await kept('deleted', 60 * day)
  await writeFile(sidecarPath(root, damaged), 'damaged')

  t.match(await sweep(), { trash: 2, orphans: 0 })
  t.notOk(isThere(old) || isThere(oldSuperseded) || rows.has(old.id) || rows.has(oldSuperseded.id))
  for (const [name, sidecar] of Object.entries({ young, rowOnly, sidecarOnly, other, damaged })) t.ok(isThere(sidecar) && rows.has(sidecar.id), name)
})

test('a blob that is restored while the purge looks at it stays', async (t) => {
  const { rows, sweep, kept, isThere, faults } = await setUp(t)
  const blob = await kept('superseded', 60 * day)
  faults.inject({ on: 'readFile', path: new RegExp(blob.id), before: () => { rows.set(blob.id, { ...blob, state: 'live', revision: 2 }) } })
  t.match(await sweep(), { trash: 0 })
  t.ok(isThere(blob))
  t.equal(rows.get(blob.id)?.state, 'live')
})

test('pending pictures go after their hour, others do not', async (t) => {
  const { sweep, kept, isThere } = await setUp(t)
  const old = await kept('pending', day / 24 + 1)
  const young = await kept('pending', day / 24 - 1)
  const live = await kept('live', 60 * day)
  t.match(await sweep(), { pending: 1, trash: 0 })
  t.notOk(isThere(old))
  t.ok(isThere(young) && isThere(live))
})

test('a purge that died in the middle is finished by the next, wherever it died', async (t) => {
  for (const nth of [1, 2]) {
    const { rows, sweep, kept, files, faults } = await setUp(t)
    const blob = await kept('deleted', 60 * day)
    faults.inject({ on: 'unlink', nth, errno: 'EIO', forever: true })
    await t.rejects(sweep(), { message: /^2 failed; the first: The storage cannot/ })
    faults.heal()
    t.equal(rows.get(blob.id)?.state, 'purging', 'it is told before it is done')
    t.match(await sweep(), { pending: 1 })
    t.notOk(rows.has(blob.id))
    t.strictSame(await files(), [])
  }
})

test('an orphan whose files could not be removed is removed by the next run', async (t) => {
  const { store, clock, rows, sweep, files, faults } = await setUp(t)
  const { id } = await publish(store, 'hello')
  const other = await publish(store, 'other')
  await sweep()
  clock.ms = graceMs
  faults.inject({ on: 'unlink', errno: 'EIO' })
  await t.rejects(sweep(), /1 failed/)
  t.ok(rows.has(id) && rows.has(other.id), 'one that fails keeps no other')
  t.equal((await files()).length, 2)
  t.match(await sweep(), { orphans: 1 })
  t.strictSame(await files(), [])
})

test('swept ids are remembered for a week', async (t) => {
  const { clock, rows, sweep } = await setUp(t)
  const id = newBlobId()
  const start = clock.date.getTime()
  rows.set(id, { id, kind: 'avatar', extension: 'png', state: 'swept', stateAt: clock.date.toISOString() })
  clock.date = new Date(start + 7 * day)
  t.match(await sweep(), { forgotten: 0 })
  clock.date = new Date(start + 7 * day + 1)
  t.match(await sweep(), { forgotten: 1 })
  t.equal(rows.size, 0)
})

test('one run at a time: who asks meanwhile gets the same', async (t) => {
  const { steps, sweep } = await setUp(t)
  let runs = 0
  const { promise: isHeld, resolve: release } = Promise.withResolvers<number>()
  steps.staging = () => { runs += 1; return isHeld }
  const both = Promise.all([sweep(), sweep()])
  release(3)
  const [first, second] = await both
  t.equal(first, second)
  t.equal(runs, 1)
  t.strictSame(first, { staging: 3, sidecars: 0, orphans: 0, pending: 0, trash: 0, quota: 0, forgotten: 0 })
  await sweep()
  t.equal(runs, 2)
})

test('a step that fails keeps no other from its work, and the next run starts anew', async (t) => {
  const { steps, sweep, kept, isThere } = await setUp(t)
  const old = await kept('deleted', 60 * day)
  steps.sidecars = () => Promise.reject(new Error('no folder'))
  await t.rejects(sweep(), /1 failed; the first: no folder/)
  t.notOk(isThere(old))
  steps.sidecars = async () => 2
  t.match(await sweep(), { sidecars: 2 })
})

test('a folder that cannot be listed is told, and nothing in it is taken for gone or removed', async (t) => {
  const { store, clock, sweep, files, faults } = await setUp(t)
  await publish(store, 'hello')
  await sweep()
  clock.ms = graceMs
  faults.inject({ on: 'readdir', path: /\d\d$/, errno: 'EIO' })
  await t.rejects(sweep(), /EIO/)
  t.equal((await files()).length, 2)
  t.match(await sweep(), { orphans: 1 }, 'it has not lost its time')
})

test('thousands of blobs are asked for in groups, and day folders stay', async (t) => {
  const { root, store, rows, ledger, sweep } = await setUp(t)
  const first = await publish(store, 'hello')
  rows.set(first.id, first)
  const folder = dirname(blobPath(root, first))
  const ids = Array.from({ length: 1200 }, newBlobId)
  for (const id of ids) {
    await writeFile(join(folder, `${id}.png`), '')
    rows.set(id, sidecarFor('', { id }))
  }
  const asked: number[] = []
  const { states } = ledger
  ledger.states = (group) => { asked.push(group.length); return states(group) }
  t.match(await sweep(), { orphans: 0 })
  t.strictSame(asked, [500, 500, 201])
  t.equal((await readdir(folder)).length, 1202)
})

test('many files without a record are no routine: none of them goes, and somebody is told', async (t) => {
  const { store, clock, sweep, files, rows } = await setUp(t)
  for (let n = 0; n < 101; n += 1) await publish(store, 'hello')
  await sweep()
  clock.ms = graceMs
  await t.rejects(sweep(), { code: 'SWEEP_STOPPED', message: /would remove 101 blobs of 101 \(101 without a record\): more than 5 %.*upload-gateway sweep --dry-run.*sweep --force" removes them, those without a record only while no gateway runs/ })
  t.equal((await files()).length, 202)
  t.equal(rows.size, 0, 'no id was taken')
})

test('as many of many more are routine', async (t) => {
  const { clock, sweep, kept, rows, isThere } = await setUp(t)
  const trash = await Promise.all(Array.from({ length: 101 }, () => kept('deleted', 31 * day)))
  await t.rejects(sweep(), { code: 'SWEEP_STOPPED', message: /would remove 101 blobs of 101 \(101 deleted or replaced\)/ })
  t.ok(trash.every(isThere))
  const [{ id: _, ...one }] = trash as [Sidecar]
  for (let n = 0; n < 1920; n += 1) rows.set(`more-${n}` as never, { ...one, id: `more-${n}` as never, state: 'live' })
  t.match(await sweep(), { trash: 101 })
  clock.ms = graceMs
  t.notOk(trash.some(isThere))
})

test('pictures nobody claimed go, however many', async (t) => {
  const { sweep, kept } = await setUp(t)
  await Promise.all(Array.from({ length: 101 }, () => kept('pending', day)))
  t.match(await sweep(), { pending: 101 })
})

test('I10: a sidecar that does not say what its row says is owed, and the blob stays until it does', async (t) => {
  const { store, owed, sweep, kept, isThere } = await setUp(t)
  const sidecar = await kept('deleted', 31 * day)
  await store.writeSidecar({ ...sidecar, state: 'live' })
  t.match(await sweep(), { trash: 0 })
  t.strictSame(owed, [sidecar.id])
  t.ok(isThere(sidecar))
})

test('the brake counts what is old enough and what has no record together, and holds all of it up', async (t) => {
  const { clock, store, sweep, kept, files } = await setUp(t, { trashMaxBytesPerOwner: 5 })
  for (let n = 0; n < 40; n += 1) await publish(store, 'hello')
  await sweep()
  clock.ms = graceMs
  for (let n = 0; n < 61; n += 1) await kept('deleted', 31 * day)
  for (let n = 0; n < 31; n += 1) await kept('deleted', day)
  const before = await files()
  await t.rejects(sweep(), { code: 'SWEEP_STOPPED', message: /would remove 131 blobs of 131 \(61 deleted or replaced, 30 over their owner's limit for trash, 40 without a record\): more than 5 % \(SWEEP_MAX_PERCENT\), so none of them goes\. / })
  t.strictSame(await files(), before)
})

test('what is over the limits of owners for trash counts for itself, and too much of it holds up nothing else', async (t) => {
  const { clock, store, rows, plan, take, sweep, kept, isThere } = await setUp(t, { trashMaxBytesPerOwner: 5 })
  const { id } = await publish(store, 'hello')
  await sweep()
  clock.ms = graceMs
  const old = await kept('deleted', 31 * day)
  const many = await Promise.all(Array.from({ length: 101 }, () => kept('deleted', day)))
  t.match(await sweep(), { trash: 1, quota: 100, orphans: 1 }, 'a hundred is not too many, beside what else there is')
  t.notOk(isThere(old) || rows.get(id)?.state !== 'swept')
  const more = await Promise.all(Array.from({ length: 101 }, () => kept('deleted', day)))
  const another = await kept('deleted', 31 * day)
  await t.rejects(sweep(), {
    code: 'SWEEP_STOPPED', part: 'quota',
    message: 'A sweep would remove 101 blobs of 103 (101 over their owner\'s limit for trash): more than 5 % (SWEEP_MAX_PERCENT), so none of them goes; whatever else is due does. Is TRASH_MAX_BYTES_PER_OWNER too small, or the database older than the volume? "upload-gateway sweep --dry-run" lists them; if they are meant to go, "upload-gateway sweep --force" removes them.',
  })
  t.notOk(isThere(another), 'what is old enough goes')
  t.equal([...many, ...more].filter(isThere).length, 102)
  const [last] = await Promise.all([kept('deleted', 1)])
  t.match(await take(await plan(), { isForced: true }), { counts: { quota: 102 }, failure: undefined })
  t.ok(isThere(last))
})

test('a run that is held up does what its brake is not for', async (t) => {
  const { steps, rows, clock, sweep, kept, isThere } = await setUp(t)
  const trash = await Promise.all(Array.from({ length: 101 }, () => kept('deleted', 31 * day)))
  const pending = await kept('pending', day)
  const swept = newBlobId()
  rows.set(swept, { id: swept, kind: 'avatar', extension: 'png', state: 'swept', stateAt: new Date(clock.date.getTime() - 8 * day).toISOString() })
  const done: string[] = []
  steps.staging = async () => done.push('staging')
  steps.sidecars = async () => done.push('sidecars')
  await t.rejects(sweep(), { code: 'SWEEP_STOPPED' })
  t.strictSame(done, ['staging', 'sidecars'])
  t.ok(trash.every(isThere))
  t.notOk(isThere(pending) || rows.has(swept))
})

test('what fails in a run that is held up is told with it', async (t) => {
  const { steps, sweep, kept } = await setUp(t)
  await Promise.all(Array.from({ length: 101 }, () => kept('deleted', 31 * day)))
  steps.sidecars = () => Promise.reject(new Error('no folder'))
  await t.rejects(sweep(), { code: 'SWEEP_STOPPED', cause: { message: /1 failed; the first: no folder/ } })
})

test('a plan says what would go, and removes nothing', async (t) => {
  const { clock, store, rows, plan, kept, files } = await setUp(t, { trashMaxBytesPerOwner: 12 })
  const orphan = await publish(store, 'hello')
  await plan()
  clock.ms = graceMs
  const pending = await kept('pending', day)
  const trash = await kept('deleted', 31 * day)
  const over = await kept('superseded', 2 * day)
  await kept('deleted', day)
  await kept('deleted', 1)
  const before = [await files(), [...rows.values()].map(({ state }) => state)]
  const { steps, stop } = await plan()
  t.equal(stop, undefined)
  t.strictSame(steps.map(({ name, count, left, blobs }) => [name, count, left, blobs.map(({ id }) => id)]), [['pending', 1, 0, [pending.id]], ['trash', 1, 0, [trash.id]], ['quota', 1, 0, [over.id]], ['orphans', 1, 0, [orphan.id]]])
  t.strictSame([await files(), [...rows.values()].map(({ state }) => state)], before)
})

test('a plan that was held up is carried out when forced, but for what has changed since', async (t) => {
  const { rows, plan, take, kept, isThere } = await setUp(t)
  const trash = await Promise.all(Array.from({ length: 101 }, () => kept('deleted', 31 * day)))
  const planned = await plan()
  t.match(planned.stop, { code: 'SWEEP_STOPPED' })
  const [restored] = trash as [Sidecar]
  rows.set(restored.id, { ...restored, state: 'live', revision: 2 })
  t.match(await take(planned, { isForced: true }), { counts: { trash: 100 }, failure: undefined })
  t.strictSame(trash.filter(isThere), [restored])
})

test('orphans that are left to another process do not count, and stay', async (t) => {
  const { root, faults, store, ledger, steps, files } = await setUp(t)
  for (let n = 0; n < 101; n += 1) await publish(store, 'hello')
  const { plan, take } = createSweep({
    fs: faults.fs, root, store, ledger, checkClaim: () => steps.claim(), removeDeadStaging: () => steps.staging(), settleSidecars: () => steps.sidecars(),
    look: createLoneLook({ graceMs: 0, now: () => new Date(Date.now() + 1000), isAlone: async () => false }), maxPercent: 5, trashMaxBytesPerOwner: 0, trashMs: day, now: () => new Date(),
  })
  const planned = await plan()
  t.match(planned.steps.at(-1), { name: 'orphans', count: 0, left: 101, blobs: { length: 0 } })
  t.equal(planned.stop, undefined)
  t.match(await take(planned), { counts: { orphans: 0 }, failure: undefined })
  t.equal((await files()).length, 202)
})

test('nothing is removed of a home that another database has taken', async (t) => {
  const { kept, steps, sweep, isThere } = await setUp(t)
  const sidecar = await kept('deleted', 31 * day)
  steps.claim = async () => { throw new Error('taken') }
  await t.rejects(sweep(), { message: 'taken' })
  t.ok(isThere(sidecar))
  let looks = 0
  steps.claim = async () => { if (++looks > 1) throw new Error('taken meanwhile') }
  await t.rejects(sweep(), { message: 'taken meanwhile' })
  t.ok(isThere(sidecar))
})

test('it tells how far it is', async (t) => {
  const told: Array<[string, number | undefined, number]> = []
  const progress = {
    step (name: string, total?: number) { told.push([name, total, 0]) },
    advance (count = 1) { const last = told.at(-1); if (last !== undefined) last[2] += count },
  }
  const { store, clock, sweep, kept } = await setUp(t, { progress })
  await publish(store, 'hello')
  await sweep()
  clock.ms = graceMs
  await kept('deleted', 31 * day)
  told.length = 0
  await sweep()
  t.strictSame(told, [['Looking through the volume', undefined, 2], ['Removing what is never claimed', 0, 0], ['Removing what is deleted or replaced', 1, 1], ['Removing what is over their owner\'s limit for trash', 0, 0], ['Removing what is without a record', 1, 1]])
})

test('one that is ended begins no further step, and what it has not done is done by the next', async (t) => {
  const { kept, sweep, steps, isThere } = await setUp(t)
  const trashed = await kept('deleted', 31 * day)
  const ended = AbortSignal.abort(new Error('another leads'))
  let settled = 0
  steps.sidecars = async () => {
    settled += 1
    return 0
  }
  await t.rejects(sweep(ended), { message: 'another leads' })
  t.equal(settled, 0)
  const controller = new AbortController()
  steps.sidecars = async () => {
    controller.abort(new Error('another leads'))
    return 0
  }
  await t.rejects(sweep(controller.signal), { message: 'another leads' })
  t.ok(isThere(trashed))
  steps.sidecars = async () => 0
  t.match(await sweep(new AbortController().signal), { trash: 1 })
})
