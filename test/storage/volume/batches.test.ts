import { open, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setImmediate } from 'node:timers/promises'
import { test, type Test } from 'tap'
import { createBatches } from '../../../src/storage/volume/batches.ts'
import { createFaults } from '../../fixtures/faults.ts'
import { temporaryFolder } from '../../helper.ts'

const mebibyte = 1024 ** 2

async function setUp (t: Test, { faults = createFaults(), ...options }: { faults?: ReturnType<typeof createFaults>, pass?: (block: Buffer) => Promise<Buffer>, sync?: () => Promise<void>, from?: number } = {}) {
  const path = join(await temporaryFolder(t), 'file')
  const state = { writes: 0, full: false }
  const handle = await faults.fs.open(path, 'wx')
  t.teardown(() => handle.close())
  const batches = createBatches(handle, async () => {
    state.writes += 1
    if (state.full) throw new Error('full')
  }, options)
  return { path, state, batches, faults }
}

/** A file whose first write takes until `end` is called. */
async function slow (t: Test) {
  const { promise, resolve: end } = Promise.withResolvers<void>()
  const { faults, ...others } = await setUp(t)
  faults.inject({ on: 'writev', before: () => promise })
  return { ...others, faults, end }
}

async function eventually (isSo: () => boolean): Promise<void> {
  while (!isSo()) await setImmediate()
}

test('what comes goes behind what the file has', async (t) => {
  const { path, batches } = await setUp(t, { from: 5 })
  await writeFile(path, 'hello')
  await batches.add(Buffer.from(' world'))
  t.equal(batches.size, 11)
  t.equal(await batches.flush(), 11)
  t.equal(await readFile(path, 'utf8'), 'hello world')
})

test('small chunks become few writes, and are all there in their order', async (t) => {
  const { path, state, batches } = await setUp(t)
  const chunks = Array.from({ length: 30_000 }, (_, index) => Buffer.from(`${index},`))
  for (const chunk of chunks) await batches.add(chunk)
  const bytes = Buffer.concat(chunks)
  t.equal(batches.size, bytes.length)
  t.equal(await batches.flush(), bytes.length)
  t.equal(await batches.flush(), bytes.length)
  t.equal(state.writes, 1)
  t.ok((await readFile(path)).equals(bytes))
})

test('large chunks are written as they fill a block', async (t) => {
  const { path, state, batches } = await setUp(t)
  for (let count = 0; count < 5; count += 1) await batches.add(Buffer.alloc(600_000, count))
  t.equal(state.writes, 2)
  await batches.add(Buffer.alloc(3 * mebibyte))
  t.equal(state.writes, 5)
  t.equal(await batches.flush(), 3_000_000 + 3 * mebibyte)
  t.equal((await open(path).then(async (handle) => handle.stat().finally(() => handle.close()))).size, 3_000_000 + 3 * mebibyte)
})

test('a chunk is its owner\'s again once it is added', async (t) => {
  const { path, batches } = await setUp(t)
  const chunk = Buffer.alloc(700_000, 'a')
  await batches.add(chunk)
  await batches.add(chunk.fill('b'))
  chunk.fill('c')
  await batches.flush()
  t.ok((await readFile(path)).equals(Buffer.concat([Buffer.alloc(700_000, 'a'), Buffer.alloc(700_000, 'b')])))
})

test('while one block is written, others are filled, and wait for it', async (t) => {
  const { path, faults, batches, end } = await slow(t)
  await batches.add(Buffer.alloc(mebibyte, 'a'))
  await batches.add(Buffer.alloc(mebibyte, 'b'))
  await eventually(() => faults.count('writev') === 1)
  const flushed = batches.flush()
  let isFlushed = false
  flushed.then(() => { isFlushed = true })
  for (let turn = 0; turn < 100; turn += 1) await setImmediate()
  t.notOk(isFlushed)
  t.equal(faults.count('writev'), 1)
  end()
  t.equal(await flushed, 2 * mebibyte)
  t.ok((await readFile(path)).equals(Buffer.concat([Buffer.alloc(mebibyte, 'a'), Buffer.alloc(mebibyte, 'b')])))
})

test('of all files at once, so much and no more waits to be written', async (t) => {
  const { promise, resolve: end } = Promise.withResolvers<void>()
  const faults = createFaults()
  faults.inject({ on: 'writev', before: () => promise, forever: true })
  const files = [await setUp(t, { faults }), await setUp(t, { faults })]
  let added = 0
  const adding = files.map(async ({ batches }) => {
    for (let count = 0; count < 20; count += 1) {
      await batches.add(Buffer.alloc(mebibyte))
      added += 1
    }
    await batches.flush()
  })
  for (let turn = 0; turn < 1000; turn += 1) await setImmediate()
  t.equal(added, 8)
  t.equal(faults.count('writev'), 2, 'one of each')
  end()
  await Promise.all(adding)
  t.equal(faults.count('writev'), 40)
})

test('while others fill large blocks, smaller ones do, until those are free again', async (t) => {
  const others = await Promise.all(Array.from({ length: 8 }, () => setUp(t)))
  for (const { batches } of others) await batches.add(Buffer.alloc(mebibyte / 2))
  const late = await setUp(t)
  const bytes = Buffer.concat(Array.from({ length: 16 }, (_, index) => Buffer.alloc(mebibyte / 16, index)))
  for (let from = 0; from < bytes.length; from += 1000) await late.batches.add(bytes.subarray(from, from + 1000))
  await eventually(() => late.state.writes === 4)
  for (const { batches } of others.slice(0, 4)) await batches.stop()
  for (const { batches } of others.slice(4)) await batches.flush()
  for (let from = 0; from < bytes.length; from += 300_000) await late.batches.add(bytes.subarray(from, from + 300_000))
  t.equal(await late.batches.flush(), 2 * mebibyte)
  t.equal(late.state.writes, 5)
  t.ok((await readFile(late.path)).equals(Buffer.concat([bytes, bytes])))
  for (const { path } of others.slice(4)) t.equal((await readFile(path)).length, mebibyte / 2)
})

test('what is added while it is stopped goes nowhere', async (t) => {
  const faults = createFaults()
  const { promise, resolve: end } = Promise.withResolvers<void>()
  faults.inject({ on: 'writev', before: () => promise, forever: true })
  const { batches } = await setUp(t, { faults })
  const added = batches.add(Buffer.alloc(20 * mebibyte))
  await eventually(() => faults.count('writev') === 1)
  const stopped = batches.stop()
  end()
  await Promise.all([added, stopped])
  await t.rejects(batches.flush(), { message: /hole/ })
  t.equal(faults.count('writev'), 1)
})

test('behind a write that failed nothing is written any more', async (t) => {
  const { state, batches } = await setUp(t)
  await batches.add(Buffer.from('a'))
  state.full = true
  await t.rejects(batches.flush(), { message: 'full' })
  state.full = false
  await t.rejects(batches.add(Buffer.from('b')), { message: /hole/ })
  await t.rejects(batches.flush(), { message: /hole/ })
  t.equal(state.writes, 1)
})

test('what a write came to is told to who adds more', async (t) => {
  const { state, batches } = await setUp(t)
  state.full = true
  await batches.add(Buffer.alloc(mebibyte))
  for (let turn = 0; turn < 10; turn += 1) await setImmediate()
  await t.rejects(batches.add(Buffer.from('b')), { message: 'full' })
})

test('what has the blocks first may fail too', async (t) => {
  const { faults, batches } = await setUp(t, { pass: async () => { throw new Error('no thread') } })
  await batches.add(Buffer.alloc(mebibyte))
  await t.rejects(batches.flush(), { message: 'no thread' })
  t.equal(faults.count('writev'), 0)
})

test('when it is stopped, what is under way comes to its end, and nothing else begins', async (t) => {
  const { faults, batches, end } = await slow(t)
  await batches.add(Buffer.alloc(mebibyte))
  await eventually(() => faults.count('writev') === 1)
  let isStopped = false
  const stopped = batches.stop().then(() => { isStopped = true })
  for (let turn = 0; turn < 100; turn += 1) await setImmediate()
  t.notOk(isStopped)
  end()
  await stopped
  await t.rejects(batches.add(Buffer.from('b')), { message: /hole/ })
  t.equal(faults.count('writev'), 1)
})

test('a large file is synced now and then while it is written, and one at a time', async (t) => {
  const syncs: Array<PromiseWithResolvers<void>> = []
  const sync = () => {
    const own = Promise.withResolvers<void>()
    syncs.push(own)
    return own.promise
  }
  const [one, two] = [await setUp(t, { sync }), await setUp(t, { sync })]
  const fill = async ({ batches }: typeof one, mebibytes: number) => {
    for (let count = 0; count < mebibytes; count += 1) await batches.add(Buffer.alloc(mebibyte))
  }
  await fill(one, 31)
  await one.batches.flush()
  t.equal(syncs.length, 0)
  await fill(one, 1)
  await eventually(() => syncs.length === 1)
  await fill(two, 40)
  await two.batches.flush()
  t.equal(syncs.length, 1)
  let isFlushed = false
  const flushed = one.batches.flush().then(() => { isFlushed = true })
  for (let turn = 0; turn < 100; turn += 1) await setImmediate()
  t.notOk(isFlushed)
  syncs[0]?.resolve()
  await flushed
  await fill(two, 1)
  await eventually(() => syncs.length === 2)
  syncs[1]?.reject(new Error('EIO'))
  await t.rejects(two.batches.flush(), { message: 'EIO' })
  await t.rejects(two.batches.flush(), { message: /hole/ }, 'never taken for written')
})
