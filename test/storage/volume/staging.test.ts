import { spawn } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { mock } from 'node:test'
import process from 'node:process'
import { test, type Test } from 'tap'
import { createDurable } from '../../../src/storage/volume/durable.ts'
import { ownHeartbeat } from '../../../src/storage/volume/instance.ts'
import { openStaging } from '../../../src/storage/volume/staging.ts'
import { createFaults } from '../../fixtures/faults.ts'
import { filesBelow, folderFor } from '../fixtures/volume.ts'

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
  t.strictSame(JSON.parse(await readFile(join(staging.folder, 'heartbeat.json'), 'utf8')), ownHeartbeat())
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
