// A gateway whose home is an object store: everything it does, as processes of its own, on a real S3 engine.
import { randomBytes, randomUUID } from 'node:crypto'
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { ListMultipartUploadsCommand, ListObjectsV2Command } from '@aws-sdk/client-s3'
import t, { type Test } from 'tap'
import { objectHome } from '../../src/storage/home.ts'
import { openObjects } from '../../src/storage/objects/open.ts'
import { openStorage } from '../../src/storage/open.ts'
import { temporaryFolder } from '../helper.ts'
import { conforms } from '../storage/conformance.ts'
import { attachmentIn, call, get, json, noise, postAttachment, putAvatar, sha256 } from './client.ts'
import { command } from './command.ts'
import { ceph } from './fixtures/ceph.ts'
import { bearer, start, startRefused, type Gateway, type Settings } from './gateway.ts'
import { until } from './machine.ts'
import { createUploaders, lost } from './uploaders.ts'

const cycles = 5
const parallel = 8
const sweeping = { SWEEP_INTERVAL_SECONDS: '1', SWEEP_GRACE_SECONDS: '1' }

const tus = { 'tus-resumable': '1.0.0' }

async function begin (gateway: Gateway, user: string, length: number): Promise<string> {
  const { headers: { location } } = await call(gateway, '/api/resumable', { method: 'POST', headers: { ...tus, ...await bearer(user), 'upload-length': length } })
  return String(location)
}

const send = async (gateway: Gateway, user: string, url: string, offset: number, body: Buffer) =>
  call(gateway, url, { method: 'PATCH', headers: { ...tus, ...await bearer(user), 'upload-offset': offset, 'content-type': 'application/offset+octet-stream' }, body })

t.test('a gateway on S3', { timeout: 600_000 }, async (t) => {
  const store = await ceph(t)
  await store.makeBucket('uploads')
  const settingsFor = (prefix: string, more: Settings = {}) => ({ ...store.environment, STORAGE_URL: `s3://uploads/${prefix}`, ...more })

  async function keysBelow (prefix: string): Promise<string[]> {
    const { Contents = [] } = await store.client.send(new ListObjectsV2Command({ Bucket: 'uploads', Prefix: `${prefix}/` }))
    return Contents.map(({ Key = '' }) => Key.slice(prefix.length + 1))
  }

  /** A command that is done, also when it has something to say. */
  async function run (t: Test, folder: string, settings: Settings, ...args: string[]) {
    const { code, stdout, stderr } = await command(folder, [...args, '--json'], { settings })
    t.ok(code === 0 || code === 3, `${args.join(' ')}: ${code} ${stderr}`)
    return JSON.parse(stdout)
  }

  await t.test('uploads, reads ranges and variants, resumes, deletes; every command works', async (t) => {
    const folder = await temporaryFolder(t)
    const settings = settingsFor('all', { TRASH_RETENTION_DAYS: '1' })
    const gateway = await start(t, folder, settings)
    t.match(await call(gateway, '/health/ready'), { status: 200 })
    const bytes = randomBytes(20 * 1024 ** 2)
    const kept = attachmentIn(await postAttachment(gateway, 'ada', bytes))
    t.equal(sha256((await get(gateway, kept.url, 'ada')).body), sha256(bytes))
    const range = await call(gateway, kept.url, { headers: { ...await bearer('ada'), range: 'bytes=1048570-1048589' } })
    t.equal(range.status, 206)
    t.ok(range.body.equals(bytes.subarray(1048570, 1048590)))
    t.equal((await putAvatar(gateway, 'ada', noise(200_000))).status, 201)
    t.match(await call(gateway, '/api/avatars/ada?size=64&format=webp'), { status: 200, headers: { 'content-type': 'image/webp' } })

    const resumed = randomBytes(40 * 1024 ** 2)
    const url = await begin(gateway, 'ada', resumed.length)
    t.equal((await send(gateway, 'ada', url, 0, resumed.subarray(0, 30 * 1024 ** 2))).status, 204)
    t.ok((await keysBelow('all')).filter((key) => key.startsWith('resumable/')).length > 0)
    const { status, headers } = await send(gateway, 'ada', url, 30 * 1024 ** 2, resumed.subarray(30 * 1024 ** 2))
    t.equal(status, 204)
    t.equal(sha256((await get(gateway, `${String(headers['upload-result'])}/content`, 'ada')).body), sha256(resumed))
    t.same((await keysBelow('all')).filter((key) => key.startsWith('resumable/')), [])

    const gone = attachmentIn(await postAttachment(gateway, 'eve', randomBytes(1000)))
    t.equal((await call(gateway, `/api/attachments/${gone.id}`, { method: 'DELETE', headers: await bearer('eve') })).status, 204)
    t.equal((await call(gateway, gone.url, { headers: await bearer('eve') })).status, 404)

    t.match(await run(t, folder, settings, 'verify'), { records: 4, findings: { length: 0 } })
    t.match(await run(t, folder, settings, 'audit'), { records: 4, findings: { length: 0 } })
    const dir = join(await temporaryFolder(t), 'backup')
    t.match(await run(t, folder, settings, 'backup', dir), { files: 4, findings: { length: 0 } })
    t.match(await run(t, folder, settings, 'explain', kept.id), { isServed: true })
    t.match((await run(t, folder, settings, 'doctor', '--url', gateway.url)).checks.find(({ name }: { name: string }) => name === 'object store'), { level: 'ok' })
    t.match(await run(t, folder, settings, 'trash', 'purge', '--yes', gone.id), { purged: 1 })
    t.match(await run(t, folder, settings, 'erase', '--owner', 'nobody', '--yes'), { hadAnything: false })
    t.equal((await gateway.stop()).code, 0)
    t.match(await run(t, folder, settings, 'sweep'), { failures: { length: 0 } })

    await rm(join(folder, 'database'), { recursive: true })
    const { findings } = await run(t, folder, settings, 'rebuild')
    t.strictSame(findings.map(({ path }: { path: string }) => path), ['tombstones.ndjson'], 'who was erased had nothing that a tombstone is made of, so there is no such file')
    const again = await start(t, folder, settings)
    t.equal(sha256((await get(again, kept.url, 'ada')).body), sha256(bytes))
    await again.stop()
    t.match(await run(t, folder, settings, 'verify'), { records: 3, findings: { length: 0 } })

    const elsewhere = await temporaryFolder(t)
    t.match(await run(t, elsewhere, settingsFor('restored'), 'restore', '--without-ledger', dir), { files: 4, verification: { findings: { length: 0 } } })
    t.match(await run(t, await temporaryFolder(t), settings, 'restore', '--drill', dir), { verification: { findings: { length: 0 } } })
    const restored = await start(t, elsewhere, settingsFor('restored'))
    t.equal(sha256((await get(restored, kept.url, 'ada')).body), sha256(bytes))
    t.equal((await restored.stop()).code, 0)
    t.same((await keysBelow('restored')).filter((key) => /^(staging|restore)/.test(key)), [])
  })

  await t.test('what every home promises', async (t) => {
    Object.assign(process.env, store.environment)
    conforms(t, async (t) => {
      const root = await temporaryFolder(t)
      const objects = await openObjects({ kind: 's3', container: 'uploads', prefix: `conforming/${randomUUID()}/`, endpoint: store.endpoint, isPathStyle: true })
      t.teardown(() => objects.close())
      const fs = await objectHome({ config: { uploadsDir: root, databaseFile: join(root, 'gateway.sqlite'), erasureLedger: undefined }, objects })
      const storage = await openStorage({ fs, root, reserveBytes: 0, known: { volumeId: undefined, knowsFiles: false } })
      t.teardown(() => storage.staging.close())
      return { ...storage, fs, root }
    })
  })

  await t.test('with DELIVERY=redirect the store itself answers, and only for as long as it was told', async (t) => {
    const gateway = await start(t, await temporaryFolder(t), settingsFor('redirecting', { DELIVERY: 'redirect' }))
    const bytes = randomBytes(100_000)
    const kept = attachmentIn(await postAttachment(gateway, 'ada', bytes))
    const { status, headers } = await call(gateway, `${kept.url}?download=true`, { headers: await bearer('ada') })
    t.equal(status, 302)
    const answer = await fetch(String(headers.location), { headers: { range: 'bytes=10-19' } })
    t.match(answer, { status: 206 })
    t.match(answer.headers.get('content-disposition'), /^attachment/)
    t.equal(answer.headers.get('content-type'), 'application/octet-stream')
    t.ok(Buffer.from(await answer.arrayBuffer()).equals(bytes.subarray(10, 20)))
    t.match(new URL(String(headers.location)).searchParams.get('X-Amz-Expires'), '60')

    // Ceph gives a range of this version also to who holds a part of another.
    const whole = await call(gateway, kept.url, { headers: { ...await bearer('ada'), range: 'bytes=10-19', 'if-range': '"another version"' } })
    t.equal(whole.status, 200)
    t.ok(whole.body.equals(bytes))
  })

  await t.test('a store that is wrong refuses the start, with what to do', async (t) => {
    const folder = await temporaryFolder(t)
    t.match(await startRefused(folder, { ...settingsFor('x'), STORAGE_URL: 's3://nowhere/x' }), { code: 1, stderr: /nowhere/ })
    t.match(await startRefused(folder, { ...settingsFor('x'), AWS_SECRET_ACCESS_KEY: 'wrong' }), { code: 1, stderr: /AWS_SECRET_ACCESS_KEY/ })
    t.match(await startRefused(folder, { ...settingsFor('x'), STORAGE_ENDPOINT: 'http://127.0.0.1:1' }), { code: 1, stderr: /STORAGE_/ })
    const used = await temporaryFolder(t)
    await start(t, used, settingsFor('mine')).then(async (gateway) => {
      await postAttachment(gateway, 'ada', randomBytes(10))
      await gateway.stop()
    })
    t.match(await startRefused(used, settingsFor('empty')), { code: 1, stderr: /STORAGE_URL .* is not the uploads volume/ })
    t.match(await startRefused(await temporaryFolder(t), settingsFor('mine')), { code: 1, stderr: /holds uploads, but the database is new/ })
    const empty = await start(t, await temporaryFolder(t), settingsFor('shared'))
    t.match(await startRefused(await temporaryFolder(t), settingsFor('shared')), { code: 1, stderr: /gateway runs on it as process \d+, with another database/ })
    await empty.stop()
  })

  await t.test('while the store is away uploads get 503, what is cached is served, and readiness says so', async (t) => {
    const gateway = await start(t, await temporaryFolder(t), settingsFor('away'))
    await putAvatar(gateway, 'ada', noise(50_000))
    const variant = '/api/avatars/ada?size=64&format=webp'
    t.equal((await call(gateway, variant)).status, 200)
    const other = await start(t, await temporaryFolder(t), settingsFor('also-away'))
    await store.killGateway()
    t.equal((await other.stop()).code, 0, 'one that is stopped meanwhile stops')
    await until('it is not ready', async () => (await call(gateway, '/health/ready')).status === 503)
    const refused = await postAttachment(gateway, 'ada', randomBytes(1000), { idleMs: 60_000 })
    t.equal(refused.status, 503)
    t.equal(json(refused).code, 'STORAGE_UNAVAILABLE')
    t.ok(refused.headers['retry-after'])
    t.equal((await call(gateway, variant)).status, 200)
    await store.restartGateway()
    await until('it is ready', async () => (await call(gateway, '/health/ready')).status === 200, 30_000)
    t.equal((await postAttachment(gateway, 'ada', randomBytes(1000))).status, 201)
    await gateway.stop()
  })

  await t.test(`after each of ${cycles} kills under ${parallel} uploaders every acknowledged upload is there, and in the end nothing else`, async (t) => {
    const folder = await temporaryFolder(t)
    const settings = settingsFor('killed', sweeping)
    const uploaders = createUploaders()
    let gateway = await start(t, folder, settings)
    for (let cycle = 1; cycle <= cycles; cycle += 1) {
      const fresh = await uploaders.untilKilled(gateway, parallel)
      gateway = await start(t, folder, settings)
      t.same(await lost(gateway, fresh), [], `cycle ${cycle}`)
    }
    const verified = () => run(t, folder, settings, 'verify')
    await until('no object is without a row', async () => (await verified()).findings.length === 0, 60_000)
    t.same(await lost(gateway, uploaders.acknowledged), [])
    const { Uploads = [] } = await store.client.send(new ListMultipartUploadsCommand({ Bucket: 'uploads', Prefix: 'killed/' }))
    t.comment(`${uploaders.acknowledged.length} acknowledged of ${uploaders.sent.size}, ${Uploads.length} uploads in parts left to the sweep of a day later`)
    await gateway.stop()
  })
})
