import { mkdir, readdir, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'tap'
import { silent } from '../../src/operations/progress.ts'
import { Refusal } from '../../src/operations/refusal.ts'
import { atWork, isThere } from '../../src/operations/workplace.ts'
import { ownHeartbeat } from '../../src/storage/volume/instance.ts'
import { openBelow } from '../storage/fixtures/volume.ts'
import { fileSystem } from '../../src/storage/fs.ts'
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

test('a command never makes a volume or a database: it would hide that the right one is missing', async (t) => {
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
