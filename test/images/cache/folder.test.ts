import { existsSync } from 'node:fs'
import { chmod, mkdir, readFile, readdir, rename, rm, stat, symlink, utimes, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { test, type Test } from 'tap'
import { createFolder } from '../../../src/images/cache/folder.ts'
import { blobFolder, entryPath, placeOf, temporaryPath, type Place } from '../../../src/images/cache/layout.ts'
import type { Found } from '../../../src/images/cache/walk.ts'
import { newBlobId } from '../../../src/storage/ids.ts'
import { openBelow } from '../../storage/fixtures/volume.ts'
import { name, setUp as setUpCache } from './fixtures/cache.ts'

const chunks = [Buffer.from('one '), Buffer.from('two')]

async function setUp (t: Test) {
  const { volume, folder, faults, files } = await setUpCache(t)
  const place = placeOf(newBlobId(), name)
  const elsewhere = join(volume, 'elsewhere')
  await mkdir(elsewhere)
  return { volume, folder, faults, files, place, elsewhere, path: entryPath(folder, place), under: createFolder({ fs: faults.fs, folder }) }
}

async function found (folder: string, place: Place): Promise<Found> {
  const { mtimeMs } = await stat(entryPath(folder, place))
  return { ...place, bytes: 1, usedAtMs: mtimeMs, modifiedAtMs: mtimeMs }
}

test('the folder is made with a tag that tells backup programs to leave it out', async (t) => {
  const { folder, under, faults } = await setUp(t)
  await under.make()
  await under.make()
  t.match(await readFile(join(folder, 'CACHEDIR.TAG'), 'utf8'), /^Signature: 8a477f597d28d172789f06886806bc55\n/)
  t.strictSame(await readdir(folder), ['CACHEDIR.TAG'])
  await rm(join(folder, 'CACHEDIR.TAG'))
  faults.inject({ on: 'writev', errno: 'ENOSPC' })
  await t.rejects(under.make(), { code: 'ENOSPC' })
  t.strictSame(await readdir(folder), [], 'not half of it')
  await under.make()
  t.strictSame(await readdir(folder), ['CACHEDIR.TAG'])
})

test('a file comes into its place whole, replaces what was there, and leaves nothing else', async (t) => {
  const { folder, under, place, path, files, faults } = await setUp(t)
  await under.write(place, chunks)
  t.equal(await readFile(path, 'utf8'), 'one two')
  await under.write(place, [Buffer.from('three')])
  t.equal(await readFile(path, 'utf8'), 'three')
  t.strictSame(files(), [path.slice(folder.length + 1)])
  t.equal(faults.count('sync'), 0)
  t.equal((await stat(path)).mode & 0o777, 0o640)
  t.equal((await stat(folder)).mode & 0o777, 0o750)
})

test('writes are finished when the system takes only a part at a time', async (t) => {
  const { under, place, path, faults } = await setUp(t)
  faults.inject({ on: 'writev', path: /part$/, short: 2 })
  await under.write(place, chunks)
  t.equal(await readFile(path, 'utf8'), 'one two')
})

test('the folder is made again when it went, but not the one around it', async (t) => {
  const { volume, folder, under, place, path, faults } = await setUp(t)
  await under.write(place, chunks)
  await rm(folder, { recursive: true })
  await under.write(place, chunks)
  t.ok(existsSync(join(folder, 'CACHEDIR.TAG')))
  faults.inject({ on: 'rename', before: () => rm(dirname(path), { recursive: true }) })
  await under.write(place, chunks)
  t.equal(await readFile(path, 'utf8'), 'one two', 'also when another process took the folder of the blob away in between')
  faults.inject({ on: 'rename', before: () => rm(folder, { recursive: true }), forever: true })
  await t.rejects(under.write(place, chunks), { code: 'ENOENT' })
  await rm(volume, { recursive: true })
  await t.rejects(under.write(place, chunks), { code: 'ENOENT' })
  t.notOk(existsSync(volume))
})

test('whatever fails, nothing is left behind', async (t) => {
  for (const [on, path] of [['mkdir', /cache$/], ['open', /TAG/], ['writev', /TAG/], ['mkdir', /cache.../], ['open', /part$/], ['writev', /part$/], ['close', /part$/], ['realpath', /^/], ['rename', /^/]] as const) {
    for (const errno of ['ENOSPC', 'EROFS', 'EACCES', 'EIO']) {
      const { under, place, faults, folder } = await setUp(t)
      faults.inject({ on, path, errno })
      await t.rejects(under.write(place, chunks), { code: errno })
      const left = existsSync(folder) ? await readdir(folder, { recursive: true, withFileTypes: true }) : []
      t.strictSame(left.filter((entry) => entry.isFile() && entry.name !== 'CACHEDIR.TAG'), [], `${on} ${errno}`)
      t.strictSame(openBelow(folder), [])
    }
  }
})

test('links in the folder are not followed: nothing is written, dropped or forgotten behind them', async (t) => {
  for (const depth of ['shard', 'blob'] as const) {
    const { folder, under, place, path, elsewhere } = await setUp(t)
    await under.write(place, chunks)
    const linked = depth === 'shard' ? dirname(dirname(path)) : dirname(path)
    await rename(linked, join(elsewhere, 'moved'))
    await symlink(join(elsewhere, 'moved'), linked)
    const target = join(elsewhere, 'moved', ...(depth === 'shard' ? [place.blobId] : []), name)
    t.equal(await under.holds(place), false)
    await t.rejects(under.write(place, [Buffer.from('other')]), /is a link, or behind one/)
    await under.drop(place)
    await under.forget(place.blobId)
    t.equal(await readFile(target, 'utf8'), 'one two', depth)
    t.equal(existsSync(blobFolder(folder, place.blobId)), depth === 'shard', 'a link in the place of the blob goes itself')
  }
})

test('a folder that goes while it is written to is no link', async (t) => {
  const { folder, faults: { fs }, place, path } = await setUp(t)
  let times = 1
  const realpath = async (of: string) => {
    if (of === dirname(path) && times-- > 0) await rm(of, { recursive: true })
    return fs.realpath(of)
  }
  const under = createFolder({ fs: { ...fs, realpath: realpath as typeof fs.realpath }, folder })
  await under.write(place, chunks)
  t.equal(await readFile(path, 'utf8'), 'one two', 'it is made again')
  times = 2
  await t.rejects(under.write(place, chunks), { code: 'ENOENT' }, 'which is no trouble to be told of')
})

test('the cache folder itself may be a link', async (t) => {
  const { folder, under, place, elsewhere } = await setUp(t)
  await symlink(elsewhere, folder)
  await under.write(place, chunks)
  t.equal(await under.holds(place), true)
  t.equal(await readFile(entryPath(elsewhere, place), 'utf8'), 'one two')
  await under.forget(place.blobId)
  t.notOk(existsSync(blobFolder(elsewhere, place.blobId)))
})

test('what is dropped is gone whatever it was; a link goes, and not what it leads to', async (t) => {
  const { under, place, path, elsewhere } = await setUp(t)
  await under.drop(place)
  await under.write(place, chunks)
  await under.drop(place)
  t.notOk(existsSync(path))
  await mkdir(join(path, 'a'), { recursive: true })
  await under.drop(place)
  t.notOk(existsSync(path))
  await mkdir(dirname(path), { recursive: true })
  await writeFile(join(elsewhere, 'x'), 'x')
  await symlink(elsewhere, path)
  await under.drop(place)
  t.strictSame(await readdir(dirname(path)), [])
  t.ok(existsSync(join(elsewhere, 'x')))
})

test('an eviction takes the file, and its folder when it was the last', async (t) => {
  const { folder, under, place } = await setUp(t)
  const other = placeOf(place.blobId, 'other.webp')
  await under.write(place, chunks)
  await under.write(other, chunks)
  const [one, two] = [await found(folder, place), await found(folder, other)]
  t.equal(await under.evict(one), true)
  t.strictSame(await readdir(blobFolder(folder, place.blobId)), ['other.webp'])
  t.equal(await under.evict(two), true)
  t.notOk(existsSync(blobFolder(folder, place.blobId)))
  t.equal(await under.evict(one), true, 'one that is gone already is gone')
})

test('what was used since it was found is not evicted', async (t) => {
  const { folder, under, place, path, faults } = await setUp(t)
  await under.write(place, chunks)
  const before = await found(folder, place)
  await utimes(path, new Date(), new Date(before.modifiedAtMs + 1000))
  t.equal(await under.evict(before), false)
  t.ok(existsSync(path))
  const now = await found(folder, place)
  for (const on of ['stat', 'unlink'] as const) {
    faults.inject({ on, errno: 'EACCES' })
    await t.rejects(under.evict(now), { code: 'EACCES' })
  }
  faults.inject({ on: 'unlink', before: () => rm(path) })
  t.equal(await under.evict(now), true, 'another process may be first')
})

test('a blob is forgotten with all its variants, and what a killed process left of it; durably', async (t) => {
  const { folder, under, place, faults, files } = await setUp(t)
  await under.forget(place.blobId)
  t.notOk(existsSync(folder))
  const neighbour = placeOf(newBlobId(), name)
  for (const at of [place, placeOf(place.blobId, 'other.webp'), neighbour]) await under.write(at, chunks)
  await writeFile(temporaryPath(folder, place.blobId), 'half')
  const theirs = temporaryPath(folder, neighbour.blobId)
  await writeFile(theirs, 'half')
  await under.forget(place.blobId)
  t.equal(faults.count('sync'), 1)
  t.strictSame(files().map((path) => join(folder, path)).sort(), [theirs, entryPath(folder, neighbour)].sort())
  await under.forget(place.blobId)
  t.equal(faults.count('sync'), 1, 'nothing to do')
})

test('what cannot be forgotten is not called so', async (t) => {
  const { folder, under, place, faults } = await setUp(t)
  await under.write(place, chunks)
  for (const on of ['readdir', 'rm', 'realpath', 'sync'] as const) {
    await under.write(place, chunks)
    faults.inject({ on, errno: 'EIO' })
    await t.rejects(under.forget(place.blobId), { code: 'EIO' }, on)
  }
  if (process.getuid?.() === 0) return
  await under.write(place, chunks)
  await chmod(blobFolder(folder, place.blobId), 0o500)
  await t.rejects(under.forget(place.blobId))
  await chmod(blobFolder(folder, place.blobId), 0o700)
})
