import { readdir, readFile } from 'node:fs/promises'
import { test, type Test } from 'tap'
import { newBlobId } from '../../../src/storage/ids.ts'
import { openStorage } from '../../../src/storage/open.ts'
import { ObjectsUnavailable } from '../../../src/storage/objects/objects.ts'
import { blobPath } from '../../../src/storage/volume/layout.ts'
import { publish } from '../fixtures/volume.ts'
import { storeFor } from './fixture.ts'

async function setUp (t: Test) {
  const home = await storeFor(t)
  const disk = { isFull: false }
  const statfs = (async (path: string) => ({ ...await home.fs.statfs(path), bavail: disk.isFull ? 0 : 10_000 })) as typeof home.fs.statfs
  const storage = await openStorage({ fs: { ...home.fs, statfs }, root: home.root, reserveBytes: 1, known: { volumeId: undefined, knowsFiles: false } })
  t.teardown(() => storage.staging.close())
  const sidecar = await publish(storage.store, 'hello')
  const others = (count: number) => Array.from({ length: count }, () => {
    const address = { kind: 'attachment', id: newBlobId(), extension: 'txt' } as const
    home.put(blobPath('', address), 'other')
    return address
  })
  return { ...home, ...storage, disk, sidecar, others, staged: () => readdir(storage.staging.folder) }
}

test('those who ask meanwhile share one file, which goes with the last of them', async (t) => {
  const { store, sidecar, asked, staged } = await setUp(t)
  let files: Array<Awaited<ReturnType<typeof store.localFile>>> = []
  t.match(await asked(async () => { files = await Promise.all([1, 2, 3].map(() => store.localFile(sidecar))) }), { length: 1 })
  t.strictSame(new Set(files.map(({ path }) => path)).size, 1)
  const [first, second, third] = files
  await first?.release()
  await second?.release()
  t.equal(await readFile(third?.path ?? '', 'utf8'), 'hello')
  await third?.release()
  t.strictSame(await staged(), [])
  const again = await store.localFile(sidecar)
  t.not(again.path, third?.path, 'a later one is a file of its own')
  await again.release()
})

test('one that fails fails for all who waited for it, and for nobody after them', async (t) => {
  const { store, objects, sidecar, staged } = await setUp(t)
  objects.beforeChunk = () => { throw new ObjectsUnavailable('cut off') }
  t.match(await Promise.allSettled([store.localFile(sidecar), store.localFile(sidecar)]), [{ reason: { code: 'STORAGE_UNAVAILABLE' } }, { reason: { code: 'STORAGE_UNAVAILABLE' } }])
  t.strictSame(await staged(), [])
  objects.beforeChunk = () => {}
  const file = await store.localFile(sidecar)
  t.equal(await readFile(file.path, 'utf8'), 'hello')
  await file.release()
})

test('few are on the disk at once until they are released, some wait, and what is more is refused', async (t) => {
  const { store, calls, others, staged } = await setUp(t)
  const reads = () => calls.filter((call) => /^read .*\.txt$/.test(call)).length
  const all = others(273)
  const files = all.slice(1).map((address) => store.localFile(address))
  await t.rejects(Promise.all(all.slice(0, 1).map((address) => store.localFile(address))), { code: 'STORAGE_UNAVAILABLE', cause: { message: '256 downloads wait already' } })
  await Promise.all(files.slice(0, 16))
  t.strictSame([reads(), (await staged()).length], [16, 16])
  for (const file of files) {
    await (await file).release()
    t.ok((await staged()).length <= 16)
  }
  t.equal(reads(), 272)
  t.strictSame(await staged(), [])
})

test('one that fails makes way for the next', async (t) => {
  const { store, objects, others } = await setUp(t)
  objects.beforeChunk = () => { throw new ObjectsUnavailable('cut off') }
  const outcomes = await Promise.allSettled(others(20).map((address) => store.localFile(address)))
  t.ok(outcomes.every(({ status }) => status === 'rejected'))
})

test('a full disk of this machine says nothing of the storage to one who reads', async (t) => {
  const { store, disk, sidecar, staged } = await setUp(t)
  disk.isFull = true
  await t.rejects(store.localFile(sidecar), { code: 'STORAGE_UNAVAILABLE', cause: { code: 'STORAGE_FULL' } })
  t.strictSame(await staged(), [])
})
