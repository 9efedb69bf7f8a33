import { mkdir, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { test, type Test } from 'tap'
import { silent } from '../../src/operations/progress.ts'
import { Refusal } from '../../src/operations/refusal.ts'
import { atWork, isThere } from '../../src/operations/workplace.ts'
import { ownHeartbeat } from '../../src/storage/volume/instance.ts'
import { openBelow } from '../storage/fixtures/volume.ts'
import { fileSystem } from '../../src/storage/fs.ts'
import { onSqliteOnly } from '../fixtures/database-server.ts'
import { createFaults } from '../fixtures/faults.ts'
import { usedGateway } from './fixtures/used-gateway.ts'

test('a command works beside a gateway, with the same rows and files, and leaves nothing behind', async (t) => {
  const { app, folder, config, post } = await usedGateway(t)
  const { id } = await post('ada')
  const staging = await readdir(join(folder, 'staging'))
  const result = await atWork(config, { work: 'verify' }, async (place) => {
    t.equal((await readdir(join(folder, 'staging'))).length, 2)
    t.equal(place.storage.volumeId, app.storage.volumeId)
    t.equal(place.root, folder)
    t.match(await place.client.attachment.findMany(), [{ id }])
    t.equal(await place.ledger.count(), 1)
    t.equal(await place.tombstones.hasPath('/i/x'), false)
    t.equal(await place.settling.settleDue(), 0)
    t.ok(Math.abs(place.now().getTime() - Date.now()) < 1000)
    return 7
  })
  t.equal(result, 7)
  t.strictSame(await readdir(join(folder, 'staging')), staging)
  await app.close()
  t.strictSame(openBelow(folder), [])
})

test('what the settings name on the volume is the gateway\'s own', async (t) => {
  const { folder, config } = await usedGateway(t)
  await atWork({ ...config, jwtPublicKeyFile: join(folder, 'identity.pem'), readThroughDirs: [join(folder, 'old')] }, { work: 'verify' }, async ({ isOwn }) => {
    for (const path of ['identity.pem', 'old', 'old/i/a.png', 'database']) t.ok(isOwn(path), path)
    t.notOk(isOwn('identity'))
  })
})

test('what fails closes both all the same', async (t) => {
  const { app, folder, config } = await usedGateway(t)
  await app.close()
  await t.rejects(atWork(config, { work: 'verify' }, () => Promise.reject(new Error('half-way'))), { message: 'half-way' })
  t.strictSame(await readdir(join(folder, 'staging')), [])
  t.strictSame(openBelow(folder), [])
})

test('a command that must be alone refuses beside a gateway, and closes what it opened', async (t) => {
  const { app, folder, config } = await usedGateway(t)
  const rebuild = () => atWork(config, { work: 'rebuild', isExclusive: true }, async () => 'done')
  await t.rejects(rebuild(), { name: 'ConfigError', message: /in use: gateway runs on it as process \d+, and rebuild must be alone/ })
  t.equal((await readdir(join(folder, 'staging'))).length, 1)
  await app.close()
  t.equal(await rebuild(), 'done')
})

test('what may not be looked at is not taken for absent', async (t) => {
  const denied = { stat: async () => { throw Object.assign(new Error('permission denied'), { code: 'EACCES' }) } }
  await t.rejects(isThere(denied as never, '/uploads/upload-gateway.json'), { name: 'Refusal', message: /cannot be looked at \(EACCES\)\. Run this as the user/ })
  t.equal(await isThere(fileSystem, '/nowhere/at/all'), false)
  t.equal(await isThere(fileSystem, import.meta.filename), true)
})

test('a command never makes a volume or a database: it would hide that the right one is missing', { skip: onSqliteOnly }, async (t) => {
  const { app, folder, config } = await usedGateway(t)
  await app.close()
  await rm(config.databaseFile)
  await t.rejects(atWork(config, { work: 'verify' }, async () => {}), { name: 'Refusal', message: /no database at .*DATABASE_URL.*rebuild/ })
  const empty = join(folder, 'empty')
  await t.rejects(atWork({ ...config, uploadsDir: empty }, { work: 'verify' }, async () => {}), { name: 'Refusal', message: /no uploads volume at UPLOADS_DIR .*empty.*Set UPLOADS_DIR/ })
  await mkdir(empty)
  await t.rejects(atWork({ ...config, uploadsDir: empty }, { work: 'verify' }, async () => {}), { name: 'Refusal' })
  t.strictSame(await readdir(empty), [])
  t.strictSame((await readdir(join(folder, 'database'))).filter((name) => name.startsWith('gateway.sqlite')), [])
})

test('who waits to see whether another process lives is told why', async (t) => {
  const { app, folder, config } = await usedGateway(t)
  await app.close()
  const name = '0a1b2c3d-0000-4000-8000-000000000000'
  await mkdir(join(folder, 'staging', name))
  const heartbeat = join(folder, 'staging', name, 'heartbeat.json')
  await writeFile(heartbeat, JSON.stringify({ ...ownHeartbeat(), world: 'elsewhere', work: 'restore', isExclusive: true }))
  const said: string[] = []
  const say = (message: string) => {
    said.push(message)
    // It ends while it is watched.
    rm(join(folder, 'staging', name), { recursive: true }).catch(() => {})
  }
  t.equal(await atWork(config, { work: 'verify', progress: { ...silent, say } }, async () => 'done'), 'done')
  t.match(said, [/whether restore of another host or container still runs/])
})

test('a refusal is known by its name, and the silent progress says nothing', (t) => {
  t.match(new Refusal('Do this.'), { name: 'Refusal', message: 'Do this.' })
  silent.step('x', 1, 'bytes')
  silent.advance()
  t.equal(silent.say('x'), undefined)
  t.end()
})

/** SQLite cannot open it there, nor can anything be written. */
async function unwritable (t: Test, errno: string) {
  const { app, folder, config, post } = await usedGateway(t)
  await post('ada')
  await app.close()
  await mkdir(`${config.databaseFile}-shm`)
  const faults = createFaults()
  faults.inject({ on: 'open', path: /write-test/, errno, forever: true }, { on: 'mkdir', path: new RegExp(`^${folder}`), errno, forever: true })
  return { folder, config, fs: faults.fs }
}

test('who only reads works where nothing can be written: on a copy of the database, and with a place elsewhere', { skip: onSqliteOnly }, async (t) => {
  const { folder, config, fs } = await unwritable(t, 'EROFS')
  const said: string[] = []
  const place = await atWork(config, { work: 'verify', onlyReads: true, fs, progress: { ...silent, say: (message) => { said.push(message) } } }, async ({ address, client, storage }) => {
    t.equal(await client.attachment.count(), 1)
    return { databaseFile: address.kind === 'sqlite' ? address.file : '', staging: storage.staging.folder }
  })
  for (const path of Object.values(place)) {
    t.ok(path.startsWith(join(tmpdir(), 'upload-gateway-reading-')))
    t.equal(await isThere(fileSystem, path), false)
  }
  t.match(said, [/cannot be opened where it is.*a copy of it is read/, /takes no writes.*begin no rebuild and no restore/])
  t.strictSame(await readdir(join(folder, 'staging')), [])
})

test('who writes is told that the file system is full or read-only, and where', { skip: onSqliteOnly }, async (t) => {
  for (const [errno, sentence] of [['EROFS', /read-only: mount it writable/], ['ENOSPC', /full: free some space or inodes on it/]] as const) {
    const { config, fs } = await unwritable(t, errno)
    await t.rejects(atWork(config, { work: 'sweep', fs }, async () => {}), { name: 'Refusal', message: sentence })
  }
})

test('another fault of the database is told as it is, also to who only reads', { skip: onSqliteOnly }, async (t) => {
  const other = await unwritable(t, 'EIO')
  await t.rejects(atWork(other.config, { work: 'verify', onlyReads: true, fs: other.fs }, async () => {}), { name: 'ConfigError', message: /cannot be used/ })
  const { app, config } = await usedGateway(t)
  await app.close()
  await mkdir(`${config.databaseFile}-shm`)
  await t.rejects(atWork(config, { work: 'verify', onlyReads: true }, async () => {}), { name: 'ConfigError', message: /cannot be used/ }, 'where something can be written')
  t.notMatch((await readdir(dirname(config.databaseFile))).join(), /write-test/)
})
