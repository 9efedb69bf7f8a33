import { readdir, readFile } from 'node:fs/promises'
import { test, type Test } from 'tap'
import { openStorage } from '../../../src/storage/open.ts'
import { ObjectsUnavailable } from '../../../src/storage/objects/objects.ts'
import { publish } from '../fixtures/volume.ts'
import { storeFor } from './fixture.ts'

async function setUp (t: Test) {
  const home = await storeFor(t)
  const storage = await openStorage({ fs: home.fs, root: home.root, reserveBytes: 0, known: { volumeId: undefined, knowsFiles: false } })
  t.teardown(() => storage.staging.close())
  const sidecar = await publish(storage.store, 'hello')
  return { ...home, ...storage, sidecar, staged: () => readdir(storage.staging.folder) }
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
