import { appendFile, copyFile, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { backup } from '../../../src/operations/backup/backup.ts'
import { pruneErased } from '../../../src/operations/backup/prune.ts'
import { proveSnapshot } from '../../../src/operations/backup/complete.ts'
import { verifyBackup } from '../../../src/operations/backup/verify.ts'
import { silent as progress } from '../../../src/operations/progress.ts'
import { findSnapshots } from '../../../src/operations/backup/snapshots.ts'
import { fileSystem } from '../../../src/storage/fs.ts'
import { temporaryFolder } from '../../helper.ts'
import { createFaults } from '../../fixtures/faults.ts'
import { filesBelow, furnished, rowsOf } from '../fixtures/furnished.ts'

/** Two snapshots, and one of their users erased since. */
async function outdated (t: Test) {
  const place = await furnished(t)
  await place.attach('erased-user', 'secret text')
  await place.face('erased-user')
  await place.attach('eve', 'stays')
  await backup(place.config, { to: { dir: place.dir }, withKeys: true, progress })
  await place.attach('eve', 'stays too')
  await backup(place.config, { to: { dir: place.dir }, progress })
  t.equal(await place.erase('erased-user'), 200)
  return place
}

t.test('an erased user is gone from every snapshot, and all that is left is whole', async (t) => {
  const { config, dir } = await outdated(t)
  const report = await pruneErased(config, dir, { progress })
  t.match(report, { snapshots: 2, erasedUploads: 4, erasedAccounts: 0, removedFiles: 2, erasures: 1, findings: { length: 0 } })
  t.equal(report.prunedSnapshots.length, 2)
  for (const { name, root } of await findSnapshots(fileSystem, dir)) {
    t.same((await verifyBackup(dir, { snapshot: name, progress })).findings, [])
    t.same([...new Set(rowsOf(join(root, 'database.sqlite')).map(({ ownerId }) => ownerId))], ['eve'])
  }
  for (const path of await filesBelow(dir)) t.notOk((await readFile(join(dir, path))).includes('erased-user'), path)
  t.match(await pruneErased(config, dir, { progress }), { prunedSnapshots: { length: 0 }, erasedUploads: 0, removedFiles: 0 }, 'a second time there is nothing to do')
})

t.test('without the volume, a named ledger will do; without any it is refused', async (t) => {
  const { config, dir, folder, lose } = await outdated(t)
  const ledger = join(await temporaryFolder(t), 'ledger')
  await copyFile(join(folder, 'erasures.ndjson'), ledger)
  await lose()
  await t.rejects(pruneErased(config, dir, { progress }), { name: 'Refusal', message: /No ledger of erasures was found outside/ })
  await t.rejects(pruneErased(config, dir, { ledgers: [`${ledger}.not`], progress }), { name: 'Refusal', message: /is not there/ })
  await t.rejects(pruneErased({ ...config, erasureLedger: `${ledger}.not` }, dir, { progress }), { name: 'Refusal', message: /Mount the place that ERASURE_LEDGER names/ })
  await t.rejects(pruneErased(config, dir, { ledgers: [folder, dir], progress }), { name: 'Refusal', message: /cannot be read/ })
  t.match(await pruneErased(config, dir, { ledgers: [ledger], progress }), { erasedUploads: 4 })
})

t.test('a ledger that cannot be read whole is told: it must not look like done', async (t) => {
  const { config, dir, folder } = await outdated(t)
  const ledger = join(folder, 'erasures.ndjson')
  const text = await readFile(ledger, 'utf8')
  await writeFile(ledger, `${text.slice(0, -20)}\nx\n`)
  t.match(await pruneErased(config, dir, { progress }), { erasures: 0, erasedUploads: 0, findings: [{ problem: 'ledger-damaged', path: ledger, detail: /^2 lines/ }] })
  await writeFile(ledger, text)
  t.match(await pruneErased(config, dir, { progress }), { erasedUploads: 4, findings: { length: 0 } })
  await writeFile(`${ledger}-old`, '')
  const said: string[] = []
  await pruneErased(config, dir, { ledgers: [`${ledger}-old`], progress: { ...progress, say: (message) => said.push(message) } })
  t.match(said, [/old has none of this volume, but the backup knows of some/])
  await rm(ledger)
  await t.rejects(pruneErased(config, dir, { ledgers: [`${ledger}-old`], progress }), { name: 'Refusal', message: /-old has none of this volume, but the backup knows of some: .* Name the newest one with --ledger FILE\.$/ })
})

t.test('an embedded account goes too', async (t) => {
  const { app, config, dir, erase } = await furnished(t)
  const { user } = (await app.inject({ method: 'POST', url: '/api/auth/register', payload: { email: 'gone@example.org', password: 'long enough a password', displayName: 'Gone' } })).json()
  await backup(config, { to: { dir }, progress })
  await erase(user.id)
  t.match(await pruneErased(config, dir, { progress }), { erasedUploads: 0, erasedAccounts: 1 })
  for (const path of await filesBelow(dir)) t.notOk((await readFile(join(dir, path))).includes('gone@example.org'), path)
})

t.test('a damaged snapshot is named and left as it is', async (t) => {
  const { config, dir } = await outdated(t)
  const [first] = await findSnapshots(fileSystem, dir)
  await writeFile(join(first?.root ?? '', 'manifest.ndjson'), 'x')
  const report = await pruneErased(config, dir, { progress })
  t.match(report, { erasedUploads: 2, findings: [{ problem: 'backup-damaged', path: /manifest/ }] })
})

t.test('a line that cannot be read is not dropped, even where all is as it was written', async (t) => {
  const { config, dir } = await outdated(t)
  const [first] = await findSnapshots(fileSystem, dir)
  if (first?.record === undefined) throw new Error('two were made')
  await appendFile(join(first.root, 'manifest.ndjson'), 'half a li\n')
  await proveSnapshot(fileSystem, first.root, Object.keys(first.record.files), first.record)
  const report = await pruneErased(config, dir, { progress })
  t.match(report, { erasedUploads: 2, findings: [{ problem: 'backup-damaged', path: /manifest/, detail: /nothing was taken out of this snapshot/ }] })
  t.equal(rowsOf(join(first.root, 'database.sqlite')).length, 3)
})

t.test('it works where the next run clears up when it is killed', async (t) => {
  const { config, dir } = await outdated(t)
  const { fs, inject } = createFaults()
  // As killed: it cannot even remove what it made.
  inject({ on: 'open', path: /manifest\.ndjson\.new/, errno: 'EIO' }, { on: 'rm', path: /upload-gateway-backup-/, errno: 'EIO' }, { on: 'rm', path: /staging\/[^/]+$/, errno: 'EIO', forever: true })
  await t.rejects(pruneErased(config, dir, { progress, fs }), { code: 'EIO' })
  t.ok((await filesBelow(join(dir, 'staging'))).some((path) => path.endsWith('/database.sqlite')))
  const [instance = ''] = await fileSystem.readdir(join(dir, 'staging'))
  await rm(join(dir, 'staging', instance, 'heartbeat.json'))
  t.match(await pruneErased(config, dir, { progress }), { erasedUploads: 4, findings: { length: 0 } })
  t.same(await fileSystem.readdir(join(dir, 'staging')), [])
})

t.test('what is no backup, or says not of which volume it is', async (t) => {
  const { config, dir } = await outdated(t)
  await t.rejects(pruneErased(config, await temporaryFolder(t), { progress }), { name: 'Refusal', message: /is no backup folder/ })
  for (const { root } of await findSnapshots(fileSystem, dir)) await rm(join(root, 'upload-gateway.json'))
  await t.rejects(pruneErased(config, dir, { progress }), { name: 'Refusal', message: /says which volume/ })
})

t.test('when it is interrupted between the two renames, the next run goes on', async (t) => {
  const { config, dir } = await outdated(t)
  const { fs, inject } = createFaults()
  inject({ on: 'rename', path: /→ .*snapshots\/\S+Z$/, errno: 'EIO' })
  await t.rejects(pruneErased(config, dir, { progress, fs }), { name: 'Refusal', message: /cannot be written/ })
  t.equal((await findSnapshots(fileSystem, dir)).length, 2, 'nothing is lost')
  t.match(await pruneErased(config, dir, { progress }), { erasedUploads: 4, findings: { length: 0 } })
  t.same((await verifyBackup(dir, { progress })).findings, [])
})
