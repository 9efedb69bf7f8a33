import { rm } from 'node:fs/promises'
import { test } from 'tap'
import { blobFolder } from '../../../src/images/cache/layout.ts'
import { fileSystem } from '../../../src/storage/fs.ts'
import { newBlobId, type BlobId } from '../../../src/storage/ids.ts'
import { openBelow } from '../../storage/fixtures/volume.ts'
import { bytesOf, rendered, setUp, takenBelow, written } from './fixtures/cache.ts'

test('the budget holds at any time under a random load, for one gateway and for two that share the folder', async (t) => {
  for (const count of [1, 2]) {
    const { open, folder, warnings } = await setUp(t)
    const maxBytes = 3 * 1024 ** 2
    const caches = Array.from({ length: count }, () => open({ maxBytes, memoryBytes: 50_000, fs: fileSystem }))
    for (const cache of caches) cache.start()
    const ids = Array.from({ length: 100 }, newBlobId)
    const sizes = [200, 3000, 8000, 20_000]
    let seed = 42
    const random = (below: number) => {
      seed = (seed * 1_103_515_245 + 12_345) % 2 ** 31
      return Math.floor(seed / 2 ** 31 * below)
    }
    const tally = { hits: 0, misses: 0, most: 0, gone: 0 }
    for (let step = 0; step < 1200; step += 1) {
      const which = random(ids.length)
      const variant = random(sizes.length)
      const id = ids[which] as BlobId
      const cache = caches[random(count)] as typeof caches[number]
      const picture = rendered(sizes[variant], which * 10 + variant)
      const entry = await cache.get(id, `v${variant}.webp`)
      if (entry === undefined) {
        tally.misses += 1
        await cache.put(id, `v${variant}.webp`, picture)
      } else {
        tally.hits += 1
        const bytes = await bytesOf(entry).catch((error: { code?: string }) => { if (error.code === 'STORAGE_UNAVAILABLE') tally.gone += 1 })
        if (bytes !== undefined && !bytes.equals(picture.bytes)) t.fail('other bytes')
      }
      if (cache.usage.memory > 50_000) t.fail('memory')
      // As when the blob is removed.
      if (random(200) === 0) await rm(blobFolder(folder, ids[random(ids.length)] as BlobId), { recursive: true, force: true, maxRetries: 5 })
      if (step % 25 === 0) tally.most = Math.max(tally.most, takenBelow(folder))
      if (step % 50 === 0) await written(...caches)
    }
    t.ok(tally.most <= maxBytes, `${count}: ${JSON.stringify(tally)}`)
    t.ok(tally.most > maxBytes * 0.8, 'it is made use of')
    t.ok(tally.hits > 250)
    t.strictSame(warnings, [])
    for (const cache of caches) await cache.close()
    t.strictSame(openBelow(folder), [])
  }
})
