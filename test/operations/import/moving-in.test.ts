import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test, type Test } from 'tap'
import { importSystemMAttachments, importSystemMAvatars, importSystemR } from '../../../src/operations/import/moving-in.ts'
import { silent } from '../../../src/operations/progress.ts'
import { databaseUrlFor } from '../../fixtures/database-server.ts'
import { build, picture, temporaryFolder } from '../../helper.ts'
import { configOf } from './fixtures/import.ts'

async function place (t: Test) {
  const gateway = await build(t)
  const old = await temporaryFolder(t)
  await mkdir(join(old, 'i'))
  await mkdir(join(old, 'uploads'))
  await writeFile(join(old, 'i', 'a.png'), await picture('png'))
  await writeFile(join(old, 'uploads', 'a.txt'), 'text')
  await writeFile(join(old, 'users'), JSON.stringify({ id: 'ada', avatar: '/i/a.png' }))
  return { ...gateway, old, config: configOf(gateway.folder, { DATABASE_URL: await databaseUrlFor(t, gateway.folder) }) }
}

const how = { isRun: true, progress: silent, visibility: 'public' } as const

test('what is only planned makes no copy of the database out of date', async (t) => {
  const { app, old, config, read } = await place(t)
  const own = JSON.parse(await read('database.json'))
  await app.storage.claim.handOver({ id: own.database, name: own.name }, 'a copy')
  const copied = async () => JSON.parse(await read('database.json')).copy
  for (const [isRun, copy] of [[false, 'a copy'], [true, undefined]] as const) {
    await importSystemMAttachments(config, { ...how, folder: join(old, 'uploads'), owner: 'archive', isRun })
    t.equal(await copied(), copy)
  }
})

test('folders of System M move in beside a running gateway, with a line for every file where asked', async (t) => {
  const { app, old, config } = await place(t)
  const reportFile = join(old, 'report')
  t.match(await importSystemMAvatars(config, { ...how, folder: join(old, 'i'), users: join(old, 'users'), isRun: false }), { isDryRun: true, outcomes: { imported: { files: 1 } } })
  t.match(await importSystemMAvatars(config, { ...how, folder: join(old, 'i'), users: join(old, 'users'), reportFile }), { isDryRun: false, outcomes: { imported: { files: 1 } } })
  t.match(JSON.parse(await readFile(reportFile, 'utf8')), { source: 'system-m:users/ada/i/a.png', outcome: 'imported', sha256: /^[0-9a-f]{64}$/, id: String })
  t.match(await importSystemMAttachments(config, { ...how, folder: join(old, 'uploads'), owner: 'archive' }), { outcomes: { imported: { files: 1 } } })
  for (const url of ['/i/a.png', '/api/avatars/ada', '/uploads/a.txt']) t.equal((await app.inject({ url })).statusCode, 200, url)
})

test('what cannot be begun is refused, and nothing was done', async (t) => {
  const { old, config } = await place(t)
  const folder = join(old, 'uploads')
  await t.rejects(importSystemMAttachments(config, { ...how, folder, owner: 'no one' }), { name: 'ConfigError', message: /^--owner must be/ })
  await t.rejects(importSystemMAttachments(config, { ...how, folder, reportFile: join(folder, 'report') }), { name: 'Refusal', message: /lies in the folder to import from/ })
  await t.rejects(importSystemMAttachments(config, { ...how, folder, reportFile: join(old, 'none', 'report') }), { name: 'Refusal', message: /cannot be written/ })
  await t.rejects(importSystemMAvatars(config, { ...how, folder: config.uploadsDir }), { name: 'Refusal', message: /lie in one another/ })
  await t.rejects(importSystemMAvatars(config, { ...how, folder, users: join(old, 'none') }), { name: 'Refusal', message: /^--users .*none: there is no such file\./ })
  await t.rejects(importSystemMAttachments(config, { ...how, folder, index: join(old, 'none') }), { name: 'Refusal', message: /^--index .*none: there is no such file\./ })
})

test('System R needs its database; the public folder is looked at first', async (t) => {
  const { old, config } = await place(t)
  const columns = { id: 'id', data: 'd', type: 't', url: 'u', date: undefined }
  const from = { isRun: true, progress: silent, databaseUrl: 'postgres://u@127.0.0.1:1/x', table: 'users', columns }
  await t.rejects(importSystemR(config, { ...from, publicDir: join(old, 'none') }), { name: 'Refusal', message: /no folder that can be read/ })
  let isClosed = false
  const table = { count: async () => 1, rows: async function * () { yield { id: '7', dataBytes: 9, type: null, url: null, date: null } }, data: async () => picture('png'), close: async () => { isClosed = true } }
  t.match(await importSystemR(config, { ...from, publicDir: old, openTable: async () => table }), { outcomes: { refused: { files: 0 }, imported: { files: 1 } } })
  t.ok(isClosed)
  await t.rejects(importSystemR(config, from), { name: 'Refusal', message: /ECONNREFUSED/ })
})
