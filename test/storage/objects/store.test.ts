import { readdir } from 'node:fs/promises'
import { test, type Test } from 'tap'
import { openStorage } from '../../../src/storage/open.ts'
import { ObjectsFull, ObjectsUnavailable } from '../../../src/storage/objects/objects.ts'
import { createSpace } from '../../../src/storage/space.ts'
import { publish, sidecarFor, stage, textOf } from '../fixtures/volume.ts'
import { storeFor } from './fixture.ts'
import type { Operation } from './memory.ts'

async function setUp (t: Test, { reserveBytes = 0, isRedirecting = false } = {}) {
  const home = await storeFor(t)
  const storage = await openStorage({ fs: home.fs, root: home.root, reserveBytes, isRedirecting, known: { volumeId: undefined, knowsFiles: false } })
  t.teardown(() => storage.staging.close())
  const kept = () => home.objects.keys().filter((key) => key.startsWith('a'))
  const failing = (on: Operation, failure: Error, key = /^/) => (operation: Operation, at: string) => { if (operation === on && key.test(at)) throw failure }
  return { ...home, ...storage, kept, failing, staged: () => readdir(storage.staging.folder) }
}

test('an upload is two calls, the blob first; each read, sidecar or removal is as few', async (t) => {
  const { store, asked } = await setUp(t)
  const sidecar = sidecarFor('hello')
  const staged = await stage(store, 'hello')
  const [blob, beside] = [/^putFile avatars\/.*\.png$/, /^putBytes avatars\/.*\.sidecar\.json$/]
  t.match(await asked(() => store.publish(staged, sidecar)), [blob, beside])
  t.match(await asked(async () => textOf(await store.read(sidecar, { start: 1, end: 2 }))), [/^read .*\.png$/])
  t.match(await asked(() => store.readSidecar(sidecar)), [/^read .*\.sidecar\.json$/])
  t.match(await asked(() => store.writeSidecar({ ...sidecar, revision: 2 })), [beside])
  t.match(await asked(() => store.remove(sidecar)), [/^remove .*\.sidecar\.json$/, /^remove .*\.png$/])
})

test('an upload that the store does not take leaves nothing, here or there', async (t) => {
  const { store, objects, kept, failing, staged } = await setUp(t)
  for (const [on, key, failure, code] of [
    ['putFile', /^/, new ObjectsUnavailable('away'), 'STORAGE_UNAVAILABLE'],
    ['putBytes', /sidecar/, new ObjectsUnavailable('away'), 'STORAGE_UNAVAILABLE'],
    ['putFile', /^/, new ObjectsFull('full'), 'STORAGE_FULL'],
  ] as const) {
    objects.before = failing(on, failure, key)
    await t.rejects(publish(store, 'hello'), { code })
    objects.before = () => {}
    t.strictSame([kept(), await staged()], [[], []])
  }
})

test('what was done though nobody heard of it is taken back; what was there before is not', async (t) => {
  const { store, objects, kept, failing } = await setUp(t)
  objects.after = failing('putFile', new ObjectsUnavailable('no answer'))
  await t.rejects(publish(store, 'hello'), { code: 'STORAGE_UNAVAILABLE' })
  t.strictSame(kept(), [])
  objects.after = () => {}
  const first = await publish(store, 'first')
  await t.rejects(publish(store, 'other', { id: first.id }), { code: 'STORAGE_UNAVAILABLE' })
  t.equal(kept().length, 2)
})

test('a damaged sidecar, and one of another blob, are none; a store that does not answer is not taken for that', async (t) => {
  const { store, objects, failing, kept, put } = await setUp(t)
  const [one, other] = [await publish(store, 'one'), await publish(store, 'other')]
  const [keyOfOne = '', keyOfOther = ''] = [one, other].map(({ id }) => kept().find((key) => key.includes(id) && key.endsWith('.json')))
  put(keyOfOne, objects.bytes(keyOfOther)?.toString() ?? '')
  t.equal(await store.readSidecar(one), undefined)
  put(keyOfOne, '{')
  t.equal(await store.readSidecar(one), undefined)
  objects.before = failing('read', new ObjectsUnavailable('away'))
  await t.rejects(store.readSidecar(other), { code: 'STORAGE_UNAVAILABLE' })
  await t.rejects(store.read(other), { code: 'STORAGE_UNAVAILABLE', cause: { message: 'away' } })
})

test('a file of this machine that cannot be had leaves nothing of itself', async (t) => {
  const { store, objects, staged } = await setUp(t)
  const sidecar = await publish(store, 'x'.repeat(200_000))
  await t.rejects(store.localFile({ ...sidecar, extension: 'gif' }), { code: 'STORAGE_UNAVAILABLE', cause: { message: /is missing/ } })
  objects.beforeChunk = (_key, offset) => { if (offset > 0) throw new ObjectsUnavailable('cut off') }
  await t.rejects(store.localFile(sidecar), { code: 'STORAGE_UNAVAILABLE' })
  t.strictSame(await staged(), [])
})

test('what is in flight takes room on this machine, and is refused where there is none', async (t) => {
  const { store, root, fs } = await setUp(t)
  const { freeBytes } = await createSpace({ fs, folder: root, reserveBytes: 0 }).measure()
  await t.rejects(store.reserve(freeBytes * 2), { code: 'STORAGE_FULL' })
  const reservation = await store.reserve(1)
  reservation.release()
  const full = await setUp(t, { reserveBytes: freeBytes * 2 })
  const staged = await full.store.stage()
  await staged.write(Buffer.alloc(1024 ** 2))
  await t.rejects(staged.finish(), { code: 'STORAGE_FULL' })
  await staged.discard()
})

test('a URL of the store is given out only where that is wanted', async (t) => {
  const headers = { contentType: 'text/plain', contentDisposition: 'inline', cacheControl: 'no-store' }
  t.equal((await setUp(t)).store.presign, undefined)
  const { store, objects } = await setUp(t, { isRedirecting: true })
  const sidecar = await publish(store, 'hello')
  t.match(await store.presign?.(sidecar, 60, headers), new RegExp(`/avatars/.*${sidecar.id}\\.png\\?.*contentType=text%2Fplain`))
  objects.before = () => { throw new ObjectsUnavailable('away') }
  await t.rejects(async () => store.presign?.(sidecar, 60, headers), { code: 'STORAGE_UNAVAILABLE' })
})

test('variants that are in the way of nothing do not keep a blob', async (t) => {
  const { store, fs, at, kept } = await setUp(t)
  const sidecar = await publish(store, 'hello')
  await fs.mkdir(at(`cache/${sidecar.id.slice(-2)}/${sidecar.id}`), { recursive: true })
  await store.remove(sidecar)
  t.strictSame([kept(), await fs.readdir(at(`cache/${sidecar.id.slice(-2)}`))], [[], []])
  const other = await publish(store, 'hello')
  await fs.mkdir(at(`cache/${other.id.slice(-2)}/x`), { recursive: true })
  const rm = fs.rm
  t.teardown(() => { Object.assign(fs, { rm }) })
  Object.assign(fs, { rm: async () => { throw Object.assign(new Error('broken disk'), { code: 'EIO' }) } })
  await t.rejects(store.remove(other), { code: 'STORAGE_UNAVAILABLE' })
})
