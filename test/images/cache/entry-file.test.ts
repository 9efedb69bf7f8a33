import { randomBytes } from 'node:crypto'
import { existsSync } from 'node:fs'
import { mkdir, rename, rm, symlink, truncate, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test, type Test } from 'tap'
import { factsOf } from '../../../src/images/cache/entry.ts'
import { Damaged, encodeHeader, entryInFile, openEntry, verifyBytes } from '../../../src/images/cache/entry-file.ts'
import { createFaults } from '../../fixtures/faults.ts'
import { temporaryFolder } from '../../helper.ts'
import { openBelow } from '../../storage/fixtures/volume.ts'
import { bytesOf } from './fixtures/cache.ts'
import { mkfifoSync } from './fixtures/fifo.ts'

const { fs } = createFaults()

async function setUp (t: Test, size = 1000) {
  const folder = await temporaryFolder(t)
  const path = join(folder, 'entry')
  const bytes = randomBytes(size)
  const facts = await factsOf({ bytes, contentType: 'image/webp', width: 64, height: 48 })
  const header = encodeHeader('key', facts)
  await writeFile(path, Buffer.concat([header, bytes]))
  const openAndVerify = async () => {
    const file = await openEntry(fs, path, 'key')
    await verifyBytes(file).finally(() => file.handle.close())
    return file
  }
  return { folder, path, bytes, facts, header, openAndVerify }
}

test('what was written is read back, small ones whole at once', async (t) => {
  for (const size of [1, 1000, 60_000, 70_000, 3_000_000]) {
    const { path, bytes, facts, header, openAndVerify } = await setUp(t, size)
    const file = await openAndVerify()
    t.strictSame(file.facts, facts)
    t.equal(file.offset, header.length)
    t.strictSame(file.bytes, size <= 60_000 ? bytes : undefined)
    const entry = entryInFile(fs, path, 'key', file)
    t.strictSame(await bytesOf(entry), bytes)
    t.strictSame(await bytesOf(entry, { start: 0, end: 0 }), bytes.subarray(0, 1))
    t.strictSame(await bytesOf(entry, { start: size >> 1, end: size - 1 }), bytes.subarray(size >> 1))
    t.strictSame({ ...entry, read: undefined }, { ...facts, read: undefined })
  }
})

test('every single byte that is missing, added or changed is found', async (t) => {
  for (const size of [300, 70_000]) {
    const { path, bytes, header, openAndVerify } = await setUp(t, size)
    const whole = Buffer.concat([header, bytes])
    for (const length of [0, 1, header.length - 1, header.length, whole.length - 1]) {
      await writeFile(path, whole.subarray(0, length))
      await t.rejects(openAndVerify(), { name: 'Damaged' }, `cut to ${length}`)
    }
    await writeFile(path, Buffer.concat([whole, Buffer.from('x')]))
    await t.rejects(openAndVerify(), { name: 'Damaged' })
    for (let at = 0; at < whole.length; at += size > 1000 ? 6_999 : 7) {
      const changed = Buffer.from(whole)
      changed.writeUInt8((whole[at] ?? 0) ^ 1, at)
      await writeFile(path, changed)
      // Of the facts that nothing else proves, such as the width, the header alone is to be believed.
      const file = await openAndVerify().catch((error: unknown) => error)
      t.ok(file instanceof Damaged || (at < header.length && !(file instanceof Error)), `byte ${at}`)
    }
  }
})

test('garbage, headers of other forms and the file of another variant are refused', async (t) => {
  const { path, bytes, facts, openAndVerify } = await setUp(t)
  const good = JSON.parse(encodeHeader('key', facts).toString()) as object
  const headers = [
    'null', '[]', '{}', '"x"', '{', `${'['.repeat(1000)}`, JSON.stringify({ ...good, version: 2 }), JSON.stringify({ ...good, key: 'other' }), JSON.stringify({ ...good, more: 1 }),
    JSON.stringify({ ...good, size: -1 }), JSON.stringify({ ...good, size: 1e300 }), JSON.stringify({ ...good, size: '1000' }), JSON.stringify({ ...good, width: 0 }),
    JSON.stringify({ ...good, contentType: 'text/html' }), JSON.stringify({ ...good, contentType: 'image/webp\r\nx: y' }), JSON.stringify({ ...good, sha256: 'x' }),
    `${JSON.stringify(good)}${' '.repeat(2000)}`,
  ]
  for (const header of headers) {
    await writeFile(path, Buffer.concat([Buffer.from(`${header}\n`), bytes]))
    await t.rejects(openAndVerify(), { name: 'Damaged' }, header.slice(0, 80))
  }
  for (const garbage of [Buffer.alloc(0), Buffer.alloc(100_000), randomBytes(100), randomBytes(100_000), Buffer.alloc(100_000, '\n')]) {
    await writeFile(path, garbage)
    await t.rejects(openAndVerify(), { name: 'Damaged' })
  }
})

test('links, pipes, sockets and folders are not read, nor waited for', async (t) => {
  const { folder, path } = await setUp(t)
  const other = join(folder, 'other')
  await rename(path, other)
  await symlink(other, path)
  await t.rejects(openEntry(fs, path, 'key'), { name: 'Damaged' })
  await rm(path)
  await mkdir(path)
  await t.rejects(openEntry(fs, path, 'key'), { name: 'Damaged' })
  await rm(path, { recursive: true })
  const server = createServer().listen(path)
  await t.rejects(openEntry(fs, path, 'key'), { name: 'Damaged' })
  await new Promise((resolve) => server.close(resolve))
  await rm(path, { force: true })
  if (!mkfifoSync(path)) return
  await t.rejects(openEntry(fs, path, 'key'), { name: 'Damaged' })
  t.ok(existsSync(path))
})

test('a file that went, or became another, since it was looked at fails the read and no more', async (t) => {
  for (const size of [1000, 100_000]) {
    const { path, openAndVerify, folder } = await setUp(t, size)
    const { path: otherPath } = await setUp(t, size)
    const entry = entryInFile(fs, path, 'key', await openAndVerify())
    await truncate(path, size)
    await t.rejects(entry.read(), { code: 'STORAGE_UNAVAILABLE' })
    await rename(otherPath, path)
    await t.rejects(entry.read({ start: 0, end: 1 }), { code: 'STORAGE_UNAVAILABLE', cause: { message: /another one/ } })
    await rm(folder, { recursive: true })
    await t.rejects(entry.read(), { code: 'STORAGE_UNAVAILABLE', cause: { code: 'ENOENT' } })
  }
})

test('what the file system says is passed on', async (t) => {
  const { path } = await setUp(t)
  const faults = createFaults()
  for (const [on, errno] of [['open', 'EACCES'], ['read', 'EIO']] as const) {
    faults.inject({ on, errno })
    await t.rejects(openEntry(faults.fs, path, 'key'), { code: errno })
  }
})

test('after all that no file is open', async (t) => {
  t.strictSame(openBelow(join(tmpdir(), 'upload-gateway-')), [])
})
