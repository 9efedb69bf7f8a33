import { randomBytes } from 'node:crypto'
import { existsSync, readdirSync, statSync } from 'node:fs'
import { mkdir, rename, rm, symlink, utimes, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { setImmediate } from 'node:timers/promises'
import { test } from 'tap'
import { blobFolder, entryPath, placeOf } from '../../../src/images/cache/layout.ts'
import { newBlobId, type BlobId } from '../../../src/storage/ids.ts'
import { StorageFull } from '../../../src/errors.ts'
import { openBelow } from '../../storage/fixtures/volume.ts'
import { bytesOf, minuteMs, name, rendered, setUp, takenBelow, written } from './fixtures/cache.ts'
import { mkfifoSync } from './fixtures/fifo.ts'

const factsOf = (entry: object | undefined) => ({ ...entry, read: undefined, bytes: undefined })

test('what was put is got at once, from the disk and after a restart, as the same', async (t) => {
  for (const size of [1000, 100_000, 3_000_000]) {
    const { open } = await setUp(t)
    const cache = open()
    const id = newBlobId()
    t.equal(await cache.get(id, name), undefined)
    const picture = rendered(size)
    const put = await cache.put(id, name, picture)
    t.strictSame(await bytesOf(put), picture.bytes)
    t.strictSame(factsOf(await cache.get(id, name)), factsOf(put))
    await written(cache)
    for (const from of [cache, open(), open({ memoryBytes: 0 })]) {
      const entry = await from.get(id, name)
      t.strictSame(factsOf(entry), factsOf(put))
      t.strictSame(await bytesOf(entry), picture.bytes)
      t.strictSame(await bytesOf(entry, { start: 5, end: 5 }), picture.bytes.subarray(5, 6))
    }
    t.equal(await cache.get(id, 'other.webp'), undefined)
    t.equal(await cache.get(newBlobId(), name), undefined)
  }
})

test('names that are none are refused before anything is done', async (t) => {
  const { open, volume } = await setUp(t)
  const cache = open()
  await t.rejects(cache.get(newBlobId(), '../../x'), TypeError)
  await t.rejects(cache.put(newBlobId(), 'a/b', rendered()), TypeError)
  t.strictSame(readdirSync(volume), [])
})

test('small ones come from memory, with no call to the disk; large ones do not', async (t) => {
  const { open, faults } = await setUp(t)
  const cache = open()
  const [small, large] = [newBlobId(), newBlobId()]
  await cache.put(small, name, rendered(10_000))
  await cache.put(large, name, rendered(100_000))
  await written(cache)
  faults.heal()
  for (let at = 0; at < 10; at += 1) await bytesOf(await cache.get(small, name))
  t.strictSame(faults.calls, [])
  await bytesOf(await cache.get(large, name))
  t.ok(faults.count('open') > 0)
  t.ok(cache.usage.memory >= 10_000 && cache.usage.memory < 20_000)
})

test('however many ask at once for one that is on the disk, it is read once', async (t) => {
  const { open, faults } = await setUp(t)
  const id = newBlobId()
  const cache = open()
  await cache.put(id, name, rendered())
  await written(cache)
  const next = open()
  faults.heal()
  const entries = await Promise.all(Array.from({ length: 1000 }, () => next.get(id, name)))
  t.equal(new Set(entries).size, 1)
  t.equal(faults.count('open'), 1)
})

test('nobody waits for the first count, nor for what is evicted', async (t) => {
  const { open, faults, folder } = await setUp(t)
  const before = open()
  const ids = Array.from({ length: 30 }, newBlobId)
  for (const [seed, id] of ids.entries()) await before.put(id, name, rendered(3000, seed))
  await written(before)
  const gate = Promise.withResolvers<void>()
  faults.inject({ on: 'readdir', path: /cache$/, before: () => gate.promise })
  faults.inject({ on: 'unlink', before: () => gate.promise, forever: true })
  const cache = open({ maxBytes: 20 * 8192 })
  const started = cache.start()
  for (const [seed, id] of ids.entries()) t.strictSame(await bytesOf(await cache.get(id, name)), rendered(3000, seed).bytes)
  for (let at = 0; at < 30; at += 1) t.strictSame(await bytesOf(await cache.put(newBlobId(), name, rendered(3000, at))), rendered(3000, at).bytes)
  t.ok(cache.usage.waiting > 0)
  gate.resolve()
  await started
  await written(cache)
  t.ok(takenBelow(folder) <= 20 * 8192)
})

test('what was used longest ago goes first, in this process and after the next start', async (t) => {
  const { open, folder, clock } = await setUp(t)
  const maxBytes = 16 * 8192
  const cache = open({ maxBytes })
  const ids = Array.from({ length: 15 }, newBlobId)
  for (const [at, id] of ids.entries()) {
    await cache.put(id, name, rendered())
    await written(cache)
    const usedAt = new Date(Date.now() - (60 - at) * minuteMs)
    await utimes(entryPath(folder, placeOf(id, name)), usedAt, usedAt)
  }
  const isThere = () => ids.map((id) => existsSync(entryPath(folder, placeOf(id, name))))
  // One from memory, and one from the disk.
  clock.aheadMs = 10 * minuteMs
  await cache.get(ids[0] as BlobId, name)
  await open({ memoryBytes: 0 }).get(ids[1] as BlobId, name)
  while (statSync(entryPath(folder, placeOf(ids[0] as BlobId, name))).mtimeMs < Date.now()) await setImmediate()
  const next = open({ maxBytes })
  await next.start()
  for (let at = 0; at < 3; at += 1) await next.put(newBlobId(), name, rendered())
  await written(next)
  t.strictSame(isThere().map((there, at) => there ? '' : at).filter((at) => at !== ''), [2, 3, 4])
  await next.shrink(5 * 8192)
  t.strictSame(isThere().map((there, at) => there ? at : '').filter((at) => at !== ''), [0, 1], 'with the three new ones')
  t.equal(await next.shrink(0), true)
  t.equal(takenBelow(folder), 0)
})

test('the count after a start is that of the process before', async (t) => {
  const { open, folder } = await setUp(t)
  const before = open()
  for (let at = 0; at < 20; at += 1) await before.put(newBlobId(), name, rendered(at * 1000 + 1))
  await written(before)
  const { disk } = before.usage
  await before.close()
  const cache = open()
  t.equal(cache.usage.disk, 0)
  await cache.start()
  t.equal(cache.usage.disk, disk)
  t.equal(cache.usage.disk, takenBelow(folder))
})

test('the folder may be removed at any time', async (t) => {
  const { open, folder, warnings } = await setUp(t)
  const cache = open({ memoryBytes: 0 })
  await cache.start()
  const [small, large] = [newBlobId(), newBlobId()]
  for (let round = 0; round < 20; round += 1) {
    await Promise.all([cache.put(small, name, rendered()), cache.put(large, name, rendered(100_000))])
    const removing = rm(folder, { recursive: true, force: true, maxRetries: 5 })
    await Promise.all([removing, written(cache)])
    t.ok([undefined, 1000].includes((await cache.get(small, name))?.size))
    await cache.put(large, name, rendered(100_000))
    await written(cache)
    const entry = await cache.get(large, name)
    if (entry === undefined) continue
    await rm(folder, { recursive: true })
    await t.rejects(entry.read(), { code: 'STORAGE_UNAVAILABLE' }, 'the one case in which it is to be made again by who reads it')
    t.equal(await cache.get(large, name), undefined)
  }
  await cache.put(small, name, rendered())
  await written(cache)
  t.strictSame(await bytesOf(await cache.get(small, name)), rendered().bytes)
  t.ok(existsSync(join(folder, 'CACHEDIR.TAG')))
  t.strictSame(warnings, [])
})

test('on a volume that is full, read-only or not ours everything is served and nothing kept', async (t) => {
  for (const errno of ['ENOSPC', 'EROFS', 'EACCES', 'EIO', 'EMFILE']) {
    const { open, faults, warnings, folder } = await setUp(t)
    const id = newBlobId()
    const before = open()
    await before.put(id, name, rendered(100_000))
    await written(before)
    await before.close()
    for (const on of ['mkdir', 'writev', 'rename', 'unlink', 'rm', 'rmdir'] as const) faults.inject({ on, errno, forever: true })
    const cache = open()
    await cache.start()
    t.strictSame(await bytesOf(await cache.get(id, name)), rendered(100_000).bytes)
    for (let at = 0; at < 20; at += 1) {
      const other = newBlobId()
      t.strictSame(await bytesOf(await cache.put(other, name, rendered(70_000, at))), rendered(70_000, at).bytes)
      await written(cache)
      t.equal(await cache.get(other, name), undefined)
    }
    t.ok(warnings.length <= 3, 'told once a minute')
    t.match(warnings, [{ code: errno }])
    faults.heal()
    await cache.put(id, name, rendered())
    await written(cache)
    t.ok(takenBelow(folder) > 0, 'and kept again when it is well')
    await cache.close()
  }
})

test('where it cannot even be read, there is nothing in it', async (t) => {
  const { open, faults, warnings } = await setUp(t)
  const cache = open({ memoryBytes: 0 })
  const id = newBlobId()
  await cache.put(id, name, rendered(100_000))
  await written(cache)
  for (const on of ['open', 'realpath', 'readdir', 'stat'] as const) faults.inject({ on, errno: 'EACCES', forever: true })
  t.equal(await cache.get(id, name), undefined)
  await cache.start()
  t.equal(await cache.shrink(0), true)
  t.match(warnings, [{ code: 'EACCES' }, { code: 'EACCES' }])
})

test('what cannot be removed is told once, and nothing more is put there', async (t) => {
  const { open, faults, warnings, folder } = await setUp(t)
  const maxBytes = 32 * 8192
  const cache = open({ maxBytes })
  for (let at = 0; at < 30; at += 1) await cache.put(newBlobId(), name, rendered())
  await written(cache)
  faults.inject({ on: 'unlink', errno: 'EACCES', forever: true })
  for (let at = 0; at < 10; at += 1) await cache.put(newBlobId(), name, rendered())
  await written(cache)
  t.ok(takenBelow(folder) <= maxBytes)
  t.equal(await cache.shrink(0), false)
  t.strictSame(warnings, [{ code: 'EACCES', message: 'Files of the picture cache cannot be removed; it may take more room than it should.' }])
})

test('where uploads need the space, nothing is kept', async (t) => {
  const { open, folder, warnings } = await setUp(t)
  const cache = open({ checkSpace: async () => { throw new StorageFull() } })
  await cache.start()
  await cache.put(newBlobId(), name, rendered())
  await written(cache)
  t.equal(takenBelow(folder), 0)
  t.match(warnings, [{ code: 'STORAGE_FULL' }])
})

test('with no budget nothing is kept, and what was there goes', async (t) => {
  const { open, folder } = await setUp(t)
  const before = open()
  await before.put(newBlobId(), name, rendered())
  await written(before)
  const cache = open({ maxBytes: 0, memoryBytes: 0 })
  await cache.start()
  const id = newBlobId()
  t.strictSame(await bytesOf(await cache.put(id, name, rendered())), rendered().bytes)
  await written(cache)
  while (takenBelow(folder) > 0) await setImmediate()
  t.equal(await cache.get(id, name), undefined)
})

test('garbage of every kind is in the place of entries: it is not served, not waited for, and made anew', async (t) => {
  const { open, folder, volume } = await setUp(t)
  const cache = open({ memoryBytes: 0 })
  await cache.start()
  const good = newBlobId()
  await cache.put(good, name, rendered(100_000))
  await written(cache)
  const goodPath = entryPath(folder, placeOf(good, name))
  const outside = join(volume, 'outside')
  await writeFile(outside, 'a secret')
  const garbage: Array<(path: string) => unknown> = [
    (path) => writeFile(path, ''),
    (path) => writeFile(path, randomBytes(100_000)),
    (path) => writeFile(path, '{"version":1}\nxyz'),
    (path) => symlink(outside, path),
    (path) => symlink(goodPath, path),
    (path) => symlink(path, path),
    (path) => mkfifoSync(path),
    (path) => mkdir(join(path, 'a', 'b'), { recursive: true }),
  ]
  for (const [at, make] of garbage.entries()) {
    const id = newBlobId()
    const path = entryPath(folder, placeOf(id, name))
    await mkdir(dirname(path), { recursive: true })
    await make(path)
    t.equal(await cache.get(id, name), undefined, `${at}`)
    await cache.put(id, name, rendered(2000, at))
    await written(cache)
    t.strictSame(await bytesOf(await cache.get(id, name)), rendered(2000, at).bytes, `${at}`)
  }
  t.strictSame(await bytesOf(await cache.get(good, name)), rendered(100_000).bytes)
  const other = newBlobId()
  await mkdir(dirname(entryPath(folder, placeOf(other, name))), { recursive: true })
  await rename(goodPath, entryPath(folder, placeOf(other, name)))
  t.equal(await cache.get(other, name), undefined, 'one picture is not another')
  t.ok(existsSync(outside))
  await cache.shrink(0)
  t.ok(existsSync(outside))
})

test('a blob that is removed while its variant is put leaves nothing, wherever that is', async (t) => {
  for (const on of ['mkdir', 'open', 'writev', 'close', 'realpath', 'rename'] as const) {
    for (let nth = 1; nth <= 3; nth += 1) {
      const { open, faults, files, folder } = await setUp(t)
      const cache = open()
      const id = newBlobId()
      let isThere = true
      // As the volume does: the blob first, then what is kept of it.
      faults.inject({ on, nth, before: async () => { isThere = false; await rm(blobFolder(folder, id), { recursive: true, force: true }) } })
      t.strictSame(await bytesOf(await cache.put(id, name, rendered(100_000), async () => isThere)), rendered(100_000).bytes, 'served all the same')
      await written(cache)
      if (isThere) continue
      t.strictSame(files(), [], `${on} ${nth}`)
      t.equal(await cache.get(id, name), undefined)
    }
  }
})

test('what is not wanted any more, or nobody can tell whether it is, does not get into memory either', async (t) => {
  for (const isWanted of [async () => false, async () => { throw new Error('no database') }]) {
    const { open, volume } = await setUp(t)
    const cache = open()
    const id = newBlobId()
    t.strictSame(await bytesOf(await cache.put(id, name, rendered(), isWanted)), rendered().bytes)
    t.equal(cache.usage.memory, 0)
    t.equal(cache.usage.waiting, 0)
    t.equal(await cache.get(id, name), undefined)
    t.strictSame(readdirSync(volume), [])
  }
})

test('after closing nothing goes on, and it still answers', async (t) => {
  const { open, folder, faults } = await setUp(t)
  const cache = open()
  const id = newBlobId()
  await cache.put(id, name, rendered(100_000))
  await written(cache)
  await cache.close()
  const taken = takenBelow(folder)
  faults.heal()
  t.strictSame(await bytesOf(await cache.put(newBlobId(), name, rendered())), rendered().bytes)
  await cache.start()
  t.equal(faults.count('writev'), 0)
  t.equal(takenBelow(folder), taken)
  t.strictSame(await bytesOf(await cache.get(id, name)), rendered(100_000).bytes)
  t.strictSame(openBelow(folder), [])
})

test('of two on one folder the one that does not keep its budget tells what it puts there, and the other makes up for it', async (t) => {
  const { open, volume } = await setUp(t)
  const maxBytes = 32 * 64 * 1024
  const keeper = open({ maxBytes })
  const kept: number[] = []
  const other = open({
    maxBytes,
    isKeeper: () => false,
    onKept: (bytes) => {
      kept.push(bytes)
      keeper.note(bytes)
    },
  })
  await Promise.all([keeper.start(), other.start()])
  for (let round = 0; round < 60; round += 1) {
    await other.put(newBlobId(), name, rendered(60_000))
    await written(other)
    await keeper.count()
  }
  t.equal(kept.length, 60, 'none of them is refused')
  await keeper.close()
  t.ok(takenBelow(volume) <= maxBytes, `${takenBelow(volume)} of ${maxBytes} bytes`)
})
