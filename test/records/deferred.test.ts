import { existsSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { openDeferred } from '../../src/records/deferred.ts'
import type { Sidecar } from '../../src/storage/sidecar.ts'
import { folderFor, sidecarFor } from '../storage/fixtures/volume.ts'

async function open (t: Test) {
  const file = join(await folderFor(t), 'gateway.sqlite-deferred')
  const deferred = openDeferred(file)
  t.teardown(() => deferred.close())
  return { file, ...deferred }
}

t.test('what was put away comes back by source and id, as it was', async (t) => {
  const { file, add, count, pages } = await open(t)
  t.equal(count(), 0)
  const [first, second, third] = [1, 2, 3].map(() => sidecarFor('x', { source: 'b', aliases: ['/i/ä'] })) as [Sidecar, Sidecar, Sidecar]
  const other = sidecarFor('x', { source: 'a' })
  await add([third, first])
  await add([])
  await add([other, second])
  t.equal(count(), 4)
  t.strictSame([...pages()], [[other, first, second, third]])
  t.ok(existsSync(file), 'on disk, not in memory')
})

t.test('the pages are of some hundreds, and nothing of one source is in two', async (t) => {
  const { add, pages } = await open(t)
  await add(Array.from({ length: 1300 }, (_, index) => sidecarFor('x', { source: `source ${String(index < 700 ? 0 : index)}` })))
  const all = [...pages()]
  t.strictSame(all.map(({ length }) => length), [700, 500, 100])
  t.equal(new Set(all[0]?.map(({ source }) => source)).size, 1)
})

t.test('of nothing there are no pages', async (t) => {
  const { pages } = await open(t)
  t.strictSame([...pages()], [])
})

t.test('a file that fails is told as the database that it is a part of', async (t) => {
  const { add, close } = await open(t)
  close()
  await t.rejects(add([sidecarFor('x')]), { code: 'DATABASE_UNAVAILABLE' })
})
