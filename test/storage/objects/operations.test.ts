import { PassThrough } from 'node:stream'
import { buffer } from 'node:stream/consumers'
import { mkdir, readdir, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test, type Test } from 'tap'
import { auditVolume, repairWork } from '../../../src/operations/audit.ts'
import { backup } from '../../../src/operations/backup/backup.ts'
import { pruneErased } from '../../../src/operations/backup/prune.ts'
import { diagnose } from '../../../src/operations/doctor/doctor.ts'
import { eraseOwner } from '../../../src/operations/erase.ts'
import { importSystemMAvatars } from '../../../src/operations/import/moving-in.ts'
import { privacySweep } from '../../../src/operations/privacy-sweep.ts'
import { explain } from '../../../src/operations/explain/explain.ts'
import { silent as progress } from '../../../src/operations/progress.ts'
import { purgeTrash } from '../../../src/operations/purge-trash.ts'
import { verifyReceipt } from '../../../src/operations/receipt.ts'
import { rebuild } from '../../../src/operations/rebuild/rebuild.ts'
import { restore } from '../../../src/operations/restore/restore.ts'
import { sweep } from '../../../src/operations/sweep.ts'
import { verifyVolume } from '../../../src/operations/verify.ts'
import { atWork, type Workplace } from '../../../src/operations/workplace.ts'
import { newBlobId } from '../../../src/storage/ids.ts'
import { picture, temporaryFolder } from '../../helper.ts'
import { inProcess } from '../../operations/fixtures/old-pictures.ts'
import { gatewayOn, homeFor } from '../../fixtures/object-home.ts'
import { publish } from '../fixtures/volume.ts'

const day = 86_400_000

async function setUp (t: Test, settings: Record<string, string> = {}) {
  const home = await homeFor(t, settings)
  const gateway = await gatewayOn(t, home, settings)
  const working = <T>(work: string, use: (place: Workplace) => Promise<T>, now?: () => Date) => atWork(home.config, { work, fs: home.fs, ...(now && { now }) }, use)
  const verify = () => working('verify', (place) => verifyVolume(place, { progress }))
  const attachment = async (user = 'ada', bytes: Buffer | string = 'hello') => (await gateway.attach(user, bytes)).json().attachments[0]
  const blobKey = (suffix: RegExp, kind = 'attachments') => home.objects.keys().find((key) => key.startsWith(kind) && suffix.test(key)) ?? ''
  return { ...home, ...gateway, working, verify, attachment, blobKey }
}

test('what is uploaded is in the store, whole, with its sidecar; on the disk is only what can be made again', async (t) => {
  const { objects, folder, attachment, put, get, kept } = await setUp(t)
  const { id } = await attachment('ada', 'hello world')
  t.equal((await put('ada')).statusCode, 201)
  t.match(kept().map((key) => key.replace(/[0-9a-f-]{36}/, 'ID').replace(/\d{4}\/\d\d\/\d\d/, 'DAY')), ['attachments/DAY/ID.sidecar.json', 'attachments/DAY/ID.txt', 'avatars/DAY/ID.jpg', 'avatars/DAY/ID.sidecar.json', /^erasures\.ndjson\.parts\//, 'upload-gateway.json'])
  t.equal((await get('ada', `/api/attachments/${id}/content`)).body, 'hello world')
  t.match(await get('ada', `/api/attachments/${id}/content`, { range: 'bytes=6-' }), { statusCode: 206, body: 'world' })
  t.match(await get('ada', '/api/avatars/ada?size=32'), { statusCode: 200, headers: { 'content-type': 'image/jpeg' } })
  t.strictSame((await readdir(folder)).sort(), ['cache', 'database', 'staging'])
  const [instance = ''] = await readdir(join(folder, 'staging'))
  t.strictSame(await readdir(join(folder, 'staging', instance)), [])
  t.ok(objects.keys().includes(`staging/${instance}/heartbeat.json`))
})

test('a sweep removes trash, orphans, and uploads in parts that nobody completed', async (t) => {
  const { app, objects, attachment, as, working, config, kept } = await setUp(t, { TRASH_RETENTION_DAYS: '1' })
  const { id } = await attachment()
  await app.inject({ method: 'DELETE', url: `/api/attachments/${id}`, headers: await as('ada') })
  await publish(app.storage.store, 'hello', { id: newBlobId() })
  const stays = await attachment('bob')
  await app.close()
  const swept: string[] = []
  objects.before = (operation) => { if (operation === 'sweepUnfinished') swept.push(operation) }
  const report = await working('sweep', (place) => sweep(place, config, { progress }), () => new Date(Date.now() + 2 * day))
  t.match(report, { failures: { length: 0 }, removed: { trash: 1, orphans: 1 } })
  t.match(kept(), [/attachments.*sidecar/, /attachments.*txt/, /erasures/, 'upload-gateway.json'])
  t.equal(swept.length, 1)
  t.ok(stays)
})

test('verify reads every object, and finds what is missing, damaged, foreign or swapped', async (t) => {
  const { objects, attachment, verify, blobKey } = await setUp(t)
  await attachment('ada', 'one')
  t.match(await verify(), { records: 1, hashedFiles: 1, findings: { length: 0 } })
  objects.spoil(blobKey(/\.txt$/), Buffer.from('two'))
  objects.spoil('attachments/2024/notes.txt', Buffer.from('x'))
  objects.spoil('notes.txt', Buffer.from('x'))
  t.match((await verify()).findings.map(({ problem }) => problem).sort(), ['blob-corrupt', 'foreign', 'foreign'])
  await objects.remove(blobKey(/\.sidecar\.json$/))
  await objects.remove(blobKey(/[0-9a-f]\.txt$/))
  t.match((await verify()).findings.map(({ problem }) => problem).sort(), ['blob-missing', 'foreign', 'foreign', 'sidecar-missing'])
})

test('an audit writes a lost sidecar anew, brings bytes back from a backup, and removes what is foreign', async (t) => {
  const { fs, config, objects, attachment, verify, working, blobKey, get } = await setUp(t)
  const { id } = await attachment('ada', 'one')
  const dir = join(await temporaryFolder(t), 'backup')
  await backup(config, { to: { dir }, fs, progress })
  objects.spoil(blobKey(/\.txt$/), Buffer.from('two'))
  await objects.remove(blobKey(/\.sidecar\.json$/))
  objects.spoil('notes.txt', Buffer.from('x'))
  const audit = await working(repairWork, (place) => auditVolume(place, { isRepair: true, removesForeign: true, from: dir, progress }))
  t.match(audit.findings.map(({ problem, outcome }) => `${problem} ${outcome}`).sort(), ['blob-corrupt mended', 'foreign mended', 'sidecar-missing mended'])
  t.equal((await get('ada', `/api/attachments/${id}/content`)).body, 'one')
  t.equal(objects.bytes(`${blobKey(/\.txt$/)}.damaged`)?.toString(), 'two')
  t.match((await verify()).findings, [{ problem: 'foreign', path: /\.damaged$/ }])
})

test('the records can be made anew from what is in the store', async (t) => {
  const { app, fs, config, attachment, put, kept, folder } = await setUp(t)
  const { url } = await attachment('ada', 'one')
  await put('ada')
  await app.close()
  const before = kept()
  await rm(join(folder, 'database'), { recursive: true })
  t.match(await rebuild(config, progress, { fs }), { findings: { length: 0 }, foreign: 0 })
  t.strictSame(kept(), before)
  const again = await gatewayOn(t, { objects: fs.objects as never, folder, config, fs })
  t.equal((await again.get('ada', url)).body, 'one')
})

test('a backup into a folder is restored into an empty store, and into a folder of this machine', async (t) => {
  const { app, fs, config, attachment, attach, put, as } = await setUp(t)
  const { url } = await attachment('ada', 'one')
  await attach('ada', Buffer.alloc(3 * 1024 ** 2, 'x'))
  await put('bob')
  await attachment('eve', 'gone')
  const dir = join(await temporaryFolder(t), 'backup')
  t.match(await backup(config, { to: { dir }, fs, progress }), { files: 4, copiedFiles: 4, findings: { length: 0 } })
  t.match(await backup(config, { to: { dir }, fs, progress }), { files: 4, copiedFiles: 0 })
  await app.inject({ method: 'DELETE', url: '/api/users/eve', headers: await as('ops', 'erase' as never, 'admin' as never) })
  await app.close()

  const other = await homeFor(t)
  const ledger = join(await temporaryFolder(t), 'ledger')
  await writeFile(ledger, (await fs.readFile(join(config.uploadsDir, 'erasures.ndjson'))))
  t.match(await restore(other.config, dir, { fs: other.fs, progress, ledgers: [ledger] }), { files: 4, verification: { findings: { length: 0 } } })
  t.notOk(other.objects.keys().includes('restore-unfinished.json'))
  const restored = await gatewayOn(t, other)
  t.equal((await restored.get('ada', url)).body, 'one')
  t.equal((await restored.app.inject('/api/avatars/bob')).statusCode, 200)

  const into = join(await temporaryFolder(t), 'into')
  t.match(await restore(config, dir, { fs, into, progress }), { files: 4, verification: { findings: { length: 0 } } })
  t.match((await readdir(into)).sort(), ['attachments', 'avatars', 'database', 'database.json', 'erasures.ndjson', 'staging', 'tombstones.ndjson', 'upload-gateway.json'])
})

test('a store that is not empty is not restored into', async (t) => {
  const { app, fs, config, objects, attachment } = await setUp(t)
  await attachment('ada', 'one')
  const dir = join(await temporaryFolder(t), 'backup')
  await backup(config, { to: { dir }, fs, progress })
  await app.close()
  const before = objects.keys()
  await rm(join(config.uploadsDir, 'database'), { recursive: true })
  await t.rejects(restore(config, dir, { fs, progress }), { name: 'Refusal', message: /^STORAGE_URL memory is not empty: .*set STORAGE_URL to an empty place/ })
  t.strictSame(objects.keys(), before)
})

test('a backup is a tar as well', async (t) => {
  const { fs, config, attachment } = await setUp(t)
  await attachment('ada', 'one of a kind')
  const output = new PassThrough()
  const [tar, report] = await Promise.all([buffer(output), backup(config, { to: { output }, fs, progress })])
  t.match(report, { files: 1, findings: { length: 0 } })
  t.ok(tar.includes('one of a kind'))
})

test('who is erased is gone from the store, with a receipt; and from backups', async (t) => {
  const { fs, config, attachment, put, kept, objects } = await setUp(t)
  await attachment('ada-of-the-test', 'one')
  await put('ada-of-the-test')
  await attachment('bob', 'two')
  const dir = join(await temporaryFolder(t), 'backup')
  await backup(config, { to: { dir }, fs, progress })
  const receiptFile = join(await temporaryFolder(t), 'receipt')
  t.match(await eraseOwner(config, { owner: 'ada-of-the-test', receiptFile, progress, fs }), { erased: { counts: { avatars: 1, attachments: 1 } } })
  t.match(await verifyReceipt(config, { receiptFile, progress, fs }), { findings: { length: 0 }, places: [{ hasEntry: true }] })
  t.notOk(kept().some((key) => objects.bytes(key)?.includes('ada-of-the-test')))
  t.equal(kept().filter((key) => key.startsWith('a')).length, 2)
  t.match(await pruneErased(config, dir, { fs, progress }), { erasedUploads: 2, removedFiles: 2 })
})

test('a file is explained, and the surroundings are looked at', async (t) => {
  const { fs, config, attachment, blobKey, objects } = await setUp(t)
  const { id } = await attachment('ada', 'one')
  t.match(await explain(config, id, { fs }), { isServed: true })
  await objects.remove(blobKey(/\.txt$/))
  t.match(await explain(config, id, { fs }), { isServed: false, blobs: [{ file: { is: 'nothing' } }] })
  const { checks } = await diagnose(config, { fs, url: 'http://127.0.0.1:1' })
  t.match(checks.find(({ name }) => name === 'object store'), { area: 'volume', level: 'ok', detail: /memory/ })
  t.notOk(checks.some(({ name }) => name === 'mount'))
})

test('trash is purged for good', async (t) => {
  const { app, as, attachment, working, kept } = await setUp(t)
  const { id } = await attachment()
  await app.inject({ method: 'DELETE', url: `/api/attachments/${id}`, headers: await as('ada') })
  t.match(await working('trash purge', (place) => purgeTrash(place, { filter: {} }, { confirm: async () => true, progress })), { purged: 1, left: { length: 0 } })
  t.match(kept(), [/^erasures/, 'upload-gateway.json'])
})

test('an older system is moved in, and personal metadata goes out', async (t) => {
  const { fs, config, app, working, kept, put } = await setUp(t)
  const old = await temporaryFolder(t)
  await mkdir(join(old, 'i'))
  await writeFile(join(old, 'i', 'eve.png'), await picture('png'))
  t.match(await importSystemMAvatars(config, { folder: join(old, 'i'), users: undefined, owner: 'archive', visibility: 'public', isRun: true, progress, fs }), { outcomes: { imported: { files: 1 } } })
  t.equal((await app.inject('/i/eve.png')).statusCode, 200)
  await put('ada')
  await app.database.client.blob.updateMany({ where: { ownerId: 'ada' }, data: { metadataRemoved: null, thumbhash: null } })
  const before = kept()
  t.match(await working('privacy', (place) => privacySweep(place, config, { isRun: true, progress, processes: inProcess })), { isDryRun: false, left: { length: 0 } })
  t.ok(kept().length >= before.length)
  t.match(await working('verify', (place) => verifyVolume(place, { progress })), { findings: { length: 0 } })
})

test('of personal metadata a picture that is missing is told of, and a full disk ends the run with a sentence', async (t) => {
  const { app, fs, objects, config, put, blobKey } = await setUp(t)
  await put('ada')
  await app.database.client.blob.updateMany({ data: { metadataRemoved: null, thumbhash: null } })
  const disk = { isFull: true }
  const statfs = (async (path: string) => ({ ...await fs.statfs(path), ...(disk.isFull && { bavail: -1 }) })) as typeof fs.statfs
  const run = () => atWork(config, { work: 'privacy', fs: { ...fs, statfs } }, (place) => privacySweep(place, config, { isRun: true, progress, processes: inProcess }))
  await t.rejects(run(), { name: 'Refusal', message: /storage is full.*run it again/ })
  disk.isFull = false
  await objects.remove(blobKey(/\.jpg$/, 'avatars'))
  t.match(await run(), { left: [{ code: 'missing' }] })
})

test('a user takes everything along', async (t) => {
  const { app, as, attachment, put } = await setUp(t)
  await attachment('ada', 'one of a kind')
  await attachment('ada', '')
  await put('ada')
  const { statusCode, rawPayload } = await app.inject({ url: '/api/users/me/export', headers: await as('ada') })
  t.equal(statusCode, 200)
  t.ok(rawPayload.includes('one of a kind'))
  t.match(rawPayload.toString(), /"isLast":\s*true/)
  t.notMatch(rawPayload.toString(), /"status":\s*"(missing|damaged)"/)
})
