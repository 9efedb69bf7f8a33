import { execFileSync } from 'node:child_process'
import { constants, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { test, type Test } from 'tap'
import { createFallbackFileSystem } from '../../../src/storage/fallback/file-system.ts'
import { fileSystem, readOrdinary } from '../../../src/storage/fs.ts'
import { encodeSidecar } from '../../../src/storage/sidecar.ts'
import { blobPath, sidecarPath } from '../../../src/storage/volume/layout.ts'
import { scanVolume } from '../../../src/storage/volume/scan.ts'
import { createFaults } from '../../fixtures/faults.ts'
import { folderFor, openBelow, sidecarFor } from '../fixtures/volume.ts'
import { createMemoryObjects } from '../objects/memory.ts'

async function homes (t: Test) {
  const [root, otherRoot] = [await folderFor(t), await folderFor(t)]
  const faults = createFaults()
  const fs = createFallbackFileSystem({ own: fileSystem, roots: [root], other: faults.fs, otherRoot })
  async function put (path: string, text: string): Promise<void> {
    await fileSystem.mkdir(dirname(path), { recursive: true })
    const handle = await fileSystem.open(path, 'w')
    await handle.writeFile(text)
    await handle.close()
  }
  const opened = async (path: string, flags?: string | number): Promise<string> => {
    const handle = await fs.open(path, flags)
    try {
      return await handle.readFile('utf8')
    } finally {
      await handle.close()
    }
  }
  return { root, otherRoot, fs, faults, put, opened }
}

const enoent = { code: 'ENOENT' }

test('a blob that is not in the own home is that of the other, for who reads', async (t) => {
  const { root, otherRoot, fs, put, opened } = await homes(t)
  const sidecar = sidecarFor('there')
  const path = blobPath(root, sidecar)
  await put(blobPath(otherRoot, sidecar), 'there')
  t.equal(await fs.readFile(path, 'utf8'), 'there')
  t.ok((await fs.readFile(path)).equals(Buffer.from('there')))
  t.equal(await opened(path), 'there')
  t.equal(await opened(path, constants.O_RDONLY | constants.O_NOFOLLOW), 'there')
  t.equal((await fs.stat(path)).size, 5)
  await t.rejects(fs.open(path, 'r+'), enoent, 'what is written is the own home\'s')
  await t.rejects(fs.unlink(path), enoent)
  await put(path, 'the own one')
  t.equal(await opened(path), 'the own one')
  await t.rejects(opened(blobPath(root, sidecarFor('nowhere'))), { code: 'ENOENT', path: new RegExp(`^${root}`) })
})

test('the newer of two sidecars is read', async (t) => {
  const { root, otherRoot, fs, put, opened } = await homes(t)
  const sidecar = sidecarFor('x')
  const [path, other] = [sidecarPath(root, sidecar), sidecarPath(otherRoot, sidecar)]
  const [older, newer] = [encodeSidecar({ ...sidecar, revision: 1 }), encodeSidecar({ ...sidecar, revision: 2 })]
  await t.rejects(fs.readFile(path, 'utf8'), enoent)
  await put(other, older)
  t.equal(await opened(path), older)
  await put(path, newer)
  t.equal(await opened(path), newer)
  await put(path, older)
  await put(other, newer)
  t.equal(await fs.readFile(path, 'utf8'), newer)
  t.equal(await opened(path), newer)
})

test('what neither is a blob nor a sidecar nor a heartbeat is the own home\'s alone, as is what folders hold', async (t) => {
  const { root, otherRoot, fs, put } = await homes(t)
  const sidecar = sidecarFor('there')
  await put(blobPath(otherRoot, sidecar), 'there')
  for (const name of ['erasures.ndjson', 'upload-gateway.json', 'avatars/2026/notes.txt']) {
    await put(join(otherRoot, name), 'x')
    await t.rejects(fs.readFile(join(root, name)), enoent)
  }
  await t.rejects(fs.readFile(join(dirname(root), 'elsewhere')), enoent)
  const found = []
  for await (const folder of scanVolume(fs, root)) found.push(folder)
  t.strictSame(found, [])
  const heartbeat = 'staging/4a8c8a3e-53ba-4a35-8dcd-5bf1a1f7dd46/heartbeat.json'
  await put(join(otherRoot, heartbeat), 'alive')
  t.equal(await fs.readFile(join(root, heartbeat), 'utf8'), 'alive')
  await put(join(root, 'new'), 'written')
  t.equal(readFileSync(join(root, 'new'), 'utf8'), 'written')
})

test('what cannot be read is not taken for missing', async (t) => {
  const { root, otherRoot, fs, put, faults } = await homes(t)
  const sidecar = sidecarFor('there')
  await put(blobPath(otherRoot, sidecar), 'there')
  faults.inject({ on: 'open', errno: 'EIO' })
  await t.rejects(fs.open(blobPath(root, sidecar)), { code: 'EIO' })
  faults.inject({ on: 'open', errno: 'EIO', forever: true })
  await t.rejects(fs.open(sidecarPath(root, sidecar)), { code: 'EIO' })
})

test('a sidecar that is damaged in the other home does not keep the own from being read; while a store does not answer, it may have a newer one', async (t) => {
  const { root, otherRoot, put, opened, faults } = await homes(t)
  const sidecar = sidecarFor('x')
  const path = sidecarPath(root, sidecar)
  const older = encodeSidecar({ ...sidecar, revision: 1 })
  await put(path, older)
  await put(sidecarPath(otherRoot, sidecar), encodeSidecar({ ...sidecar, revision: 2 }))
  faults.inject({ on: 'readFile', errno: 'EIO' })
  t.equal(await opened(path), older)
  Object.assign(faults.fs, { objects: createMemoryObjects() })
  faults.inject({ on: 'readFile', errno: 'EIO' })
  await t.rejects(opened(path), { code: 'EIO' })
})

test('a pipe in the place of a sidecar is not waited for, in neither home', { skip: process.platform === 'win32' && 'there are no pipes' }, async (t) => {
  const { root, otherRoot, fs, put, opened } = await homes(t)
  const sidecar = sidecarFor('x')
  const [path, other] = [sidecarPath(root, sidecar), sidecarPath(otherRoot, sidecar)]
  await put(path, encodeSidecar(sidecar))
  await fileSystem.mkdir(dirname(other), { recursive: true })
  execFileSync('mkfifo', [other])
  t.equal(await opened(path), encodeSidecar(sidecar))
  await fileSystem.unlink(path)
  execFileSync('mkfifo', [path])
  const handle = await fs.open(path, readOrdinary)
  t.ok((await handle.stat()).isFIFO(), 'whoever opens it sees what it is')
  await handle.close()
  t.strictSame([...openBelow(root), ...openBelow(otherRoot)], [])
  await fileSystem.unlink(other)
  await put(other, encodeSidecar(sidecar))
  t.equal(await opened(path), encodeSidecar(sidecar))
})
