// A live deployment moves between homes: from a volume to an S3 store and back while clients read and upload, and, with its records, from SQLite
// and a volume to PostgreSQL and an S3 store and back while they read.
import { randomBytes, randomInt } from 'node:crypto'
import { readFile, readdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { ListObjectsV2Command } from '@aws-sdk/client-s3'
import t, { type Test } from 'tap'
import { temporaryFolder } from '../helper.ts'
import { attachmentIn, call, get, noise, postAttachment, putAvatar, sha256 } from './client.ts'
import { command, type Ran } from './command.ts'
import { azurite } from './fixtures/azurite.ts'
import { ceph } from './fixtures/ceph.ts'
import { bearer, start, type Gateway, type Settings } from './gateway.ts'
import { postgres } from './postgres.ts'

const tus = { 'tus-resumable': '1.0.0' }
const users = ['ada', 'eve', 'bob']

/** Whoever asks for something takes the gateway that is current then; one that was is stopped when nobody does any more. */
const drainMs = 1000

type Kept = { readonly user: string, readonly url: string, readonly sha256: string }

/** Clients that never pause: each remembers what was acknowledged, and reads what any was told. */
function clients (current: () => Gateway, { readers, uploaders }: { readers: number, uploaders: number }) {
  const kept: Kept[] = []
  const failures: string[] = []
  let [reads, isOver] = [0, false]
  /** With what helps to find out why. */
  function fail (what: string, error: unknown): void {
    const { url, pid, lines } = current()
    failures.push(`${new Date().toISOString()} ${what} at ${url}, process ${pid}: ${String(error)}; it last said: ${lines.slice(-3).join(' ')}`)
  }

  async function upload (): Promise<void> {
    const user = users[randomInt(users.length)] ?? ''
    const isAvatar = randomInt(4) === 0
    const body = isAvatar ? noise(30_000) : randomBytes(randomInt(1, 400_000))
    const answer = await (isAvatar ? putAvatar : postAttachment)(current(), user, body)
    if (answer.status !== 201 && answer.status !== 200) throw new Error(`${answer.status} ${answer.body}`)
    if (!isAvatar) kept.push({ user, url: attachmentIn(answer).url, sha256: sha256(body) })
  }

  async function read (): Promise<void> {
    const one = kept[randomInt(kept.length)]
    if (one === undefined) return
    const answer = await get(current(), one.url, one.user).catch((error: unknown) => { throw new Error(`${one.url} cannot be read: ${String(error)}`, { cause: error }) })
    reads += 1
    if (answer.status !== 200) throw new Error(`${one.url} is answered with ${answer.status} ${answer.body}`)
    if (sha256(answer.body) !== one.sha256) throw new Error(`${one.url} has other bytes`)
    const face = await call(current(), `/api/avatars/${one.user}?size=48`)
    if (face.status !== 200) throw new Error(`the avatar of ${one.user} is answered with ${face.status} ${face.body}`)
  }

  async function forEver (what: string, work: () => Promise<void>): Promise<void> {
    for (;;) {
      if (isOver) return
      await work().catch((error: unknown) => fail(what, error))
      // The machine is shared with what is tested.
      await setTimeout(20)
    }
  }

  return {
    kept,
    failures,
    upload,
    begin: () => {
      const all = [...Array.from({ length: readers }, () => forEver('read', read)), ...Array.from({ length: uploaders }, () => forEver('upload', upload))]
      return async () => {
        isOver = true
        await Promise.all(all)
        return reads
      }
    },
  }
}

const done = (t: Test, ran: Ran): ReturnType<typeof JSON.parse> => {
  t.equal(ran.code, 0, `${ran.signal} ${ran.stdout.slice(0, 2000)}${ran.stderr}`)
  return JSON.parse(ran.stdout)
}

/** How `storage copy` and settings name a home. */
type Place = { readonly folder: string, readonly url: string, readonly settings: Settings }

const asFallback = ({ url, settings }: Place): Settings => ({
  STORAGE_FALLBACK_URL: url,
  ...settings['STORAGE_URL'] !== undefined && { STORAGE_FALLBACK_ENDPOINT: settings['STORAGE_ENDPOINT'] ?? '', STORAGE_FALLBACK_PATH_STYLE: settings['STORAGE_PATH_STYLE'] ?? '' },
})

t.test('homes', { timeout: 1_200_000 }, async (t) => {
  const store = await ceph(t)
  await store.makeBucket('uploads')
  const { STORAGE_ENDPOINT = '', STORAGE_PATH_STYLE = '', ...credentials } = store.environment
  const endpoints = ['--from-endpoint', STORAGE_ENDPOINT, '--from-path-style', '--to-endpoint', STORAGE_ENDPOINT, '--to-path-style']
  const volume = async (t: Test): Promise<Place> => {
    const folder = join(await temporaryFolder(t), 'volume')
    return { folder, url: `file:${folder}`, settings: {} }
  }
  const bucket = async (t: Test, prefix: string): Promise<Place> =>
    ({ folder: await temporaryFolder(t), url: `s3://uploads/${prefix}`, settings: { STORAGE_URL: `s3://uploads/${prefix}`, STORAGE_ENDPOINT, STORAGE_PATH_STYLE } })
  async function filesAt ({ folder, settings }: Place): Promise<number> {
    if (settings['STORAGE_URL'] === undefined) return (await readdir(folder, { recursive: true }).catch(() => [])).filter((name) => name.endsWith('.sidecar.json')).length
    const { KeyCount = 0 } = await store.client.send(new ListObjectsV2Command({ Bucket: 'uploads', Prefix: `${settings['STORAGE_URL'].slice('s3://uploads/'.length)}/attachments/` }))
    return KeyCount
  }
  async function killedInTheMiddle (runIt: (killWhen: () => boolean) => Promise<Ran>, to: Place): Promise<Ran> {
    let [isOver, isUnderWay] = [false, false]
    const running = runIt(() => isUnderWay).finally(() => { isOver = true })
    for (;;) {
      if (isOver || isUnderWay) return running
      isUnderWay = await filesAt(to) >= 10
    }
  }
  const copying = (from: Place, to: Place) => ['storage', 'copy', '--from', from.url, '--to', to.url, ...endpoints, '--json']

  await t.test('a live deployment moves to S3 and back, while clients read and upload', async (t) => {
    const database = { DATABASE_URL: `file:${join(await temporaryFolder(t), 'gateway.sqlite')}`, RATE_UPLOADS_PER_MINUTE: '0', QUOTA_BYTES: '0' }
    const settingsOf = (place: Place, more: Settings = {}) => ({ ...credentials, ...database, ...place.settings, ...more })
    const [old, s3, back] = [await volume(t), await bucket(t, 'moved'), await volume(t)]
    let current = await start(t, old.folder, settingsOf(old))
    const load = clients(() => current, { readers: 3, uploaders: 1 })
    for (let count = 0; count < 60; count += 1) await load.upload()
    for (const user of users) await putAvatar(current, user, noise(30_000))

    const whole = randomBytes(700_000)
    const begun = await call(current, '/api/resumable', { method: 'POST', headers: { ...tus, ...await bearer('ada'), 'upload-length': whole.length } })
    const resumable = String(begun.headers.location)
    const send = async (from: number, to: number) => call(current, resumable, { method: 'PATCH', headers: { ...tus, ...await bearer('ada'), 'content-type': 'application/offset+octet-stream', 'upload-offset': from }, body: whole.subarray(from, to) })
    t.equal((await send(0, 300_000)).status, 204)

    const stop = load.begin()
    /** The traffic goes over, and nobody waits for the one before any more. */
    async function change (place: Place, more: Settings = {}): Promise<void> {
      const former = current
      current = await start(t, place.folder, settingsOf(place, more))
      await setTimeout(drainMs)
      t.match(await former.stop(), { code: 0 })
    }
    async function move (from: Place, to: Place): Promise<void> {
      const args = copying(from, to)
      const runIt = (place: Place, options = {}) => command(place.folder, args, { settings: settingsOf(place), ...options })
      t.equal((await killedInTheMiddle((killWhen) => runIt(from, { killWhen }), to)).signal, 'SIGKILL')
      const first = done(t, await runIt(from))
      t.ok(first.records > 60)
      t.ok(first.files > 0)
      // Each reads in both homes before any writes to the new one.
      await change(from, asFallback(to))
      await change(to, asFallback(from))
      await setTimeout(2000)
      for (let pass = 1; ; pass += 1) {
        const report = done(t, await runIt(to))
        t.strictSame(report.findings, [])
        if (report.isSame) break
        if (pass === 10) throw new Error('there is always something left')
      }
      await change(to)
      await rm(from.folder, { recursive: true })
      t.match(done(t, await command(to.folder, ['verify', '--json'], { settings: settingsOf(to) })), { findings: { length: 0 } })
    }
    await move(old, s3)
    t.equal((await send(300_000, 500_000)).status, 204, 'an upload begun in the old home goes on in the new one')
    await move(s3, back)
    const last = await send(500_000, whole.length)
    t.equal(sha256((await get(current, `${String(last.headers['upload-result'])}/content`, 'ada')).body), sha256(whole))
    const reads = await stop()
    t.comment(`${reads} reads, ${load.kept.length} uploads`)
    t.ok(reads > 100)
    t.strictSame(load.failures, [])
    for (const { user, url, sha256: expected } of load.kept) t.equal(sha256((await get(current, url, user)).body), expected)
    await current.stop()
    t.match(done(t, await command(back.folder, ['verify', '--json'], { settings: settingsOf(back) })), { findings: { length: 0 } })
  })

  await t.test('records and files move from SQLite and a volume to PostgreSQL and S3, and back, while clients read', async (t) => {
    const server = await postgres(t)
    type Deployment = { readonly place: Place, readonly database: string }
    const local = async (): Promise<Deployment> => ({ place: await volume(t), database: `file:${join(await temporaryFolder(t), 'gateway.sqlite')}` })
    const [old, large, back] = [await local(), { place: await bucket(t, 'large'), database: await server.create('moved') }, await local()]
    const settingsOf = ({ place, database }: Deployment, more: Settings = {}) => ({ ...credentials, ...place.settings, DATABASE_URL: database, ...more })
    let current = await start(t, old.place.folder, settingsOf(old))
    const load = clients(() => current, { readers: 3, uploaders: 0 })
    for (let count = 0; count < 40; count += 1) await load.upload()
    for (const user of users) await putAvatar(current, user, noise(30_000))
    const stop = load.begin()
    async function change (to: Deployment, more: Settings): Promise<void> {
      const former = current
      current = await start(t, to.place.folder, settingsOf(to, more))
      await setTimeout(drainMs)
      t.match(await former.stop(), { code: 0 })
    }
    async function move (from: Deployment, to: Deployment): Promise<void> {
      await change(from, { READ_ONLY: 'true' })
      const ran = (args: string[]) => command(from.place.folder, args, { settings: settingsOf(from) })
      t.ok(done(t, await ran(['database', 'copy', '--from', from.database, '--to', to.database, '--json'])).rows > 40)
      t.match(done(t, await ran(copying(from.place, to.place))), { isSame: false, findings: { length: 0 } })
      t.match(done(t, await ran(copying(from.place, to.place))), { isSame: true, findings: { length: 0 } })
      await change(to, {})
      await rm(from.place.folder, { recursive: true })
      t.match(done(t, await command(to.place.folder, ['verify', '--json'], { settings: settingsOf(to) })), { findings: { length: 0 } })
      await load.upload()
    }
    await move(old, large)
    await move(large, back)
    const reads = await stop()
    t.comment(`${reads} reads`)
    t.ok(reads > 100)
    t.strictSame(load.failures, [])
    for (const { user, url, sha256: expected } of load.kept) t.equal(sha256((await get(current, url, user)).body), expected)
    await current.stop()
  })

  await t.test('every home can be copied to every other: what comes back in the end is what there was', async (t) => {
    const azure = await azurite(t)
    await azure.makeContainer('uploads')
    const database = { DATABASE_URL: `file:${join(await temporaryFolder(t), 'gateway.sqlite')}` }
    const [old, back] = [await volume(t), await volume(t)]
    const gateway = await start(t, old.folder, database)
    const load = clients(() => gateway, { readers: 0, uploaders: 0 })
    for (let count = 0; count < 20; count += 1) await load.upload()
    attachmentIn(await postAttachment(gateway, 'ada', randomBytes(40 * 1024 ** 2)))
    await gateway.stop()
    const settings = { ...database, ...store.environment, ...azure.environment, STORAGE_ENDPOINT: '', STORAGE_PATH_STYLE: 'true' }
    const folder = await temporaryFolder(t)
    const [s3, azblob] = [{ url: 's3://uploads/chain', endpoint: STORAGE_ENDPOINT }, { url: 'azblob://uploads/chain', endpoint: azure.endpoint }]
    const again = { url: 's3://uploads/again', endpoint: STORAGE_ENDPOINT }
    const chain = [{ url: old.url, endpoint: '' }, s3, azblob, again, { url: back.url, endpoint: '' }, { ...azblob, url: 'azblob://uploads/straight' }]
    for (const [index, to] of chain.entries()) {
      const from = chain[index - 1]
      if (from === undefined) continue
      const options = [...from.endpoint === '' ? [] : ['--from-endpoint', from.endpoint], ...to.endpoint === '' ? [] : ['--to-endpoint', to.endpoint]]
      const copy = async () => done(t, await command(folder, ['storage', 'copy', '--from', from.url, '--to', to.url, ...options, '--json'], { settings }))
      t.match(await copy(), { records: Number, files: Number, isSame: false, findings: { length: 0 } })
      t.match(await copy(), { files: 0, isSame: true, findings: { length: 0 } })
    }
    const hashes = async (root: string) => {
      const entries = (await readdir(root, { recursive: true, withFileTypes: true })).filter((entry) => entry.isFile() && entry.name !== 'database.json' && !entry.parentPath.includes('/cache'))
      return Promise.all(entries.map(async ({ parentPath, name }) => [join(parentPath, name).slice(root.length), sha256(await readFile(join(parentPath, name)))])).then((all) => all.sort())
    }
    const before = await hashes(old.folder)
    t.ok(before.length > 40)
    t.strictSame(await hashes(back.folder), before)
  })
})
