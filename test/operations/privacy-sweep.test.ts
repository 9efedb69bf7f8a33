import { readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { performance } from 'node:perf_hooks'
import sharp from 'sharp'
import { test } from 'tap'
import { ImagesBusy } from '../../src/errors.ts'
import { silent } from '../../src/operations/progress.ts'
import { createAvatarRecords } from '../../src/avatars/records.ts'
import { asUserId, type UserId } from '../../src/callers/caller.ts'
import { createImportRecords } from '../../src/records/imports.ts'
import { createOwners } from '../../src/records/owners.ts'
import type { BlobId } from '../../src/storage/ids.ts'
import { openStaging } from '../../src/storage/volume/staging.ts'
import { createDurable } from '../../src/storage/volume/durable.ts'
import { collect } from '../fixtures/collect.ts'
import { inProcess, photo, picturesPlace, plainPhoto, sweeping, telltale } from './fixtures/old-pictures.ts'

const pixels = (bytes: Buffer) => sharp(bytes).raw().toBuffer()

test('what is personal goes; record, owner, dates, state and old addresses stay, and pixels too', async (t) => {
  const { attachPhoto, putPhoto, sweep, verify, rows, tellingFiles, client, store, blobPath, rebuilt } = await picturesPlace(t)
  const createdAt = '2020-02-03T04:05:06.000Z'
  const attached = await attachPhoto({ aliases: ['/uploads/a.jpg'], source: 'm:a', sourceSha256: 'x', creatorId: null, createdAt, alt: 'a face', epoch: 0 })
  const dropped = await attachPhoto({ state: 'deleted' })
  const earlier = await putPhoto({ state: 'superseded', crop: '0,0,0.5,0.5' })
  const current = await putPhoto({ aliases: ['/i/p/a.jpg'] })
  const removed = await putPhoto({ ownerId: 'eve', state: 'deleted' })
  const before = await pixels(await readFile(blobPath(attached)))

  const report = await sweep()
  t.match(report, { isDryRun: false, finished: 0, lookedAt: { files: 5 }, clean: { files: 0 }, stripped: { files: 5 }, removed: { location: 5, exif: 5 }, left: { length: 0 }, moreLeft: 0, kept: { asked: 0, services: 0, kinds: { length: 0 } } })
  t.ok(report.stripped.bytesAfter < report.stripped.bytes - 5 * telltale.length)
  t.equal(await tellingFiles(), 0)
  t.match(await verify(), { records: 5, findings: { length: 0 } })

  const all = await rows()
  t.strictSame(all.map(({ originalId }) => originalId).toSorted(), [attached, dropped, earlier, current, removed].map(({ id }) => id as string).toSorted())
  const of = (id: string) => all.find(({ originalId }) => originalId === id)
  t.match(of(attached.id), {
    state: 'live', ownerId: 'ada', creatorId: null, source: 'm:a', sourceSha256: 'x', createdAt: new Date(createdAt), stateAt: new Date(attached.stateAt), metadataRemoved: 'location,exif', revision: 3, sidecarDueAt: null,
    width: 24, height: 16, thumbhash: String, attachment: { id: attached.recordId, alt: 'a face', deletedAt: null }, aliases: [{ path: '/uploads/a.jpg' }],
  })
  t.match(of(dropped.id), { state: 'deleted', attachment: { id: dropped.recordId, deletedAt: Date } })
  t.match(of(earlier.id), { state: 'superseded', crop: '0,0,0.5,0.5', stateAt: new Date(earlier.stateAt), avatar: null })
  t.match(of(current.id), { state: 'live', avatar: { userId: 'ada' }, aliases: [{ path: '/i/p/a.jpg' }] })
  t.match(of(removed.id), { state: 'deleted', avatar: null })
  const copy = await store.readSidecar({ kind: 'attachment', id: of(attached.id)?.id as BlobId, extension: 'jpg' })
  t.match(copy, { recordId: attached.recordId, aliases: ['/uploads/a.jpg'], metadataRemoved: ['location', 'exif'], originalId: attached.id, revision: 3 })
  if (copy !== undefined) t.same(await pixels(await readFile(blobPath(copy))), before)
  t.equal(await client.tombstone.count(), 0)
  t.equal(await client.setting.count({ where: { key: { startsWith: 'picture-copies' } } }), 0)

  t.match(await sweep(), { lookedAt: { files: 0 }, finished: 0 }, 'a second time there is nothing to do')
  const { blobs, findings } = await rebuilt()
  t.strictSame([blobs.length, findings], [5, []])
})

test('an old address of a version answers with its copy', async (t) => {
  const { putPhoto, sweep, client, storage: { hash }, now } = await picturesPlace(t)
  const [earlier, current, gone] = [await putPhoto({ state: 'superseded' }), await putPhoto(), await putPhoto({ state: 'deleted', stateAt: '2020-01-01T00:00:00.000Z' })]
  await sweep()
  const records = createAvatarRecords({ client, owners: createOwners({ client, hash }), now })
  const ada = asUserId('ada') as UserId
  t.match(await records.shownVersion(ada, earlier.id), { originalId: earlier.id, state: 'superseded' })
  const version = await records.shownVersion(ada, current.id)
  t.match(version, { originalId: current.id, state: 'live' })
  t.match(await records.shownVersion(ada, version?.id as BlobId), { id: version?.id })
  t.equal(await records.shownVersion(ada, gone.id), null)
  t.equal(await records.shownVersion(asUserId('bob') as UserId, current.id), null)
})

test('an import finds what it brought, also when it is of no known date', async (t) => {
  const { putPhoto, sweep, client, storage: { hash }, now } = await picturesPlace(t)
  const { id } = await putPhoto({ source: 'm:/i/a', sourceSha256: 'x', creatorId: null })
  await sweep()
  const records = createImportRecords({ client, owners: createOwners({ client, hash }), hash, now })
  const [present] = await records.presentOf([{ kind: 'avatar', source: 'm:/i/a', ownerId: 'ada', paths: [] }])
  t.match(present, { latest: { originalId: id, sourceSha256: 'x', state: 'live' } })
})

test('a picture with nothing personal in it stays byte for byte, and is known from then on', async (t) => {
  const { attachPhoto, putPhoto, sweep, rows, stored, verify, store } = await picturesPlace(t)
  const plain = await attachPhoto({}, await plainPhoto())
  const known = await putPhoto({ thumbhash: 'aGk=', width: 24, height: 16 }, await plainPhoto(1))
  const files = await stored()
  t.match(await sweep(), { lookedAt: { files: 2 }, clean: { files: 2 }, stripped: { files: 0, bytes: 0 } })
  t.strictSame(await stored(), files)
  const [first, second] = await rows()
  t.match(first, { id: plain.id, metadataRemoved: '', width: 24, height: 16, thumbhash: /^[A-Za-z0-9+/]{20,40}={0,2}$/, revision: 2, sidecarDueAt: null })
  t.match(second, { id: known.id, metadataRemoved: '', thumbhash: 'aGk=', revision: 2 })
  t.match(await store.readSidecar(plain), { metadataRemoved: { length: 0 }, width: 24, revision: 2 })
  t.match(await verify(), { findings: { length: 0 } })
  t.match(await sweep(), { lookedAt: { files: 0 } })
})

test('a dry run says what would be, and writes nothing', async (t) => {
  const { attachPhoto, putPhoto, sweep, rows, stored, faults } = await picturesPlace(t)
  await attachPhoto()
  await putPhoto({}, await plainPhoto())
  await attachPhoto({}, Buffer.from([0xff, 0xd8, 0xff, 0xe1, 0xff, 0xff, 0]))
  const [files, before] = [await stored(), await rows()]
  faults.heal()
  const dry = await sweep({ isRun: false })
  t.match(dry, { isDryRun: true, lookedAt: { files: 3 }, clean: { files: 1 }, stripped: { files: 1 }, removed: { location: 1 }, left: [{ code: 'metadata-unreadable' }] })
  t.strictSame([await stored(), await rows()], [files, before])
  t.strictSame([faults.count('rename'), faults.count('unlink')], [0, 0])
  t.match(await sweep(), { stripped: dry.stripped, clean: dry.clean }, 'which is what comes of it')
})

test('only what is asked for, and nothing that somebody wants kept', async (t) => {
  const { attachPhoto, putPhoto, sweep } = await picturesPlace(t)
  await attachPhoto({ keepsMetadata: true })
  await attachPhoto({ creatorId: 'billing' })
  await attachPhoto({ ownerId: 'bob', creatorId: 'bob' })
  await attachPhoto({ contentType: 'application/pdf' })
  await attachPhoto({ metadataRemoved: [] })
  await putPhoto({ ownerId: 'eve', creatorId: 'billing' })
  await putPhoto({ ownerId: null, creatorId: null, state: 'pending' })
  const dry = { isRun: false }
  t.match(await sweep(dry), { lookedAt: { files: 2 }, kept: { asked: 1, services: 1 } }, 'avatars are their owners\', whoever set them')
  t.match(await sweep({ ...dry, withServices: true }), { lookedAt: { files: 3 }, kept: { asked: 1, services: 0 } })
  t.match(await sweep({ ...dry, kind: 'avatar' }), { lookedAt: { files: 1 } })
  t.match(await sweep({ ...dry, ownerId: 'bob' }), { lookedAt: { files: 1 }, kept: { asked: 0, services: 0 } })
  t.match(await sweep({ ...dry, avatarKeepsMetadata: true }), { lookedAt: { files: 1 }, kept: { kinds: ['avatar'] } })
  t.match(await sweep({ ...dry, kind: 'attachment', attachmentKeepsMetadata: true }), { lookedAt: { files: 0 }, kept: { asked: 0, kinds: ['attachment'] } })
})

test('sequences are found under the types they once had, and become pictures that are shown', async (t) => {
  const { attachPhoto, sweep, rows, store } = await picturesPlace(t)
  const sequence = await readFile(join(import.meta.dirname, '../fixtures/metadata.heic'))
  sequence.write('hevc', 8)
  const secret = 'Secretdoe'
  t.ok(sequence.includes(secret))
  const [one] = [await attachPhoto({ contentType: 'image/heic-sequence', extension: 'bin' }, sequence), await attachPhoto({ contentType: 'video/mp4' }, sequence)]
  t.match(await sweep(), { lookedAt: { files: 1 }, stripped: { files: 1 }, removed: { location: 1, exif: 1, xmp: 1, thumbnail: 1 }, left: { length: 0 } })
  const copy = (await rows()).find(({ originalId }) => originalId === one.id)
  t.match(copy, { contentType: 'image/heic', width: 64, height: 48, thumbhash: String })
  t.notOk(Buffer.concat(await collect<Buffer>(await store.read({ kind: 'attachment', id: copy?.id as BlobId, extension: 'bin' }))).includes(secret))
})

test('one that cannot be done keeps no other, and says why', async (t) => {
  const { attachPhoto, sweep, blobPath, rows, tellingFiles, faults, stored } = await picturesPlace(t)
  const unreadable = await attachPhoto({}, Buffer.from([0xff, 0xd8, 0xff, 0xe1, 0xff, 0xff, 0]))
  const missing = await attachPhoto()
  await rm(blobPath(missing))
  const damaged = await attachPhoto()
  await writeFile(blobPath(damaged), await photo(7))
  const undecodable = await attachPhoto({}, (await photo()).subarray(0, -200))
  const sound = await attachPhoto()
  const { left, ...report } = await sweep()
  t.match(report, { lookedAt: { files: 5 }, stripped: { files: 1 } })
  t.strictSame(left.map(({ id, code }) => [id, code]).toSorted(), [[unreadable.recordId, 'metadata-unreadable'], [undecodable.recordId, 'metadata-unreadable'], [missing.recordId, 'missing'], [damaged.recordId, 'damaged']].toSorted())
  t.match(left.find(({ code }) => code === 'missing'), { blobId: missing.id, kind: 'attachment', ownerId: 'ada', reason: /verify/ })
  t.equal((await rows()).filter(({ originalId }) => originalId === sound.id).length, 1)
  t.equal(await tellingFiles(), 2, 'the two that it could not do')

  faults.inject({ on: 'rename', errno: 'EIO', forever: true })
  const again = await attachPhoto().catch(() => undefined)
  t.equal(again, undefined)
  faults.heal()
  const last = await attachPhoto()
  const files = await stored()
  faults.inject({ on: 'rename', path: /attachments/, errno: 'EIO' })
  t.match((await sweep()).left.find(({ blobId }) => blobId === last.id), { code: 'failed', reason: /EIO/ })
  t.strictSame(await stored(), files)
})

test('a copy that would look otherwise, and one whose process is lost, change nothing', async (t) => {
  const { attachPhoto, sweep, stored } = await picturesPlace(t)
  const one = await attachPhoto()
  const files = await stored()
  const failing = (job: string, error: unknown) => ({ run: async (name: string, input: never) => { if (name === job) { if (error instanceof Error) throw error; return error } return inProcess.run(name as never, input, {} as never) } }) as typeof inProcess
  const code = (name: string) => Object.assign(new Error('so it is'), { code: name })
  const leftOf = async (processes: typeof inProcess) => (await sweep({ processes })).left.map(({ blobId, code }) => [blobId, code])
  t.strictSame(await leftOf(failing('isSameLook', false)), [[one.id, 'look-changes']])
  t.strictSame(await leftOf(failing('isSameLook', code('IMAGE_INVALID'))), [[one.id, 'look-changes']])
  t.strictSame(await leftOf(failing('isSameLook', code('JOB_CRASHED'))), [[one.id, 'too-slow']])
  t.strictSame(await leftOf(failing('inspect', code('JOB_TIMED_OUT'))), [[one.id, 'too-slow']])
  t.strictSame(await leftOf(failing('plan', new TypeError('a mistake'))), [[one.id, 'failed']])
  t.strictSame(await stored(), files)
  await t.rejects(sweep({ processes: failing('plan', code('SERVICE_STOPPING')) }), { code: 'SERVICE_STOPPING' })
  t.match(await sweep({ processes: failing('header', code('IMAGE_TOO_LARGE')) }), { stripped: { files: 1 }, left: { length: 0 } }, 'what cannot be decoded has no look that could change')
})

test('what the processes are too busy for is tried again, and then left for another run; the others are done', async (t) => {
  const { attachPhoto, putPhoto, sweep, stored, rows, client } = await picturesPlace(t)
  const one = await attachPhoto()
  await putPhoto({}, await plainPhoto())
  const files = await stored()
  const before = await rows()
  const busyFor = (job: string, times: number) => {
    let left = times
    return { run: async (name: string, input: never) => { if (name === job && left-- > 0) throw new ImagesBusy(); return inProcess.run(name as never, input, {} as never) } } as typeof inProcess
  }
  for (const job of ['plan', 'header', 'inspect', 'isSameLook']) {
    const { left, lookedAt } = await sweep({ processes: busyFor(job, Infinity), kind: 'attachment' })
    t.match([left, lookedAt.files], [[{ blobId: one.id, code: 'not-looked-at', reason: /not looked at now.*run this again/ }], 1], job)
  }
  t.strictSame([await stored(), await rows(), await client.setting.count({ where: { key: { startsWith: 'picture-copies' } } })], [files, before, 0], 'nothing is noted of it, and nothing lies about')
  const waited: number[] = []
  t.match(await sweep({ processes: busyFor('inspect', 2), pause: async (ms) => { waited.push(ms) } }), { stripped: { files: 1 }, clean: { files: 1 }, left: { length: 0 } })
  t.ok(waited.includes(1000))
})

test('one whose pixels cannot be decoded is stripped by its structure', async (t) => {
  const { attachPhoto, sweep, rows } = await picturesPlace(t)
  const one = await attachPhoto()
  const processes = { run: async (name: string, input: never) => { if (name === 'inspect') throw Object.assign(new Error('no'), { code: 'IMAGE_INVALID' }); return inProcess.run(name as never, input, {} as never) } } as typeof inProcess
  t.match(await sweep({ processes }), { stripped: { files: 1 } })
  t.match(await rows(), [{ originalId: one.id, width: 24, height: 16, thumbhash: null }])
})

test('nothing is cut from behind a damaged picture, nor from a film', async (t) => {
  const { attachPhoto, sweep, stored } = await picturesPlace(t)
  const [jpeg, plain] = [await photo(), await plainPhoto()]
  const end = Buffer.from('ffd9', 'hex')
  const damaged = [
    Buffer.concat([jpeg.subarray(0, 2), end, jpeg.subarray(2)]),
    Buffer.from(jpeg.toString('latin1').replace('\xff\xdb', '\0\xdb'), 'latin1'),
    Buffer.concat([plain, plain, plain]),
  ]
  const ids = []
  for (const bytes of damaged) ids.push((await attachPhoto({}, bytes)).id)
  const files = await stored()
  for (const isRun of [false, true]) {
    const { stripped, left } = await sweep({ isRun })
    t.strictSame([stripped.files, left.map(({ blobId, code }) => [blobId, code]).toSorted()], [0, ids.map((id) => [id, 'metadata-unreadable']).toSorted()])
  }
  t.strictSame(await stored(), files)

  const sound = await attachPhoto({}, Buffer.concat([plain, jpeg]))
  for (const isRun of [false, true]) t.match(await sweep({ isRun }), { stripped: { files: 1 }, removed: { location: 1 } }, `${sound.id}: a second picture goes from behind a sound one`)
})

test('what changes meanwhile is done as it is then; what goes meanwhile stays away', async (t) => {
  const { attachPhoto, sweep, rows, client, settling, verify, stored, storage: { hash } } = await picturesPlace(t)
  const one = await attachPhoto()
  const meddling = (job: string, meddle: () => Promise<unknown>, times = 1) => {
    let left = times
    return { run: async (name: string, input: never) => { if (name === job && left-- > 0) await meddle(); return inProcess.run(name as never, input, {} as never) } } as typeof inProcess
  }
  const alter = async () => {
    await client.$transaction([client.blob.update({ where: { id: one.id }, data: { revision: { increment: 1 }, sidecarDueAt: new Date() } }), client.attachment.update({ where: { id: one.recordId ?? '' }, data: { alt: 'later' } })])
    await settling.settle(one.id)
  }
  t.match(await sweep({ processes: meddling('isSameLook', alter, 99) }), { left: [{ code: 'busy' }], stripped: { files: 0 } }, 'unless it never ends')
  t.equal((await stored()).length, 2)
  t.match(await sweep({ processes: meddling('isSameLook', alter) }), { left: { length: 0 }, stripped: { files: 1 } })
  t.match(await rows(), [{ originalId: one.id, attachment: { id: one.recordId, alt: 'later' } }])

  const clean = await attachPhoto({}, await plainPhoto())
  const purge = () => client.blob.update({ where: { id: clean.id }, data: { state: 'purging' } })
  t.match(await sweep({ processes: meddling('header', purge) }), { lookedAt: { files: 0 }, left: { length: 0 } })
  await client.blob.delete({ where: { id: clean.id } })

  const erased = await attachPhoto({ ownerId: 'eve', creatorId: 'eve' })
  const erase = () => client.owner.create({ data: { key: hash('owner', 'eve'), epoch: 1 } })
  const files = await stored()
  t.match(await sweep({ processes: meddling('isSameLook', erase) }), { lookedAt: { files: 0 }, stripped: { files: 0 }, left: { length: 0 } })
  t.strictSame(await stored(), files, 'nothing of who was erased meanwhile is there twice')
  await client.blob.delete({ where: { id: erased.id } })

  const swept = await attachPhoto()
  const announced = async (): Promise<Array<{ id: string }>> => (await client.setting.findMany({ where: { key: { startsWith: 'picture-copies' } } })).flatMap(({ value }) => JSON.parse(value))
  const claim = async () => { for (const { id } of await announced()) await client.blob.create({ data: { id, kind: 'attachment', extension: 'jpg', state: 'swept', contentType: '', size: 0n, sha256: '', stateAt: new Date(), createdAt: new Date() } }) }
  t.match(await sweep({ processes: meddling('isSameLook', claim) }), { left: [{ blobId: swept.id, code: 'busy' }] })
  t.match(await sweep(), { stripped: { files: 1 }, left: { length: 0 } })
  t.match((await verify()).findings.filter(({ id }) => id !== clean.id && id !== erased.id), { length: 0 })
})

test('sidecars that cannot be written are written later, and until then nothing goes', async (t) => {
  const { attachPhoto, sweep, rows, faults, tellingFiles, verify, stored } = await picturesPlace(t)
  await attachPhoto({}, await plainPhoto())
  faults.inject({ on: 'rename', path: /sidecar\.json → .*attachments/, errno: 'EIO' })
  t.match(await sweep(), { left: [{ code: 'failed', reason: /was noted.*EIO/ }] })
  faults.heal()
  t.match(await rows(), [{ metadataRemoved: '', sidecarDueAt: Date }])

  const one = await attachPhoto()
  // The first is that of the draft.
  faults.inject({ on: 'rename', path: /sidecar\.json → .*attachments/, errno: 'EIO', nth: 2 })
  t.match(await sweep(), { stripped: { files: 0 }, left: [{ blobId: one.id, code: 'failed', reason: /run this again/ }] })
  faults.heal()
  t.equal(await tellingFiles(), 1)
  t.match((await rows()).find(({ id }) => id === one.id), { state: 'purging' })
  t.match(await sweep(), { finished: 1, lookedAt: { files: 0 }, left: { length: 0 } })
  t.equal(await tellingFiles(), 0)

  const other = await attachPhoto()
  faults.inject({ on: 'unlink', path: new RegExp(other.id), errno: 'EIO', forever: true })
  t.match(await sweep(), { stripped: { files: 1 }, left: [{ blobId: other.id, code: 'failed', reason: /could not be removed/ }] })
  faults.heal()
  t.match(await sweep(), { finished: 1, left: { length: 0 } })
  await verify()
  t.strictSame([await tellingFiles(), (await stored()).length], [0, 6])
})

test('a full disk stops the run with a sentence; a database that is gone, with its error', async (t) => {
  const { attachPhoto, sweep, stored, workplace, faults } = await picturesPlace(t)
  await attachPhoto()
  const files = await stored()
  faults.inject({ on: 'writev', errno: 'ENOSPC', forever: true }, { on: 'write', errno: 'ENOSPC', forever: true })
  await t.rejects(sweep(), { name: 'Refusal', message: /storage is full.*after 0 pictures.*run it again/ })
  faults.heal()
  const client = new Proxy(workplace.client, { get: (target, name) => name === '$transaction' ? () => Promise.reject(new Error('gone')) : Reflect.get(target, name) })
  await t.rejects(sweeping({ ...workplace, client }), { code: 'DATABASE_UNAVAILABLE' })
  t.equal((await stored()).length, files.length + 2, 'nobody knows whether it was committed')
  t.match(await sweep(), { stripped: { files: 1 } })
  t.equal((await stored()).length, files.length)
})

test('it waits for a backup, and is alone', async (t) => {
  const { attachPhoto, sweep, root, faults, tellingFiles } = await picturesPlace(t)
  await attachPhoto()
  const durable = createDurable({ fs: faults.fs, onSyncFailure: () => {} })
  const open = (work: string) => openStaging({ fs: faults.fs, durable, root, role: { work, isExclusive: false }, monotonicMs: () => performance.now() })
  const backup = await open('backup')
  const told: string[] = []
  let pauses = 0
  const pause = async () => { if (++pauses === 3) { t.equal(await tellingFiles(), 1); await backup.close() } }
  t.match(await sweep({ pause, progress: { ...silent, say: (message) => { told.push(message) } } }), { stripped: { files: 1 } })
  t.strictSame([told, pauses], [['A backup is under way: waiting for its end.'], 4])

  const other = await open('privacy sweep')
  t.teardown(() => other.close())
  await t.rejects(sweep(), { name: 'Refusal', message: /Another privacy sweep is at work/ })
  t.match(await sweep({ isRun: false }), { lookedAt: { files: 0 } }, 'which a dry run does not mind')
})

test('with processes of its own', async (t) => {
  const { attachPhoto, putPhoto, workplace, tellingFiles } = await picturesPlace(t)
  await attachPhoto()
  await putPhoto()
  t.match(await sweeping(workplace, { processes: undefined as never }), { stripped: { files: 2 }, left: { length: 0 } })
  t.equal(await tellingFiles(), 0)
})
