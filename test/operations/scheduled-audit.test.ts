import { rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { test, type Test } from 'tap'
import { createScheduledAudit } from '../../src/operations/scheduled-audit.ts'
import { createAuditRecord } from '../../src/records/audit-state.ts'
import { withoutRest, type Pace } from '../../src/storage/pace.ts'
import { placeFor } from './fixtures/place.ts'

const hour = 3_600_000
const minute = 60_000

async function setUp (t: Test, { maxBytesPerDay = 1000, saveEveryMs = 30_000 } = {}) {
  const place = await placeFor(t)
  await place.storage.erasures.reconcile()
  place.clock.date = new Date(Date.now() + hour)
  const record = createAuditRecord(place.client)
  const read: number[] = []
  const meanwhile = { happens: async () => {} }
  const rests: number[] = []
  const pace = (): Pace => {
    const audit = rests.push(0) - 1
    return async (signal) => {
      rests[audit] = (rests[audit] ?? 0) + 1
      await withoutRest(signal)
    }
  }
  /** As a gateway on this volume has it. */
  const gateway = () => createScheduledAudit({ surroundings: place, record, everyMs: hour, maxBytesPerDay, onRead: (bytes) => { if (bytes > 0) read.push(bytes) }, pause: () => meanwhile.happens(), pace, saveEveryMs })
  const one = gateway()
  const run = (signal = new AbortController().signal) => one.runIfDue(signal)
  const pass = (ms: number) => { place.clock.date = new Date(place.clock.date.getTime() + ms) }
  return { ...place, record, read, rests, meanwhile, one, other: gateway(), run, pass }
}

test('one is done at once, and the next when it is due; what it found stays known', async (t) => {
  const { attachment, blobPath, sidecarPath, root, one, other, run, pass, clock, read } = await setUp(t)
  t.equal(await one.latest(), undefined)
  const [lost, damaged] = [await attachment('hello'), await attachment('hallo')]
  await attachment('hullo')
  await rm(blobPath(lost))
  await writeFile(blobPath(damaged), 'xxxxx')
  await rm(sidecarPath(damaged))
  await writeFile(join(root, 'notes'), '')
  t.match(await run(), { records: 3, findings: { length: 4 } })
  const counts = { missing: 2, corrupt: 1, foreign: 1, finishedAt: clock.date.getTime() }
  t.same(await one.latest(), counts)
  t.same(await other.latest(), counts)
  t.same(read, [15])
  pass(hour - 1)
  t.equal(await run(), undefined)
  pass(1)
  t.match(await run(), { records: 3 })
})

test('it rests after each file, and while it reads one', async (t) => {
  const { attachment, run, pass, rests } = await setUp(t, { maxBytesPerDay: 10_000_000 })
  await attachment('a'.repeat(3_000_000))
  await attachment('hello')
  await run()
  pass(hour)
  await run()
  const [first = 0, second] = rests
  t.ok(first >= 7, 'a file of 3 MB is read in pieces')
  t.equal(second, first)
})

test('of several gateways one does it', async (t) => {
  const { attachment, sidecarPath, run, other, pass, meanwhile } = await setUp(t)
  await rm(sidecarPath(await attachment('hello')))
  let others: unknown = 'not asked'
  meanwhile.happens = async () => { others = await other.runIfDue(new AbortController().signal) }
  t.match(await run(), { records: 1 })
  t.equal(others, undefined)
  pass(hour)
  const both = await Promise.all([run(), other.runIfDue(new AbortController().signal)])
  t.equal(both.filter((one) => one !== undefined).length, 1)
})

test('one that died is followed by another, which goes on where it was; and it gives way when it was not dead', async (t) => {
  const { attachment, sidecarPath, run, other, pass, meanwhile, record } = await setUp(t)
  await rm(sidecarPath(await attachment('hello')))
  meanwhile.happens = async () => {
    meanwhile.happens = async () => {}
    pass(10 * minute)
    t.match(await other.runIfDue(new AbortController().signal), { records: 1 })
  }
  await t.rejects(run(), { message: /Another gateway/ })
  t.match((await record.read()).state, { heldUntil: 0, missing: 1 })
})

test('within the budget of a day bytes are read, one run after the other, and then anew', async (t) => {
  const { attachment, run, pass, record } = await setUp(t, { maxBytesPerDay: 9 })
  const ids: string[] = []
  for (const bytes of ['aaaaa', 'bbbbb', 'ccccc', 'ddddd']) ids.push((await attachment(bytes)).id)
  t.match(await run(), { hashedFiles: 2 })
  t.match((await record.read()).state, { cursor: ids[1], dayBytes: 10 })
  pass(hour)
  t.match(await run(), { hashedFiles: 0, records: 4 })
  t.match((await record.read()).state, { cursor: ids[1] })
  pass(23 * hour)
  t.match(await run(), { hashedFiles: 2 })
  t.match((await record.read()).state, { cursor: '', dayBytes: 10 })
})

test('bytes that were wrong are read each time, until they are right', async (t) => {
  const { attachment, blobPath, run, pass, one, record } = await setUp(t, { maxBytesPerDay: 1 })
  const damaged = await attachment('hello')
  await attachment('other')
  await writeFile(blobPath(damaged), 'hallo')
  await run()
  t.match(await one.latest(), { corrupt: 1 })
  pass(hour)
  t.match(await run(), { hashedFiles: 1 })
  t.match(await one.latest(), { corrupt: 1 })
  await writeFile(blobPath(damaged), 'hello')
  pass(hour)
  await run()
  t.match(await one.latest(), { corrupt: 0 })
  t.same((await record.read()).state.suspects, [])
})

test('one that is told to end stops, and the next goes on from there', async (t) => {
  const { attachment, run, record, faults, clock } = await setUp(t)
  const ids: string[] = []
  for (let n = 0; n < 21; n += 1) ids.push((await attachment(`${n}`)).id)
  const controller = new AbortController()
  faults.inject({ on: 'open', path: new RegExp(`${ids[20]}.bin`), before: () => controller.abort() })
  t.equal(await run(controller.signal), undefined)
  t.match((await record.read()).state, { heldUntil: 0, finishedAt: 0, cursor: ids[19] })
  t.match(await run(), { records: 21, hashedFiles: 1 })
  t.match((await record.read()).state, { finishedAt: clock.date.getTime() })
})

test('how far it is is written down on the way', async (t) => {
  const { attachment, run, record, faults, pass, clock } = await setUp(t, { saveEveryMs: 5 })
  const ids: string[] = []
  for (let n = 0; n < 21; n += 1) ids.push((await attachment(`${n}`)).id)
  let cursor: string | undefined
  let heldUntil = 0
  faults.inject({
    on: 'open', path: new RegExp(`${ids[20]}.bin`), before: async () => {
      pass(9 * minute)
      while (heldUntil < clock.date.getTime() + 10 * minute) {
        await setTimeout(5);
        ({ cursor, heldUntil } = (await record.read()).state)
      }
    },
  })
  await run()
  t.equal(cursor, ids[19], 'and it stays its own, however long one file takes')
})

test('one that was taken over while it reads a large page stops there', async (t) => {
  const { attachment, run, record, faults, pass } = await setUp(t, { saveEveryMs: 5 })
  const ids: string[] = []
  for (let n = 0; n < 3; n += 1) ids.push((await attachment(`${n}`)).id)
  let isRead = false
  const refused: unknown[] = []
  const { replace } = record
  Object.assign(record, {
    replace: async (...change: Parameters<typeof replace>) => {
      const written = await replace(...change)
      if (written === false) refused.push(change)
      return written
    },
  })
  faults.inject({
    on: 'open', path: new RegExp(`${ids[1]}.bin`), before: async () => {
      pass(11 * minute)
      while (refused.length === 0) {
        const { state, text } = await record.read()
        await replace(text, { ...state, finishedAt: 1 })
        await setTimeout(5)
      }
    },
  })
  faults.inject({ on: 'open', path: new RegExp(`${ids[2]}.bin`), before: () => { isRead = true } })
  await t.rejects(run(), { message: /Another gateway/ })
  t.notOk(isRead)
})

test('what was found before one was told to end is read again by the next', async (t) => {
  const { attachment, blobPath, run, one, faults } = await setUp(t)
  const uploads = []
  for (let n = 10; n < 31; n += 1) uploads.push(await attachment(`${n}`))
  const [third, last] = [uploads[2], uploads[20]]
  if (third === undefined || last === undefined) throw new Error('There are 21.')
  await writeFile(blobPath(third), 'xx')
  const controller = new AbortController()
  faults.inject({ on: 'open', path: new RegExp(`${last.id}.bin`), before: () => controller.abort() })
  t.equal(await run(controller.signal), undefined)
  t.match(await run(), { hashedFiles: 2, findings: [{ problem: 'blob-corrupt', id: third.id }] })
  t.match(await one.latest(), { corrupt: 1 })
})

test('one that fails is tried again after a while', async (t) => {
  const { run, pass, faults } = await setUp(t)
  faults.inject({ on: 'readdir', errno: 'EIO' })
  await t.rejects(run(), { code: 'EIO' })
  t.equal(await run(), undefined)
  pass(15 * minute)
  t.match(await run(), { findings: { length: 0 } })
})

test('what a clock that was ahead has written down holds up nothing', async (t) => {
  const year = 365 * 24 * hour
  for (const ahead of ['finishedAt', 'dayStartedAt', 'heldUntil'] as const) {
    const { attachment, record, run, clock } = await setUp(t, { maxBytesPerDay: 5 })
    await attachment('hello')
    await run()
    const { state, text } = await record.read()
    await record.replace(text, { ...state, finishedAt: 0, [ahead]: clock.date.getTime() + year })
    t.match(await run(), { records: 1, hashedFiles: ahead === 'dayStartedAt' ? 1 : 0 }, ahead)
    t.match((await record.read()).state, { finishedAt: clock.date.getTime(), heldUntil: 0 })
    t.equal(await run(), undefined)
  }
})

test('gateways whose clocks are a little apart do not audit one after the other', async (t) => {
  const { run, pass, one } = await setUp(t)
  await run()
  pass(-5 * minute)
  t.equal(await run(), undefined)
  pass(-1)
  t.match(await run(), { findings: { length: 0 } })
  t.not(await one.latest(), undefined)
})
