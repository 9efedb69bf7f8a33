import { existsSync, readFileSync, statSync } from 'node:fs'
import { rename, symlink, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { test, type Test } from 'tap'
import { factsOf } from '../../../src/images/cache/entry.ts'
import { encodeHeader } from '../../../src/images/cache/entry-file.ts'
import { createFolder } from '../../../src/images/cache/folder.ts'
import { entryPath, keyOf, placeOf } from '../../../src/images/cache/layout.ts'
import { createReader } from '../../../src/images/cache/reader.ts'
import { newBlobId } from '../../../src/storage/ids.ts'
import { openBelow } from '../../storage/fixtures/volume.ts'
import { minuteMs, name, rendered, setUp as setUpCache } from './fixtures/cache.ts'

async function setUp (t: Test, size = 1000) {
  const { volume, folder, faults, clock } = await setUpCache(t)
  const warnings: string[] = []
  const files = createFolder({ fs: faults.fs, folder })
  const place = placeOf(newBlobId(), name)
  const picture = rendered(size)
  const write = async () => files.write(place, [encodeHeader(keyOf(place), await factsOf(picture)), picture.bytes])
  await write()
  const open = () => createReader({ fs: faults.fs, folder, files, now: clock.now, warn: (error, message) => warnings.push(`${String(error)} ${message}`) })
  return { volume, folder, faults, clock, warnings, place, picture, write, open, reader: open(), path: entryPath(folder, place) }
}

const mtimeOf = (path: string) => statSync(path).mtimeMs

test('what is there is loaded, and what is not is nothing', async (t) => {
  const { reader, place, picture, warnings, folder } = await setUp(t)
  t.strictSame((await reader.load(place))?.bytes, picture.bytes)
  t.equal(await reader.load(placeOf(place.blobId, 'other.webp')), undefined)
  t.equal(await reader.load(placeOf(newBlobId(), name)), undefined)
  t.strictSame(warnings, [])
  t.strictSame(openBelow(folder), [])
})

test('large files are read to the end once in a process, and again when another is in their place', async (t) => {
  const { reader, open, place, picture, faults, write } = await setUp(t, 1_000_000)
  const reads = async (from: typeof reader) => {
    faults.heal()
    t.equal((await from.load(place))?.facts.size, picture.bytes.length)
    return faults.count('read')
  }
  t.ok(await reads(reader) > 3)
  t.equal(await reads(reader), 1)
  t.ok(await reads(open()) > 3)
  await write()
  t.ok(await reads(reader) > 3)
})

test('a damaged file is removed, with a word about it', async (t) => {
  for (const damage of ['cut', 'changed'] as const) {
    const { reader, place, path, warnings } = await setUp(t)
    const bytes = readFileSync(path)
    bytes.fill(7, 900)
    await writeFile(path, damage === 'cut' ? bytes.subarray(0, 900) : bytes)
    t.equal(await reader.load(place), undefined)
    t.notOk(existsSync(path))
    t.match(warnings, [/^Damaged: of .* than it says .* is damaged; it is removed/])
    t.equal(await reader.load(place), undefined)
    t.equal(warnings.length, 1)
  }
})

test('what cannot be read, or not be removed, is nothing; the file stays', async (t) => {
  for (const [on, errno] of [['open', 'EACCES'], ['open', 'EMFILE'], ['read', 'EIO'], ['realpath', 'EIO']] as const) {
    const { reader, place, path, warnings, faults, folder } = await setUp(t)
    faults.inject({ on, errno })
    t.equal(await reader.load(place), undefined)
    t.match(warnings, [new RegExp(`${errno}.*cannot be read`)])
    t.ok(existsSync(path))
    t.ok(await reader.load(place))
    t.strictSame(openBelow(folder), [])
  }
  const { reader, place, path, faults } = await setUp(t)
  await writeFile(path, 'garbage')
  faults.inject({ on: 'rm', errno: 'EROFS' })
  t.equal(await reader.load(place), undefined)
  t.ok(existsSync(path))
})

test('a folder that became a link or a file has nothing', async (t) => {
  const { volume, reader, place, path, faults, warnings } = await setUp(t)
  t.ok(await reader.load(place))
  await rename(dirname(path), join(volume, 'moved'))
  await symlink(join(volume, 'moved'), dirname(path))
  faults.heal()
  t.equal(await reader.load(place), undefined)
  t.equal(faults.count('open'), 0, 'not even looked at')
  t.ok(existsSync(join(volume, 'moved', name)))
  const other = placeOf(newBlobId(), name)
  await writeFile(dirname(dirname(entryPath(join(volume, 'cache'), other))), 'a file')
  t.equal(await reader.load(other), undefined)
  t.strictSame(warnings, [])
})

test('what is read is marked as used, every five minutes at most', async (t) => {
  const { reader, place, path, clock } = await setUp(t)
  const first = mtimeOf(path)
  await reader.load(place)
  clock.aheadMs = 4 * minuteMs
  await reader.load(place)
  t.equal(mtimeOf(path), first)
  clock.aheadMs = 6 * minuteMs
  await reader.load(place)
  t.ok(mtimeOf(path) >= first + 5 * minuteMs)
  clock.aheadMs = 0
  await reader.load(place)
  t.ok(mtimeOf(path) < first + 5 * minuteMs, 'also when the clock was wrong before')
})

test('what is served from memory is marked too, if it is there', async (t) => {
  const { reader, place, path, clock, folder } = await setUp(t)
  const first = mtimeOf(path)
  clock.aheadMs = minuteMs
  await reader.markUsed(place)
  t.ok(mtimeOf(path) >= first + minuteMs)
  await reader.markUsed(placeOf(newBlobId(), name))
  t.strictSame(openBelow(folder), [])
})
