import { existsSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { text } from 'node:stream/consumers'
import Fastify from 'fastify'
import { test, type Test } from 'tap'
import { readConfig, type Config } from '../../src/config.ts'
import { storage } from '../../src/plugins/storage.ts'
import { createFaults } from '../fixtures/faults.ts'
import { collectLog } from '../fixtures/log.ts'
import { keep } from '../records/fixtures/database.ts'
import { folderFor, openBelow, publish } from '../storage/fixtures/volume.ts'

async function setUp (t: Test) {
  const base = await folderFor(t)
  const config = readConfig({ UPLOADS_DIR: join(base, 'uploads'), DISK_RESERVE: '0', DATABASE_URL: `file:${join(base, 'gateway.sqlite')}` })
  const faults = createFaults()
  const log = collectLog()
  async function start (changes: Partial<Config> = {}) {
    const app = Fastify({ logger: { level: 'info', stream: log.stream } })
    t.teardown(() => app.close())
    try {
      await app.register(storage, { config: { ...config, ...changes }, fs: faults.fs, monotonicMs: () => 0 })
    } catch (error) {
      // As a start does that is refused.
      await app.close()
      throw error
    }
    return app
  }
  /** A gateway that keeps one file and stops. */
  async function used () {
    const app = await start()
    await keep(app.database.client, await publish(app.storage.store, 'hello'))
    await app.close()
    return app.storage.volumeId
  }
  return { base, config, faults, log, start, used }
}

test('volume and database open together, belong to each other, and close together', async (t) => {
  const { base, config, start, log } = await setUp(t)
  const app = await start()
  t.match(await app.database.client.setting.findMany(), [{ key: 'databaseId' }, { key: 'volumeId', value: app.storage.volumeId }])
  t.match(log.lines(), [{ level: 40, msg: new RegExp(`${config.uploadsDir} is an ordinary folder`) }])
  t.not(openBelow(base).length, 0)
  await app.close()
  t.strictSame(openBelow(base), [])
  const again = await start()
  t.equal(again.storage.volumeId, app.storage.volumeId)
})

test('an empty volume, or another one, under a database that knows files is refused, and nothing stays open', async (t) => {
  const { base, config, start, used } = await setUp(t)
  const volumeId = await used()
  const other = join(base, 'other')
  await t.rejects(start({ uploadsDir: other }), { name: 'ConfigError', message: new RegExp(`UPLOADS_DIR ${other} is not the uploads volume.*Mount the volume ${volumeId}`) })
  const elsewhere = await start({ uploadsDir: other, database: { kind: 'sqlite', file: join(base, 'other.sqlite') }, databaseFile: join(base, 'other.sqlite') })
  await elsewhere.close()
  await t.rejects(start({ uploadsDir: other }), { name: 'ConfigError', message: /is another volume/ })
  await rm(config.databaseFile)
  await t.rejects(start(), { name: 'ConfigError', message: /holds uploads, but the database is new/ })
  t.strictSame(openBelow(base), [])
})

test('a read-only volume, and one that is no mount where one is required, are refused before the database is touched', async (t) => {
  const { base, faults, start } = await setUp(t)
  await t.rejects(start({ requireMount: true }), { name: 'ConfigError', message: /not a mount of its own/ })
  faults.inject({ on: 'open', errno: 'EROFS' })
  await t.rejects(start(), { name: 'ConfigError', message: /cannot be written/ })
  t.strictSame(openBelow(base), [])
})

test('a gateway that changes nothing serves a volume that takes no writes, and says once that nobody sees it', async (t) => {
  const { base, config, faults, log, start, used } = await setUp(t)
  await used()
  const root = config.uploadsDir
  faults.inject({ on: 'mkdir', path: new RegExp(`^${root}`), errno: 'EROFS', forever: true })
  await t.rejects(start(), { name: 'ConfigError', message: /cannot be written/ })
  const app = await start({ isReadOnly: true })
  const { probe, staging, store } = app.storage
  t.notOk(staging.folder.startsWith(base))
  t.ok(existsSync(staging.folder))
  t.equal(log.lines().filter(({ msg }) => /takes no writes, so no other process sees this gateway/.test(String(msg))).length, 1)
  const [blob] = await app.database.client.blob.findMany()
  if (blob === undefined) throw new Error('there is no blob')
  t.equal(await text(await store.read(blob as never)), 'hello')
  await probe.check()
  probe.noteSyncFailure()
  await probe.check()
  await rm(join(root, 'upload-gateway.json'))
  await t.rejects(probe.check(), { code: 'STORAGE_UNAVAILABLE' })
  await app.close()
  t.notOk(existsSync(dirname(dirname(staging.folder))))
})

test('I8: opening and closing again changes no blob and no sidecar', async (t) => {
  const { config, start, used, faults } = await setUp(t)
  await used()
  faults.heal()
  await (await start()).close()
  t.strictSame(faults.calls.filter(({ path }) => path.startsWith(join(config.uploadsDir, 'avatars'))), [])
})
