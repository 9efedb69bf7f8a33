import { createHash } from 'node:crypto'
import { appendFile, readdir, readFile, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test, type Test } from 'tap'
import { openVolume, openBelow, sidecarFor, textOf } from '../fixtures/volume.ts'

async function setUp (t: Test) {
  const volume = await openVolume(t)
  const path = join(volume.root, 'given')
  await writeFile(path, 'hello')
  const { ino, size, mtimeMs } = await stat(path)
  const whole = { path, sha256: createHash('sha256').update('hello').digest('hex'), left: { ino, size, mtimeMs } }
  const adopt = async () => {
    const file = await volume.store.adopt?.(whole)
    if (file === undefined) throw new Error('it was not taken')
    return file
  }
  const staged = async () => (await readdir(volume.staging.folder)).filter((name) => name !== 'heartbeat.json')
  return { ...volume, path, whole, adopt, staged }
}

test('a file becomes a blob without being copied, and stays under its own name', async (t) => {
  const { store, path, whole, adopt, staged, root } = await setUp(t)
  const file = await adopt()
  t.equal(file.size, 5)
  t.equal(await readFile(file.path, 'utf8'), 'hello')
  t.strictSame(await file.finish(), { size: 5, sha256: whole.sha256 })
  t.equal((await file.head(3)).toString(), 'hel')
  t.equal((await file.head(100)).toString(), 'hello')
  const sidecar = sidecarFor('hello')
  await store.publish(file, sidecar)
  await file.discard()
  t.equal(await textOf(await store.read(sidecar)), 'hello')
  t.equal((await stat(path)).nlink, 2)
  await store.remove(sidecar)
  t.equal(await readFile(path, 'utf8'), 'hello')
  t.strictSame(await staged(), [])
  t.strictSame(openBelow(root), [])
})

test('what comes to nothing leaves it as it was, and nothing is written to it', async (t) => {
  const { store, path, adopt, staged, root, faults } = await setUp(t)
  const file = await adopt()
  await t.rejects(file.write(Buffer.from('other')), { message: /nothing is written/ })
  for (const other of ['hell', 'hallo']) await t.rejects(store.publish(await adopt(), sidecarFor(other)), { cause: { message: /does not say what was written/ } })
  await file.discard()
  await file.discard()
  faults.inject({ on: 'rename', path: /sidecar/, errno: 'EIO' })
  await t.rejects(store.publish(await adopt(), sidecarFor('hello')), { code: 'STORAGE_UNAVAILABLE' })
  t.equal(await readFile(path, 'utf8'), 'hello')
  t.equal((await stat(path)).nlink, 1)
  t.strictSame(await staged(), [])
  t.strictSame(openBelow(root), [])
})

test('one that cannot have two names, cannot be read, or is not what it was, is not taken', async (t) => {
  const { store, path, whole, staged, root, faults } = await setUp(t)
  for (const [on, errno] of [['link', 'EPERM'], ['link', 'ENOENT'], ['open', 'EMFILE'], ['stat', 'ESTALE']] as const) {
    faults.heal()
    faults.inject({ on, errno, path: /given|staging\/[^/]+\/[^/]+$/, forever: true })
    t.equal(await store.adopt?.(whole), undefined, errno)
  }
  faults.heal()
  await appendFile(path, '!')
  t.equal(await store.adopt?.(whole), undefined)
  t.strictSame(await staged(), [])
  t.strictSame(openBelow(root), [])
})

test('a file system that knows no links takes none', async (t) => {
  const { whole, faults, store } = await setUp(t)
  Object.assign(faults.fs, { link: undefined })
  t.equal(await store.adopt?.(whole), undefined)
})
