import { createHash } from 'node:crypto'
import { chmod, mkdir, readdir, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { test } from 'tap'
import { fileSystem } from '../../../src/storage/fs.ts'
import { newBlobId } from '../../../src/storage/ids.ts'
import { decodeSidecar, encodeSidecar, type Sidecar } from '../../../src/storage/sidecar.ts'
import { blobPath, sidecarPath, variantsFolder } from '../../../src/storage/volume/layout.ts'
import { createVolume } from '../../../src/storage/volume/volume.ts'
import { filesBelow, openBelow, openVolume, publish, sidecarFor, stage, textOf } from '../fixtures/volume.ts'

test('I1: publishing ends with blob, sidecar and their folder durable, under names made of the id only', async (t) => {
  const { root, store, faults } = await openVolume(t)
  const staged = await stage(store, 'hello')
  const sidecar = sidecarFor('hello', { filename: '../../etc/passwd', ownerId: 'ada' })
  faults.heal()
  await store.publish(staged, sidecar)

  t.equal(await readFile(blobPath(root, sidecar), 'utf8'), 'hello')
  t.strictSame(decodeSidecar(await readFile(sidecarPath(root, sidecar), 'utf8')), sidecar)
  t.strictSame(await filesBelow(root), [`avatars/${dayOf(sidecar)}/${sidecar.id}.png`, `avatars/${dayOf(sidecar)}/${sidecar.id}.sidecar.json`])
  t.strictSame(openBelow(root), [])

  const order = faults.calls.map(({ on, path }) => `${on} ${path}`)
  const renames = order.flatMap((call, index) => call.startsWith('rename ') ? [index] : [])
  const syncs = order.flatMap((call, index) => call.startsWith('sync ') ? [index] : [])
  t.match(renames, { length: 2 })
  const [blobRename = 0, sidecarRename = 0] = renames
  t.match(order[blobRename], blobPath(root, sidecar), 'the blob first')
  const lastSync = syncs.at(-1) ?? 0
  t.equal(order[lastSync], `sync ${dirname(blobPath(root, sidecar))}`)
  t.ok(lastSync > sidecarRename, 'the folder is fsynced after both names are there')
  const [bytes, sidecarBytes] = [order[blobRename], order[sidecarRename]].map((call = '') => `sync ${call.slice('rename '.length).split(' → ')[0]}`)
  t.ok(order.indexOf(bytes ?? '') >= 0 && order.indexOf(bytes ?? '') < blobRename, 'the bytes are fsynced before')
  t.ok(order.indexOf(sidecarBytes ?? '') >= 0 && order.indexOf(sidecarBytes ?? '') < blobRename, 'and so is the sidecar')
})

const dayOf = ({ createdAt }: Sidecar) => createdAt.slice(0, 10).replaceAll('-', '/')

test('I2: at no step of publishing is there a partial file under a final name', async (t) => {
  const { store, faults, root } = await openVolume(t)
  const bytes = Buffer.alloc(3 * 1024 ** 2, 'x')
  const sidecar = sidecarFor(bytes)
  let looks = 0
  const look = async () => {
    looks += 1
    const visible = (await filesBelow(root)).filter((path) => !path.startsWith('staging/'))
    for (const path of visible) {
      const whole = path.endsWith('.json') ? encodeSidecar(sidecar) : bytes.toString()
      t.ok(await readFile(join(root, path), 'utf8') === whole, path)
    }
  }
  for (const on of ['open', 'writev', 'sync', 'close', 'rename'] as const) faults.inject({ on, forever: true, before: look })
  await store.publish(await stage(store, bytes), sidecar)
  await look()
  t.ok(looks > 10)
})

test('I3: a blob is never replaced: publishing under its id is refused, and leaves it as it was', async (t) => {
  const { store, files } = await openVolume(t)
  const first = await publish(store, 'first')
  const before = await files()
  const second = sidecarFor('second', { id: first.id })
  await t.rejects(store.publish(await stage(store, 'second'), second), { code: 'STORAGE_UNAVAILABLE', cause: { message: /already/ } })
  t.equal(await textOf(await store.read(first)), 'first')
  t.strictSame(await store.readSidecar(first), first)
  t.strictSame(await files(), before)
})

test('I1: a sidecar that does not describe the bytes is refused', async (t) => {
  const { store, files, root } = await openVolume(t)
  await t.rejects(store.publish(await stage(store, 'hello'), sidecarFor('other')), { code: 'STORAGE_UNAVAILABLE' })
  t.strictSame(await files(), [])
  t.strictSame(openBelow(root), [])
})

test('a file that was staged elsewhere is not published', async (t) => {
  const [one, other] = [await openVolume(t), await openVolume(t)]
  const staged = await stage(one.store, 'hello')
  await t.rejects(other.store.publish(staged, sidecarFor('hello')), { cause: { message: /not staged here/ } })
  await staged.discard()
  t.strictSame(await one.files(), [])
})

test('publishing a hundred at once makes their folder durable once', async (t) => {
  const { root, store, faults } = await openVolume(t)
  const sidecars = await Promise.all(Array.from({ length: 100 }, (_, index) => publish(store, `bytes ${index}`, { kind: 'attachment' })))
  t.equal(faults.count('mkdir'), 4)
  t.equal(faults.count('sync', /attachments\/\d+\/\d+$/), 1)
  for (const [index, sidecar] of sidecars.entries()) t.equal(await textOf(await store.read(sidecar)), `bytes ${index}`)
  t.strictSame(openBelow(root), [])
})

test('a day folder that somebody removed costs one upload, not all of the day\'s', async (t) => {
  const { root, store, files } = await openVolume(t)
  await publish(store, 'one')
  await rm(join(root, 'avatars'), { recursive: true })
  await t.rejects(publish(store, 'two'), { code: 'STORAGE_UNAVAILABLE', cause: { code: 'ENOENT' } })
  t.strictSame(await files(), [])
  const three = await publish(store, 'three')
  t.equal(await textOf(await store.read(three)), 'three')
})

test('I4: a new revision of a sidecar is durable when it is done, and the old one is whole until then', async (t) => {
  const { root, store, faults } = await openVolume(t)
  const first = await publish(store, 'hello')
  faults.heal()
  const second: Sidecar = { ...first, state: 'deleted', revision: 2 }
  faults.inject({ on: 'rename', before: async () => t.strictSame(await store.readSidecar(first), first) })
  await store.writeSidecar(second)
  t.strictSame(await store.readSidecar(first), second)
  const { calls } = faults
  const renamed = calls.findIndex(({ on }) => on === 'rename')
  const synced = calls.findIndex(({ on, path }) => on === 'sync' && path === dirname(sidecarPath(root, first)))
  t.ok(calls.findIndex(({ on }) => on === 'sync') < renamed && renamed < synced)
})

test('a sidecar that is missing, damaged or of another blob is none', async (t) => {
  const { root, store, faults } = await openVolume(t)
  const one = await publish(store, 'one')
  const two = await publish(store, 'two')
  t.strictSame(await store.readSidecar(one), one)
  t.equal(await store.readSidecar(sidecarFor('never')), undefined)
  await writeFile(sidecarPath(root, one), encodeSidecar(two))
  t.equal(await store.readSidecar(one), undefined)
  await writeFile(sidecarPath(root, one), encodeSidecar({ ...one, kind: 'attachment' }))
  t.equal(await store.readSidecar(one), undefined)
  await writeFile(sidecarPath(root, one), encodeSidecar(one).slice(0, -20))
  t.equal(await store.readSidecar(one), undefined)
  faults.inject({ on: 'readFile', errno: 'EIO' })
  await t.rejects(store.readSidecar(one), { code: 'STORAGE_UNAVAILABLE' })
})

test('bytes are read whole or in part, and the descriptor is closed, also when the reader leaves', async (t) => {
  const { root, store } = await openVolume(t)
  const bytes = Buffer.alloc(3 * 1024 ** 2, 'abcdefgh')
  const sidecar = await publish(store, bytes)
  const whole = Buffer.concat(await (await store.read(sidecar)).toArray())
  t.equal(createHash('sha256').update(whole).digest('hex'), sidecar.sha256)
  t.equal(await textOf(await store.read(sidecar, { start: 8, end: 11 })), 'abcd')
  const left = await store.read(sidecar)
  await new Promise((resolve) => left.once('data', resolve))
  left.destroy()
  await new Promise((resolve) => left.once('close', resolve))
  t.strictSame(openBelow(root), [])
  const empty = await publish(store, '')
  t.equal(await textOf(await store.read(empty)), '')
})

test('I8: reading writes nothing', async (t) => {
  const { root, store, faults, files } = await openVolume(t)
  const sidecar = await publish(store, 'hello')
  await chmod(blobPath(root, sidecar), 0o440)
  const before = await stat(blobPath(root, sidecar))
  const namesBefore = await files()
  faults.heal()
  await textOf(await store.read(sidecar))
  await textOf(await store.read(sidecar, { start: 0, end: 1 }))
  await store.readSidecar(sidecar)
  t.strictSame(faults.calls.filter(({ on }) => !['open', 'readFile', 'read', 'close'].includes(on)), [])
  t.strictSame(await files(), namesBefore)
  t.equal((await stat(blobPath(root, sidecar))).mtimeMs, before.mtimeMs)
})

test('a blob that a row promises but that is not there is a failure, not an absence', async (t) => {
  const { store, faults, root } = await openVolume(t)
  await t.rejects(store.read(sidecarFor('never')), { code: 'STORAGE_UNAVAILABLE', cause: { message: /missing/ } })
  const sidecar = await publish(store, 'hello')
  faults.inject({ on: 'open', errno: 'EMFILE' })
  await t.rejects(store.read(sidecar), { code: 'STORAGE_UNAVAILABLE', cause: { code: 'EMFILE' } })
  t.strictSame(openBelow(root), [])
})

test('removing takes the sidecar first, then the blob, and is at ease with what is gone', async (t) => {
  const { store, faults, files } = await openVolume(t)
  const one = await publish(store, 'one')
  const two = await publish(store, 'two')
  faults.heal()
  await store.remove(one)
  t.match(faults.calls.map(({ on, path }) => `${on} ${path}`), [/^unlink .*sidecar\.json$/, /^unlink .*\.png$/, /^rm .*\/cache\//])
  await store.remove(one)
  t.equal((await files()).length, 2)
  t.equal(await textOf(await store.read(two)), 'two')
})

test('with a blob go the variants that were made of it, wherever it is removed, and no power cut brings them back', async (t) => {
  const { root, store, faults } = await openVolume(t)
  const [one, two, other] = [await publish(store, 'one'), await publish(store, 'two'), await publish(store, 'other')]
  const variantOf = async (address: Sidecar) => {
    await mkdir(variantsFolder(root, address), { recursive: true })
    await writeFile(join(variantsFolder(root, address), 'v1-square-64.webp'), 'small')
  }
  for (const address of [one, two, other]) await variantOf(address)
  await store.remove(one)
  faults.heal()
  await store.removeForGood(two)
  const shard = dirname(variantsFolder(root, two))
  t.strictSame(faults.calls.filter(({ on }) => on === 'rm' || on === 'sync').map(({ on, path }) => `${on} ${path}`), [`rm ${variantsFolder(root, two)}`, `sync ${shard}`, `sync ${dirname(blobPath(root, two))}`])
  t.strictSame(await Promise.all([one, two, other].map((address) => readdir(variantsFolder(root, address)).catch(() => 'gone'))), ['gone', 'gone', ['v1-square-64.webp']])

  await variantOf(two)
  faults.inject({ on: 'rm', errno: 'EIO' })
  await t.rejects(store.remove(two), { code: 'STORAGE_UNAVAILABLE' })
  await store.remove(two)
  t.equal(await readdir(variantsFolder(root, two)).catch(() => 'gone'), 'gone', 'also when its blob is gone already')
})

test('what somebody put in the place of the cache holds up no removal', async (t) => {
  const { root, store } = await openVolume(t)
  const cache = dirname(dirname(variantsFolder(root, await publish(store, 'any'))))
  for (const put of [() => writeFile(cache, 'a file'), () => symlink(cache, cache)]) {
    await rm(cache, { recursive: true, force: true })
    await put()
    const blob = await publish(store, 'one')
    await store.removeForGood(blob)
    await t.rejects(store.read(blob), { code: 'STORAGE_UNAVAILABLE' })
  }
})

test('a blob is a file of this machine, for as long as it is there', async (t) => {
  const { store } = await openVolume(t)
  const sidecar = await publish(store, 'hello')
  const { path, release } = await store.localFile(sidecar)
  t.equal(await readFile(path, 'utf8'), 'hello')
  await release()
  t.equal(await readFile(path, 'utf8'), 'hello', 'which is not taken away')
  await store.remove(sidecar)
  await t.rejects(readFile((await store.localFile(sidecar)).path), { code: 'ENOENT' })
  await t.rejects(store.localFile({ ...sidecar, extension: '../../x' }), { name: 'TypeError' })
})

test('an address with a strange extension is refused before anything is touched', async (t) => {
  const { store, faults } = await openVolume(t)
  const staged = await stage(store, 'x')
  faults.heal()
  const strange = sidecarFor('x', { extension: '../../x' })
  const refused = { code: 'STORAGE_UNAVAILABLE', cause: { name: 'TypeError' } }
  await t.rejects(store.publish(staged, strange), refused)
  await t.rejects(store.read(strange).then(() => {}), refused)
  t.strictSame(faults.calls, [])
  await staged.discard()
})

test('what is removed for good goes under every name that begins with its id; links are not followed, folders and others stay', async (t) => {
  const { root, store, files, faults } = await openVolume(t)
  const [sidecar, other] = [await publish(store, 'hello'), await publish(store, 'hello', { ownerId: 'bob' })]
  const path = blobPath(root, sidecar)
  for (const suffix of ['.damaged', '.damaged-2']) await writeFile(path + suffix, 'hello')
  await writeFile(`${sidecarPath(root, sidecar)}.damaged`, 'ada')
  await mkdir(`${path}.folder`)
  await symlink(blobPath(root, other), `${path}.link`)
  await writeFile(`${blobPath(root, other)}.damaged`, 'of bob')
  await store.removeForGood(sidecar)
  t.strictSame((await readdir(dirname(path))).sort(), [`${sidecar.id}.png.folder`, `${other.id}.png`, `${other.id}.png.damaged`, `${other.id}.sidecar.json`].sort())
  t.equal(await readFile(blobPath(root, other), 'utf8'), 'hello')
  faults.heal()
  await Promise.all([sidecar, sidecar, other].map((one) => store.removeForGood(one)))
  t.ok(faults.calls.filter(({ on }) => on === 'readdir').length < 3, 'those who ask at once share a listing')
  t.strictSame(await files(), [])
  faults.inject({ on: 'readdir', errno: 'EIO' })
  await t.rejects(store.removeForGood(other), { code: 'STORAGE_UNAVAILABLE' })
})

test('what is removed for good is removed durably, and may be gone already', async (t) => {
  const { root, store, files, faults } = await openVolume(t)
  const sidecar = await publish(store, 'hello')
  faults.heal()
  await store.removeForGood(sidecar)
  t.strictSame(await files(), [])
  t.strictSame(faults.calls.filter(({ on }) => on === 'unlink' || on === 'sync').map(({ on }) => on), ['unlink', 'unlink', 'sync'])
  await store.removeForGood(sidecar)
  await rm(join(root, 'avatars'), { recursive: true })
  await store.removeForGood(sidecar)
  await publish(store, 'again').catch(() => {})
  const another = await publish(store, 'hello')
  faults.inject({ on: 'sync', errno: 'EIO' })
  await t.rejects(store.removeForGood(another), { code: 'STORAGE_UNAVAILABLE' })
})

test('the file of a blob is opened to be read in parts, unless it is not as long as was said', async (t) => {
  const { root, store: home } = await openVolume(t)
  const sidecar = await publish(home, 'hello')
  const store = createVolume({ fs: fileSystem, root } as Parameters<typeof createVolume>[0])
  const open = (id: Sidecar['id'], size: number) => store.openFile?.({ ...sidecar, id }, size) ?? Promise.reject(new Error('it cannot'))
  const file = await open(sidecar.id, 5)
  t.equal(file.size, 5)
  file.close()
  await t.rejects(open(sidecar.id, 6), { code: 'STORAGE_UNAVAILABLE', cause: { message: /has 5 bytes instead of 6/ } })
  await t.rejects(open(newBlobId(), 5), { code: 'STORAGE_UNAVAILABLE', cause: { message: /is missing/ } })
  while (openBelow(root).some((path) => path.includes(sidecar.id))) await setTimeout(5)
})
