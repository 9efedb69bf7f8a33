import { test, type Test } from 'tap'
import { fileSystem, type FileSystem } from '../../src/storage/fs.ts'
import { openStorage } from '../../src/storage/open.ts'
import { conforms } from './conformance.ts'
import { folderFor } from './fixtures/volume.ts'
import { storeFor } from './objects/fixture.ts'

async function opened (t: Test, { fs, root }: { fs: FileSystem, root: string }) {
  const storage = await openStorage({ fs, root, reserveBytes: 0, known: { volumeId: undefined, knowsFiles: false } })
  t.teardown(() => storage.staging.close())
  return { ...storage, fs, root }
}

test('the volume', async (t) => {
  conforms(t, async (t) => opened(t, { fs: fileSystem, root: await folderFor(t) }))
})

test('an object store', async (t) => {
  conforms(t, async (t) => opened(t, await storeFor(t)))
})
