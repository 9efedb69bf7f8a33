import { existsSync, lstatSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs'
import { cp } from 'node:fs/promises'
import { join } from 'node:path'
import BetterSqlite3 from 'better-sqlite3'
import t, { type Test } from 'tap'
import type { Progress } from '../../../src/operations/progress.ts'
import { silent } from '../../../src/operations/progress.ts'
import { rebuild, type RebuildConfig } from '../../../src/operations/rebuild/rebuild.ts'
import { sidecarPath } from '../../../src/storage/volume/layout.ts'
import { createFaults } from '../../fixtures/faults.ts'
import { build as buildAnywhere, multipart, picture, temporaryFolder } from '../../helper.ts'
import { openVolume, publish } from '../../storage/fixtures/volume.ts'

/** On the file that is made anew, wherever other tests have their rows. */
const build = (t: Test, settings: Record<string, string> = {}) => buildAnywhere(t, { DATABASE_URL: '', ...settings })

function configFor (root: string, { databaseFile = join(root, 'database', 'gateway.sqlite'), erasureLedger }: { databaseFile?: string, erasureLedger?: string } = {}): RebuildConfig {
  return { uploadsDir: root, database: { kind: 'sqlite', file: databaseFile }, databaseFile, diskReserveBytes: 0, erasureLedger }
}
const databaseNames = (root: string) => readdirSync(join(root, 'database')).filter((name) => name.startsWith('gateway')).sort()

type Gateway = Awaited<ReturnType<typeof build>>

/** A gateway that was used: avatars replaced, removed and gone back to, old URLs, attachments changed and deleted. */
async function use ({ app, as }: Gateway): Promise<string[]> {
  const urls: string[] = ['/api/auth/avatar/ada', '/api/avatars/bob', '/api/avatars/eve', '/api/avatars/kim', '/api/avatars/me/versions', '/api/attachments?owner=ada']
  for (const [user, count] of [['ada', 3], ['bob', 2], ['eve', 2]] as const) {
    for (let seed = 0; seed < count; seed += 1) {
      const { versionedUrl } = (await app.inject({ method: 'PUT', url: '/api/avatars/me', headers: { ...await as(user), 'content-type': 'image/jpeg' }, payload: await picture('jpeg', { seed }) })).json()
      urls.push(versionedUrl)
    }
  }
  await app.inject({ method: 'DELETE', url: '/api/avatars/me', headers: await as('bob') })
  const { versions } = (await app.inject({ url: '/api/avatars/me/versions', headers: await as('eve') })).json()
  await app.inject({ method: 'POST', url: `/api/avatars/me/versions/${versions[1].version}/restore`, headers: await as('eve') })
  for (const seed of [7, 8]) {
    const form = await multipart([['file', { bytes: await picture('png', { seed }), filename: 'me.png' }]])
    urls.push((await app.inject({ method: 'POST', url: '/api/upload/avatar', ...form, headers: { ...form.headers, ...await as('kim') } })).json().data.path)
  }
  for (const name of ['a.txt', 'b.txt', 'c.txt']) {
    const form = await multipart([['visibility', 'public'], ['contextType', 'message'], ['contextId', '7'], ['file', { bytes: name, filename: name }]])
    const { id, url } = (await app.inject({ method: 'POST', url: '/api/attachments', ...form, headers: { ...form.headers, ...await as('ada') } })).json().attachments[0]
    urls.push(url, `/api/attachments/${id}`)
    if (name === 'b.txt') await app.inject({ method: 'PATCH', url: `/api/attachments/${id}`, headers: await as('ada'), payload: { filename: 'other.txt', alt: 'text', visibility: 'private' } })
    if (name === 'c.txt') await app.inject({ method: 'DELETE', url: `/api/attachments/${id}`, headers: await as('ada') })
  }
  return urls
}

async function answers ({ app, as }: Gateway, urls: readonly string[]): Promise<unknown[]> {
  const all = []
  for (const user of ['ada', 'bob', 'eve', 'kim']) {
    for (const url of urls) {
      const { statusCode, headers, rawPayload } = await app.inject({ url, headers: await as(user) })
      const body = statusCode < 400 ? rawPayload.toString('base64') : JSON.parse(rawPayload.toString()).code
      all.push({ user, url, statusCode, etag: headers.etag, type: headers['content-type'], modified: headers['last-modified'], disposition: headers['content-disposition'], body })
    }
  }
  return all
}

/** Made once, as it takes long; every test has a copy of its own. */
const template = makeTemplate()

async function makeTemplate () {
  const gateway = await build(t)
  const urls = await use(gateway)
  const before = await answers(gateway, urls)
  await gateway.app.inject({ method: 'POST', url: '/api/auth/register', payload: { email: 'ada@example.com', password: 'correct horse battery' } })
  await gateway.app.close()
  return { folder: gateway.folder, urls, before }
}

async function used (t: Test) {
  const { folder, urls, before } = await template
  const root = await temporaryFolder(t)
  await cp(folder, root, { recursive: true })
  return { root, urls, before }
}

t.test('with the database gone, every answer is again what it was', async (t) => {
  const { root, urls, before } = await used(t)
  rmSync(join(root, 'database'), { recursive: true })
  const steps: string[] = []
  const progress: Progress = { ...silent, step: (name, total) => { steps.push(`${name} ${total ?? ''}`.trim()) } }
  const report = await rebuild(configFor(root), progress)
  t.match(report, {
    findings: { length: 0 }, superseded: 0, erasures: 0, tombstones: 0, erased: 0, leftovers: 0, foreign: 0, accounts: { count: 0, isOldThere: false, failure: null }, oldDatabase: null, ms: Number,
    totals: { currentAvatars: 3, oldUrls: 2, blobs: [{ kind: 'attachment', state: 'deleted', count: 1 }, { kind: 'attachment', state: 'live', count: 2 }, { kind: 'avatar', state: 'deleted', count: 1 }, { kind: 'avatar', state: 'live', count: 3 }, { kind: 'avatar', state: 'superseded', count: 5 }] },
  })
  t.ok(steps.includes('Reading sidecars 12'))
  t.strictSame(databaseNames(root), ['gateway.sqlite'])
  t.strictSame(readdirSync(join(root, 'staging')), [])
  t.strictSame(await answers(await build(t, { UPLOADS_DIR: root }), urls), before)
})

t.test('where the old database can be read, accounts come over; it is gone then', async (t) => {
  const { root, urls, before } = await used(t)
  t.match(await rebuild(configFor(root), silent), { accounts: { count: 1, isOldThere: true, failure: null }, oldDatabase: null, findings: { length: 0 } })
  t.strictSame(databaseNames(root), ['gateway.sqlite'])
  const gateway = await build(t, { UPLOADS_DIR: root })
  t.strictSame(await answers(gateway, urls), before)
  t.equal((await gateway.app.inject({ method: 'POST', url: '/api/auth/login', payload: { email: 'ada@example.com', password: 'correct horse battery' } })).statusCode, 200)
})

t.test('that the gateway has a webhook comes over, so that commands tell it before the next start', async (t) => {
  const { root } = await used(t)
  const file = join(root, 'database', 'gateway.sqlite')
  const open = <T>(use: (connection: BetterSqlite3.Database) => T): T => {
    const connection = new BetterSqlite3(file)
    const result = use(connection)
    connection.close()
    return result
  }
  const notes = () => open((connection) => connection.prepare("SELECT count(*) FROM Setting WHERE key = 'webhook'").pluck().get())
  await rebuild(configFor(root), silent)
  t.equal(notes(), 0)
  open((connection) => connection.exec("INSERT INTO Setting VALUES ('webhook', 'set')"))
  await rebuild(configFor(root), silent)
  t.equal(notes(), 1)
})

t.test('what a refused start left where the database was lost is no old one; a copy from a backup, put there, is', async (t) => {
  const { root } = await used(t)
  const copy = join(await temporaryFolder(t), 'copy.sqlite')
  renameSync(join(root, 'database', 'gateway.sqlite'), copy)
  await t.rejects(build(t, { UPLOADS_DIR: root }), { name: 'ConfigError', message: /the database is new/ })
  t.ok(databaseNames(root).includes('gateway.sqlite'))
  t.match(await rebuild(configFor(root), silent), { accounts: { count: 0, isOldThere: false, failure: null }, oldDatabase: null })
  t.match(await rebuild(configFor(root), silent), { accounts: { count: 0, isOldThere: true, failure: null } }, 'the one that was made anew')
  renameSync(copy, join(root, 'database', 'gateway.sqlite'))
  t.match(await rebuild(configFor(root), silent), { accounts: { count: 1, isOldThere: true, failure: null } })
})

t.test('an old database that is damaged is kept, and the new one is used', async (t) => {
  const { root, urls, before } = await used(t)
  writeFileSync(join(root, 'database', 'gateway.sqlite'), 'no database '.repeat(1000))
  const report = await rebuild(configFor(root), silent)
  t.match(report, { accounts: { count: 0, isOldThere: true, failure: /not a database/ }, oldDatabase: /gateway\.sqlite\.damaged-/ })
  t.ok(existsSync(report.oldDatabase ?? ''))
  t.strictSame(await answers(await build(t, { UPLOADS_DIR: root }), urls), before)
})

t.test('an old database that is not the one the home belonged to is kept: somebody may want what only it knew', async (t) => {
  const { root } = await used(t)
  const claimFile = join(root, 'database.json')
  const claims: Array<[claim: string, former: RegExp]> = [[JSON.stringify({ database: 'another', name: 'PostgreSQL at db', since: '2026-11-22T12:00:00Z' }), /^PostgreSQL at db$/], ['damaged', /^one that nobody knows, as database\.json was damaged$/]]
  for (const [claim, former] of claims) {
    writeFileSync(claimFile, claim)
    await t.rejects(build(t, { UPLOADS_DIR: root }), { name: 'ConfigError' })
    const { oldDatabase, formerDatabase } = await rebuild(configFor(root), silent)
    t.match(formerDatabase, former)
    t.match(oldDatabase, /gateway\.sqlite\.damaged-/)
    t.match(JSON.parse(readFileSync(claimFile, 'utf8')), { database: /-/, name: join(root, 'database', 'gateway.sqlite') }, 'the home is of the new one')
    await (await build(t, { UPLOADS_DIR: root })).app.close()
    rmSync(oldDatabase ?? '')
  }
  t.match(await rebuild(configFor(root), silent), { oldDatabase: null, formerDatabase: null })
})

t.test('what this user may not read is neither made anew nor called damaged', async (t) => {
  const { root } = await used(t)
  for (const [on, path] of [['open', /gateway\.sqlite$/], ['readFile', /upload-gateway\.json$/]] as const) {
    const { fs, inject } = createFaults()
    inject({ on, path, errno: 'EACCES', forever: true })
    await t.rejects(rebuild(configFor(root), silent, { fs }), { name: 'Refusal', message: /^[^ ]+ may not be read by this user \(EACCES\)\. Run this as the user that runs the gateway\.$/ })
  }
  t.strictSame(databaseNames(root).filter((name) => !/-(?:wal|shm)$/.test(name)), ['gateway.sqlite'])
})

t.test('twice gives the same as once', async (t) => {
  const { root } = await used(t)
  const rows = () => {
    const connection = new BetterSqlite3(join(root, 'database', 'gateway.sqlite'), { readonly: true })
    const tables = ["Setting WHERE key NOT IN ('databaseId', 'epochFloor')", 'Blob', 'Attachment', 'Avatar', 'Alias', 'Account']
    const all = tables.map((table) => connection.prepare(`SELECT * FROM ${table} ORDER BY 1`).all())
    connection.close()
    return all
  }
  const first = rows()
  await rebuild(configFor(root), silent)
  t.strictSame(rows(), first, 'what the gateway had written')
  await rebuild(configFor(root), silent)
  t.strictSame(rows(), first)
})

t.test('beside a gateway nothing is rebuilt, and nothing is touched', async (t) => {
  const { folder } = await build(t)
  await t.rejects(rebuild(configFor(folder), silent), { name: 'ConfigError', message: /is in use: gateway runs on it as process \d+, and rebuild must be alone/ })
  t.strictSame(databaseNames(folder).filter((name) => name.includes('rebuild')), [])
})

t.test('without an identity the volume is not told from another: refused, with what to do', async (t) => {
  const { root } = await used(t)
  rmSync(join(root, 'upload-gateway.json'))
  await t.rejects(rebuild(configFor(root), silent), { name: 'Refusal', message: /no upload-gateway\.json.*Put that file back from a backup.*says that the "volumeId" in it was [0-9a-f-]{36}\./s })
  writeFileSync(join(root, 'upload-gateway.json'), '{')
  await t.rejects(rebuild(configFor(root), silent), { name: 'Refusal', message: /cannot be read, or is damaged\. Put that file back/ })
  rmSync(join(root, 'database'), { recursive: true })
  await t.rejects(rebuild(configFor(root), silent), { name: 'Refusal', message: /such as a tar of it, and run this again\.$/ })
  t.notOk(existsSync(join(root, 'database')), 'a command makes none')
  await t.rejects(rebuild(configFor(join(root, 'nowhere')), silent), { name: 'Refusal', message: /no uploads volume at UPLOADS_DIR/ })
})

t.test('the database of another volume, or of another program, is not thrown away', async (t) => {
  const [one, { folder, app }] = [await used(t), await build(t)]
  await app.close()
  await t.rejects(rebuild(configFor(one.root, { databaseFile: join(folder, 'database', 'gateway.sqlite') }), silent), { name: 'Refusal', message: /belongs to another volume/ })
  const file = join(await temporaryFolder(t), 'other.sqlite')
  const program = new BetterSqlite3(file)
  program.exec('CREATE TABLE Song (title TEXT)')
  program.close()
  await t.rejects(rebuild(configFor(one.root, { databaseFile: file }), silent), { name: 'Refusal', message: /something else than the gateway/ })
  t.ok(await build(t, { UPLOADS_DIR: folder }))
})

t.test('it is made in the place that a link leads to', async (t) => {
  const { root } = await used(t)
  const away = await temporaryFolder(t)
  renameSync(join(root, 'database', 'gateway.sqlite'), join(away, 'real.sqlite'))
  symlinkSync(join(away, 'real.sqlite'), join(root, 'database', 'gateway.sqlite'))
  const before = statSync(join(away, 'real.sqlite')).ino
  t.match(await rebuild(configFor(root), silent), { database: join(away, 'real.sqlite') })
  t.ok(lstatSync(join(root, 'database', 'gateway.sqlite')).isSymbolicLink())
  t.not(statSync(join(away, 'real.sqlite')).ino, before)
})

t.test('when it fails, the old database is in its place as it was', async (t) => {
  const { root, urls, before } = await used(t)
  const claim = readFileSync(join(root, 'database.json'), 'utf8')
  const faults = createFaults()
  faults.inject({ on: 'rename', path: /gateway\.sqlite$/, errno: 'ENOSPC' })
  await t.rejects(rebuild(configFor(root), silent, { fs: faults.fs }), { code: 'ENOSPC' })
  t.equal(readFileSync(join(root, 'database.json'), 'utf8'), claim, 'and no other one comes there')
  t.strictSame(databaseNames(root), ['gateway.sqlite'])
  t.strictSame(readdirSync(join(root, 'staging')), [])
  t.strictSame(await answers(await build(t, { UPLOADS_DIR: root }), urls), before)
})

t.test('nothing is left of what imported files waited in, also when it fails', async (t) => {
  const { root, store, staging } = await openVolume(t)
  await publish(store, 'hello', { source: 'system-r:users/1', sourceSha256: 'a' })
  await staging.close()
  const faults = createFaults()
  faults.inject({ on: 'rename', path: /gateway\.sqlite$/, errno: 'ENOSPC' })
  await t.rejects(rebuild(configFor(root), silent, { fs: faults.fs }), { code: 'ENOSPC' })
  t.strictSame(databaseNames(root), [])
  t.match(await rebuild(configFor(root), silent), { leftovers: 0, totals: { currentAvatars: 1 } })
  t.strictSame(databaseNames(root), ['gateway.sqlite'])
})

t.test('a heart that may beat elsewhere is watched, and that is said', async (t) => {
  const { root, store, staging } = await openVolume(t)
  await publish(store, 'hello')
  await staging.close()
  const elsewhere = join(root, 'staging', '0192a1b2-0000-4000-8000-000000000001')
  mkdirSync(elsewhere, { recursive: true })
  writeFileSync(join(elsewhere, 'heartbeat.json'), JSON.stringify({ pid: 1, world: 'another', startedAt: '1', beat: 1 }))
  const said: string[] = []
  const faults = createFaults()
  // It goes while it is watched.
  faults.inject({ on: 'readdir', path: /staging$/, nth: 2, before: () => rmSync(elsewhere, { recursive: true }) })
  const report = await rebuild(configFor(root), { ...silent, say: (message) => { said.push(message) } }, { fs: faults.fs })
  t.match(said, [/another container.*up to 90 s/])
  t.match(report.totals, { currentAvatars: 1 })
})

t.test('what cannot be brought back is listed, and the rest is there', async (t) => {
  const { root, store, staging } = await openVolume(t)
  const [whole, damaged] = [await publish(store, 'whole'), await publish(store, 'damaged', { ownerId: 'bob' })]
  await staging.close()
  writeFileSync(sidecarPath(root, damaged), 'damaged')
  t.match(await rebuild(configFor(root), silent), { findings: [{ problem: 'ledger-damaged' }, { problem: 'sidecar-damaged', id: damaged.id }], totals: { currentAvatars: 1, blobs: [{ kind: 'avatar', state: 'live', count: 1 }] } })
  const connection = new BetterSqlite3(join(root, 'database', 'gateway.sqlite'), { readonly: true })
  t.teardown(() => connection.close())
  t.strictSame(connection.prepare('SELECT id FROM Blob').pluck().all(), [whole.id])
})

t.test('with its journals lost, who was erased stays erased as the old database says; one that cannot be read whole is kept', async (t) => {
  const { root } = await used(t)
  const file = join(root, 'database', 'gateway.sqlite')
  const gateway = await build(t, { UPLOADS_DIR: root })
  t.equal((await gateway.app.inject({ method: 'DELETE', url: '/api/users/ada/uploads', headers: await gateway.as('root', 'uploads:admin') })).statusCode, 200)
  await gateway.app.close()
  for (const name of ['erasures.ndjson', 'tombstones.ndjson']) rmSync(join(root, name), { force: true })
  t.match(await rebuild(configFor(root), silent), { erasures: 1, oldDatabase: null, findings: [{ problem: 'ledger-damaged', detail: /is not on the volume/ }, { problem: 'ledger-damaged', detail: /^1 erasures were in the old database only/ }, { path: 'tombstones.ndjson' }] })
  t.match(await rebuild(configFor(root), silent), { erasures: 1, findings: { length: 0 } })
  const connection = new BetterSqlite3(file)
  connection.exec("UPDATE Erasure SET createdAt = 'garbage'")
  connection.close()
  t.match(await rebuild(configFor(root), silent), { erasures: 1, oldDatabase: /damaged-/, findings: [{ problem: 'ledger-damaged', path: file, detail: /1 of its rows are damaged/ }] })
})
