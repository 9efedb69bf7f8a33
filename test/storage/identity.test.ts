import { execFileSync } from 'node:child_process'
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test, type Test } from 'tap'
import { ConfigError } from '../../src/config.ts'
import { fileSystem } from '../../src/storage/fs.ts'
import { identify, identityAt, type KnownVolume } from '../../src/storage/identity.ts'
import { createDurable } from '../../src/storage/volume/durable.ts'
import { createFaults } from '../fixtures/faults.ts'
import { folderFor, openBelow } from './fixtures/volume.ts'

const nothing: KnownVolume = { volumeId: undefined, knowsFiles: false }

async function setUp (t: Test) {
  const root = await folderFor(t)
  const faults = createFaults()
  const durable = createDurable({ fs: faults.fs, onSyncFailure: () => {} })
  const path = join(root, 'upload-gateway.json')
  const start = (known: KnownVolume = nothing) => identify({ fs: faults.fs, durable, root, known, pauseMs: 1 })
  /** The start is refused, by a sentence that names the folder and says what to do. */
  const refused = async (known: KnownVolume, ...words: RegExp[]) => {
    const error: unknown = await start(known).catch((reason: unknown) => reason)
    t.ok(error instanceof ConfigError)
    for (const word of [new RegExp(root), ...words]) t.match(String(error), word)
  }
  return { root, faults, path, start, refused, stored: async () => JSON.parse(await readFile(path, 'utf8')) as { volumeId: string } }
}

test('a fresh volume gets an identity, durable, and keeps it', async (t) => {
  const { root, faults, start, stored } = await setUp(t)
  const volumeId = await start()
  t.match(await stored(), { volumeId, layout: 1, createdAt: /^\d{4}-.*Z$/ })
  t.strictSame(faults.calls.filter(({ on }) => on === 'sync').map(({ path }) => path.slice(root.length)), ['/upload-gateway.json', ''])
  t.equal(await start(), volumeId)
  t.equal(await start({ volumeId, knowsFiles: true }), volumeId)
  t.strictSame(openBelow(root), [])
})

test('an empty volume under a database that had one but knows no files gets that identity', async (t) => {
  const { start } = await setUp(t)
  t.equal(await start({ volumeId: 'abc', knowsFiles: false }), 'abc')
})

test('a volume without identity under a database that knows files is refused, and not written to', async (t) => {
  const { faults, refused } = await setUp(t)
  await refused({ volumeId: 'abc', knowsFiles: true }, /no upload-gateway\.json/, /database knows files/, /Mount the volume abc/, /upload-gateway restore/)
  await refused({ volumeId: undefined, knowsFiles: true }, /that belongs to this database/)
  t.strictSame(new Set(faults.calls.map(({ on }) => on)), new Set(['open']))
})

test('another volume is refused', async (t) => {
  const { start, refused } = await setUp(t)
  const volumeId = await start()
  for (const knowsFiles of [true, false]) await refused({ volumeId: 'abc', knowsFiles }, new RegExp(`it is ${volumeId}`), /belongs to abc/, /DATABASE_URL/)
})

test('a volume with files is refused under a new database, with or without its identity', async (t) => {
  for (const kind of ['avatars', 'attachments', 'resumable']) {
    const { root, path, start, refused } = await setUp(t)
    await start()
    await mkdir(join(root, kind, '2026'), { recursive: true })
    await refused(nothing, /holds uploads/, /the database is new/, /upload-gateway rebuild/, /upload-gateway restore/)
    await rm(path)
    await refused(nothing, /holds uploads/, /no upload-gateway\.json/)
    await refused({ volumeId: 'abc', knowsFiles: false }, /holds uploads/)
  }
})

test('a volume that does not let its folders be read is not taken for an empty one', async (t) => {
  for (const errno of ['EIO', 'EACCES']) {
    const { faults, refused } = await setUp(t)
    faults.inject({ on: 'readdir', path: /attachments/, errno })
    await refused(nothing, /cannot be read/)
    t.equal(faults.count('writev'), 0)
  }
})

test('a damaged or unreadable identity is refused, and left as it is', async (t) => {
  for (const text of ['{', 'null', '{}', '{"volumeId":1,"layout":1,"createdAt":""}', '\0\0\0\0']) {
    const { path, refused } = await setUp(t)
    await writeFile(path, text)
    await refused(nothing, /damaged/, /backup/)
    t.equal(await readFile(path, 'utf8'), text)
  }
  const { faults, refused } = await setUp(t)
  faults.inject({ on: 'open', errno: 'EIO' })
  await refused(nothing, /cannot be read/)
})

test('who only looks for an identity makes none, and is told of one that cannot be read', async (t) => {
  const { root, path } = await setUp(t)
  t.equal(await identityAt(fileSystem, root), undefined)
  await mkdir(path)
  await t.rejects(identityAt(fileSystem, root), { name: 'ConfigError', message: /upload-gateway\.json is not an ordinary file/ })
})

test('an identity that stays empty is of a first start that died, and is made anew', async (t) => {
  const { faults, path, start, stored, refused } = await setUp(t)
  await writeFile(path, '')
  const volumeId = await start()
  t.equal(faults.count('readFile'), 21, 'after waiting for one who might still write it')
  t.match(await stored(), { volumeId })
  await writeFile(path, '')
  await refused({ volumeId, knowsFiles: true }, /database knows files/)
})

test('a volume of a newer version is refused', async (t) => {
  const { path, refused } = await setUp(t)
  await writeFile(path, JSON.stringify({ volumeId: 'abc', layout: 2, createdAt: '2027-01-01T00:00:00Z' }))
  await refused({ volumeId: 'abc', knowsFiles: true }, /layout 2/, /newer version/)
})

test('ten processes that start on an empty volume at once agree', async (t) => {
  const { start, stored } = await setUp(t)
  const ids = await Promise.all(Array.from({ length: 10 }, () => start()))
  t.strictSame(new Set(ids), new Set([(await stored()).volumeId]))
})

test('a process that finds the identity just being made waits for its text', async (t) => {
  const { faults, path, start } = await setUp(t)
  let second: Promise<string> | undefined
  // The first has created the file; the second reads it empty until the first has written it.
  faults.inject({
    on: 'writev',
    before: async () => {
      second = start()
      while (faults.count('readFile', /upload-gateway/) < 4) await new Promise((resolve) => setImmediate(resolve))
    },
  })
  const first = await start()
  t.equal(await second, first)
  t.match(await readFile(path, 'utf8'), first)
})

test('a process so slow that its empty file was taken for a dead one\'s takes the identity that is there', async (t) => {
  const { faults, path, start, stored } = await setUp(t)
  let second: string | undefined
  faults.inject({ on: 'writev', before: async () => { second = await start() } })
  t.equal(await start(), second)
  t.match(await stored(), { volumeId: second })
  t.equal(faults.count('unlink', new RegExp(path)), 1)
})

test('an identity that cannot be made durable refuses the start and is gone again', async (t) => {
  for (const [on, errno] of [['writev', 'ENOSPC'], ['sync', 'EIO'], ['open', 'EROFS']] as const) {
    const { root, faults, path, start } = await setUp(t)
    // The first to be opened is what may be there already.
    faults.inject({ on, errno, nth: on === 'open' ? 2 : 1 })
    await t.rejects(start(), { code: errno })
    await t.rejects(readFile(path), { code: 'ENOENT' })
    t.strictSame(openBelow(root), [])
    t.type(await start(), 'string')
  }
})

test('a pipe in place of the identity is not waited for, and named', { skip: process.platform === 'win32' && 'there are no pipes' }, async (t) => {
  const { root, path, refused } = await setUp(t)
  execFileSync('mkfifo', [path])
  await refused(nothing, /upload-gateway\.json is not an ordinary file/)
  await t.rejects(identityAt(fileSystem, root), { message: /upload-gateway\.json is not an ordinary file/ })
})
