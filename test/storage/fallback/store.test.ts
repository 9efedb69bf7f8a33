import { readFile } from 'node:fs/promises'
import { test, type Test } from 'tap'
import { StorageUnavailable } from '../../../src/errors.ts'
import { createFallbackStore } from '../../../src/storage/fallback/store.ts'
import { asBlobId } from '../../../src/storage/ids.ts'
import { openStorage } from '../../../src/storage/open.ts'
import { createDurable } from '../../../src/storage/volume/durable.ts'
import { createVolume } from '../../../src/storage/volume/volume.ts'
import { openVolume, publish, stage, textOf, sidecarFor } from '../fixtures/volume.ts'
import { storeFor } from '../objects/fixture.ts'

/** From a volume to an object store, and the other way round. */
async function homes (t: Test) {
  const volume = await openVolume(t)
  const durable = createDurable({ fs: volume.faults.fs, onSyncFailure: () => {} })
  const movingTo = createVolume({ ...volume, fs: volume.faults.fs, durable, isMoving: true })
  const { fs, root, objects, keys } = { keys: () => objects.keys(), ...await storeFor(t) }
  const remote = await openStorage({ fs, root, reserveBytes: 0, known: { volumeId: undefined, knowsFiles: false }, isRedirecting: true })
  t.teardown(() => remote.staging.close())
  return { volume, objects, keys, pairs: [{ own: remote.store, other: movingTo }, { own: movingTo, other: remote.store }] }
}

const missing = { code: 'STORAGE_UNAVAILABLE', cause: { message: /is missing$/ } }

test('a blob is read where it is, in the own home first, and is missing in neither alone', async (t) => {
  for (const { own, other } of (await homes(t)).pairs) {
    const store = createFallbackStore(own, other)
    const [here, there] = [await publish(own, 'here'), await publish(other, 'there, elsewhere')]
    t.equal(await textOf(await store.read(here)), 'here')
    t.equal(await textOf(await store.read(there)), 'there, elsewhere')
    t.equal(await textOf(await store.read(there, { start: 2, end: 4 })), 'ere')
    await t.rejects(store.read(sidecarFor('')), missing)
    for (const [sidecar, text] of [[here, 'here'], [there, 'there, elsewhere']] as const) {
      const file = await store.localFile(sidecar)
      t.equal(await readFile(file.path, 'utf8'), text)
      t.equal(await file.isThere(), true)
      await store.remove(sidecar)
      t.equal(await file.isThere(), false)
      await file.release()
    }
  }
})

test('what fails in the own home is not looked for in the other one, and a failure there is told', async (t) => {
  const { pairs: [pair], objects, volume } = await homes(t)
  if (pair === undefined) throw new Error('there are two pairs')
  const store = createFallbackStore(pair.own, pair.other)
  const there = await publish(pair.other, 'there')
  objects.before = (operation) => { if (operation === 'read') throw new Error('the store is ill') }
  await t.rejects(store.read(there), { code: 'STORAGE_UNAVAILABLE', cause: { message: 'the store is ill' } })
  objects.before = () => {}
  volume.faults.inject({ on: 'open', path: /avatars/, errno: 'EIO' })
  await t.rejects(store.read(there), { code: 'STORAGE_UNAVAILABLE', cause: { code: 'EIO' } })
})

test('the newer of two sidecars counts, wherever it is', async (t) => {
  const { pairs } = await homes(t)
  for (const { own, other } of pairs) {
    const store = createFallbackStore(own, other)
    const sidecar = await publish(own, 'x')
    t.match(await store.readSidecar(sidecar), { revision: 1 })
    await other.writeSidecar({ ...sidecar, revision: 3 })
    t.match(await store.readSidecar(sidecar), { revision: 3 })
    await store.writeSidecar({ ...sidecar, revision: 3, alt: 'the own one' })
    t.match(await store.readSidecar(sidecar), { revision: 3, alt: 'the own one' })
    t.equal(await store.readSidecar(sidecarFor('')), undefined)
    const elsewhere = await publish(other, 'y', { id: asBlobId('01980000-0000-7000-8000-00000000000a') as never })
    await store.writeSidecar({ ...elsewhere, revision: 2 })
    t.match(await own.readSidecar(elsewhere), { revision: 2 }, 'also where nothing of its day is here yet')
    await store.remove(elsewhere)
  }
})

test('what is written goes to the own home, and what is removed from both', async (t) => {
  const { pairs: [pair], volume, objects, keys } = await homes(t)
  if (pair === undefined) throw new Error('there are two pairs')
  const store = createFallbackStore(pair.own, pair.other)
  t.notOk('presign' in store, 'nobody knows where a blob is')
  const isBlob = (path: string) => path.startsWith('avatars/')
  await (await store.reserve(1)).release()
  const sidecar = sidecarFor('new')
  await store.publish(await stage(store as never, 'new'), sidecar)
  t.equal(keys().filter(isBlob).length, 2)
  t.strictSame((await volume.files()).filter(isBlob), [])
  for (const how of ['remove', 'removeForGood'] as const) {
    const both = await publish(pair.other, 'x')
    await publish(pair.own, 'x', both)
    await store[how](both)
    t.equal(keys().filter(isBlob).length, 2)
    t.strictSame((await volume.files()).filter(isBlob), [])
  }
  const kept = await publish(pair.own, 'kept')
  volume.faults.inject({ on: 'unlink', errno: 'EIO' })
  await t.rejects(store.remove(kept), StorageUnavailable)
  t.ok(objects.keys().some((key) => key.includes(kept.id)), 'its row is found again, and both are removed then')
})
