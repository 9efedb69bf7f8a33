import { mkdirSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import t, { type Test } from 'tap'
import { countBlobs, readSidecars, type Batch } from '../../../src/operations/rebuild/sidecars.ts'
import { newBlobId } from '../../../src/storage/ids.ts'
import { encodeSidecar, type Sidecar } from '../../../src/storage/sidecar.ts'
import { blobPath, sidecarPath } from '../../../src/storage/volume/layout.ts'
import { homeFor } from '../../fixtures/object-home.ts'
import { openVolume, publish, sidecarFor } from '../../storage/fixtures/volume.ts'

async function setUp (t: Test) {
  const volume = await openVolume(t)
  const { root, store, faults } = volume
  const read = async () => {
    const batches: Batch[] = []
    for await (const batch of readSidecars(faults.fs, root)) batches.push(batch)
    return { sidecars: batches.flatMap(({ sidecars }) => sidecars), findings: batches.flatMap(({ findings }) => findings), unreadable: batches.reduce((sum, { unreadable }) => sum + unreadable, 0) }
  }
  return { ...volume, read, put: (others: Partial<Sidecar> = {}) => publish(store, 'hello', others) }
}

t.test('what is whole is read, in the order of ids, in batches', async (t) => {
  const { root, read, put, faults } = await setUp(t)
  const published = [await put(), await put({ kind: 'attachment', recordId: newBlobId(), filename: 'a', visibility: 'private' }), await put()]
  const folder = dirname(blobPath(root, sidecarFor('')))
  mkdirSync(folder, { recursive: true })
  const many = Array.from({ length: 600 }, () => sidecarFor('hello'))
  for (const sidecar of many) {
    writeFileSync(blobPath(root, sidecar), 'hello')
    writeFileSync(sidecarPath(root, sidecar), encodeSidecar(sidecar))
  }
  writeFileSync(join(folder, 'notes.txt'), '')
  const { sidecars, findings } = await read()
  t.strictSame(findings, [])
  t.equal(sidecars.length, 603)
  const avatars = sidecars.filter(({ kind }) => kind === 'avatar').map(({ id }) => id)
  t.strictSame(avatars, avatars.toSorted())
  for (const one of published) t.strictSame(sidecars.find(({ id }) => id === one.id), one)
  t.strictSame(await countBlobs(faults.fs, root), { blobs: 603, foreign: 1 })
})

t.test('a sidecar with many old URLs is read whole', async (t) => {
  const { read, put } = await setUp(t)
  const long = await put({ aliases: Array.from({ length: 200 }, (_, index) => `/uploads/a rather long name of a file ${index}.png`) })
  t.strictSame((await read()).sidecars, [long])
})

t.test('each file that is not right is named, with what would mend it', async (t) => {
  const { root, read, put } = await setUp(t)
  const lose = async (change: (sidecar: Sidecar) => void, others: Partial<Sidecar> = {}) => {
    const sidecar = await put(others)
    change(sidecar)
    return sidecar.id
  }
  const write = (text: string | Buffer) => (sidecar: Sidecar) => writeFileSync(sidecarPath(root, sidecar), text)
  const expected = {
    [await lose((sidecar) => rmSync(sidecarPath(root, sidecar)))]: ['blob-undescribed', /no sidecar/],
    [await lose(write(''))]: ['sidecar-damaged', /checksum/],
    [await lose(write('{"checksum":"sha256:00"}'))]: ['sidecar-damaged', /checksum/],
    [await lose(write(Buffer.alloc(3 * 1024 ** 2, '{')))]: ['sidecar-damaged', /checksum/],
    [await lose((sidecar) => write(encodeSidecar({ ...sidecar, id: newBlobId() }))(sidecar))]: ['sidecar-damaged', /another blob/],
    [await lose((sidecar) => write(encodeSidecar({ ...sidecar, kind: 'attachment' }))(sidecar))]: ['sidecar-damaged', /another blob/],
    [await lose((sidecar) => write(encodeSidecar({ ...sidecar, ownerId: null }))(sidecar))]: ['sidecar-damaged', /names no owner/],
    [await lose((sidecar) => rmSync(blobPath(root, sidecar)))]: ['sidecar-alone', /missing/],
    [await lose((sidecar) => renameSync(blobPath(root, sidecar), blobPath(root, { ...sidecar, extension: 'gif' })))]: ['sidecar-alone', /missing/],
    [await lose((sidecar) => { rmSync(blobPath(root, sidecar)); symlinkSync('/etc/passwd', blobPath(root, sidecar)) })]: ['sidecar-alone', /missing/],
  } as Record<string, [string, RegExp]>
  const { sidecars, findings, unreadable } = await read()
  t.strictSame(sidecars, [])
  t.equal(unreadable, 0)
  t.equal(findings.length, Object.keys(expected).length)
  for (const { id = '', problem, path, detail, mend } of findings) {
    t.equal(problem, expected[id]?.[0])
    t.match(detail, expected[id]?.[1])
    t.match(path, new RegExp(`^avatars/.*${id}`))
    t.match(mend, /\.$/)
  }
})

t.test('a blob that is not as long as it should be is named, and comes back all the same', async (t) => {
  const { root, read, put } = await setUp(t)
  const sidecar = await put()
  writeFileSync(blobPath(root, sidecar), 'hell')
  t.match(await read(), { sidecars: [sidecar], findings: [{ problem: 'blob-size', detail: /has 4 bytes and should have 5/ }] })
})

t.test('what goes while it is read, or cannot be read, is named too', async (t) => {
  const { read, put, faults } = await setUp(t)
  await put()
  faults.inject({ on: 'open', path: /sidecar/, errno: 'EIO' })
  t.match(await read(), { sidecars: { length: 0 }, unreadable: 1, findings: [{ problem: 'sidecar-damaged', detail: /^It cannot be read: EIO: injected, open …\.$/ }] })
  faults.heal()
  faults.inject({ on: 'stat', errno: 'EIO' })
  t.match(await read(), { sidecars: [{}], unreadable: 0, findings: [{ problem: 'blob-unreadable', detail: /EIO/ }] })
  faults.heal()
  faults.inject({ on: 'stat', errno: 'ENOENT' })
  t.match(await read(), { sidecars: { length: 0 }, findings: [{ problem: 'sidecar-alone' }] })
})

t.test('from an object store a sidecar is read in one call', async (t) => {
  const { fs, folder: root, objects } = await homeFor(t)
  const [sidecar, large] = [sidecarFor('hello'), sidecarFor('hello')]
  for (const one of [sidecar, large]) {
    objects.spoil(blobPath('', one), Buffer.from('hello'))
    objects.spoil(sidecarPath('', one), Buffer.from(encodeSidecar(one)))
  }
  objects.spoil(sidecarPath('', large), Buffer.from(encodeSidecar({ ...large, alt: 'x'.repeat(1024 ** 2) })))
  const asked: string[] = []
  objects.before = (operation, key) => { if (key === sidecarPath('', sidecar)) asked.push(operation) }
  for await (const { sidecars, findings } of readSidecars(fs, root)) {
    t.strictSame(sidecars, [sidecar])
    t.match(findings, [{ id: large.id, problem: 'sidecar-damaged', detail: /checksum/ }])
  }
  t.strictSame(asked, ['read'])
})
