// A deployment in use on a volume, an empty object store in memory for it to move to, and both directions of the copy.
import { join } from 'node:path'
import type { Test } from 'tap'
import { fileSystem } from '../../../src/storage/fs.ts'
import { createObjectFileSystem } from '../../../src/storage/objects/file-system.ts'
import { silent } from '../../../src/operations/progress.ts'
import { copyStorage } from '../../../src/operations/storage-copy/storage-copy.ts'
import { build, temporaryFolder } from '../../helper.ts'
import { createMemoryObjects } from '../../storage/objects/memory.ts'
import { usedGateway } from '../fixtures/used-gateway.ts'

const named = (url: string) => ({ url, endpoint: '', isPathStyle: false })

export async function moving (t: Test, settings: Record<string, string> = {}) {
  const elsewhere = await temporaryFolder(t)
  // On SQLite and a volume wherever the tests run.
  const database = { DATABASE_URL: `file:${join(elsewhere, 'gateway.sqlite')}`, STORAGE_URL: '', RATE_UPLOADS_PER_MINUTE: '0', ...settings }
  const place = await usedGateway(t, database)
  const objects = createMemoryObjects()
  const local = await temporaryFolder(t)
  const said: string[] = []
  const progress = { ...silent, say: (message: string) => { said.push(message) } }
  const [volume, store] = [`file:${place.folder}`, 's3://new']
  type Places = { from?: string, to?: string, now?: Date }
  const copy = ({ from = volume, to = store, now = new Date() }: Places = {}, config: Partial<typeof place.config> = {}) =>
    copyStorage({ ...place.config, ...config }, { from: named(from), to: named(to), progress, open: async () => objects, now: () => now })
  return {
    ...place, elsewhere, objects, said, volume, store, local, copy,
    back: (to: string) => copy({ from: store, to }),
    onStore: createObjectFileSystem({ objects, root: local, local: fileSystem }),
    /** A gateway whose home is the store, and that falls back on the volume unless told otherwise. */
    moved: (more: Record<string, string> = { STORAGE_FALLBACK_URL: volume }) =>
      build(t, { ...database, UPLOADS_DIR: local, ...more }, { fs: createObjectFileSystem({ objects, root: local, local: fileSystem }) }),
    keys: () => objects.keys().filter((key) => !key.startsWith('staging/')),
  }
}
