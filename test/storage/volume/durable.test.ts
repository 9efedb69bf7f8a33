import { mkdir, readFile, readdir, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import process from 'node:process'
import { test, type Test } from 'tap'
import { createDurable, writeAll } from '../../../src/storage/volume/durable.ts'
import { createFaults } from '../../fixtures/faults.ts'
import { folderFor, openBelow } from '../fixtures/volume.ts'

async function setUp (t: Test) {
  const root = await folderFor(t)
  const faults = createFaults()
  const syncFailures: unknown[] = []
  const durable = createDurable({ fs: faults.fs, onSyncFailure: (error) => syncFailures.push(error) })
  return { root, faults, syncFailures, durable }
}

test('a new file is written, fsynced and closed, and never replaces one', async (t) => {
  const { root, faults, durable } = await setUp(t)
  const path = join(root, 'a')
  await durable.writeNew(path, 'one')
  t.strictSame(faults.calls.map(({ on }) => on), ['open', 'writev', 'sync', 'close'])
  t.equal((await stat(path)).mode & 0o777, 0o640 & ~process.umask())
  await t.rejects(durable.writeNew(path, 'two'), { code: 'EEXIST' })
  t.equal(await readFile(path, 'utf8'), 'one')
  await t.rejects(durable.create(path), { code: 'EEXIST' })
})

test('a new file that cannot be finished is gone again, closed, and its true error told', async (t) => {
  for (const on of ['writev', 'sync', 'close'] as const) {
    for (const errno of ['ENOSPC', 'EDQUOT', 'EIO', 'EROFS']) {
      const { root, faults, durable } = await setUp(t)
      faults.inject({ on, errno })
      await t.rejects(durable.writeNew(join(root, 'a'), 'text'), { code: errno }, `${errno} on ${on}`)
      t.strictSame(await readdir(root), [])
      t.strictSame(openBelow(root), [])
    }
  }
})

test('I6: a failed fsync is reported and not tried again; a full disk is not reported', async (t) => {
  for (const [errno, reported] of [['EIO', 1], ['ENOSPC', 0], ['EDQUOT', 0]] as const) {
    const { root, faults, syncFailures, durable } = await setUp(t)
    const handle = await durable.create(join(root, 'a'))
    faults.inject({ on: 'sync', errno })
    await t.rejects(durable.sync(handle), { code: errno })
    await handle.close()
    t.equal(syncFailures.length, reported, errno)
    t.equal(faults.count('sync'), 1)
  }
})

test('a folder on a file system that cannot fsync folders is as good as fsynced, and no fault of the disk', async (t) => {
  const { root, faults, syncFailures, durable } = await setUp(t)
  faults.inject({ on: 'sync', errno: 'EINVAL' }, { on: 'open', errno: 'EISDIR', nth: 2 })
  await durable.syncFolder(root)
  await durable.syncFolder(root)
  t.equal(faults.count('sync'), 1)
  t.strictSame(syncFailures, [])
  t.strictSame(openBelow(root), [])
})

test('I6: a folder whose fsync fails is an error, reported, and closed', async (t) => {
  const { root, faults, syncFailures, durable } = await setUp(t)
  faults.inject({ on: 'sync', errno: 'EIO' })
  await t.rejects(durable.syncFolder(root), { code: 'EIO' })
  t.equal(syncFailures.length, 1)
  t.strictSame(openBelow(root), [])
  faults.inject({ on: 'open', errno: 'EMFILE' })
  await t.rejects(durable.syncFolder(root), { code: 'EMFILE' })
  t.equal(syncFailures.length, 1)
})

test('a folder and its parents are made durable once, and shared by all who need them at once', async (t) => {
  const { root, faults, durable } = await setUp(t)
  const path = join(root, 'a', 'b')
  await Promise.all(Array.from({ length: 20 }, () => durable.folder(path, root)))
  await durable.folder(path, root)
  t.ok((await stat(path)).isDirectory())
  t.strictSame(faults.calls.filter(({ on }) => on === 'mkdir' || on === 'sync').map(({ on, path }) => [on, path.slice(root.length)]), [
    ['mkdir', '/a'], ['sync', ''], ['mkdir', '/a/b'], ['sync', '/a'],
  ])
})

test('nobody gets a shared folder before it is durable', async (t) => {
  const { root, faults, durable } = await setUp(t)
  let isReady = false
  const { promise: isReached, resolve: reach } = Promise.withResolvers<void>()
  const { promise: isHeld, resolve: release } = Promise.withResolvers<void>()
  faults.inject({ on: 'sync', before: () => { reach(); return isHeld } })
  const first = durable.folder(join(root, 'a'), root)
  await isReached
  const second = durable.folder(join(root, 'a'), root).then(() => { isReady = true })
  await new Promise((resolve) => setImmediate(resolve))
  t.equal(isReady, false)
  release()
  await Promise.all([first, second])
})

test('a fresh process fsyncs what another one may have made without getting that far', async (t) => {
  const { root, faults, durable } = await setUp(t)
  await mkdir(join(root, 'a', 'b'), { recursive: true })
  await durable.folder(join(root, 'a', 'b'), root)
  t.strictSame(faults.calls.filter(({ on }) => on === 'sync').map(({ path }) => path.slice(root.length)), ['', '/a'])
})

test('a folder that could not be made durable is tried anew by the next, as is one that is gone', async (t) => {
  const { root, faults, durable } = await setUp(t)
  for (const on of ['mkdir', 'sync'] as const) {
    faults.inject({ on, errno: 'EIO' })
    await t.rejects(durable.folder(join(root, 'a'), root), { code: 'EIO' })
  }
  await durable.folder(join(root, 'a'), root)
  const before = faults.count('sync')
  durable.forgetFolders()
  await durable.folder(join(root, 'a'), root)
  t.equal(faults.count('sync'), before + 1)
})

test('a file in the way of a folder is no folder', async (t) => {
  const { root, durable } = await setUp(t)
  await writeFile(join(root, 'a'), '')
  await t.rejects(durable.folder(join(root, 'a', 'b'), root), { code: 'ENOTDIR' })
})

test('a short writev is carried on until all is there', async (t) => {
  const { root, faults, durable } = await setUp(t)
  const path = join(root, 'a')
  const handle = await durable.create(path)
  const chunks = ['one', '', 'three', 'seven'].map((text) => Buffer.from(text))
  faults.inject({ on: 'writev', short: 1 }, { on: 'writev', nth: 2, short: 4 }, { on: 'writev', nth: 3, short: 3 })
  await writeAll(handle, chunks, 0)
  await writeAll(handle, [Buffer.from('')], 12)
  await handle.close()
  t.equal(await readFile(path, 'utf8'), 'onethreeseven')
  t.equal(faults.count('writev'), 5)
})

test('a writev that takes nothing for ever is an error, not a loop', async (t) => {
  const { root, faults, durable } = await setUp(t)
  const handle = await durable.create(join(root, 'a'))
  faults.inject({ on: 'writev', short: 0, forever: true })
  await t.rejects(writeAll(handle, [Buffer.from('x')], 0), /took no bytes/)
  await handle.close()
})

test('those who wait for the fsync of a folder share the one that begins after they came', async (t) => {
  const { root, faults, syncFailures, durable } = await setUp(t)
  await Promise.all([durable.syncFolder(root), durable.syncFolder(root), durable.syncFolder(root)])
  t.equal(faults.count('sync'), 2)
  await durable.syncFolder(root)
  t.equal(faults.count('sync'), 3)
  faults.inject({ on: 'sync', errno: 'EIO' })
  const results = await Promise.allSettled([durable.syncFolder(root), durable.syncFolder(root)])
  t.match(results, [{ status: 'rejected', reason: { code: 'EIO' } }, { status: 'rejected', reason: { code: 'EIO' } }], 'I6: what the one that failed took with it no later one brings back')
  t.equal(faults.count('sync'), 4)
  t.equal(syncFailures.length, 1)
  await durable.syncFolder(root)
  t.equal(faults.count('sync'), 5)
  t.strictSame(openBelow(root), [])
})
