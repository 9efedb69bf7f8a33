import { execFileSync } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { copyFile, cp, mkdir, readFile, rm, writeFile } from 'node:fs/promises'
import { dirname, join, relative } from 'node:path'
import BetterSqlite3 from 'better-sqlite3'
import t, { type Test } from 'tap'
import { backup } from '../../../src/operations/backup/backup.ts'
import { manifestLine } from '../../../src/operations/backup/manifest.ts'
import { proveSnapshot } from '../../../src/operations/backup/complete.ts'
import { verifyBackup } from '../../../src/operations/backup/verify.ts'
import { silent as progress } from '../../../src/operations/progress.ts'
import { createFindings } from '../../../src/operations/verify/observed.ts'
import { fileSystem } from '../../../src/storage/fs.ts'
import { newBlobId } from '../../../src/storage/ids.ts'
import { ownHeartbeat } from '../../../src/storage/volume/instance.ts'
import { blobPath } from '../../../src/storage/volume/layout.ts'
import { createFaults } from '../../fixtures/faults.ts'
import { backedUp, furnished } from '../fixtures/furnished.ts'

async function made (t: Test, texts = ['one', 'two', 'three']) {
  const { config, dir, attach } = await furnished(t)
  for (const text of texts) await attach('ada', text)
  await backup(config, { to: { dir }, progress })
  const snapshot = await backedUp(dir)
  /** As if what is there now had been there when the snapshot was made. */
  const prove = async () => { if (snapshot.record !== undefined) await proveSnapshot(fileSystem, snapshot.root, Object.keys(snapshot.record.files), snapshot.record) }
  return { dir, prove, ...snapshot }
}

t.test('a whole backup is clean', async (t) => {
  const { dir } = await made(t)
  t.same(await verifyBackup(dir, { progress }), { records: 3, hashedFiles: 3, hashedBytes: 11, allBytes: 11, findings: [] })
  await t.rejects(verifyBackup(dir, { snapshot: 'x', progress }), { name: 'Refusal', message: /There is no snapshot x/ })
})

t.test('a share of the files is hashed, but of few all or about twenty; the sizes of all are compared', async (t) => {
  const { dir, paths } = await made(t, Array.from({ length: 40 }, (_, index) => `text ${index}`))
  const lots = [0.49, 0.5].values()
  const random = () => lots.next().value ?? 0.99
  t.match(await verifyBackup(dir, { sample: 0.05, random, progress }), { records: 40, hashedFiles: 1, findings: { length: 0 } })
  await writeFile(paths[0] ?? '', 'tex_ 0')
  await writeFile(paths[1] ?? '', '')
  t.match(await verifyBackup(dir, { sample: 0.05, random, progress }), { hashedBytes: 0, findings: [{ problem: 'blob-size', path: /^blobs\/attachments\// }] })
  const few = await made(t)
  t.match(await verifyBackup(few.dir, { sample: 0.05, random, progress }), { hashedFiles: 3 })
})

t.test('files of users that are not what they were', async (t) => {
  const { dir, paths: [one = '', two = '', three = ''] } = await made(t)
  await writeFile(one, 'onx')
  await rm(two)
  await rm(three)
  await fileSystem.mkdir(three)
  const { findings } = await verifyBackup(dir, { progress })
  t.same(findings.map(({ problem }) => problem).sort(), ['blob-corrupt', 'blob-missing', 'blob-unreadable'])
})

t.test('snapshot files that are not what they were', async (t) => {
  const { dir, root } = await made(t)
  for (const name of ['manifest.ndjson', 'database.sqlite', 'erasures.ndjson']) {
    const bytes = await readFile(join(root, name))
    await writeFile(join(root, name), 'x')
    t.match((await verifyBackup(dir, { progress })).findings, [{ problem: 'backup-damaged', path: new RegExp(name), detail: /not those that were written/ }])
    await writeFile(join(root, name), bytes)
  }
  await rm(join(root, 'upload-gateway.json'))
  t.match((await verifyBackup(dir, { progress })).findings, [{ problem: 'backup-damaged', detail: /cannot be read/ }])
  const text = await readFile(join(root, 'snapshot.json'), 'utf8')
  for (const other of ['', '{}', text.replace('"blobs": 3', '"blobs": 2')]) {
    await writeFile(join(root, 'snapshot.json'), other)
    t.match((await verifyBackup(dir, { progress })).findings, [{ problem: 'backup-damaged', detail: /does not prove itself/ }])
  }
})

t.test('a database that SQLite finds damaged', async (t) => {
  const { dir, root, prove } = await made(t)
  const bytes = await readFile(join(root, 'database.sqlite'))
  bytes.fill(0xff, 8192, 12_288)
  await writeFile(join(root, 'database.sqlite'), bytes)
  await prove().catch(() => {})
  t.match((await verifyBackup(dir, { progress })).findings, [{ problem: 'backup-damaged', path: /database/ }])
})

t.test('so many findings and no more are listed', async (t) => {
  const { dir, root, paths, prove } = await made(t)
  for (const path of paths) await rm(path)
  t.match(await verifyBackup(dir, { findings: createFindings(2), progress }), { findings: [{ problem: 'blob-missing' }, {}], moreFindings: 1 })
  await writeFile(join(root, 'manifest.ndjson'), 'x\n'.repeat(50))
  await prove()
  const report = await verifyBackup(dir, { findings: createFindings(2), progress })
  t.same([report.findings.length, report.moreFindings], [2, 51])
})

t.test('files that no snapshot names', async (t) => {
  const { dir, root, paths: [one = ''] } = await made(t)
  const stranger = newBlobId()
  const path = blobPath(join(dir, 'blobs'), { kind: 'attachment', id: stranger, extension: 'txt' })
  await mkdir(dirname(path), { recursive: true })
  await copyFile(one, path)
  const foreign = [{ problem: 'foreign', id: stranger, path: relative(dir, path), mend: /next "upload-gateway backup".* removes it/ }]
  t.match((await verifyBackup(dir, { progress })).findings, foreign)

  const said: string[] = []
  const talking = { ...progress, say: (message: string) => { said.push(message) } }
  const other = join(dir, 'staging', randomUUID())
  await mkdir(other, { recursive: true })
  const heartbeats = { writing: ownHeartbeat({ work: 'backup', isExclusive: true }), reading: ownHeartbeat({ work: 'restore', isExclusive: false }) }
  await writeFile(join(other, 'heartbeat.json'), JSON.stringify(heartbeats.writing))
  t.same((await verifyBackup(dir, { progress: talking })).findings, [], 'nobody knows while a backup runs')
  await writeFile(join(other, 'heartbeat.json'), JSON.stringify({ ...heartbeats.writing, startedAt: '1' }))
  t.match((await verifyBackup(dir, { progress })).findings, foreign, 'one that was killed is none')
  await writeFile(join(other, 'heartbeat.json'), JSON.stringify(heartbeats.reading))
  t.match((await verifyBackup(dir, { progress })).findings, foreign, 'and neither is who only reads')

  await cp(root, join(dir, 'snapshots/20200101T000000.000Z'), { recursive: true })
  await rm(join(dir, 'snapshots/20200101T000000.000Z/database.sqlite'))
  t.match((await verifyBackup(dir, { progress: talking })).findings, [{ problem: 'backup-damaged' }], 'nor when a snapshot is damaged')
  t.match(said, [/^A backup is at work .* not known which files in blobs belong to no snapshot\.$/, /^The snapshot 20200101T000000\.000Z is damaged, so it is not known/])

  await rm(join(dir, 'snapshots/20200101T000000.000Z'), { recursive: true })
  const { fs, inject } = createFaults()
  inject({ on: 'readdir', path: /blobs\/attachments/, errno: 'EIO' })
  await t.rejects(verifyBackup(dir, { progress, fs }), { code: 'EIO' })
})

t.test('a manifest and a database that differ', async (t) => {
  const { dir, root, prove, paths, sidecars: [one, two, three] } = await made(t)
  if (one === undefined || two === undefined || three === undefined) throw new Error('three were made')
  const path = join(root, 'manifest.ndjson')
  await writeFile(path, [manifestLine({ ...one, revision: 9, ownerId: 'eve' }), manifestLine({ ...two, extension: '../x' }), '{}\n'].join(''))
  await prove()
  const { findings } = await verifyBackup(dir, { progress })
  t.match(findings, [
    { problem: 'row-inconsistent', id: one.id, detail: /differ in ownerId, revision/ },
    { problem: 'backup-damaged', detail: /does not prove itself/ },
    { problem: 'backup-damaged', detail: /does not prove itself/ },
    { problem: 'backup-damaged', id: two.id, detail: /has no line for/ },
    { problem: 'backup-damaged', id: three.id, detail: /has no line for/ },
  ])
  await writeFile(path, [one, two, three].map(manifestLine).join(''))
  const connection = new BetterSqlite3(join(root, 'database.sqlite'))
  connection.pragma('foreign_keys = ON')
  connection.prepare('DELETE FROM Blob WHERE id = ?').run(two.id)
  connection.close()
  await prove()
  t.match((await verifyBackup(dir, { progress })).findings, [{ problem: 'row-missing', id: two.id }])
  await rm(paths[1] ?? '')
  await writeFile(path, [one, three].map(manifestLine).join(''))
  await prove()
  t.same((await verifyBackup(dir, { progress })).findings, [])
  await writeFile(path, manifestLine(three))
  await prove()
  t.match((await verifyBackup(dir, { progress })).findings, [{ id: one.id, detail: /has no line for/ }])
})

/** Two snapshots: the first names one and two, the second two and three. */
async function madeTwice (t: Test) {
  const { app, config, dir, attach } = await furnished(t)
  for (const text of ['one', 'two']) await attach('ada', text)
  const first = await backup(config, { to: { dir }, progress })
  const { paths: [one = '', two = ''], sidecars } = await backedUp(dir)
  await app.database.client.blob.deleteMany({ where: { id: sidecars[0]?.id ?? '' } })
  await attach('ada', 'three')
  const second = await backup(config, { to: { dir }, progress })
  return { config, dir, one, two, first: first.snapshot, second: second.snapshot, at: (snapshot: string, file: string) => join(dir, 'snapshots', snapshot, file) }
}

t.test('without a name all snapshots are proved: each blob once, and who names it is said', async (t) => {
  const { dir, one, two, first, second } = await madeTwice(t)
  t.same(await verifyBackup(dir, { progress }), { records: 3, hashedFiles: 3, hashedBytes: 11, allBytes: 11, findings: [] })
  await writeFile(one, 'onx')
  t.match((await verifyBackup(dir, { progress })).findings, [{ problem: 'blob-corrupt', path: relative(dir, one), detail: new RegExp(`The snapshot ${first} names it\\.$`) }])
  t.match(await verifyBackup(dir, { snapshot: second, progress }), { records: 2, findings: { length: 0 } })
  await rm(two)
  const both = (await verifyBackup(dir, { progress })).findings.toSorted((a, b) => a.problem < b.problem ? -1 : 1)
  t.match(both, [{ problem: 'blob-corrupt' }, { problem: 'blob-missing', detail: new RegExp(`2 snapshots name it, the newest of them ${second}\\.$`) }])
})

t.test('what is wrong with an older snapshot is found', async (t) => {
  const { dir, first, second, at } = await madeTwice(t)
  for (const file of ['manifest.ndjson', 'database.sqlite']) {
    const bytes = await readFile(at(first, file))
    await rm(at(first, file))
    t.match(await verifyBackup(dir, { progress }), { findings: [{ problem: 'backup-damaged', path: `snapshots/${first}/${file}` }] })
    t.match(await verifyBackup(dir, { snapshot: second, progress }), { findings: { length: 0 } })
    await writeFile(at(first, file), bytes)
  }
  await rm(at(first, 'snapshot.json'))
  t.match((await verifyBackup(dir, { progress })).findings[0], { problem: 'backup-damaged', path: `snapshots/${first}/snapshot.json`, detail: /It is not there/, mend: /next "upload-gateway backup" .* removes the snapshot/ })
})

t.test('a pipe in place of snapshot.json is a finding', { skip: process.platform === 'win32' && 'there are no pipes' }, async (t) => {
  const { dir, first, at } = await madeTwice(t)
  await rm(at(first, 'snapshot.json'))
  execFileSync('mkfifo', [at(first, 'snapshot.json')])
  t.match((await verifyBackup(dir, { progress })).findings, [{ problem: 'backup-damaged', path: `snapshots/${first}/snapshot.json`, detail: /does not prove itself/ }])
})

t.test('what says which volume the backup is of is proved too', async (t) => {
  const { dir, first } = await madeTwice(t)
  const path = join(dir, 'upload-gateway-backup.json')
  const text = await readFile(path, 'utf8')
  await writeFile(path, 'garbage')
  t.match((await verifyBackup(dir, { progress })).findings, [{ problem: 'backup-damaged', path: 'upload-gateway-backup.json', detail: /is damaged/ }])
  await writeFile(path, JSON.stringify({ ...JSON.parse(text), format: 2 }))
  t.match((await verifyBackup(dir, { progress })).findings, [{ problem: 'backup-damaged', detail: /newer version/ }])
  await writeFile(path, JSON.stringify({ ...JSON.parse(text), volume: 'another' }))
  t.match((await verifyBackup(dir, { progress })).findings, [{ problem: 'backup-damaged', path: `snapshots/${first}/snapshot.json`, detail: /of another volume than upload-gateway-backup\.json says/ }, {}])
  await rm(path)
  t.match((await verifyBackup(dir, { progress })).findings, [{ problem: 'backup-damaged', path: 'upload-gateway-backup.json', detail: /not there/ }])
  const { fs, inject } = createFaults()
  inject({ on: 'open', path: /upload-gateway-backup\.json$/, errno: 'EIO' })
  await t.rejects(verifyBackup(dir, { progress, fs }), { code: 'EIO' })
})
