import { existsSync } from 'node:fs'
import { readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { test, type Test } from 'tap'
import type { Claimant } from '../../src/storage/claim.ts'
import { createFallbackFileSystem } from '../../src/storage/fallback/file-system.ts'
import { createObjectFileSystem } from '../../src/storage/objects/file-system.ts'
import { openStorage, prepareVolume, refuseCompany } from '../../src/storage/open.ts'
import { gatewayRole, type Role } from '../../src/storage/volume/instance.ts'
import type { Neighbour } from '../../src/storage/volume/staging.ts'
import { createFaults } from '../fixtures/faults.ts'
import { filesBelow, folderFor, openBelow, openVolume, publish, textOf } from './fixtures/volume.ts'
import { storeFor } from './objects/fixture.ts'
import { createMemoryObjects } from './objects/memory.ts'

const known = { volumeId: undefined, knowsFiles: false }
const quiet = { requireMount: false, warn: () => {} }

test('the folder is made when it is not there, and tried by writing; nothing is left of that', async (t) => {
  const root = join(await folderFor(t), 'a', 'b')
  const faults = createFaults()
  await prepareVolume({ fs: faults.fs, root, ...quiet })
  t.strictSame(await readdir(root), [])
  t.equal(faults.count('sync'), 1)
})

test('what a process left that was killed at that goes too, also when another one removes it first', async (t) => {
  const root = await folderFor(t)
  for (const name of ['.write-test-1', '.write-test-2', 'other']) await writeFile(join(root, name), '')
  const faults = createFaults()
  faults.inject({ on: 'unlink', path: /test-1/, errno: 'ENOENT' })
  await prepareVolume({ fs: faults.fs, root, ...quiet })
  t.strictSame(await readdir(root), ['.write-test-1', 'other'])
})

test('a folder that is no mount is refused before anything is written to it', async (t) => {
  const root = await folderFor(t)
  const faults = createFaults()
  await t.rejects(prepareVolume({ fs: faults.fs, root, requireMount: true, warn: () => {} }), { name: 'ConfigError', message: /not a mount of its own/ })
  t.equal(faults.count('open'), 0)
})

test('a volume that cannot be written is refused with what to do', async (t) => {
  for (const on of ['mkdir', 'open', 'writev', 'sync', 'unlink'] as const) {
    for (const errno of ['EROFS', 'EACCES', 'EIO']) {
      const root = await folderFor(t)
      const faults = createFaults()
      faults.inject({ on, errno })
      await t.rejects(prepareVolume({ fs: faults.fs, root, ...quiet }), { name: 'ConfigError', message: new RegExp(`UPLOADS_DIR ${root} cannot be written. Mount a writable volume .*${errno}`), cause: { code: errno } })
      t.strictSame(openBelow(root), [])
    }
  }
})

test('a folder that never comes into being is refused at once', async (t) => {
  const faults = createFaults()
  const root = join(await folderFor(t), 'a')
  faults.inject({ on: 'mkdir', path: /a$/, errno: 'ENOENT', forever: true })
  await t.rejects(prepareVolume({ fs: faults.fs, root, ...quiet }), { name: 'ConfigError', message: /cannot be written/, cause: { code: 'ENOENT' } })
  t.equal(faults.count('mkdir'), 3, 'itself, its parent, itself again')
})

test('a full volume is opened all the same, for what it has', async (t) => {
  const root = await folderFor(t)
  const faults = createFaults()
  faults.inject({ on: 'writev', errno: 'ENOSPC' })
  await prepareVolume({ fs: faults.fs, root, ...quiet })
  t.strictSame(await readdir(root), [])
})

test('a volume too full for identity or heartbeat refuses the start with a sentence', async (t) => {
  for (const fault of [{ on: 'writev', path: /upload-gateway/ }, { on: 'mkdir' }, { on: 'writev', path: /heartbeat/ }] as const) {
    const root = await folderFor(t)
    const faults = createFaults()
    faults.inject({ ...fault, errno: 'ENOSPC' })
    await t.rejects(openStorage({ fs: faults.fs, root, reserveBytes: 0, known }), { name: 'ConfigError', message: /is full/, cause: { code: 'ENOSPC' } })
    t.strictSame(await filesBelow(root), [])
    t.strictSame(openBelow(root), [])
  }
  const root = await folderFor(t)
  const faults = createFaults()
  faults.inject({ on: 'rename', path: /database\.json/, errno: 'ENOSPC' })
  await t.rejects(openStorage({ fs: faults.fs, root, reserveBytes: 0, known, claimant: { id: 'this', name: 'this', onlyReads: false } }), { name: 'ConfigError', message: /is full/ })
  t.strictSame(await readdir(join(root, 'staging')), [])
})

test('a start that fails otherwise tells its cause', async (t) => {
  const root = await folderFor(t)
  const faults = createFaults()
  faults.inject({ on: 'sync', path: /heartbeat/, errno: 'EIO' })
  await t.rejects(openStorage({ fs: faults.fs, root, reserveBytes: 0, known }), { code: 'EIO' })
})

test('a volume is the same after the next start', async (t) => {
  const first = await openVolume(t)
  const sidecar = await publish(first.store, 'hello')
  await first.staging.close()
  const storage = await openStorage({ fs: first.faults.fs, root: first.root, reserveBytes: 0, known: { volumeId: first.volumeId, knowsFiles: true } })
  t.teardown(() => storage.staging.close())
  t.equal(storage.volumeId, first.volumeId)
  t.strictSame(await storage.store.readSidecar(sidecar), sidecar)
})

test('I6: a failed fsync of an upload is remembered by the readiness of that volume', async (t) => {
  const { store, probe, faults } = await openVolume(t)
  await probe.check()
  faults.inject({ on: 'sync', errno: 'EIO' })
  await t.rejects(publish(store, 'hello'))
  await t.rejects(probe.check(), { code: 'STORAGE_UNAVAILABLE' })
})

test('when the volume is gone nothing is acknowledged, and no folder is made under its mount point', async (t) => {
  const { root, store, probe } = await openVolume(t)
  await publish(store, 'hello')
  await rm(root, { recursive: true })
  await t.rejects(publish(store, 'hello'), { code: 'STORAGE_UNAVAILABLE' })
  await t.rejects(probe.check(), { code: 'STORAGE_UNAVAILABLE' })
  await t.rejects(readdir(root), { code: 'ENOENT' })
})

const rebuild: Role = { work: 'rebuild', isExclusive: true }
const backup: Role = { work: 'backup', isExclusive: false }

test('who must be alone and a gateway never meet, whichever comes first; others may', async (t) => {
  const allowed: Array<[Role, Role]> = [[gatewayRole, gatewayRole], [gatewayRole, backup], [backup, gatewayRole], [backup, backup]]
  const refused: Array<[Role, Role, RegExp]> = [
    [gatewayRole, rebuild, /in use: gateway runs on it as process \d+, and rebuild must be alone/],
    [rebuild, gatewayRole, /in use: rebuild runs on it as process \d+, and rebuild must be alone/],
    [rebuild, backup, /in use: rebuild runs/],
    [backup, rebuild, /in use: backup runs on it as process \d+, and rebuild must be alone/],
    [rebuild, rebuild, /in use: rebuild runs/],
  ]
  const meeting = async (first: Role, second: Role) => {
    const root = await folderFor(t)
    const { fs } = createFaults()
    const there = await openStorage({ fs, root, reserveBytes: 0, known, role: first })
    const come = () => openStorage({ fs, root, reserveBytes: 0, known: { volumeId: there.volumeId, knowsFiles: false }, role: second })
    return { root, there, come }
  }
  for (const [first, second] of allowed) {
    const { there, come } = await meeting(first, second)
    await (await come()).staging.close()
    await there.staging.close()
  }
  for (const [first, second, message] of refused) {
    const { root, there, come } = await meeting(first, second)
    await t.rejects(come(), { name: 'ConfigError', message })
    t.equal((await readdir(join(root, 'staging'))).length, 1, 'who is refused leaves nothing')
    await there.staging.close()
    await (await come()).staging.close()
  }
})

test('who waits to see whether another lives is told of it', async (t) => {
  const there: Neighbour = { name: 'x', pid: 7, work: 'restore', isExclusive: true }
  const told: unknown[] = []
  const living = async ({ relevant = () => true, onWait = () => {} }: { relevant?: (role: Role) => boolean, onWait?: (neighbours: Neighbour[]) => void } = {}) => {
    onWait([there])
    return [there].filter(relevant)
  }
  await t.rejects(refuseCompany({ living }, '/srv', gatewayRole, (neighbours) => told.push(neighbours)), { name: 'ConfigError', message: /restore runs on it as process 7/ })
  await t.rejects(refuseCompany({ living }, '/srv', gatewayRole), { name: 'ConfigError' })
  t.strictSame(told, [[there]])
})

test('a read-only volume is refused with a sentence, but not to who only reads', async (t) => {
  for (const errno of ['EROFS', 'ENOSPC']) {
    const { root } = await openVolume(t)
    const faults = createFaults()
    const options = { fs: faults.fs, root, reserveBytes: 0, known }
    await (await openStorage(options)).staging.close()
    const before = await readdir(join(root, 'staging'))
    faults.inject({ on: 'mkdir', path: new RegExp(`^${root}`), errno, forever: true })
    await t.rejects(openStorage(options), { name: 'ConfigError', message: errno === 'EROFS' ? /is mounted read-only\. Mount it writable; "upload-gateway verify"/ : /is full/ })
    const home = await folderFor(t)
    const { staging } = await openStorage({ ...options, retreat: async () => home })
    t.match(staging.folder, home)
    t.strictSame(await readdir(join(root, 'staging')), before)
    t.equal((await staging.living()).length, 1, 'it still sees the others')
    await rm(join(root, 'staging'), { recursive: true })
    t.strictSame(await staging.living(), [], 'and where there is no place for any, there is none')
    await staging.close()
    t.strictSame(await readdir(join(home, 'staging')), [])
  }
})

test('another fault than that is no reason to go elsewhere', async (t) => {
  const { root } = await openVolume(t)
  const faults = createFaults()
  await (await openStorage({ fs: faults.fs, root, reserveBytes: 0, known })).staging.close()
  faults.inject({ on: 'writev', path: /heartbeat/, errno: 'EIO' })
  await t.rejects(openStorage({ fs: faults.fs, root, reserveBytes: 0, known, retreat: () => Promise.reject(new Error('gone elsewhere')) }), { code: 'EIO' })
})

async function moving (t: Test) {
  const [volume, elsewhere] = [await openVolume(t), await storeFor(t)]
  const text = await volume.faults.fs.readFile(join(volume.root, 'upload-gateway.json'), 'utf8')
  elsewhere.put('upload-gateway.json', text)
  const fs = createFallbackFileSystem({ own: elsewhere.fs, roots: [elsewhere.root], other: { ...volume.faults.fs, setting: 'STORAGE_FALLBACK_URL' }, otherRoot: volume.root })
  const open = (role?: Role, claimant?: Claimant, known = { volumeId: volume.volumeId as string | undefined, knowsFiles: true }) => openStorage({ fs, root: elsewhere.root, reserveBytes: 0, known, claimant, ...(role !== undefined && { role }) })
  return { volume, own: elsewhere, objects: elsewhere.objects, root: elsewhere.root, open, text }
}

test('during a move a process is seen in both homes under one name, and in neither when it is over', async (t) => {
  const { volume, objects, root, open } = await moving(t)
  const seen = async () => ({ there: (await readdir(join(volume.root, 'staging'))).filter((name) => !volume.staging.folder.endsWith(name)), here: objects.keys().filter((key) => key.startsWith('staging/')) })
  const storage = await open()
  const name = basename(storage.staging.folder)
  t.strictSame(await seen(), { there: [name], here: [`staging/${name}/heartbeat.json`] })
  t.match(await volume.staging.living(), [{ name, work: 'gateway' }])
  const sidecar = await publish(volume.store, 'there')
  t.equal(await textOf(await storage.store.read(sidecar)), 'there')
  await storage.staging.close()
  t.strictSame(await seen(), { there: [], here: [] })
  t.strictSame(await readdir(join(root, 'staging')), [])
})

test('during a move both homes are of one database', async (t) => {
  const { volume, objects, own, open } = await moving(t)
  const come = async (id: string, copy?: string) => {
    const { staging, claim } = await open(gatewayRole, { id, name: id, onlyReads: copy !== undefined })
    if (copy !== undefined) await claim.handOver({ id, name: id }, copy)
    await staging.close()
  }
  const place = join(volume.root, 'database.json')
  const both = async () => [await readFile(place, 'utf8'), await own.fs.readFile(join(own.root, 'database.json'), 'utf8')].map((text): unknown => JSON.parse(text))
  await come('old')
  t.match(await both(), [{ database: 'old' }, { database: 'old' }])
  await come('old', 'new')
  t.match(await both(), [{ database: 'old', copy: 'new' }, { database: 'old', copy: 'new' }])
  await come('new')
  t.match(await both(), [{ database: 'new' }, { database: 'new' }])
  await objects.remove('database.json')
  await t.rejects(open(gatewayRole, { id: 'old', name: 'old', onlyReads: true }), { name: 'ConfigError', message: new RegExp(`^STORAGE_FALLBACK_URL ${volume.root} belongs to another database: since \\S+ to new\\.`) })
  t.notOk(objects.keys().includes('database.json'), 'who is refused in the one takes neither')
  const { staging, claim } = await open()
  const newer = { database: 'new', name: 'new', since: '2026-11-22T12:00:00Z', copy: 'newer' }
  await claim.follow(newer)
  t.strictSame(await both(), [newer, newer])
  await claim.assign({ id: 'newest', name: 'newest' })
  t.match(await both(), [{ database: 'newest', copy: undefined }, { database: 'newest', copy: undefined }])
  await staging.close()
})

test('a new database does not take the old home of a move with its uploads', async (t) => {
  const { volume, objects, open } = await moving(t)
  await publish(volume.store, 'acknowledged')
  await t.rejects(open(gatewayRole, { id: 'new', name: 'new', onlyReads: false }, { volumeId: undefined, knowsFiles: false }), { message: new RegExp(`^STORAGE_FALLBACK_URL ${volume.root} holds uploads, but the database is new`) })
  t.notOk(existsSync(join(volume.root, 'database.json')))
  t.strictSame(objects.keys(), ['upload-gateway.json'])
})

test('who must be alone is not alone when another process lives in the other home', async (t) => {
  const { objects, open } = await moving(t)
  await t.rejects(open({ work: 'rebuild', isExclusive: true }), { name: 'ConfigError', message: /in use: gateway runs on it .* rebuild must be alone/ })
  t.strictSame(objects.keys(), ['upload-gateway.json'])
})

test('two homes of a move may have one folder on this machine, where none takes the other for dead', async (t) => {
  const volume = await openVolume(t)
  const objects = createMemoryObjects()
  const own = createObjectFileSystem({ objects, root: volume.root, local: volume.faults.fs })
  objects.spoil('upload-gateway.json', await volume.faults.fs.readFile(join(volume.root, 'upload-gateway.json')))
  const fs = createFallbackFileSystem({ own, roots: [volume.root], other: { ...volume.faults.fs, setting: 'STORAGE_FALLBACK_URL' }, otherRoot: volume.root })
  let ms = 0
  const storage = await openStorage({ fs, root: volume.root, reserveBytes: 0, known: { volumeId: volume.volumeId, knowsFiles: true }, monotonicMs: () => ms })
  const file = await storage.store.stage()
  for (ms = 0; ms < 300_000; ms += 100_000) t.strictSame([await storage.staging.removeDead(), await volume.staging.removeDead()], [0, 0])
  await file.discard()
  await storage.staging.close()
  t.strictSame(await readdir(join(volume.root, 'staging')), [basename(volume.staging.folder)])
})

test('the other home of a move that cannot be written is refused: what is removed would stay there', async (t) => {
  const { volume, objects, open } = await moving(t)
  volume.faults.inject({ on: 'mkdir', errno: 'EROFS' })
  await t.rejects(open(), { name: 'ConfigError', message: /^STORAGE_FALLBACK_URL \S+ cannot be written, and what is removed must go from both homes \(EROFS/ })
  t.strictSame(objects.keys(), ['upload-gateway.json'])
})

test('the other home of a move must be one of the same volume', async (t) => {
  const { volume, objects, open, text } = await moving(t)
  const place = join(volume.root, 'upload-gateway.json')
  await writeFile(place, text.replace(volume.volumeId, 'another'))
  await t.rejects(open(), { name: 'ConfigError', message: new RegExp(`^STORAGE_FALLBACK_URL ${volume.root} is another volume: it is another, and this one ${volume.volumeId}\\. It must name the other home`) })
  await writeFile(place, 'damaged')
  await t.rejects(open(), { name: 'ConfigError', message: /^STORAGE_FALLBACK_URL cannot be used: its identity cannot be read/ })
  await rm(place)
  await t.rejects(open(), { name: 'ConfigError', message: /is no uploads volume\. It must name the other home of this volume, which "upload-gateway storage copy" makes; or be empty/ })
  t.strictSame(objects.keys(), ['upload-gateway.json'])
})
