import { open, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test, type Test } from 'tap'
import { fileSystem } from '../../../src/storage/fs.ts'
import { createBatches } from '../../../src/storage/volume/batches.ts'
import { temporaryFolder } from '../../helper.ts'

async function setUp (t: Test) {
  const path = join(await temporaryFolder(t), 'file')
  const state = { writes: 0, full: false }
  const handle = await fileSystem.open(path, 'wx')
  t.teardown(() => handle.close())
  const batches = createBatches(handle, async () => {
    state.writes += 1
    if (state.full) throw new Error('full')
  })
  return { path, state, batches }
}

test('small chunks become few writes, and are all there in their order', async (t) => {
  const { path, state, batches } = await setUp(t)
  const chunks = Array.from({ length: 3000 }, (_, index) => Buffer.from(`${index},`))
  for (const chunk of chunks) await batches.add(chunk)
  t.ok(batches.written < batches.size)
  await batches.flush()
  await batches.flush()
  t.equal(batches.written, batches.size)
  t.equal(state.writes, 3, 'a thousand and some at a time')
  t.ok((await readFile(path)).equals(Buffer.concat(chunks)))
})

test('large chunks are written as they fill a batch', async (t) => {
  const { path, state, batches } = await setUp(t)
  for (let count = 0; count < 5; count += 1) await batches.add(Buffer.alloc(600_000, count))
  t.equal(state.writes, 2)
  await batches.flush()
  t.equal((await open(path).then(async (handle) => handle.stat().finally(() => handle.close()))).size, 3_000_000)
})

test('behind a write that failed nothing is written any more', async (t) => {
  const { state, batches } = await setUp(t)
  await batches.add(Buffer.from('a'))
  state.full = true
  await t.rejects(batches.flush(), { message: 'full' })
  state.full = false
  await batches.add(Buffer.from('b'))
  await t.rejects(batches.flush(), { message: /hole/ })
})
