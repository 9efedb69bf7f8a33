import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import Fastify from 'fastify'
import { test, type Test } from 'tap'
import { storage } from '../../src/plugins/storage.ts'
import { createFaults } from '../fixtures/faults.ts'
import { collectLog } from '../fixtures/log.ts'
import { keep } from '../records/fixtures/database.ts'
import { folderFor, openBelow, publish } from '../storage/fixtures/volume.ts'

async function setUp (t: Test) {
  const base = await folderFor(t)
  const config = { uploadsDir: join(base, 'uploads'), requireMount: false, diskReserveBytes: 0, erasureLedger: undefined, databaseFile: join(base, 'gateway.sqlite') }
  const faults = createFaults()
  const log = collectLog()
  async function start (changes: Partial<typeof config> = {}) {
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
  t.match(await app.database.client.setting.findMany(), [{ key: 'volumeId', value: app.storage.volumeId }])
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
  const elsewhere = await start({ uploadsDir: other, databaseFile: join(base, 'other.sqlite') })
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

test('I8: opening and closing again changes no blob and no sidecar', async (t) => {
  const { config, start, used, faults } = await setUp(t)
  await used()
  faults.heal()
  await (await start()).close()
  t.strictSame(faults.calls.filter(({ path }) => path.startsWith(join(config.uploadsDir, 'avatars'))), [])
})
