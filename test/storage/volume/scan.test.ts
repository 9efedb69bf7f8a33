import { copyFile, mkdir, rm, symlink, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { spawnSync } from 'node:child_process'
import { test, type Test } from 'tap'
import type { BlobId } from '../../../src/storage/ids.ts'
import { blobPath, sidecarPath } from '../../../src/storage/volume/layout.ts'
import { scanVolume, type ScannedFolder } from '../../../src/storage/volume/scan.ts'
import { openVolume, publish } from '../fixtures/volume.ts'

async function setUp (t: Test) {
  const volume = await openVolume(t)
  async function scan () {
    const folders: ScannedFolder[] = []
    for await (const folder of scanVolume(volume.faults.fs, volume.root)) folders.push(folder)
    return { folders, blobs: folders.flatMap(({ blobs }) => blobs), foreign: folders.flatMap(({ foreign }) => foreign).sort((a, b) => a.path < b.path ? -1 : 1) }
  }
  return { ...volume, scan }
}

/** An id of a day. */
const idOf = (date: string) => {
  const hex = new Date(date).getTime().toString(16).padStart(12, '0')
  return `${hex.slice(0, 8)}-${hex.slice(8)}-7000-8000-000000000000` as BlobId
}

test('a fresh volume has nothing on it, and no kind\'s folder is needed', async (t) => {
  const { scan } = await setUp(t)
  t.strictSame(await scan(), { folders: [], blobs: [], foreign: [] })
})

test('blobs and sidecars are found by their ids, together and alone', async (t) => {
  const { root, store, scan } = await setUp(t)
  const whole = await publish(store, 'hello')
  const blobOnly = await publish(store, 'hello', { kind: 'attachment', extension: 'pdf' })
  const sidecarOnly = await publish(store, 'hello', { kind: 'attachment', extension: 'pdf' })
  await rm(sidecarPath(root, blobOnly))
  await rm(blobPath(root, sidecarOnly))
  const { blobs, foreign } = await scan()
  t.strictSame(foreign, [])
  t.strictSame(new Map(blobs.map((blob) => [blob.id, blob])), new Map([
    [whole.id, { kind: 'avatar', id: whole.id, extension: 'png', extensions: ['png'], hasSidecar: true }],
    [blobOnly.id, { kind: 'attachment', id: blobOnly.id, extension: 'pdf', extensions: ['pdf'], hasSidecar: false }],
    [sidecarOnly.id, { kind: 'attachment', id: sidecarOnly.id, extension: 'bin', extensions: [], hasSidecar: true }],
  ].sort() as never))
})

test('a second file under an id is told with it', async (t) => {
  const { root, store, scan } = await setUp(t)
  const sidecar = await publish(store, 'hello')
  await copyFile(blobPath(root, sidecar), blobPath(root, { ...sidecar, extension: 'webp' }))
  const { blobs } = await scan()
  t.equal(blobs.length, 1)
  t.strictSame(blobs[0]?.extensions.toSorted(), ['png', 'webp'])
})

test('days come in their order, each as one', async (t) => {
  const { store, scan } = await setUp(t)
  for (const date of ['2026-11-21', '2025-12-31', '2026-02-03']) await publish(store, 'hello', { id: idOf(date) })
  await publish(store, 'hello', { id: idOf('2024-01-01'), kind: 'attachment' })
  t.strictSame((await scan()).folders.map(({ blobs }) => blobs.map(({ id }) => id)), [[idOf('2025-12-31')], [idOf('2026-02-03')], [idOf('2026-11-21')], [idOf('2024-01-01')]])
})

test('what is not the gateway\'s, or not where its id says, is foreign, with its path', async (t) => {
  const { root, store, scan } = await setUp(t)
  const sidecar = await publish(store, 'hello', { id: idOf('2026-11-21') })
  const day = 'avatars/2026/11/21'
  await mkdir(join(root, 'lost+found'))
  await writeFile(join(root, 'notes.txt'), '')
  await mkdir(join(root, 'avatars/thumbs'))
  await writeFile(join(root, 'avatars/2026/.DS_Store'), '')
  await mkdir(join(root, day, `${sidecar.id}.pdf`))
  await writeFile(join(root, day, 'x.png'), '')
  await symlink('/etc/passwd', join(root, day, `${idOf('2026-11-21').replace(/0$/, '1')}.png`))
  await symlink(join(root, day), join(root, 'avatars/2026/12'))
  await mkdir(join(root, 'avatars/2026/11/22'))
  await copyFile(blobPath(root, sidecar), join(root, 'avatars/2026/11/22', `${sidecar.id}.png`))
  spawnSync('mkfifo', [join(root, day, 'pipe')])
  const { blobs, foreign } = await scan()
  t.strictSame(blobs.map(({ id }) => id), [sidecar.id])
  t.strictSame(foreign, [
    { path: 'avatars/2026/.DS_Store', what: 'file' },
    { path: `${day}/${sidecar.id}.pdf`, what: 'folder' },
    { path: `${day}/${idOf('2026-11-21').replace(/0$/, '1')}.png`, what: 'symbolic link' },
    { path: `${day}/pipe`, what: 'special file' },
    { path: `${day}/x.png`, what: 'file' },
    { path: `avatars/2026/11/22/${sidecar.id}.png`, what: 'file' },
    { path: 'avatars/2026/12', what: 'symbolic link' },
    { path: 'avatars/thumbs', what: 'folder' },
    { path: 'notes.txt', what: 'file' },
  ])
})

test('a folder that cannot be listed is not taken for empty; one that went meanwhile is', async (t) => {
  const { root, store, scan, faults } = await setUp(t)
  const sidecar = await publish(store, 'hello')
  faults.inject({ on: 'readdir', path: /\d\d$/, errno: 'EIO' })
  await t.rejects(scan(), { code: 'EIO' })
  faults.inject({ on: 'readdir', path: /\d{4}\/\d\d\/\d\d$/, before: () => rm(dirname(blobPath(root, sidecar)), { recursive: true }) })
  t.strictSame((await scan()).blobs, [])
})

test('what is the gateway\'s own is not foreign in any folder, and no blob', async (t) => {
  const { root, store, faults } = await setUp(t)
  const sidecar = await publish(store, 'hello', { id: idOf('2026-11-21') })
  const day = 'avatars/2026/11/21'
  const own = ['gateway.sqlite', 'avatars/gateway.sqlite', 'avatars/2026/x.sqlite', `${day}/jwt.secret`, `${day}/${sidecar.id}.sqlite`]
  for (const path of [...own, `${day}/other`]) await writeFile(join(root, path), '')
  const folders: ScannedFolder[] = []
  for await (const folder of scanVolume(faults.fs, root, (path) => own.includes(path))) folders.push(folder)
  t.strictSame(folders.flatMap(({ foreign }) => foreign), [{ path: `${day}/other`, what: 'file' }])
  t.match(folders.flatMap(({ blobs }) => blobs), [{ id: sidecar.id, extensions: ['png'] }])
})
