import { spawn } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { mkdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { mock } from 'node:test'
import process from 'node:process'
import { test, type Test } from 'tap'
import { createDurable } from '../../../src/storage/volume/durable.ts'
import { ownHeartbeat } from '../../../src/storage/volume/instance.ts'
import { openStaging } from '../../../src/storage/volume/staging.ts'
import { createFaults } from '../../fixtures/faults.ts'
import { filesBelow, folderFor } from '../fixtures/volume.ts'
import { storeFor } from '../objects/fixture.ts'
import { createMemoryObjects } from '../objects/memory.ts'

const skip = existsSync('/proc/self/stat') ? false : 'there is no /proc here'

async function setUp (t: Test) {
  const root = await folderFor(t)
  const faults = createFaults()
  const clock = { ms: 0 }
  const durable = createDurable({ fs: faults.fs, onSyncFailure: () => {} })
  const staging = await openStaging({ fs: faults.fs, durable, root, monotonicMs: () => clock.ms })
  t.teardown(() => staging.close())

  /** What another process would have left, or is using. */
  async function other (heartbeat: object | string | undefined, name: string = randomUUID()) {
    const folder = join(root, 'staging', name)
    const beat = (value: object | string) => writeFile(join(folder, 'heartbeat.json'), typeof value === 'string' ? value : JSON.stringify(value))
    await mkdir(folder, { recursive: true })
    await writeFile(join(folder, 'upload'), 'bytes in flight')
    if (heartbeat !== undefined) await beat(heartbeat)
    return { folder, beat, exists: () => existsSync(join(folder, 'upload')) }
  }
  return { root, faults, clock, staging, other }
}

const elsewhere = { ...ownHeartbeat(), world: 'another boot pid:[1]', beat: 7 }

test('a process has a folder of its own, durable, with a heartbeat in it', async (t) => {
  const { root, faults, staging } = await setUp(t)
  t.equal(staging.folder, join(root, 'staging', basename(staging.folder)))
  t.strictSame(JSON.parse(await readFile(join(staging.folder, 'heartbeat.json'), 'utf8')), { ...ownHeartbeat(), inode: (await stat(staging.folder)).ino })
  t.equal(faults.count('sync', /staging$/), 1, 'the folder entry is fsynced')
  await writeFile(join(staging.folder, 'upload'), 'bytes')
  t.equal(await staging.removeDead(), 0)
  await staging.close()
  t.equal(existsSync(staging.folder), false, 'it goes with the process')
})

test('the heart beats every ten seconds, until the process closes', async (t) => {
  mock.timers.enable({ apis: ['setInterval'] })
  t.teardown(() => mock.timers.reset())
  const { faults, staging } = await setUp(t)
  const beats = async () => (JSON.parse(await readFile(join(staging.folder, 'heartbeat.json'), 'utf8')) as { beat: number }).beat
  const beatsOnce = async () => {
    const closed = faults.count('close')
    mock.timers.tick(10_000)
    while (faults.count('close') === closed) await new Promise((resolve) => setImmediate(resolve))
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
  await beatsOnce()
  t.equal(await beats(), 1)
  faults.inject({ on: 'write', errno: 'EIO' })
  await beatsOnce()
  t.equal(await beats(), 1, 'a missed beat is no harm')
  await beatsOnce()
  t.equal(await beats(), 3)
  await staging.close()
  faults.heal()
  mock.timers.tick(60_000)
  t.strictSame(faults.calls, [])
})

test('staging of a living process is never touched; of a killed one it goes at once', { skip }, async (t) => {
  const { root, clock, staging } = await setUp(t)
  const child = spawn(process.execPath, [join(import.meta.dirname, '../fixtures/instance-process.ts'), root], { stdio: ['ignore', 'pipe', 'inherit'] })
  t.teardown(() => child.kill('SIGKILL'))
  const folder = String((await once(child.stdout, 'data'))[0])
  await writeFile(join(folder, 'upload'), 'bytes in flight')
  t.equal(await staging.removeDead(), 0)
  clock.ms += 1e9
  t.equal(await staging.removeDead(), 0, 'however long it is silent')
  t.ok(existsSync(join(folder, 'upload')))
  child.kill('SIGKILL')
  await once(child, 'exit')
  t.equal(await staging.removeDead(), 1)
  t.equal(existsSync(folder), false)
})

test('staging of a process whose pid now belongs to another goes at once', { skip }, async (t) => {
  const { staging, other } = await setUp(t)
  const { exists } = await other({ ...ownHeartbeat(), startedAt: '1' })
  t.equal(await staging.removeDead(), 1)
  t.equal(exists(), false)
})

test('staging of another host or container goes after 90 s of silence by our own clock, not before', async (t) => {
  const { clock, staging, other } = await setUp(t)
  const { exists, beat } = await other(elsewhere)
  t.equal(await staging.removeDead(), 0)
  clock.ms = 89_999
  t.equal(await staging.removeDead(), 0)
  await beat({ ...elsewhere, beat: 8 })
  clock.ms = 90_000
  t.equal(await staging.removeDead(), 0, 'it has beaten since')
  clock.ms = 179_999
  t.equal(await staging.removeDead(), 0)
  t.ok(exists())
  clock.ms = 180_000
  t.equal(await staging.removeDead(), 1)
  t.equal(exists(), false)
})

test('a folder whose heartbeat is missing or unreadable has 90 s too', async (t) => {
  const { clock, staging, other } = await setUp(t)
  const folders = await Promise.all([other(undefined), other(''), other('{"pid":')])
  t.equal(await staging.removeDead(), 0)
  clock.ms = 89_999
  t.equal(await staging.removeDead(), 0)
  clock.ms = 90_000
  t.equal(await staging.removeDead(), 3)
  t.ok(folders.every(({ exists }) => !exists()))
})

test('a heartbeat that cannot be read has 90 s on a volume; from an object store that does not answer nobody\'s heart is heard', async (t) => {
  const { faults, clock, staging, other } = await setUp(t)
  const { exists } = await other(elsewhere)
  faults.inject({ on: 'readFile', path: /heartbeat/, errno: 'EIO', forever: true })
  t.equal(await staging.removeDead(), 0)
  clock.ms = 90_000
  Object.assign(faults.fs, { objects: createMemoryObjects() })
  t.equal(await staging.removeDead(), 0)
  t.ok(exists())
  Object.assign(faults.fs, { objects: undefined })
  t.equal(await staging.removeDead(), 1)
})

test('what is not of the gateway\'s making in staging is left alone', async (t) => {
  const { root, clock, staging, other } = await setUp(t)
  const { exists } = await other(undefined, 'lost+found')
  await writeFile(join(root, 'staging', 'README'), '')
  await staging.removeDead()
  clock.ms = 1e9
  t.equal(await staging.removeDead(), 0)
  t.ok(exists() && existsSync(join(root, 'staging', 'README')))
})

test('a folder that cannot be removed keeps no other, and is told', { skip }, async (t) => {
  const { faults, staging, other } = await setUp(t)
  const dead = { ...ownHeartbeat(), startedAt: '1' }
  const folders = await Promise.all([other(dead), other(dead), other(dead)])
  faults.inject({ on: 'rm', errno: 'EIO' })
  await t.rejects(staging.removeDead(), /1 failed; the first: EIO/)
  t.equal(folders.filter(({ exists }) => exists()).length, 1)
  t.equal(await staging.removeDead(), 1, 'and is tried again')
})

test('usage is the uploads in flight of this process, also when one ends meanwhile', async (t) => {
  const { root, faults, staging, other } = await setUp(t)
  t.strictSame(await staging.usage(), { files: 0, bytes: 0 })
  await other(elsewhere)
  await writeFile(join(staging.folder, 'a'), '123')
  await writeFile(join(staging.folder, 'b'), '45')
  t.strictSame(await staging.usage(), { files: 2, bytes: 5 })
  faults.inject({ on: 'stat', path: /b$/, errno: 'ENOENT' })
  t.strictSame(await staging.usage(), { files: 2, bytes: 3 })
  t.equal((await filesBelow(root)).length, 3)
})

test('a folder that others took for dead is made again, and what is done there is done', async (t) => {
  const { root, staging } = await setUp(t)
  await rm(staging.folder, { recursive: true })
  const path = join(staging.folder, 'upload')
  await Promise.all([staging.within(() => writeFile(path, 'bytes')), staging.within(() => writeFile(`${path}2`, 'bytes'))])
  t.strictSame((await filesBelow(root)).map((file) => basename(file)).sort(), ['upload', 'upload2'])
  t.match(JSON.parse(await readFile(join(staging.folder, 'heartbeat.json'), 'utf8')), { pid: process.pid })
  await t.rejects(staging.within(() => readFile(join(staging.folder, 'nothing'))), { code: 'ENOENT' })
  await t.rejects(staging.within(async () => { throw new Error('something else') }), { message: 'something else' })
})

test('a folder that cannot be made again is said to be so', async (t) => {
  const { staging, faults } = await setUp(t)
  await rm(staging.folder, { recursive: true })
  faults.inject({ on: 'mkdir', errno: 'EROFS' })
  await t.rejects(staging.within(() => writeFile(join(staging.folder, 'upload'), '')), { code: 'EROFS' })
})

test('a heart whose folder is gone beats in a new one, to be seen by who must be alone', async (t) => {
  mock.timers.enable({ apis: ['setInterval'] })
  t.teardown(() => mock.timers.reset())
  const { staging, faults } = await setUp(t)
  await rm(staging.folder, { recursive: true })
  mock.timers.tick(10_000)
  const deadline = Date.now() + 5000
  while (Date.now() < deadline && faults.count('write') === 0) await new Promise((resolve) => { setImmediate(resolve) })
  t.match(JSON.parse(await readFile(join(staging.folder, 'heartbeat.json'), 'utf8')), { pid: process.pid })
  await staging.close()
  await t.rejects(staging.within(() => readFile(join(staging.folder, 'x'))), { code: 'ENOENT' })
  t.notOk(existsSync(staging.folder), 'but not after the end')
})

test('a beat that is under way to an object store at the end leaves no heartbeat there', async (t) => {
  mock.timers.enable({ apis: ['setInterval'] })
  t.teardown(() => mock.timers.reset())
  const { root, fs, objects } = await storeFor(t)
  const durable = createDurable({ fs, onSyncFailure: () => {} })
  const staging = await openStaging({ fs, durable, root, monotonicMs: () => 0 })
  t.equal(objects.keys().length, 1)
  const [putting, slow] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()]
  objects.before = (operation) => {
    if (operation !== 'putBytes') return
    putting.resolve()
    return slow.promise
  }
  mock.timers.tick(10_000)
  await putting.promise
  const closed = staging.close()
  await Promise.race([closed, new Promise((resolve) => setTimeout(resolve, 100))])
  slow.resolve()
  await closed
  await new Promise((resolve) => setImmediate(resolve))
  t.strictSame(objects.keys(), [])
})

const running = { ...ownHeartbeat(), work: 'backup', isExclusive: false }

test('who lives: a running process of this machine is known at once, an ended one and a reused pid are not alive', { skip }, async (t) => {
  const { staging, other } = await setUp(t)
  t.strictSame(await staging.living(), [])
  await other({ ...running, startedAt: '1' })
  await other({ ...running, pid: 2 ** 22 + 1 })
  t.strictSame(await staging.living(), [], 'the pid is another process\'s now, or nobody\'s')
  const name = randomUUID()
  await other(running, name)
  const old = randomUUID()
  await other({ pid: running.pid, world: running.world, startedAt: running.startedAt, beat: 3 }, old)
  t.strictSame((await staging.living()).sort((a, b) => a.work < b.work ? -1 : 1), [
    { name, pid: process.pid, work: 'backup', isExclusive: false },
    { name: old, pid: process.pid, work: 'gateway', isExclusive: false },
  ], 'a heartbeat that does not say is a gateway\'s')
  t.strictSame((await staging.living({ relevant: ({ work }) => work === 'backup' })).map((one) => one.name), [name])
})

/** The clock of a test that goes on at every look at it. */
const ticking = (ms: number, each: (at: number) => void = () => {}) => {
  let at = 0
  return { get ms () { each(at); at += ms; return at } }
}

async function watched (t: Test, clock: { readonly ms: number }) {
  const root = await folderFor(t)
  const faults = createFaults()
  const staging = await openStaging({ fs: faults.fs, durable: createDurable({ fs: faults.fs, onSyncFailure: () => {} }), root, monotonicMs: () => clock.ms })
  t.teardown(() => staging.close())
  const name = randomUUID()
  const folder = join(root, 'staging', name)
  const beat = (value: unknown) => writeFile(join(folder, 'heartbeat.json'), typeof value === 'string' ? value : JSON.stringify(value))
  await mkdir(folder)
  await beat(elsewhere)
  const waits: unknown[] = []
  return { faults, name, folder, beat, waits, living: () => staging.living({ pauseMs: 1, onWait: (neighbours) => waits.push(neighbours) }) }
}

test('a process of another host whose heart beats lives', async (t) => {
  const { name, beat, living, waits, faults } = await watched(t, ticking(1))
  faults.inject({ on: 'readFile', nth: 5, before: () => beat({ ...elsewhere, beat: 8 }) })
  const there = [{ name, pid: process.pid, work: 'gateway', isExclusive: false }]
  t.strictSame(await living(), there)
  t.strictSame(waits, [there], 'who waits is told once why')
})

test('one whose heart stands still for 90 s is dead, however often it is looked at', async (t) => {
  const { living, faults } = await watched(t, ticking(30_000))
  t.strictSame(await living(), [])
  t.equal(faults.count('readFile'), 3)
})

test('in a copy of a volume, who lives on the original is watched: a copied heart never beats', { skip }, async (t) => {
  const { living, beat, folder, waits, name } = await watched(t, ticking(30_000))
  await beat({ ...running, inode: (await stat(folder)).ino })
  t.match(await living(), [{ name, work: 'backup' }], 'one that was written where it lies is known at once')
  t.equal(waits.length, 0)
  await beat({ ...running, inode: 1 })
  t.strictSame(await living(), [])
  t.match(waits, [[{ name, work: 'backup' }]])
})

test('where inodes change under a living process, its beat shows that it lives', { skip }, async (t) => {
  const { living, beat, faults } = await watched(t, ticking(1))
  await beat({ ...running, inode: 1 })
  faults.inject({ on: 'readFile', nth: 5, before: () => beat({ ...running, inode: 1, beat: 8 }) })
  t.equal((await living()).length, 1)
})

test('a folder that goes while it is looked at is waited for no longer than it takes to see that', { skip }, async (t) => {
  const { living, beat, folder, faults } = await watched(t, ticking(1))
  await beat({ ...running, inode: 1 })
  faults.inject({ on: 'stat', errno: 'ENOENT' })
  t.equal((await living()).length, 1, 'until then it counts as living')
  await rm(folder, { recursive: true })
  t.strictSame(await living(), [])
})

test('a clock that is slow does not make it die sooner', async (t) => {
  const { living, faults, beat } = await watched(t, ticking(1000))
  faults.inject({ on: 'readFile', nth: 90, before: () => beat({ ...elsewhere, beat: 8 }) })
  t.equal((await living()).length, 1)
})

test('one whose folder goes has ended', async (t) => {
  const { folder, living, faults } = await watched(t, ticking(1))
  faults.inject({ on: 'readFile', nth: 3, before: () => rm(folder, { recursive: true }) })
  t.strictSame(await living(), [])
})

test('a heartbeat that cannot be read for a moment, as in the middle of a beat, is no end', async (t) => {
  const { living, faults, beat } = await watched(t, ticking(1))
  faults.inject(
    { on: 'readFile', nth: 2, before: () => beat('{"pid":') },
    { on: 'readFile', nth: 6, before: () => beat({ ...elsewhere, beat: 8 }) }
  )
  t.equal((await living()).length, 1)
})

test('a heartbeat that may not be read is not taken for none', async (t) => {
  const { living, faults } = await watched(t, ticking(1))
  faults.inject({ on: 'readFile', errno: 'EACCES' })
  await t.rejects(living(), { code: 'EACCES' })
})

test('what is no process\'s folder is nobody: a file, a folder without heartbeat, a damaged one', async (t) => {
  const { folder, living, beat } = await watched(t, ticking(1))
  await beat('')
  t.strictSame(await living(), [])
  await rm(folder, { recursive: true })
  await writeFile(folder, '')
  t.strictSame(await living(), [])
})

test('the folders of dead processes are named before they are removed', { skip }, async (t) => {
  const { staging, other } = await setUp(t)
  const name = randomUUID()
  const { exists } = await other({ ...ownHeartbeat(), startedAt: '1' }, name)
  await other(ownHeartbeat())
  t.strictSame(await staging.dead(), [name])
  t.ok(exists())
})

test('where nobody can be looked for, nobody is not taken for the answer', async (t) => {
  const { faults, staging } = await setUp(t)
  faults.inject({ on: 'readdir', path: /staging$/, errno: 'EACCES' })
  await t.rejects(staging.living(), { code: 'EACCES' })
})
