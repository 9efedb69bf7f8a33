import { existsSync } from 'node:fs'
import { mkdir, symlink, truncate, utimes, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { test, type Test } from 'tap'
import { blobFolder, entryPath, placeOf, temporaryPath, type Place } from '../../../src/images/cache/layout.ts'
import { diskBytes, walkEntries, type Found } from '../../../src/images/cache/walk.ts'
import { asBlobId, newBlobId, type BlobId } from '../../../src/storage/ids.ts'
import { name, setUp as setUpCache } from './fixtures/cache.ts'
import { mkfifoSync } from './fixtures/fifo.ts'

async function setUp (t: Test) {
  const { folder, faults, clock, warnings, volume } = await setUpCache(t)
  await mkdir(folder)
  async function walk (from = folder) {
    const found: Found[] = []
    const warn = (error: unknown, message: string) => { warnings.push({ code: (error as { code?: unknown }).code, message }) }
    for await (const some of walkEntries({ fs: faults.fs, folder: from, now: clock.now, warn })) found.push(...some)
    return found
  }
  async function write (place: Place, size = 100, usedAt = new Date()) {
    const path = entryPath(folder, place)
    await mkdir(dirname(path), { recursive: true })
    await writeFile(path, Buffer.alloc(size))
    await utimes(path, usedAt, usedAt)
    return { ...place, bytes: diskBytes(size), usedAtMs: usedAt.getTime(), modifiedAtMs: usedAt.getTime() }
  }
  return { volume, folder, faults, clock, warnings, walk, write }
}

const hourMs = 3_600_000

test('a file takes whole blocks, and a folder', (t) => {
  t.equal(diskBytes(1), 8192)
  t.equal(diskBytes(4096), 8192)
  t.equal(diskBytes(4097), 12288)
  t.end()
})

test('every entry is found, with its size and the time of its last use', async (t) => {
  const { walk, write } = await setUp(t)
  t.strictSame(await walk(), [])
  const blobId = newBlobId()
  const expected = [
    await write(placeOf(blobId, 'a.webp'), 1, new Date('2026-01-01')), await write(placeOf(blobId, 'b.avif'), 5000),
    ...await Promise.all(Array.from({ length: 50 }, () => write(placeOf(newBlobId(), name)))),
  ]
  const key = (place: Place) => place.blobId + place.name
  t.strictSame((await walk()).toSorted((one, other) => key(one) < key(other) ? -1 : 1), expected.toSorted((one, other) => key(one) < key(other) ? -1 : 1))
})

test('what a wrong clock says was used in the future was used longest ago', async (t) => {
  const { walk, write } = await setUp(t)
  await write(placeOf(newBlobId(), name), 1, new Date('2100-01-01'))
  t.match(await walk(), [{ usedAtMs: 0, modifiedAtMs: new Date('2100-01-01').getTime() }])
})

test('no folder is nothing found', async (t) => {
  const { walk, warnings } = await setUp(t)
  t.strictSame(await walk('/nowhere/at/all'), [])
  t.strictSame(warnings, [])
})

test('what no gateway made is left where it is, and links and pipes are not looked into', async (t) => {
  const { folder, volume, walk, write, faults } = await setUp(t)
  const place = placeOf(newBlobId(), name)
  const expected = await write(place)
  const shard = place.blobId.slice(-2)
  const elsewhere = join(volume, 'elsewhere')
  const beyond = newBlobId().slice(0, -2)
  await mkdir(join(elsewhere, `${beyond}00`), { recursive: true })
  await writeFile(join(elsewhere, `${beyond}00`, name), 'x')
  const linkedId = asBlobId(`${newBlobId().slice(0, -2)}${shard}`) as BlobId
  const others = [
    'photo.jpg', 'CACHEDIR.TAG', '1', join(shard, 'photo.jpg'), join(shard, 'folder', 'photo.jpg'), join(shard, newBlobId(), 'x', 'photo.jpg'),
    join(shard, place.blobId, '.hidden'), join(shard, place.blobId, 'folder', name), join('zz', place.blobId, name), 'ff/.x',
  ].map((path) => join(folder, path))
  for (const path of others) {
    await mkdir(dirname(path), { recursive: true })
    await writeFile(path, 'x')
  }
  await mkdir(join(folder, shard, 'empty'))
  const links = [[join(folder, '00'), elsewhere], [blobFolder(folder, linkedId), join(elsewhere, `${beyond}00`)], [join(blobFolder(folder, place.blobId), 'link.webp'), '/etc/passwd']] as const
  for (const [path, target] of links) await symlink(target, path)
  const pipe = join(blobFolder(folder, place.blobId), 'pipe.webp')
  mkfifoSync(pipe)
  t.strictSame(await walk(), [expected])
  for (const path of [...others, join(folder, shard, 'empty'), ...links.map(([path]) => path), join(elsewhere, `${beyond}00`, name)]) t.ok(existsSync(path), path)
  t.equal(faults.count('open'), 0)
})

test('what dead processes left goes after an hour, and not before', async (t) => {
  const { folder, walk, clock } = await setUp(t)
  const path = temporaryPath(folder, newBlobId())
  const empty = blobFolder(folder, newBlobId())
  await writeFile(path, 'half')
  await mkdir(empty, { recursive: true })
  t.strictSame(await walk(), [])
  t.ok(existsSync(path) && existsSync(empty))
  clock.aheadMs = hourMs + 60_000
  await walk()
  t.notOk(existsSync(path))
  t.notOk(existsSync(empty))
})

test('a file that is too large for an entry goes', async (t) => {
  const { folder, walk, write } = await setUp(t)
  const place = placeOf(newBlobId(), name)
  await write(place)
  await truncate(entryPath(folder, place), 10 ** 12)
  t.strictSame(await walk(), [])
  t.notOk(existsSync(entryPath(folder, place)))
})

test('what cannot be listed or went meanwhile is left out, and the rest is found', async (t) => {
  const { walk, write, faults, warnings } = await setUp(t)
  const [one, two] = [await write(placeOf(newBlobId(), name)), await write(placeOf(newBlobId(), name))]
  faults.inject({ on: 'readdir', path: new RegExp(one.blobId), errno: 'EACCES' })
  t.strictSame(await walk(), [two])
  t.match(warnings, [{ code: 'EACCES', message: /cannot be listed/ }])
  faults.inject({ on: 'stat', path: new RegExp(one.blobId), errno: 'ENOENT' })
  t.strictSame(await walk(), [two])
  faults.inject({ on: 'readdir', path: /cache$/, errno: 'EIO' })
  t.strictSame(await walk(), [])
  t.equal(warnings.length, 2)
})
