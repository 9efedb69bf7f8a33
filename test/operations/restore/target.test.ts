import { randomUUID } from 'node:crypto'
import { cp, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import { silent as progress } from '../../../src/operations/progress.ts'
import { bringRows } from '../../../src/operations/restore/bring-database.ts'
import { restore } from '../../../src/operations/restore/restore.ts'
import { refuseRows } from '../../../src/operations/restore/target.ts'
import { takeSnapshot } from '../../../src/records/snapshot.ts'
import { fileSystem } from '../../../src/storage/fs.ts'
import { createDurable } from '../../../src/storage/volume/durable.ts'
import { openStaging } from '../../../src/storage/volume/staging.ts'
import { createFaults } from '../../fixtures/faults.ts'
import { build, secret } from '../../helper.ts'
import { keep, sqliteFor } from '../../records/fixtures/database.ts'
import { sidecarFor } from '../../storage/fixtures/volume.ts'
import { filesBelow, lost } from '../fixtures/furnished.ts'

t.test('an interrupted restore goes on, and only that one', async (t) => {
  const { config, dir, folder, url } = await lost(t)
  for (const fault of [
    { on: 'rename', path: /→ .*attachments/ }, { on: 'rename', path: /→ .*sidecar/ }, { on: 'writev', path: /restored-/ }, { on: 'rename', path: /→ .*gateway\.sqlite/ },
    { on: 'rename', path: /→ .*upload-gateway\.json/ }, { on: 'unlink', path: /restore-unfinished/ },
  ] as const) {
    const { fs, inject } = createFaults()
    inject({ ...fault, errno: 'ENOSPC' })
    await t.rejects(restore(config, dir, { progress, fs }), { message: fault.on === 'unlink' ? /^The disk of \S+ or of \S+gateway\.sqlite is full\. Free some space/ : /is full\. Free some space/ }, `${fault.on} ${String(fault.path)}`)
    await t.rejects(build(t, { UPLOADS_DIR: folder, JWT_SECRET: secret, DATABASE_URL: '' }), { message: /not restored to the end/ })
  }
  await cp(folder, `${folder}-2`, { recursive: true })
  await t.rejects(restore({ ...config, database: { kind: 'sqlite', file: '/elsewhere' } }, dir, { progress }), { name: 'Refusal', message: /was interrupted/ })
  await writeFile(join(folder, 'database.json'), JSON.stringify({ database: 'another', name: 'of the run before', since: '2026-11-22T12:00:00Z' }))
  const left = join(folder, 'database', `.restored-${randomUUID()}`)
  await writeFile(left, '')
  t.match(await restore(config, dir, { progress }), { files: 3, isLedgerCurrent: false, verification: { findings: { length: 0 } } })
  await t.rejects(stat(left), { code: 'ENOENT' }, 'nor is a copy of the database left, of a run that was killed')
  const { app, as } = await build(t, { UPLOADS_DIR: folder, DATABASE_URL: '' })
  t.equal((await app.inject({ url, headers: await as('ada') })).body, 'a text')
  for (const text of ['{}', 'x']) {
    await writeFile(join(`${folder}-2`, 'restore-unfinished.json'), text)
    await t.rejects(restore({ ...config, uploadsDir: `${folder}-2` }, dir, { progress }), { name: 'Refusal', message: /restore-unfinished\.json is damaged/ })
  }
})

t.test('nothing else may live on the volume meanwhile', async (t) => {
  const { config, dir, folder } = await lost(t)
  await fileSystem.mkdir(folder)
  const durable = createDurable({ fs: fileSystem, onSyncFailure: () => {} })
  const other = await openStaging({ fs: fileSystem, durable, root: folder, monotonicMs: () => 0 })
  await t.rejects(restore(config, dir, { progress }), { name: 'ConfigError', message: /is in use: gateway runs on it/ })
  await other.close()
  t.same(await filesBelow(folder), [], 'and nothing was left there')
  t.match(await restore(config, dir, { progress }), { files: 3 })
})

t.test('a database that cannot be looked for is not taken for none', async (t) => {
  const { config, dir } = await lost(t)
  const { fs, inject } = createFaults()
  inject({ on: 'stat', path: /gateway\.sqlite$/, errno: 'EIO' })
  await t.rejects(restore(config, dir, { progress, fs }), { name: 'Refusal', message: /gateway\.sqlite cannot be looked at \(EIO\)/ })
})

t.test('a database that has rows is not filled; one that a gateway was started on is', async (t) => {
  const { client, address } = await sqliteFor(t)
  await client.setting.create({ data: { key: 'volumeId', value: 'v' } })
  await refuseRows(fileSystem, address)
  await keep(client, sidecarFor('x'))
  await t.rejects(refuseRows(fileSystem, address), { name: 'Refusal', message: /gateway\.sqlite has rows already, in Blob, Usage\. A restore never overwrites anything/ })
  await refuseRows(fileSystem, { kind: 'sqlite', file: '/nowhere/x.sqlite' })
})

t.test('rows are brought by way of a copy, and claimed before', async (t) => {
  const [from, to] = [await sqliteFor(t), await sqliteFor(t)]
  await keep(from.client, sidecarFor('x'))
  const snapshot = t.testdir({ staging: {} })
  takeSnapshot(from.file, join(snapshot, 'database.sqlite'))
  const claims: number[] = []
  await bringRows(fileSystem, snapshot, { database: to.address, staging: join(snapshot, 'staging'), claimDatabase: async () => { claims.push(await to.client.blob.count()) } })
  t.strictSame([claims, await to.client.blob.count()], [[0], 1])
})
