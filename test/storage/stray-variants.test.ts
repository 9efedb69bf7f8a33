import { mkdir, readdir, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { test } from 'tap'
import { fileSystem } from '../../src/storage/fs.ts'
import { newBlobId, type BlobId } from '../../src/storage/ids.ts'
import type { BlobState } from '../../src/storage/ledger.ts'
import { createStrayVariants } from '../../src/storage/stray-variants.ts'
import { variantsFolder } from '../../src/storage/volume/layout.ts'
import { folderFor } from './fixtures/volume.ts'

test('what is kept of pictures that are gone goes when it was seen twice; all else stays', async (t) => {
  const root = await folderFor(t)
  let nowMs = 0
  const states = new Map<BlobId, BlobState>()
  let asked = 0
  async function statesOf (ids: readonly BlobId[]) {
    asked += 1
    return new Map([...states].filter(([id]) => ids.includes(id)))
  }
  const remove = createStrayVariants({ fs: fileSystem, root, monotonicMs: () => nowMs, ledger: { states: statesOf } })
  t.equal(await remove(), 0, 'without a cache')
  const ids = { live: newBlobId(), deleted: newBlobId(), purging: newBlobId(), gone: newBlobId(), late: newBlobId() }
  for (const state of ['live', 'deleted', 'purging'] as const) states.set(ids[state], state)
  for (const id of Object.values(ids)) {
    await mkdir(variantsFolder(root, { id }), { recursive: true })
    await writeFile(join(variantsFolder(root, { id }), 'variant'), 'x')
  }
  await writeFile(join(root, 'cache', 'CACHEDIR.TAG'), 'x')
  const kept = async () => (await Promise.all(Object.entries(ids).map(async ([name, id]) => (await readdir(dirname(variantsFolder(root, { id })))).includes(id) ? [name] : []))).flat()
  asked = 0
  t.equal(await remove(), 0)
  t.equal(asked, 0, 'not again so soon')
  nowMs += 600_000
  t.equal(await remove(), 0)
  t.strictSame(await kept(), ['live', 'deleted', 'purging', 'gone', 'late'])
  states.set(ids.late, 'live')
  nowMs += 600_000
  t.equal(await remove(), 2)
  t.strictSame(await kept(), ['live', 'deleted', 'late'])
})

test('a cache that cannot be read is told', async (t) => {
  const root = await folderFor(t)
  const failing = { ...fileSystem, readdir: (async () => { throw Object.assign(new Error('broken'), { code: 'EIO' }) }) as unknown as typeof fileSystem.readdir }
  await t.rejects(createStrayVariants({ fs: failing, root, monotonicMs: () => 0, ledger: { states: async () => new Map() } })(), { code: 'EIO' })
})
