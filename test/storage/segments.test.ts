import { createHash } from 'node:crypto'
import { appendFile, mkdir, readdir, readFile, rename, rm, stat, symlink, truncate, utimes, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test, type Test } from 'tap'
import { fileSystem } from '../../src/storage/fs.ts'
import { newUploadId } from '../../src/storage/ids.ts'
import type { Segment } from '../../src/storage/segments.ts'
import { scanVolume } from '../../src/storage/volume/scan.ts'
import { openVolume } from './fixtures/volume.ts'

async function setUp (t: Test) {
  const volume = await openVolume(t)
  const uploadId = newUploadId()
  const write = async (start: number, text: string, epoch = 1): Promise<Segment> => {
    const file = await volume.segments.open({ uploadId, start, epoch })
    await file.write(Buffer.from(text))
    const bytes = await file.flush()
    await file.close()
    return { uploadId, start, epoch, bytes }
  }
  const read = async (segments: readonly Segment[]) => {
    let text = ''
    for await (const chunk of volume.segments.read(segments)) text += chunk.toString()
    return text
  }
  return { ...volume, uploadId, write, read, path: join(volume.root, 'resumable', uploadId) }
}

test('each segment is a file of its own, durable when it says so: its bytes first, then its name', async (t) => {
  const { segments, faults, uploadId, path } = await setUp(t)
  const file = await segments.open({ uploadId, start: 5, epoch: 2 })
  await file.write(Buffer.from('hel'))
  await file.write(Buffer.from('lo'))
  t.equal(await file.flush(), 5)
  t.equal(await readFile(join(path, '5-2'), 'utf8'), 'hello')
  const syncs = faults.calls.filter(({ on }) => on === 'sync' || on === 'writev').map(({ on, path: where }) => `${on} ${where.split('/').at(-1)}`)
  t.strictSame(syncs.slice(-3), ['writev 5-2', 'sync 5-2', `sync ${uploadId}`])
  await file.write(Buffer.alloc(3_000_000, 'x'))
  for (let count = 0; count < 1500; count += 1) await file.write(Buffer.from('y'))
  t.equal(await file.flush(), 3_001_505)
  t.equal(await file.flush(), 3_001_505, 'nothing more came')
  await file.close()
  await t.rejects(segments.open({ uploadId, start: 5, epoch: 2 }), { code: 'STORAGE_UNAVAILABLE' }, 'no writer ever gets the file of another')
})

test('they are read one after the other, and only what counts of each', async (t) => {
  const { write, read, segments, path } = await setUp(t)
  const [one, two] = [await write(0, 'hello'), await write(5, 'world and more', 7)]
  const counted = [one, { ...two, bytes: 5 }]
  t.equal(await read(counted), 'helloworld')
  t.ok(await segments.areThere(counted))
  t.equal(await read([]), '')
  await truncate(join(path, '5-7'), 4)
  t.notOk(await segments.areThere(counted))
  await t.rejects(read(counted), { code: 'RESUMABLE_GONE' })
  await rm(join(path, '0-1'))
  t.notOk(await segments.areThere([one]))
  await t.rejects(read([one]), { code: 'RESUMABLE_GONE' })
})

test('while the volume is not mounted, or another is, nothing is said of what is on it, and nothing is written beside it', async (t) => {
  const { segments, write, read, root, uploadId } = await setUp(t)
  const one = await write(0, 'hello')
  const away = `${root}.away`
  t.teardown(() => rm(away, { recursive: true, force: true }))
  const identity = await readFile(join(root, 'upload-gateway.json'), 'utf8')
  await rename(root, away)
  await mkdir(root)
  for (const text of [undefined, identity.replace(/"volumeId": "[^"]*"/, '"volumeId": "another"'), 'damaged']) {
    if (text !== undefined) await writeFile(join(root, 'upload-gateway.json'), text)
    await t.rejects(segments.areThere([one]), { code: 'STORAGE_UNAVAILABLE' })
    await t.rejects(read([one]), { code: 'STORAGE_UNAVAILABLE' })
    for (let tries = 0; tries < 2; tries += 1) await t.rejects(segments.open({ uploadId, start: 5, epoch: 1 }), { code: 'STORAGE_UNAVAILABLE' })
  }
  t.strictSame(await readdir(root), ['upload-gateway.json'])
  await rm(root, { recursive: true })
  await rename(away, root)
  t.equal(await read([one]), 'hello')
})

test('a volume that comes back while one looks, and a segment that goes while it is read', async (t) => {
  const { segments, write, read, faults, path } = await setUp(t)
  const one = await write(0, 'hello')
  faults.inject({ on: 'stat', path: /0-1$/, errno: 'ENOENT' })
  t.ok(await segments.areThere([one]), 'it was looked for once more')
  faults.inject({ on: 'open', path: /0-1$/, before: () => truncate(join(path, '0-1'), 3) })
  await t.rejects(read([one]), { code: 'STORAGE_UNAVAILABLE' }, 'that is no word on what there is')
})

test('a segment that grew on another machine is not taken for a short one because its old length is still remembered', async (t) => {
  const { segments, write, read, faults, uploadId } = await setUp(t)
  const one = await write(0, 'hello')
  const { fs } = faults
  Object.assign(fs, { stat: async (path: string) => path.endsWith('0-1') ? { size: 3 } : fileSystem.stat(path) })
  t.ok(await segments.areThere([one]))
  t.equal(await read([one]), 'hello')
  t.notOk(await segments.areThere([{ ...one, bytes: 6 }]))
  t.notOk(await segments.areThere([{ uploadId, start: 5, epoch: 2, bytes: 1 }]))
})

test('what cannot be written or read for other reasons is the volume\'s failure', async (t) => {
  const { segments, write, read, faults, uploadId } = await setUp(t)
  const one = await write(0, 'hello')
  faults.inject({ on: 'open', path: /0-1$/, errno: 'EIO' })
  await t.rejects(read([one]), { code: 'STORAGE_UNAVAILABLE' })
  faults.inject({ on: 'read', path: /0-1$/, errno: 'EIO' })
  await t.rejects(read([one]), { code: 'STORAGE_UNAVAILABLE' })
  faults.inject({ on: 'mkdir', errno: 'ENOENT' })
  await t.rejects(segments.open({ uploadId, start: 5, epoch: 1 }), { code: 'STORAGE_UNAVAILABLE' })
  faults.heal()
  const file = await segments.open({ uploadId, start: 5, epoch: 1 })
  faults.inject({ on: 'writev', errno: 'ENOSPC' })
  await file.write(Buffer.from('world'))
  await t.rejects(file.flush(), { code: 'STORAGE_FULL' })
  await t.rejects(file.flush(), { code: 'STORAGE_UNAVAILABLE' }, 'what has a hole is never durable')
  await file.keep(0)
  await file.keep(0)
})

test('I6: what an fsync failed for is never durable, though the next would say so', async (t) => {
  for (const [path, errno, code] of [[/0-1$/, 'EIO', 'STORAGE_UNAVAILABLE'], [/resumable\/[^/]+$/, 'EIO', 'STORAGE_UNAVAILABLE'], [/0-1$/, 'ENOSPC', 'STORAGE_FULL']] as const) {
    const { segments, faults, uploadId } = await setUp(t)
    const file = await segments.open({ uploadId, start: 0, epoch: 1 })
    await file.write(Buffer.from('hello'))
    faults.inject({ on: 'sync', path, errno })
    await t.rejects(file.flush(), { code })
    const before = faults.count('sync')
    await file.write(Buffer.from('world'))
    await t.rejects(file.flush(), { code })
    t.equal(faults.count('sync'), before)
    await file.close()
  }
})

test('what came and does not count is given back, all of it or the rest', async (t) => {
  const { segments, read, uploadId, root } = await setUp(t)
  const file = await segments.open({ uploadId, start: 0, epoch: 1 })
  await file.write(Buffer.from('hello, and more'))
  await file.flush()
  await file.keep(5)
  const path = join(root, 'resumable', uploadId, '0-1')
  t.equal((await stat(path)).size, 5)
  t.equal(await read([{ uploadId, start: 0, epoch: 1, bytes: 5 }]), 'hello')
  const other = await segments.open({ uploadId, start: 5, epoch: 2 })
  await other.write(Buffer.from('world'))
  await other.keep(0)
  t.strictSame(await readdir(join(root, 'resumable', uploadId)), ['0-1'])
})

test('all of an upload goes at once; what is there without a row can be found', async (t) => {
  const { segments, write, uploadId, root } = await setUp(t)
  t.strictSame(await segments.uploads(), [])
  await segments.removeForGood(uploadId)
  await write(0, 'hello')
  await write(5, 'world')
  t.strictSame(await segments.uploads(), [uploadId])
  for await (const { foreign } of scanVolume(fileSystem, root)) t.strictSame(foreign, [], 'nothing that an audit wonders at')
  await segments.remove(uploadId)
  await segments.remove(uploadId)
  t.strictSame(await readdir(join(root, 'resumable')), [])
  await write(0, 'again')
  await segments.removeForGood(uploadId)
  t.strictSame(await segments.uploads(), [])
})

/** Pieces of one upload, of which all count that a flush told of. */
async function setUpGrowing (t: Test) {
  const volume = await setUp(t)
  const { segments, uploadId } = volume
  let rows: Segment[] = []
  const counted = async () => rows
  async function append (start: number, text: string, epoch: number, length = 100): Promise<Segment> {
    const file = await segments.open({ uploadId, start, epoch }, { length, counted })
    await file.write(Buffer.from(text))
    const segment = { ...file.address, bytes: await file.flush() }
    await file.close()
    rows = [...rows.filter((row) => row.epoch !== segment.epoch), segment]
    return segment
  }
  return { ...volume, counted, append, rows: () => rows }
}

const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex')

test('a file with all bytes that this process wrote grows, and is the whole without being read', async (t) => {
  const { segments, append, rows, read, path, faults, uploadId } = await setUpGrowing(t)
  t.strictSame(await append(0, 'hello', 1), { uploadId, start: 0, epoch: 1, bytes: 5 })
  const before = faults.calls.length
  t.strictSame(await append(5, ' world', 2), { uploadId, start: 0, epoch: 1, bytes: 11 })
  const calls = faults.calls.slice(before).map(({ on, path: where }) => `${on} ${where.split('/').at(-1)}`)
  t.strictSame(calls.filter((call) => !call.startsWith('statfs')), ['open 0-1', 'stat 0-1', 'writev 0-1', 'sync 0-1', 'stat 0-1', 'close 0-1'], 'durable, and its name was before')
  t.strictSame(await readdir(path), ['0-1'])
  t.equal(await read(rows()), 'hello world')
  t.match(await segments.whole(rows()), { path: join(path, '0-1'), sha256: sha256('hello world'), left: { size: 11 } })
  t.equal(await segments.whole(rows()), undefined, 'once')
  t.strictSame(await append(11, '!', 3), { uploadId, start: 11, epoch: 3, bytes: 1 }, 'who has taken it for the whole has it alone')
  t.equal(await segments.whole(rows()), undefined)
  t.equal(await segments.whole([]), undefined)
})

test('also with large blocks, which are hashed elsewhere', async (t) => {
  const { segments, append, rows } = await setUpGrowing(t)
  const block = 'x'.repeat(1024 ** 2)
  await append(0, 'y', 1, 3 * 1024 ** 2)
  await append(1, block + block, 2, 3 * 1024 ** 2)
  t.match(await segments.whole(rows()), { sha256: sha256(`y${block}${block}`) })
})

test('where anything is not as this process left it, what comes goes into a file of its own', async (t) => {
  const changes: Record<string, (path: string, volume: Awaited<ReturnType<typeof setUpGrowing>>) => Promise<unknown>> = {
    longer: (path) => appendFile(path, 'more'),
    shorter: (path) => truncate(path, 4),
    'written over': async (path) => { await utimes(path, 1, 1) },
    gone: (path) => rm(path),
    another: async (path) => {
      const { atime, mtime } = await stat(path)
      await rename(path, `${path}.away`)
      await writeFile(path, 'hellO')
      await utimes(path, atime, mtime)
    },
    'a link': async (path) => {
      await rename(path, `${path}.away`)
      await symlink(`${path}.away`, path)
    },
    'out of reach': async (_path, { faults }) => faults.inject({ on: 'open', path: /0-1$/, errno: 'EIO' }),
    'removed with all of it': (_path, { segments, uploadId }) => segments.remove(uploadId),
  }
  for (const [what, change] of Object.entries(changes)) {
    const volume = await setUpGrowing(t)
    await volume.append(0, 'hello', 1)
    await change(join(volume.path, '0-1'), volume)
    t.match(await volume.append(5, ' world', 2), { start: 5, epoch: 2, bytes: 6 }, what)
    t.equal(await volume.segments.whole(volume.rows()), undefined, what)
  }
})

test('what the rows say otherwise is theirs: another wrote there meanwhile, or less counts, or more', async (t) => {
  for (const others of [
    (one: Segment) => [{ ...one, bytes: 3 }, { ...one, start: 3, epoch: 2, bytes: 2 }],
    (one: Segment) => [{ ...one, bytes: 4 }],
    (one: Segment) => [{ ...one, bytes: 6 }],
    (one: Segment) => [{ ...one, epoch: 2 }],
    () => [],
  ]) {
    const { segments, append, uploadId } = await setUpGrowing(t)
    const one = await append(0, 'hello', 1)
    const rows = others(one)
    const file = await segments.open({ uploadId, start: 5, epoch: 3 }, { length: 10, counted: async () => rows })
    t.strictSame(file.address, { uploadId, start: 5, epoch: 3 })
    await file.keep(0)
    t.equal(await segments.whole([one]), undefined, 'it is forgotten')
  }
  const { segments, append, uploadId, counted } = await setUpGrowing(t)
  const one = await append(0, 'hello', 1)
  const file = await segments.open({ uploadId, start: 4, epoch: 3 }, { length: 10, counted })
  t.equal(file.address.start, 4, 'never behind what it is for')
  await file.keep(0)
  t.equal(await segments.whole([one]), undefined)
})

test('I6: a file is not gone on with, and not taken for the whole, after a write, a sync or a check that failed', async (t) => {
  for (const fail of ['writev', 'sync', 'unflushed', 'keep'] as const) {
    const { segments, append, rows, counted, faults, path, uploadId } = await setUpGrowing(t)
    const one = await append(0, 'hello', 1)
    const file = await segments.open({ uploadId, start: 5, epoch: 2 }, { length: 10, counted })
    t.equal(file.address.epoch, 1)
    await file.write(Buffer.from('wrong'))
    if (fail === 'writev' || fail === 'sync') {
      faults.inject({ on: fail, path: /0-1$/, errno: 'EIO' })
      await t.rejects(file.flush(), { code: 'STORAGE_UNAVAILABLE' })
    }
    await (fail === 'keep' ? file.keep(5) : file.close())
    t.equal(await segments.whole([one]), undefined, fail)
    t.match(await append(5, 'world', 3), { start: 5, epoch: 3 }, fail)
    t.strictSame(await readdir(path), ['0-1', '5-3'], fail)
    t.match(rows(), [{ bytes: 5 }, { bytes: 5 }])
  }
})

test('what the rows cannot say right now is asked again', async (t) => {
  const { segments, append, uploadId } = await setUpGrowing(t)
  await append(0, 'hello', 1)
  const counted = () => Promise.reject(Object.assign(new Error('the database is away'), { code: 'DATABASE_UNAVAILABLE' }))
  await t.rejects(segments.open({ uploadId, start: 5, epoch: 2 }, { length: 10, counted }), { code: 'DATABASE_UNAVAILABLE' })
  t.match(await append(5, 'world', 3), { start: 0, epoch: 1, bytes: 10 })
})

test('nothing that was never written is gone on with', async (t) => {
  const { segments, uploadId, counted } = await setUpGrowing(t)
  const file = await segments.open({ uploadId, start: 0, epoch: 1 }, { length: undefined, counted })
  await file.flush()
  await file.close()
  t.equal(await segments.whole([{ uploadId, start: 0, epoch: 1, bytes: 0 }]), undefined)
})
