import { createHash, randomBytes } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import process from 'node:process'
import type { Worker } from 'node:worker_threads'
import { test, type Test } from 'tap'
import { StorageFull } from '../../../src/errors.ts'
import { fileSystem } from '../../../src/storage/fs.ts'
import { createDurable } from '../../../src/storage/volume/durable.ts'
import { createStagedFile } from '../../../src/storage/volume/staged-file.ts'
import { createFaults } from '../../fixtures/faults.ts'
import { filesBelow, folderFor, openBelow } from '../fixtures/volume.ts'

const mebibyte = 1024 ** 2

/** All that were started. */
const threads: Worker[] = []
process.on('worker', (worker) => { threads.push(worker) })

async function setUp (t: Test, checkSpace = async () => {}) {
  const root = await folderFor(t)
  const faults = createFaults()
  const durable = createDurable({ fs: faults.fs, onSyncFailure: () => {} })
  const path = join(root, 'upload')
  const open = (at = path) => createStagedFile({ fs: faults.fs, durable, staging: { within: (work) => work() }, path: at, checkSpace })
  return { root, faults, path, open }
}

const sha256 = (bytes: Buffer) => createHash('sha256').update(bytes).digest('hex')

test('bytes are counted, hashed and written in batches of a mebibyte', async (t) => {
  const { faults, path, open } = await setUp(t)
  const file = await open()
  const chunk = Buffer.alloc(mebibyte / 4, 'x')
  for (let count = 0; count < 9; count += 1) await file.write(chunk)
  t.equal(file.size, 9 * chunk.length)
  const bytes = Buffer.alloc(9 * chunk.length, 'x')
  t.strictSame(await file.finish(), { size: bytes.length, sha256: sha256(bytes) })
  t.equal(faults.count('writev'), 3)
  t.ok(bytes.equals(await readFile(path)))
  await file.discard()
})

test('a client that sends single bytes does not make the gateway remember each', async (t) => {
  const { faults, path, open } = await setUp(t)
  const file = await open()
  for (let count = 0; count < 3000; count += 1) await file.write(Buffer.from([count % 251]))
  await file.finish()
  t.equal(faults.count('writev'), 1)
  t.ok((await readFile(path)).every((byte, index) => byte === index % 251))
  await file.discard()
})

test('an empty upload is an empty file', async (t) => {
  const { path, open } = await setUp(t)
  const file = await open()
  const written = await file.finish()
  t.strictSame(written, { size: 0, sha256: sha256(Buffer.alloc(0)) })
  t.equal((await file.head(10)).length, 0)
  await file.seal(written)
  t.equal((await readFile(path)).length, 0)
})

test('the head is what was written first, and ends where the file ends: of a small file without reading it', async (t) => {
  const { faults, open } = await setUp(t)
  const file = await open()
  await file.write(Buffer.from('hel'))
  await file.write(Buffer.from('lo'))
  await file.finish()
  t.equal((await file.head(3)).toString(), 'hel')
  t.equal((await file.head(100)).toString(), 'hello')
  t.equal(faults.count('read'), 0)
  await file.discard()
})

test('small files that are written at the same time, each into memory of one before, have heads of their own', async (t) => {
  const { path, open } = await setUp(t)
  const before = await open()
  await before.write(Buffer.alloc(60_000, 'x'))
  await before.finish()
  await before.discard()
  const files = [await open(`${path}1`), await open(`${path}2`)] as const
  for (const [index, file] of files.entries()) await file.write(Buffer.alloc(1000, index))
  const written = [await files[0].finish(), await files[1].finish()] as const
  for (const [index, file] of files.entries()) t.strictSame(await file.head(2000), Buffer.alloc(1000, index))
  await files[0].seal(written[0])
  t.strictSame(await files[1].head(2000), Buffer.alloc(1000, 1))
  await files[1].discard()
})

const large = Buffer.concat([Buffer.from('hello'), Buffer.alloc(100_000, 'o')])

test('the head of a larger file is read', async (t) => {
  const { faults, open } = await setUp(t)
  const file = await open()
  await file.write(large)
  await file.finish()
  t.equal((await file.head(3)).toString(), 'hel')
  t.strictSame(await file.head(200_000), large)
  t.equal(faults.count('read'), 2)
  faults.inject({ on: 'read', errno: 'EIO', nth: 1 })
  await t.rejects(file.head(3), { code: 'STORAGE_UNAVAILABLE', cause: { code: 'EIO' } })
  await file.discard()
})

test('the head of a file that somebody cut is shorter, not a loop', async (t) => {
  const { path, open } = await setUp(t)
  const file = await open()
  await file.write(large)
  await file.finish()
  await import('node:fs/promises').then((fs) => fs.truncate(path, 2))
  t.equal((await file.head(5)).toString(), 'he')
  await file.discard()
})

test('bytes that cannot be written are told by their cause, and leave nothing', async (t) => {
  for (const [errno, code] of [['ENOSPC', 'STORAGE_FULL'], ['EDQUOT', 'STORAGE_FULL'], ['EFBIG', 'STORAGE_FULL'], ['EIO', 'STORAGE_UNAVAILABLE'], ['EROFS', 'STORAGE_UNAVAILABLE']] as const) {
    const { root, faults, open } = await setUp(t)
    faults.inject({ on: 'writev', errno })
    const file = await open()
    await file.write(Buffer.alloc(mebibyte))
    await t.rejects(file.finish(), { code, cause: { code: errno } }, errno)
    await file.discard()
    t.strictSame(await filesBelow(root), [])
    t.strictSame(openBelow(root), [])
  }
})

test('I1: a file with a hole, of a write that failed, can never be finished', async (t) => {
  const { faults, open } = await setUp(t)
  const file = await open()
  faults.inject({ on: 'writev', errno: 'EIO' })
  await file.write(Buffer.alloc(mebibyte))
  await t.rejects(file.finish(), { code: 'STORAGE_UNAVAILABLE', cause: { code: 'EIO' } })
  await t.rejects(file.write(Buffer.alloc(mebibyte)), { code: 'STORAGE_UNAVAILABLE', cause: { message: /hole/ } })
  await t.rejects(file.finish(), { code: 'STORAGE_UNAVAILABLE', cause: { message: /hole/ } })
  await file.discard()
})

test('I1: only what was written and finished can be sealed', async (t) => {
  const { open } = await setUp(t)
  const file = await open()
  await file.write(Buffer.from('hello'))
  const hello = { size: 5, sha256: sha256(Buffer.from('hello')) }
  await t.rejects(file.seal(hello), { cause: { message: /does not say what was written/ } }, 'not finished')
  await file.finish()
  await t.rejects(file.seal({ ...hello, size: 4 }), { cause: { message: /does not say/ } })
  await t.rejects(file.seal({ ...hello, sha256: sha256(Buffer.from('other')) }), { cause: { message: /does not say/ } })
  await file.seal(hello)
})

test('space is asked for before each batch, not after', async (t) => {
  const { root, faults, open } = await setUp(t, async () => { throw new StorageFull() })
  const file = await open()
  await file.write(Buffer.from('small'))
  await t.rejects(file.finish(), { code: 'STORAGE_FULL' })
  t.equal(faults.count('writev'), 0)
  await file.discard()
  t.strictSame(await filesBelow(root), [])
})

test('a file that cannot be opened is the storage\'s failure', async (t) => {
  const { faults, open } = await setUp(t)
  faults.inject({ on: 'open', errno: 'EMFILE' })
  await t.rejects(open(), { code: 'STORAGE_UNAVAILABLE', cause: { code: 'EMFILE' } })
})

test('discarding in the middle of a write waits for it, closes and removes, and may be done again', async (t) => {
  const { root, faults, open } = await setUp(t)
  const file = await open()
  const { promise: isReached, resolve: reach } = Promise.withResolvers<void>()
  faults.inject({ on: 'writev', before: reach, short: 100 })
  await file.write(Buffer.alloc(mebibyte))
  await isReached
  await Promise.all([file.discard(), file.discard()])
  await t.rejects(file.write(Buffer.alloc(mebibyte)), { code: 'STORAGE_UNAVAILABLE' })
  await file.discard()
  t.strictSame(await filesBelow(root), [])
  t.strictSame(openBelow(root), [])
})

test('discarding never throws, and never touches what was published', async (t) => {
  const { root, faults, open } = await setUp(t)
  const file = await open()
  await file.seal(await file.finish())
  file.release()
  await file.discard()
  t.strictSame(await filesBelow(root), ['upload'])
  const { open: openOther, faults: otherFaults } = await setUp(t)
  const other = await openOther()
  otherFaults.inject({ on: 'close', errno: 'EIO' }, { on: 'unlink', errno: 'EIO' })
  await other.discard()
  t.equal(faults.count('unlink'), 0)
})

test('when the thread that hashes ends in the middle, no file has a wrong hash and none waits for ever; the next are hashed by another', async (t) => {
  const root = await folderFor(t)
  const durable = createDurable({ fs: fileSystem, onSyncFailure: () => {} })
  const bytes = randomBytes(5 * mebibyte + 77)
  async function upload (index: number): Promise<string> {
    const file = await createStagedFile({ fs: fileSystem, durable, staging: { within: (work) => work() }, path: join(root, String(index)), checkSpace: async () => {} })
    try {
      for (let at = 0; at < bytes.length; at += 100_000) await file.write(bytes.subarray(at, at + 100_000))
      const written = await file.finish()
      t.strictSame(written, { size: bytes.length, sha256: sha256(bytes) })
      await file.seal(written)
      t.ok(bytes.equals(await readFile(file.path)))
      return 'kept'
    } catch (error) {
      return String((error as { code?: unknown }).code)
    } finally {
      await file.discard()
    }
  }
  await upload(0)
  const outcomes: string[] = []
  for (let round = 1; round <= 8; round += 1) {
    const uploads = Array.from({ length: 20 }, (_, index) => upload(100 * round + index))
    await new Promise((resolve) => setTimeout(resolve, 4 * round))
    await threads.at(-1)?.terminate()
    outcomes.push(...await Promise.all(uploads))
  }
  t.strictSame([...new Set(outcomes)].filter((outcome) => !['kept', 'STORAGE_UNAVAILABLE'].includes(outcome)), [])
  t.ok(outcomes.includes('STORAGE_UNAVAILABLE'))
  t.equal(await upload(1), 'kept')
  t.strictSame(await filesBelow(root), [])
  t.strictSame(openBelow(root), [])
})
