import { existsSync } from 'node:fs'
import { copyFile, mkdir, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { test, type Test } from 'tap'
import { mendBlob } from '../../../src/operations/audit/blobs.ts'
import { folderFor } from '../../storage/fixtures/volume.ts'
import { placeFor } from '../fixtures/place.ts'
import { toolsOn } from '../fixtures/tools.ts'

async function setUp (t: Test) {
  const place = await placeFor(t)
  const sidecar = await place.attachment('hello')
  const path = place.blobPath(sidecar)
  const from = await folderFor(t)
  const copy = join(from, 'blobs', path.slice(place.root.length))
  await mkdir(dirname(copy), { recursive: true })
  await copyFile(path, copy)
  const plan = () => mendBlob(toolsOn(place, { from }), sidecar.id)
  return { ...place, sidecar, path, copy, plan }
}

test('a backup\'s bytes go in whole, and only when they are the right ones', async (t) => {
  const { path, copy, plan, faults, client, storage, sidecar } = await setUp(t)
  t.match(await plan(), { isRight: true })
  await rm(path)
  const mending = await plan()
  t.match(mending, { action: `Copy ${copy} to it.`, done: `${copy} was copied to it.` })
  await writeFile(copy, 'hallo')
  t.match(await plan(), { left: /^Its bytes were found nowhere, neither on the volume nor in / })
  if (!('mend' in mending)) throw new Error('there is nothing to do')
  await t.rejects(mending.mend(), { message: /changed while it was copied/ })
  t.equal(faults.count('rename', /attachments/), 2, 'that of the upload')
  await writeFile(copy, 'hello')
  await mending.mend()
  t.equal(await readFile(path, 'utf8'), 'hello')
  t.match(await client.blob.findMany(), [{ sidecarDueAt: null }])
  t.same(await storage.store.readSidecar(sidecar), sidecar)
})

test('what is in its place is kept beside it', async (t) => {
  const { path, plan } = await setUp(t)
  await rm(path)
  await symlink('/etc/passwd', path)
  const mending = await plan()
  t.match(mending, { action: /what is there now is kept beside it as attachments\/.*\.bin\.damaged\.$/, done: /; what was there is kept beside it\.$/ })
  if ('mend' in mending) await mending.mend()
  t.equal(await readFile(path, 'utf8'), 'hello')
  t.match(await readFile(`${path}.damaged`, 'utf8'), /root/)
})

test('what is gone by now, cannot be read, or is behind a link is left', async (t) => {
  const { path, plan, client, faults, root } = await setUp(t)
  faults.inject({ on: 'open', path: /\.bin/, errno: 'EIO' })
  t.match(await plan(), { left: /cannot be read \(EIO/ })
  const day = dirname(path)
  await rm(day, { recursive: true })
  await symlink(root, day)
  t.match(await plan(), { left: /link or none/ })
  await client.blob.deleteMany()
  t.match(await plan(), { isRight: true })
})

test('what is erased while it is put back does not stay', async (t) => {
  const { path, plan, client, sidecar, sidecarPath, faults } = await setUp(t)
  for (const erased of [() => client.blob.updateMany({ data: { state: 'purging' } }), () => client.blob.deleteMany()]) {
    await rm(path, { force: true })
    const mending = await plan()
    if (!('mend' in mending)) throw new Error('there is nothing to do')
    // The erasure has removed its files already when these come.
    faults.inject({ on: 'rename', path: /→ .*\.bin$/, before: erased })
    await t.rejects(mending.mend(), { message: /erased or removed for good meanwhile/ })
    t.notOk(existsSync(path))
    t.notOk(existsSync(sidecarPath(sidecar)))
    faults.heal()
    await client.blob.updateMany({ data: { state: 'live' } })
  }
})
