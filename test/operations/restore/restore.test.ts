import { copyFile, mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { backup } from '../../../src/operations/backup/backup.ts'
import { silent as progress } from '../../../src/operations/progress.ts'
import { drill } from '../../../src/operations/restore/drill.ts'
import { restore } from '../../../src/operations/restore/restore.ts'
import { fileSystem, type FileSystem } from '../../../src/storage/fs.ts'
import { createTombstones } from '../../../src/storage/tombstones.ts'
import { createDurable } from '../../../src/storage/volume/durable.ts'
import { build, temporaryFolder } from '../../helper.ts'
import { createFaults } from '../../fixtures/faults.ts'
import { backedUp, filesBelow, furnished, lost, rowsOf } from '../fixtures/furnished.ts'

t.test('all is back, proved, and served under its old URL', async (t) => {
  const { config, dir, url, folder } = await lost(t)
  const said: string[] = []
  const report = await restore(config, dir, { progress: { ...progress, say: (message) => said.push(message) } })
  t.match(report, { files: 3, verification: { records: 3, hashedFiles: 3, findings: { length: 0 } }, damaged: { length: 0 }, keys: ['erasure-signing.jwk', 'jwt.secret'], isLedgerCurrent: false, root: folder })
  t.equal(report.secondsPerGigabyte, null, 'of so little it would say nothing')
  t.equal(report.seconds, Number(report.seconds.toFixed(3)))
  t.match(said, [/^No newer ledger of erasures than the backup's own was found, which does not know who was erased after it was made\. Name a newer one with --ledger/])
  t.notOk((await filesBelow(folder)).includes('restore-unfinished.json'))
  t.equal(await readFile(join(folder, 'database/jwt.secret'), 'utf8'), 'a secret\n')
  const { app, as } = await build(t, { UPLOADS_DIR: folder, DATABASE_URL: `file:${config.databaseFile}` })
  t.equal((await app.inject({ url, headers: await as('ada') })).body, 'a text')
  t.equal((await app.inject('/api/avatars/ada')).statusCode, 200)
})

t.test('who was erased after the backup is erased again', async (t) => {
  const second = join(await temporaryFolder(t), 'second')
  const { config, dir, folder, database } = await lost(t, ({ erase }) => erase('ada'), { ERASURE_LEDGER: second })
  await t.rejects(restore({ ...config, erasureLedger: `${second}.not` }, dir, { progress }), { name: 'Refusal', message: /ERASURE_LEDGER/ })
  const report = await restore(config, dir, { progress })
  t.match(report, { erasures: 1, erasedFiles: 2, isLedgerCurrent: true, verification: { records: 1, findings: { length: 0 } } })
  t.same(rowsOf(database).map(({ ownerId }) => ownerId), ['eve'])
  for (const path of await filesBelow(folder)) t.notOk((await readFile(join(folder, path))).includes('"ada"'), path)
})

t.test('a named ledger, and one that lies on the empty volume, count as well', async (t) => {
  const ledger = join(await temporaryFolder(t), 'ledger')
  const { config, dir, folder } = await lost(t, async ({ erase, folder }) => {
    await erase('ada')
    await copyFile(join(folder, 'erasures.ndjson'), ledger)
  })
  t.match(await restore(config, dir, { ledgers: [ledger], progress }), { erasedFiles: 2, isLedgerCurrent: true })
  await rm(folder, { recursive: true })
  await mkdir(folder)
  await copyFile(ledger, join(folder, 'erasures.ndjson'))
  t.match(await restore(config, dir, { progress }), { erasedFiles: 2, isLedgerCurrent: true })
})

t.test('without any ledger it is refused, unless told', async (t) => {
  const place = await furnished(t)
  await place.attach('ada', 'a text')
  await rm(join(place.folder, 'erasures.ndjson'))
  await backup(place.config, { to: { dir: place.dir }, progress })
  await place.lose()
  await t.rejects(restore(place.config, place.dir, { progress }), { name: 'Refusal', message: /--without-ledger/ })
  t.match(await restore({ ...place.config, erasureLedger: '/nowhere/ledger' }, place.dir, { withoutLedger: true, progress }), { files: 1, erasures: 0 })
})

t.test('nothing is ever overwritten', async (t) => {
  const { config, dir, folder } = await lost(t)
  await mkdir(folder)
  for (const name of ['a', 'b', 'c', 'd', 'e', 'f']) await writeFile(join(folder, name), '')
  await t.rejects(restore(config, dir, { progress }), { name: 'Refusal', message: /is not empty: it has a, b, c, d, e and more/ })
  await rm(folder, { recursive: true })
  const databaseFile = join(await temporaryFolder(t), 'x.sqlite')
  await writeFile(`${databaseFile}-wal`, '')
  await t.rejects(restore({ ...config, database: { kind: 'sqlite', file: databaseFile }, databaseFile }, dir, { progress }), { name: 'Refusal', message: /There is a database already: \S+-wal/ })
  t.match(await restore(config, dir, { into: join(folder, '..', 'elsewhere'), progress }), { files: 3 })
  await rm(`${databaseFile}-wal`)
  t.match(await restore({ ...config, database: { kind: 'sqlite', file: databaseFile }, databaseFile }, dir, { progress }), { files: 3 })
  t.same(rowsOf(databaseFile).length, 3)
  await t.rejects(restore(config, dir, { progress }), { name: 'Refusal', message: /is not empty/ })
})

t.test('a snapshot that is damaged is not restored, and another one is named', async (t) => {
  const place = await furnished(t)
  await place.attach('ada', 'a text')
  const { snapshot: first } = await backup(place.config, { to: { dir: place.dir }, progress })
  const { snapshot: second } = await backup(place.config, { to: { dir: place.dir }, progress })
  await place.lose()
  const { config, dir } = place
  await writeFile(join(dir, 'snapshots', second, 'manifest.ndjson'), 'x')
  await t.rejects(restore(config, dir, { progress }), { name: 'Refusal', message: new RegExp(`${second} is damaged: .*manifest.*Nothing was restored.*: ${first}\\.`) })
  await t.rejects(restore(config, dir, { snapshot: 'x', progress }), { name: 'Refusal', message: /There is no snapshot x/ })
  t.match(await restore(config, dir, { snapshot: first, progress }), { snapshot: first, files: 1 })
  await rm(join(dir, 'snapshots', first), { recursive: true })
  await t.rejects(restore(config, dir, { progress }), { name: 'Refusal', message: /Use another copy of this backup\.$/ })
  await t.rejects(restore(config, await temporaryFolder(t), { progress }), { name: 'Refusal', message: /is no backup: it has no upload-gateway-backup\.json/ })
})

t.test('files that are missing or damaged in the backup', async (t) => {
  const { config, dir, folder } = await lost(t)
  const { paths: [first = ''] } = await backedUp(dir)
  const text = await readFile(first)
  await writeFile(first, Buffer.alloc(text.length))
  await t.rejects(restore(config, dir, { progress }), { name: 'Refusal', message: /1 files of the backup .*\n.*sha-256.*\nThe restore is not done/ })
  await t.rejects(build(t, { UPLOADS_DIR: folder }), { name: 'ConfigError', message: /not restored to the end/ })
  await rm(first)
  await t.rejects(restore(config, dir, { progress }), { name: 'Refusal', message: /is not there\.\nNothing was restored/ })
  const report = await restore(config, dir, { isPartial: true, progress })
  t.match(report, { damaged: [{ problem: 'blob-missing' }], verification: { findings: [{ problem: 'blob-missing' }] }, isLedgerCurrent: false })
  await rm(folder, { recursive: true })
  await writeFile(first, 'short')
  t.match(await restore(config, dir, { isPartial: true, progress }), { damaged: [{ problem: 'blob-size' }] })
})

t.test('a volume that is too small is left as it was', async (t) => {
  const { config, dir, folder } = await lost(t)
  const fs: FileSystem = { ...fileSystem, statfs: (async () => ({ bavail: 1, bsize: 10 })) as unknown as FileSystem['statfs'] }
  await t.rejects(restore(config, dir, { progress, fs }), { name: 'Refusal', message: /is too small: the backup has \d+ bytes, and 10 are free\. Mount a larger one, or name another place with --into/ })
  t.same(await filesBelow(folder), [])
})

t.test('a backup of nothing is restored too', async (t) => {
  const place = await furnished(t)
  await backup(place.config, { to: { dir: place.dir }, progress })
  await place.lose()
  t.match(await restore(place.config, place.dir, { progress }), { files: 0, bytes: 0, secondsPerGigabyte: null })
})

t.test('of enough bytes it says how long a gigabyte takes, to the millisecond', async (t) => {
  const place = await furnished(t)
  await place.attach('ada', Buffer.alloc(10_000_000))
  await backup(place.config, { to: { dir: place.dir }, progress })
  await place.lose()
  const { seconds, secondsPerGigabyte } = await restore(place.config, place.dir, { progress })
  t.ok(seconds > 0)
  t.ok(Math.abs((secondsPerGigabyte ?? 0) - seconds * 100) < 0.1, `${secondsPerGigabyte} of ${seconds}`)
  t.equal(secondsPerGigabyte, Number(secondsPerGigabyte?.toFixed(3)))
})

t.test('a backup that cannot be written is read all the same', async (t) => {
  const { config, dir } = await lost(t)
  const { fs, inject } = createFaults()
  inject({ on: 'mkdir', path: new RegExp(`^${dir}/staging`), errno: 'EROFS', forever: true })
  t.match(await restore(config, dir, { progress, fs }), { files: 3 })
})

/** The ledger was lost with the volume, the backup restored without it, and a gateway is at work on it. */
async function restoredWithoutLedger (t: Test) {
  const folder = await temporaryFolder(t)
  const [ledger, found] = [join(folder, 'ledger'), join(folder, 'found')]
  const place = await lost(t, ({ erase }) => erase('ada'), { ERASURE_LEDGER: ledger })
  await rename(ledger, found)
  await restore({ ...place.config, erasureLedger: undefined }, place.dir, { progress })
  return { ...place, found }
}

t.test('a ledger that was lost and comes back erases what the restore brought back, and nothing that was uploaded since', async (t) => {
  const { folder, found, dir, url } = await restoredWithoutLedger(t)
  const since = await furnished(t, { UPLOADS_DIR: folder })
  const fresh = await since.attach('ada', 'uploaded since')
  await backup(since.config, { to: { dir }, progress })
  await since.app.close()
  const again = await furnished(t, { UPLOADS_DIR: folder, ERASURE_LEDGER: found })
  t.equal((await again.app.inject({ url, headers: await again.as('ada') })).statusCode, 404, 'what was erased is gone')
  t.equal(await again.textOf(fresh.url, 'ada'), 'uploaded since')
  await again.lose()
  await restore(again.config, dir, { progress })
  const last = await furnished(t, { UPLOADS_DIR: folder, ERASURE_LEDGER: found })
  t.equal(await last.textOf(fresh.url, 'ada'), 'uploaded since', 'nor after another restore')
  t.equal(await last.erase('ada'), 200)
  t.equal((await last.app.inject({ url: fresh.url, headers: await last.as('ada') })).statusCode, 404, 'and a later erasure takes it')
  t.equal(await last.textOf((await last.attach('ada', 'after that')).url, 'ada'), 'after that')
})

t.test('a ledger with lines that cannot be read is refused, and with --partial told', async (t) => {
  const ledger = join(await temporaryFolder(t), 'ledger')
  const { config, dir, folder } = await lost(t, ({ erase }) => erase('ada'), { ERASURE_LEDGER: ledger })
  const text = await readFile(ledger, 'utf8')
  await writeFile(ledger, text.slice(0, -20))
  await t.rejects(restore(config, dir, { progress }), { name: 'Refusal', message: /ledger: One line of this ledger of erasures cannot be read: .* Nothing was restored.*a whole copy of this file.*--partial/ })
  t.same(await filesBelow(folder).catch(() => []), [])
  t.match(await restore(config, dir, { isPartial: true, progress }), { erasures: 0, damaged: [{ problem: 'ledger-damaged', path: ledger, mend: /^Erase them again/ }] })
})

t.test('a ledger that knows less than the backup, or of other volumes alone, is not taken for a newer one', async (t) => {
  const other = await furnished(t)
  await other.erase('ada')
  const strange = join(await temporaryFolder(t), 'strange')
  const empty = join(await temporaryFolder(t), 'empty')
  await copyFile(join(other.folder, 'erasures.ndjson'), strange)
  await writeFile(empty, '')
  const none = await lost(t)
  const judged = async ({ config, dir }: typeof none, ledger: string) => {
    const said: string[] = []
    const { isLedgerCurrent, ledgerDoubts } = await drill(config, dir, { ledgers: [ledger], progress: { ...progress, say: (message) => said.push(message) } })
    t.strictSame(said.slice(0, ledgerDoubts.length), ledgerDoubts)
    t.equal(said.length, ledgerDoubts.length + (isLedgerCurrent ? 0 : 1))
    return { isLedgerCurrent, ledgerDoubts }
  }
  t.strictSame(await judged(none, empty), { isLedgerCurrent: true, ledgerDoubts: [] }, 'most often nobody was ever erased')
  t.match(await judged(none, strange), { isLedgerCurrent: false, ledgerDoubts: [/strange has those of other volumes alone, and none of this one\.$/] })
  const some = await lost(t, async ({ config, dir, erase }) => {
    await erase('eve')
    await copyFile(config.uploadsDir + '/erasures.ndjson', join(dir, '..', 'old'))
    await erase('ada')
    await backup(config, { to: { dir }, progress })
  })
  t.match(await judged(some, empty), { isLedgerCurrent: false, ledgerDoubts: [/empty has none of this volume, but the backup knows of some: it is an old one, or of another volume\.$/] })
  t.match(await judged(some, strange), { isLedgerCurrent: false, ledgerDoubts: [/strange has none of this volume/] })
  t.match(await judged(some, join(some.dir, '..', 'old')), { isLedgerCurrent: false, ledgerDoubts: [/old does not know 1 of those that the backup knows/] })
})

t.test('of an older snapshot the tombstones of newer ones do not come along', async (t) => {
  const { config, dir, folder, lose } = await furnished(t)
  const { snapshot: first } = await backup(config, { to: { dir }, progress })
  await createTombstones({ fs: fileSystem, durable: createDurable({ fs: fileSystem, onSyncFailure: () => {} }), root: folder }).add(['gone since'], new Date())
  await backup(config, { to: { dir }, progress })
  await lose()
  await restore(config, dir, { snapshot: first, progress })
  t.notMatch(await readFile(join(folder, 'tombstones.ndjson'), 'utf8').catch(() => ''), /gone since/)
  await rm(folder, { recursive: true })
  await restore(config, dir, { progress })
  t.match(await readFile(join(folder, 'tombstones.ndjson'), 'utf8'), /gone since/)
})

t.test('a disk that is full before anything is copied is named too', async (t) => {
  const { config, dir, folder } = await lost(t)
  const { fs, inject } = createFaults()
  inject({ on: 'mkdir', path: new RegExp(`^${folder}/staging`), errno: 'ENOSPC' })
  await t.rejects(restore(config, dir, { progress, fs }), { name: 'Refusal', message: `The volume ${folder} is full. Free some space there and run this again: the restore goes on where it was.` })
})
