import { readdirSync, readFileSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'tap'
import { atWork } from '../../../src/operations/workplace.ts'
import { silent as progress } from '../../../src/operations/progress.ts'
import { verifyVolume } from '../../../src/operations/verify.ts'
import { build } from '../../helper.ts'
import { openBelow } from '../../storage/fixtures/volume.ts'
import { moving } from './fixture.ts'

test('all of a home is in the new one, beside a gateway at work, and a second pass finds nothing left', async (t) => {
  const { copy, post, put, drop, as, keys, folder, objects, app, moved, config, onStore, local } = await moving(t)
  const { url, id } = await post('ada', 'the bytes')
  const gone = await post('eve', 'others')
  await drop('eve', gone.id)
  await put('ada', 1)
  await put('ada', 2)
  await app.inject({ method: 'DELETE', url: '/api/users/bob/uploads', headers: await as('root', 'uploads:admin') })
  const first = await copy()
  t.match(first, { from: folder, to: 'memory', records: 4, files: 4, sidecars: 0, lines: 1, removed: 0, left: 0, isSame: false, findings: { length: 0 }, moreFindings: 0, seconds: Number })
  t.ok(first.bytes > 15)
  t.equal(objects.bytes('upload-gateway.json')?.toString(), readFileSync(join(folder, 'upload-gateway.json'), 'utf8'))
  t.equal(keys().filter((key) => /^a(vatars|ttachments)\//.test(key)).length, 8)
  t.match(await copy(), { records: 4, files: 0, bytes: 0, sidecars: 0, lines: 0, isSame: true })
  t.strictSame(objects.keys().filter((key) => key.startsWith('staging/')), [], 'nothing of the command is left')
  t.equal(readdirSync(join(folder, 'staging')).length, 1)
  await app.close()
  await rm(folder, { recursive: true })
  const alone = await moved({})
  t.equal((await alone.app.inject({ url, headers: await as('ada') })).payload, 'the bytes')
  t.match((await alone.app.inject({ url: `/api/attachments/${id}`, headers: await as('ada') })).json(), { filename: 'notes.txt' })
  await atWork({ ...config, uploadsDir: local }, { work: 'verify', fs: onStore }, async (workplace) => {
    t.match(await verifyVolume(workplace, { progress }), { records: 4, findings: { length: 0 } })
  })
  await alone.app.close()
  t.strictSame(openBelow(local), [])
})

test('and back, to a volume that is as the old one was', async (t) => {
  const { copy, back, post, put, app, as, files, elsewhere, config } = await moving(t)
  const { url } = await post('ada', 'x'.repeat(3_000_000))
  await put('ada', 1)
  await copy()
  const before = await files()
  await app.close()
  const volume = join(elsewhere, 'volume')
  t.match(await back(`file:${volume}`), { from: 'memory', to: volume, files: 2, isSame: false })
  t.match(await back(`file:${volume}`), { isSame: true })
  const again = await build(t, { UPLOADS_DIR: volume, DATABASE_URL: `file:${config.databaseFile}`, STORAGE_URL: '' })
  t.strictSame((await again.files()).filter((path) => !path.startsWith('staging/')), before.filter((path) => !path.startsWith('staging/')))
  t.equal((await again.app.inject({ url, headers: await as('ada') })).payload, 'x'.repeat(3_000_000))
})

test('without a database there is nothing to judge by', async (t) => {
  const { copy, elsewhere } = await moving(t)
  const database = { kind: 'sqlite', file: join(elsewhere, 'none.sqlite') } as const
  await t.rejects(copy({}, { database }), { name: 'Refusal', message: /^There is no database at .*none\.sqlite, and it says what is to be copied\. Set DATABASE_URL/ })
})

test('what was erased or purged by who did not know of the new home goes from there', async (t) => {
  const { copy, post, drop, app, as, keys, working } = await moving(t)
  await post('bob', 'of bob')
  const { id } = await post('ada', 'of ada')
  await copy()
  t.equal(keys().filter((key) => key.startsWith('attachments/')).length, 4)
  await app.inject({ method: 'DELETE', url: '/api/users/bob/uploads', headers: await as('root', 'uploads:admin') })
  t.match(await copy(), { removed: 1, left: 0, lines: 1 })
  await drop('ada', id)
  const [blob] = await app.database.client.blob.findMany()
  await working(async ({ storage, client }) => {
    const sidecar = await storage.store.readSidecar({ kind: 'attachment', id: blob?.id as never, extension: 'bin' })
    await storage.store.remove(sidecar as never)
    await client.attachment.deleteMany()
    await client.blob.deleteMany()
  })
  t.match(await copy(), { removed: 0, left: 1, isSame: true }, 'it may be about to be recorded')
  t.match(await copy({ now: new Date(Date.now() + 2 * 86_400_000) }), { removed: 1, left: 0 })
  t.strictSame(keys().filter((key) => key.startsWith('attachments/')), [])
  t.match(await app.database.client.blob.findMany(), [{ id: blob?.id, state: 'swept' }], 'a commit that comes late fails')
})

test('a gateway on the new home reads what only the old one has, writes to the new, and removes from both', async (t) => {
  const { copy, post, put, app, as, keys, moved, files, volume } = await moving(t)
  await put('ada', 1)
  const early = await post('ada', 'early')
  await copy()
  const late = await post('ada', 'late')
  const { app: other } = await moved()
  const get = async (url: string, headers = {}) => (await other.inject({ url, headers: { ...await as('ada'), ...headers } }))
  t.equal((await get(early.url)).payload, 'early')
  t.match(await get(late.url), { statusCode: 200, payload: 'late' })
  t.match(await get(late.url, { range: 'bytes=1-2' }), { statusCode: 206, payload: 'at' })
  t.equal((await get('/api/avatars/ada?size=32')).statusCode, 200)
  const posted = await other.inject({ method: 'POST', url: '/api/attachments', headers: { ...await as('ada'), 'content-type': 'application/octet-stream' }, payload: 'new' })
  const { url } = posted.json().attachments[0]
  t.notOk((await files()).some((path) => path.includes(url.split('/').at(-2))))
  t.equal((await get(url)).payload, 'new')
  t.match(await copy(), { files: 1, left: 0 })
  t.equal((await app.inject({ method: 'DELETE', url: '/api/users/nobody/uploads', headers: await as('root', 'uploads:admin') })).statusCode, 200)
  t.equal((await other.inject({ method: 'DELETE', url: '/api/users/ada/uploads', headers: await as('root', 'uploads:admin') })).statusCode, 200)
  t.strictSame(keys().filter((key) => /^(avatars|attachments)\//.test(key)), [])
  t.strictSame((await files()).filter((path) => /^(avatars|attachments)\//.test(path)), [])
  t.match(await copy({ from: volume }), { files: 0, removed: 0, left: 0 })
})
