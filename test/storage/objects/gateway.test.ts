// A gateway on an object store: what it answers when the store does not, and that what is in the store belongs to all gateways on it.
import { readdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'tap'
import { ObjectsRefused, ObjectsUnavailable } from '../../../src/storage/objects/objects.ts'
import { gatewayOn, homeFor } from '../../fixtures/object-home.ts'
import { temporaryFolder } from '../../helper.ts'
import { clientOf } from '../../resumable/fixture.ts'

const away = () => { throw new ObjectsUnavailable('away') }

test('while the store is away it is not ready and takes no uploads, and what is cached is served', async (t) => {
  const home = await homeFor(t)
  const { app, put, attach, get } = await gatewayOn(t, home)
  await put('ada')
  const { url } = (await attach('ada')).json().attachments[0]
  t.equal((await app.inject('/api/avatars/ada?size=32')).statusCode, 200)
  t.equal((await app.inject('/health/ready')).statusCode, 200)
  home.objects.before = away
  await t.rejects(app.storage.probe.check(), { code: 'STORAGE_UNAVAILABLE' })
  t.match(await attach('ada'), { statusCode: 503, headers: { 'retry-after': String } })
  t.match((await get('ada', url)).json(), { status: 503, code: 'STORAGE_UNAVAILABLE' })
  t.equal((await app.inject('/api/avatars/ada?size=32')).statusCode, 200)
  home.objects.before = () => {}
  await app.storage.probe.check()
  t.equal((await attach('ada')).statusCode, 201)
  home.objects.before = away
  await app.close()
  t.strictSame(await readdir(join(home.folder, 'staging')), [], 'it stops all the same')
})

test('a resumable upload goes on at another gateway, with staging of its own', async (t) => {
  const DATABASE_URL = `file:${join(await temporaryFolder(t), 'gateway.sqlite')}`
  const one = await homeFor(t, { DATABASE_URL })
  const other = await homeFor(t, { DATABASE_URL }, one.objects)
  const first = await gatewayOn(t, one, { DATABASE_URL })
  const second = await gatewayOn(t, other, { DATABASE_URL })
  const [ada, again] = [await clientOf(first, 'ada'), await clientOf(second, 'ada')]
  const url = await ada.begin(11)
  t.equal((await ada.send(url, 0, 'hello')).statusCode, 204)
  t.match(await again.head(url), { headers: { 'upload-offset': '5' } })
  const last = await again.send(url, 5, ' world')
  t.equal(last.statusCode, 204)
  t.equal(await ada.content(last.headers['upload-result']), 'hello world')
  t.strictSame(one.objects.keys().filter((key) => key.startsWith('resumable/')), [])
  t.strictSame(one.objects.keys().filter((key) => key.endsWith('heartbeat.json')).length, 2)
  await first.app.close()
  await second.app.close()
  t.strictSame(one.objects.keys().filter((key) => key.startsWith('staging/')), [])
})

test('a store that is not that of the database, or not open to us, refuses the start', async (t) => {
  const mine = await homeFor(t)
  const { app, attach } = await gatewayOn(t, mine)
  await attach('ada')
  await app.close()
  const empty = { ...await homeFor(t), folder: mine.folder }
  const elsewhere = await homeFor(t)
  await t.rejects(gatewayOn(t, { ...mine, objects: elsewhere.objects, fs: (await import('../../../src/storage/home.ts').then(({ objectHome }) => objectHome({ config: mine.config, objects: elsewhere.objects }))) }), { name: 'ConfigError', message: /^STORAGE_URL memory is not the uploads volume: it has no upload-gateway\.json, but the database knows files\. Set STORAGE_URL to where the volume .* is/ })
  await rm(join(mine.folder, 'database'), { recursive: true })
  await t.rejects(gatewayOn(t, mine), { name: 'ConfigError', message: /holds uploads, but the database is new/ })
  mine.objects.before = (operation) => { if (operation === 'putBytes') throw new ObjectsRefused('Allow s3:PutObject.') }
  await t.rejects(gatewayOn(t, mine), { name: 'ConfigError', message: /The object store memory cannot be used: Allow s3:PutObject\./ })
  t.ok(empty)
})

test('another volume is refused by its identity', async (t) => {
  const [one, other] = [await homeFor(t), await homeFor(t)]
  await (await gatewayOn(t, one)).app.close()
  await (await gatewayOn(t, other)).app.close()
  const identity = other.objects.bytes('upload-gateway.json') ?? Buffer.alloc(0)
  one.objects.spoil('upload-gateway.json', identity)
  await t.rejects(gatewayOn(t, one), { name: 'ConfigError', message: /^STORAGE_URL memory is another volume: .* Set STORAGE_URL to where that one is/ })
})

test('one that only reads needs no folder of its own, and makes no volume', async (t) => {
  const home = await homeFor(t)
  await t.rejects(gatewayOn(t, home, { READ_ONLY: 'true' }), { name: 'ConfigError', message: /STORAGE_URL memory holds no uploads volume, and READ_ONLY=true makes none\. Set STORAGE_URL to where the volume is/ })
  const { app, attach } = await gatewayOn(t, home)
  const { url } = (await attach('ada')).json().attachments[0]
  await app.close()
  await rm(join(home.folder, 'staging'), { recursive: true })
  const reader = await gatewayOn(t, home, { READ_ONLY: 'true' })
  t.equal((await reader.get('ada', url)).body, 'hello')
})

test('of two gateways with databases of their own that start on one empty store at once, one at most comes to be', async (t) => {
  const one = await homeFor(t)
  const other = await homeFor(t, {}, one.objects)
  const started = await Promise.allSettled([gatewayOn(t, one), gatewayOn(t, other)])
  const refused = started.filter((outcome) => outcome.status === 'rejected')
  t.ok(refused.length > 0)
  for (const { reason } of refused) t.match(reason, { name: 'ConfigError', message: /with another database/ })
})

test('a gateway with a new database does not begin beside one that has nothing yet; once that has ended, it does', async (t) => {
  const one = await homeFor(t)
  const { app } = await gatewayOn(t, one)
  const other = await homeFor(t, {}, one.objects)
  await t.rejects(gatewayOn(t, other), { name: 'ConfigError', message: /STORAGE_URL memory is in use: gateway runs on it .* with another database/ })
  t.equal(one.objects.keys().filter((key) => key.startsWith('staging/')).length, 1, 'it left nothing there')
  await app.close()
  await gatewayOn(t, other)
  await t.rejects(gatewayOn(t, one), { name: 'ConfigError', message: /with another database/ }, 'and then the first does not')
})

test('gateways of one new database begin on an empty store at once', async (t) => {
  const DATABASE_URL = `file:${join(await temporaryFolder(t), 'gateway.sqlite')}`
  const one = await homeFor(t, { DATABASE_URL })
  const other = await homeFor(t, { DATABASE_URL }, one.objects)
  const both = await Promise.all([gatewayOn(t, one, { DATABASE_URL }), gatewayOn(t, other, { DATABASE_URL })])
  t.equal(both[0].app.storage.volumeId, both[1].app.storage.volumeId)
})
