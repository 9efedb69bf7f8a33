import { readFileSync, writeFileSync } from 'node:fs'
import { cp, readdir, rm } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { test, type Test } from 'tap'
import { copyDatabaseTo } from '../../src/operations/database-copy.ts'
import { silent } from '../../src/operations/progress.ts'
import { openSqlite } from '../../src/records/embedded.ts'
import { fileSystem } from '../../src/storage/fs.ts'
import { ownHeartbeat } from '../../src/storage/volume/instance.ts'
import { atWork } from '../../src/operations/workplace.ts'
import { build, temporaryFolder } from '../helper.ts'
import { openBelow } from '../storage/fixtures/volume.ts'
import { usedGateway } from './fixtures/used-gateway.ts'

/** On SQLite wherever the tests run. */
async function moving (t: Test) {
  const elsewhere = await temporaryFolder(t)
  const from = join(elsewhere, 'from', 'gateway.sqlite')
  const place = await usedGateway(t, { DATABASE_URL: `file:${from}` })
  const to = join(elsewhere, 'to', 'gateway.sqlite')
  const said: string[] = []
  const progress = { ...silent, say: (message: string) => { said.push(message) } }
  const copy = ({ source = `file:${from}`, target = `file:${to}`, uploadsDir = place.folder } = {}) => copyDatabaseTo({ ...place.config, uploadsDir }, { from: source, to: target, progress })
  return { ...place, from, to, copy, said, elsewhere }
}

test('the records and the keys are in the new database, and a gateway on it answers the same', async (t) => {
  const { app, folder, as, from, to, copy, post, put } = await moving(t)
  const { url } = await post('ada', 'the bytes')
  await put('ada', 1)
  const list = async (gateway: typeof app) => (await gateway.inject({ url: '/api/attachments', headers: await as('ada') })).json()
  const before = await list(app)
  await app.close()
  const report = await copy()
  t.match(report, { from, to, seconds: Number, keys: ['erasure-signing.jwk', 'link.secret'] })
  t.equal(report.rows, report.tables.reduce((sum, { rows }) => sum + rows, 0))
  t.ok(report.rows > 4)
  t.strictSame((await readdir(dirname(to))).filter((name) => !/-(wal|shm)$/.test(name)).sort(), ['erasure-signing.jwk', 'gateway.sqlite', 'link.secret'])
  t.strictSame(await readdir(join(folder, 'staging')), [])
  await rm(dirname(from), { recursive: true })
  const moved = await build(t, { UPLOADS_DIR: folder, DATABASE_URL: `file:${to}` })
  t.strictSame(await list(moved.app), before)
  t.equal((await moved.app.inject({ url, headers: await as('ada') })).payload, 'the bytes')
  await moved.app.close()
  t.strictSame(openBelow(folder), [])
})

test('a gateway on the database from before does not start beside one on the new one: each would take the other\'s files for orphans', async (t) => {
  const { app, folder, from, to, copy } = await moving(t)
  await app.close()
  await copy()
  const on = (file: string) => build(t, { UPLOADS_DIR: folder, DATABASE_URL: `file:${file}` })
  const moved = await on(to)
  await t.rejects(on(from), { name: 'ConfigError', message: /is in use: gateway runs on it as process \d+, with another database/ })
  await moved.app.close()
})

test('once a gateway on the new database had the volume, neither gateway nor command comes there with the one from before', async (t) => {
  const { app, config, folder, from, to, copy } = await moving(t)
  await app.close()
  await copy()
  const settings = (file: string) => ({ UPLOADS_DIR: folder, DATABASE_URL: `file:${file}` })
  const moved = await build(t, settings(to))
  await moved.app.close()
  const refusal = { name: 'ConfigError', message: new RegExp(`belongs to another database: since \\S+ to ${to}\\. What was uploaded since is unknown to ${from}, which takes it for nobody's`) }
  await t.rejects(build(t, settings(from)), refusal)
  for (const onlyReads of [true, false]) await t.rejects(atWork(config, { work: 'sweep', onlyReads }, async () => {}), refusal)
  await t.rejects(copy({ target: `file:${join(dirname(to), 'third.sqlite')}` }), refusal)
  await t.rejects(build(t, { ...settings(from), READ_ONLY: 'true' }), refusal)
})

test('a gateway that only reads goes on with the old database while the others come', async (t) => {
  const { app, folder, from, to, copy } = await moving(t)
  await app.close()
  const settings = (file: string) => ({ UPLOADS_DIR: folder, DATABASE_URL: `file:${file}` })
  const reader = await build(t, { ...settings(from), READ_ONLY: 'true' })
  await copy()
  await build(t, settings(to))
  t.equal((await reader.app.inject('/health/ready')).statusCode, 200)
})

test('back again is a copy too; a copy that was not used is out of date when the original goes on', async (t) => {
  const { app, folder, from, to, copy } = await moving(t)
  await app.close()
  await copy()
  const once = async (file: string) => (await build(t, { UPLOADS_DIR: folder, DATABASE_URL: `file:${file}` })).app.close()
  await once(from)
  await t.rejects(once(to), { name: 'ConfigError', message: new RegExp(`belongs to another database: since \\S+ to ${from}\\.`) })
  const third = join(dirname(to), 'third.sqlite')
  await copy({ target: `file:${third}` })
  await once(third)
  const fourth = join(dirname(to), 'fourth.sqlite')
  await copy({ source: `file:${third}`, target: `file:${fourth}` })
  await once(fourth)
  await t.rejects(once(third), { message: /belongs to another database/ })
})

test('a gateway that may write is refused, one that only reads goes on', async (t) => {
  const { app, copy, folder, from, to } = await moving(t)
  await t.rejects(copy(), { name: 'ConfigError', message: /in use: gateway runs on it as process \d+, and database copy must be alone there\. Start it again with READ_ONLY=true, or stop it, and run this again\.$/ })
  await app.close()
  const reader = await build(t, { UPLOADS_DIR: folder, DATABASE_URL: `file:${from}`, READ_ONLY: 'true' })
  t.match(await copy(), { to })
  t.equal((await reader.app.inject('/health/live')).statusCode, 200)
})

test('a gateway that may write does not start meanwhile', async (t) => {
  const { app, folder, from } = await moving(t)
  await app.close()
  const staging = join(folder, 'staging', '4a8c8a3e-53ba-4a35-8dcd-5bf1a1f7dd46')
  await fileSystem.mkdir(staging)
  writeFileSync(join(staging, 'heartbeat.json'), JSON.stringify(ownHeartbeat({ work: 'database copy', isExclusive: true })))
  const settings = { UPLOADS_DIR: folder, DATABASE_URL: `file:${from}` }
  await t.rejects(build(t, settings), { name: 'ConfigError', message: /database copy runs on it as process \d+, and database copy must be alone there/ })
  const reader = await build(t, { ...settings, READ_ONLY: 'true' })
  t.equal((await reader.app.inject('/health/live')).statusCode, 200)
})

test('nothing is overwritten, and nothing is mixed', async (t) => {
  const { app, copy, post, elsewhere, from, to } = await moving(t)
  await post('ada')
  await app.close()
  const refused = (message: RegExp, places: Parameters<typeof copy>[0]) => t.rejects(copy(places), { name: 'Refusal', message })
  await refused(/^--from and --to name the same database: /, { target: `file:${from}` })
  await refused(/^--from and --to name the same database: PostgreSQL|^--from and --to name the same database: /, { source: 'postgres://ada:one@db/files', target: 'postgres://ada:two@db/files' })
  await refused(/^--to must be a database as DATABASE_URL names it/, { target: 'mysql://x' })
  await t.rejects(copy({ target: 'postgres://127.0.0.1:1/x' }), { name: 'ConfigError', message: /that --to names its host and port\.$/ })
  await refused(/^--from must be a database/, { source: '' })
  await refused(/There is no uploads volume at UPLOADS_DIR /, { uploadsDir: elsewhere })
  await refused(/cannot be copied: \S+none\.sqlite/, { source: `file:${join(elsewhere, 'none.sqlite')}` })
  await copy()
  await refused(/to\/gateway\.sqlite is not empty: it has rows in Blob, Attachment.*Name an empty database/, {})
  const copied = async (name: string) => {
    const file = join(elsewhere, name, 'gateway.sqlite')
    await cp(dirname(to), dirname(file), { recursive: true })
    const { client, close } = await openSqlite({ file, requireMount: false })
    t.teardown(close)
    return { file, client }
  }
  const other = await copied('other')
  await other.client.setting.update({ where: { key: 'volumeId' }, data: { value: 'another' } })
  await refused(/other\/gateway\.sqlite belongs to another volume: to another, while UPLOADS_DIR /, { source: `file:${other.file}` })
  await other.client.blob.deleteMany()
  for (const model of ['event', 'owner', 'answer'] as const) await (other.client[model] as typeof other.client.owner).deleteMany()
  await refused(/other\/gateway\.sqlite belongs to another volume: to another\. Name an empty database/, { target: `file:${other.file}` })
  await other.client.setting.deleteMany()
  await refused(/belongs to no volume yet/, { source: `file:${other.file}` })
  const key = join(dirname(other.file), 'link.secret')
  writeFileSync(key, 'x'.repeat(64))
  await refused(/Beside \S+other\/gateway\.sqlite there is another link\.secret than the source has/, { target: `file:${other.file}` })
  t.equal(await other.client.blob.count(), 0)
  await rm(key)
  t.match(await copy({ target: `file:${other.file}` }), { keys: ['erasure-signing.jwk', 'link.secret'] })
  t.equal(readFileSync(key, 'utf8'), readFileSync(join(dirname(from), 'link.secret'), 'utf8'))
})

test('what is damaged is refused with where it is, and the new database stays empty', async (t) => {
  const { app, copy, folder, from, to, post } = await moving(t)
  await post('ada')
  await app.close()
  const source = await openSqlite({ file: from, requireMount: false })
  await source.client.$executeRawUnsafe('UPDATE "Blob" SET "createdAt" = \'yesterday\'')
  await source.close()
  await t.rejects(copy(), { name: 'Refusal', message: /from\/gateway\.sqlite: The column createdAt of the table Blob holds what is not a time.*Nothing was copied\.$/ })
  const target = await openSqlite({ file: to, requireMount: false })
  t.equal(await target.client.blob.count(), 0)
  await target.close()
  writeFileSync(join(folder, 'upload-gateway.json'), 'damaged')
  await t.rejects(copy(), { name: 'Refusal', message: /The identity of the volume at UPLOADS_DIR \S+ cannot be read/ })
})
