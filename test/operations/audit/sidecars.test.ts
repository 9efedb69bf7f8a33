import { mkdir, readFile, readdir, rename, rm, symlink, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { test, type Test } from 'tap'
import { mendSidecar } from '../../../src/operations/audit/sidecars.ts'
import { newBlobId } from '../../../src/storage/ids.ts'
import { encodeSidecar } from '../../../src/storage/sidecar.ts'
import { folderFor } from '../../storage/fixtures/volume.ts'
import { placeFor } from '../fixtures/place.ts'
import { toolsOn } from '../fixtures/tools.ts'

async function setUp (t: Test) {
  const place = await placeFor(t)
  const sidecar = await place.attachment('hello')
  const path = place.sidecarPath(sidecar)
  const mend = async (elsewhere?: string) => {
    const mending = await mendSidecar(toolsOn(place), sidecar.id, elsewhere)
    if ('mend' in mending) await mending.mend()
    return mending
  }
  return { ...place, sidecar, path, mend }
}

test('a damaged one is written over; what is no file is kept beside it', async (t) => {
  const { path, sidecar, mend, root } = await setUp(t)
  await writeFile(path, '{}')
  await mend()
  t.equal(await readFile(path, 'utf8'), encodeSidecar(sidecar))
  await rm(path)
  await symlink('/etc/passwd', path)
  await mend()
  t.equal(await readFile(path, 'utf8'), encodeSidecar(sidecar))
  t.ok((await readdir(dirname(path))).includes(`${sidecar.id}.sidecar.json.damaged`))
  await rm(path)
  await writeFile(join(root, 'elsewhere'), 'x')
  await mend('elsewhere')
  t.equal(await readFile(path, 'utf8'), encodeSidecar(sidecar))
  t.notOk((await readdir(root)).includes('elsewhere'))
})

test('a row that is gone needs none, and behind a link none is written', async (t) => {
  const { path, client, mend } = await setUp(t)
  const elsewhere = join(await folderFor(t), 'day')
  await rename(dirname(path), elsewhere)
  await symlink(elsewhere, dirname(path))
  t.match(await mend(), { left: /which is a link or none/ })
  await rm(dirname(path))
  await mkdir(dirname(path))
  await client.blob.deleteMany()
  t.match(await mend(), { isRight: true })
  t.same(await readdir(dirname(path)), [])
})

test('one that is ahead of its row stays, unless it is another\'s', async (t) => {
  const { path, sidecar, mend } = await setUp(t)
  await writeFile(path, encodeSidecar({ ...sidecar, state: 'deleted', revision: 2 }))
  t.match(await mend(), { left: /^The database is older than the volume/ })
  t.equal(await readFile(path, 'utf8'), encodeSidecar({ ...sidecar, state: 'deleted', revision: 2 }))
  for (const strange of [{ id: newBlobId() }, { kind: 'avatar' }] as const) {
    await writeFile(path, encodeSidecar({ ...sidecar, revision: 2, ...strange }))
    await mend()
    t.equal(await readFile(path, 'utf8'), encodeSidecar(sidecar))
  }
})
