import { mkdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { manifestLine, writeManifest } from '../../../src/operations/backup/manifest.ts'
import { namedBlobs } from '../../../src/operations/backup/named.ts'
import { fileSystem as fs } from '../../../src/storage/fs.ts'
import { newBlobId } from '../../../src/storage/ids.ts'
import type { Sidecar } from '../../../src/storage/sidecar.ts'
import { openBelow, sidecarFor } from '../../storage/fixtures/volume.ts'

const made = (count: number): Sidecar[] => Array.from({ length: count }, () => sidecarFor('x', { id: newBlobId() })).sort((a, b) => a.id < b.id ? -1 : 1)

async function snapshotsOf (t: Test, ...lists: ReadonlyArray<readonly Sidecar[]>) {
  const dir = t.testdir()
  return Promise.all(lists.map(async (list, index) => {
    const root = join(dir, `${index}`)
    await mkdir(root)
    await writeManifest(fs, join(root, 'manifest.ndjson'), (put) => put(list.map(manifestLine).join('')))
    return { name: `${index}`, root, record: undefined }
  }))
}

async function collected (snapshots: Awaited<ReturnType<typeof snapshotsOf>>) {
  const groups = []
  for await (const group of namedBlobs(fs, snapshots)) groups.push(group.map(({ sidecar: { id, size }, snapshots: names }) => [id, size, names.join()]))
  return groups
}

t.test('each blob comes once, by id, with the snapshots that name it', async (t) => {
  const [a, b, c] = made(3) as [Sidecar, Sidecar, Sidecar]
  t.same(await collected(await snapshotsOf(t, [a, c], [], [a, b])), [[[a.id, 1, '0,2'], [b.id, 1, '2'], [c.id, 1, '0']]])
  t.same(await collected([]), [])
})

t.test('what two snapshots say differently of a blob comes twice', async (t) => {
  const [a] = made(1) as [Sidecar]
  t.same(await collected(await snapshotsOf(t, [a], [{ ...a, size: 7 }], [{ ...a, revision: 9 }])), [[[a.id, 1, '0,2'], [a.id, 7, '1']]])
})

t.test('in groups, of manifests of any length', async (t) => {
  const all = made(1203)
  const groups = await collected(await snapshotsOf(t, all.slice(0, 900), all.slice(300)))
  t.same(groups.map((group) => group.length), [500, 500, 203])
  t.same(groups.flat().map(([id]) => id), all.map(({ id }) => id))
  t.same(groups.flat().map(([, , names]) => names), all.map((_, index) => index < 300 ? '0' : index < 900 ? '0,1' : '1'))
})

t.test('who stops early, or fails, leaves nothing open', async (t) => {
  const all = made(600)
  const snapshots = await snapshotsOf(t, all, all)
  const stopped = namedBlobs(fs, snapshots)
  t.equal((await stopped.next()).value?.length, 500)
  await stopped.return(undefined)
  t.same(openBelow(snapshots[0]?.root ?? ''), [])
  await rm(join(snapshots[1]?.root ?? '', 'manifest.ndjson'))
  await t.rejects(namedBlobs(fs, snapshots).next(), { code: 'ENOENT' })
  t.same(openBelow(snapshots[0]?.root ?? ''), [])
})
