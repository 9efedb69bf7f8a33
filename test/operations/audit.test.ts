import { cpSync, existsSync } from 'node:fs'
import { copyFile, mkdir, readFile, readdir, rename, rm, symlink, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { test, type Test } from 'tap'
import { auditVolume, repairWork, type AuditOptions } from '../../src/operations/audit.ts'
import { manifestLine } from '../../src/operations/backup/manifest.ts'
import { silent } from '../../src/operations/progress.ts'
import { verifyVolume } from '../../src/operations/verify.ts'
import type { Sidecar } from '../../src/storage/sidecar.ts'
import { createDurable } from '../../src/storage/volume/durable.ts'
import { openStaging } from '../../src/storage/volume/staging.ts'
import { onSqliteOnly } from '../fixtures/database-server.ts'
import { folderFor, publish } from '../storage/fixtures/volume.ts'
import { placeFor } from './fixtures/place.ts'

async function setUp (t: Test, database = 'database/gateway.sqlite') {
  const place = await placeFor(t, { database })
  await place.storage.erasures.reconcile()
  place.clock.date = new Date(Date.now() + 10 * 60_000)
  const pause = async () => {}
  const audit = (options: Partial<AuditOptions> = {}) => auditVolume(place.workplace, { isRepair: true, removesForeign: false, progress: silent, pause, ...options })
  const problems = async () => (await verifyVolume(place, { progress: silent, pause })).findings.map(({ problem, path }) => `${problem} ${path}`)
  const outcomes = async (options: Partial<AuditOptions> = {}) => (await audit(options)).findings.map(({ problem, outcome }) => `${problem} ${outcome}`)
  const textOf = (sidecar: Sidecar) => readFile(place.blobPath(sidecar), 'utf8')
  async function backup (): Promise<string> {
    const folder = join(await folderFor(t), 'copy')
    cpSync(place.root, folder, { recursive: true })
    return folder
  }
  async function swap (one: Sidecar, other: Sidecar): Promise<void> {
    await rename(place.blobPath(one), `${place.blobPath(one)}.x`)
    await rename(place.blobPath(other), place.blobPath(one))
    await rename(`${place.blobPath(one)}.x`, place.blobPath(other))
  }
  return { ...place, audit, problems, outcomes, textOf, backup, swap }
}

test('without isRepair it says what would be done, and does nothing', async (t) => {
  const { audit, attachment, sidecarPath, blobPath, root } = await setUp(t)
  const [one, other] = [await attachment('hello'), await attachment('hallo')]
  await rm(sidecarPath(one))
  await rm(blobPath(other))
  await writeFile(join(root, 'notes.txt'), '')
  t.match(await audit({ isRepair: false }), {
    records: 2,
    isRepair: false,
    findings: [
      { problem: 'blob-missing', outcome: 'left', action: 'Its bytes were found nowhere on the volume: name a backup with --from.' },
      { problem: 'sidecar-missing', outcome: 'mendable', action: 'Write it anew from the record.' },
      { problem: 'foreign', outcome: 'left', action: 'It is removed with --remove-foreign.' },
    ],
  })
  t.equal(existsSync(sidecarPath(one)), false)
  t.match(await audit({ isRepair: false, removesForeign: true }), { findings: [{}, {}, { outcome: 'mendable' }] })
  t.equal(existsSync(join(root, 'notes.txt')), true)
})

test('what a swap, a fall, and a wrong folder did is undone by renames, and nothing is left beside', async (t) => {
  const { outcomes, problems, attachment, blobPath, sidecarPath, swap, textOf, root } = await setUp(t)
  const [a, b, c, d] = [await attachment('aaa'), await attachment('bbbb'), await attachment('ccc'), await attachment('ddd')]
  await swap(a, b)
  await swap(b, c)
  await mkdir(join(root, 'attachments/2001/01/01'), { recursive: true })
  for (const path of [blobPath(d), sidecarPath(d)]) await rename(path, join(root, 'attachments/2001/01/01', path.slice(dirname(path).length + 1)))
  t.same(await outcomes(), ['blob-swapped mended', 'blob-swapped mended', 'blob-swapped mended', 'blob-missing mended', 'sidecar-missing mended'])
  t.same(await Promise.all([a, b, c, d].map(textOf)), ['aaa', 'bbbb', 'ccc', 'ddd'])
  t.same(await problems(), [])
})

test('bytes come from a file alike, from a foreign file, from a backup; the damaged ones are kept', async (t) => {
  const { outcomes, problems, attachment, blobPath, textOf, backup, root } = await setUp(t)
  const [twin, alike, lost, foreign, gone] = [await attachment('same'), await attachment('same'), await attachment('backed up'), await attachment('somewhere'), await attachment('gone')]
  const from = await backup()
  await writeFile(blobPath(twin), 'sane')
  await writeFile(blobPath(lost), 'backed down')
  await rename(blobPath(foreign), join(root, 'rescued.bin'))
  await rm(blobPath(gone))
  await rm(join(from, blobPath(gone).slice(root.length)))
  t.same((await outcomes({ from })).toSorted(), ['blob-corrupt mended', 'blob-missing left', 'blob-missing mended', 'blob-size mended', 'foreign left'])
  t.same(await Promise.all([twin, alike, lost, foreign].map(textOf)), ['same', 'same', 'backed up', 'somewhere'])
  t.equal(await readFile(`${blobPath(twin)}.damaged`, 'utf8'), 'sane')
  t.equal(await readFile(`${blobPath(lost)}.damaged`, 'utf8'), 'backed down')
  t.equal(await readFile(join(root, 'rescued.bin'), 'utf8'), 'somewhere', 'a file of somebody else\'s is copied')
  await rm(join(root, 'rescued.bin'))
  await outcomes({ removesForeign: true })
  t.match(await problems(), [/^blob-missing /])
})

test('rows, records, pointers and sidecars that were lost or forged come back', async (t) => {
  const { outcomes, problems, attachment, avatar, client, sidecarPath, blobPath, storage, backup } = await setUp(t)
  const [forged, unknown, alone] = [await attachment('a'), await attachment('b', { aliases: ['/uploads/b'] }), await attachment('c')]
  const [face, torn] = [await avatar('face'), await avatar('torn', { ownerId: 'eve' })]
  const from = await backup()
  await storage.store.writeSidecar({ ...forged, ownerId: 'mallory' })
  await client.blob.deleteMany({ where: { id: { in: [unknown.id, alone.id, face.id] } } })
  await rm(blobPath(alone))
  await client.avatar.delete({ where: { userId: 'eve' } })
  t.same((await outcomes({ from })).toSorted(), ['row-inconsistent mended', 'row-missing mended', 'row-missing mended', 'sidecar-alone mended', 'sidecar-differs mended'])
  t.same(await problems(), [])
  t.match(await client.attachment.findMany({ orderBy: { blobId: 'asc' }, include: { blob: { include: { aliases: true } } } }), [
    { id: forged.recordId, ownerId: 'ada' },
    { id: unknown.recordId, blob: { aliases: [{ path: '/uploads/b' }] } },
    { id: alone.recordId },
  ])
  t.match((await client.avatar.findMany({ orderBy: { userId: 'asc' } })), [{ userId: 'ada', blobId: face.id }, { userId: 'eve', blobId: torn.id }])
  t.match(await storage.store.readSidecar(forged), { ownerId: 'ada' })
  t.ok(existsSync(sidecarPath(alone)))
})

test('where a copy fails, what is there stays, and the next run mends it', async (t) => {
  const { audit, outcomes, problems, attachment, blobPath, textOf, backup, faults } = await setUp(t)
  const sidecar = await attachment('hello')
  const from = await backup()
  await writeFile(blobPath(sidecar), 'hallo')
  faults.inject({ on: 'writev', errno: 'ENOSPC', forever: true })
  t.match(await audit({ from }), { findings: [{ outcome: 'failed', action: /That failed: .*ENOSPC/ }] })
  t.equal(await textOf(sidecar), 'hallo')
  faults.heal()
  t.same(await outcomes({ from }), ['blob-corrupt mended'])
  t.equal(await textOf(sidecar), 'hello')
  t.match(await problems(), [/^foreign .*\.damaged$/])
})

test('killed between any two renames, a swap is finished by the next run', async (t) => {
  for (let nth = 1; nth <= 3; nth += 1) {
    const { outcomes, problems, attachment, swap, textOf, faults } = await setUp(t)
    const [a, b] = [await attachment('aaa'), await attachment('bbb')]
    await swap(a, b)
    faults.inject({ on: 'rename', path: /attachments/, nth, errno: 'EIO', forever: true })
    t.match((await outcomes()).join(), /failed/, `at rename ${nth}`)
    faults.heal()
    await outcomes()
    t.same([await textOf(a), await textOf(b)], ['aaa', 'bbb'])
    t.same(await problems(), [])
  }
})

test('sidecars that a killed repair owes are written by the next run', async (t) => {
  const { audit, outcomes, attachment, sidecarPath, client } = await setUp(t)
  const [garbled, blocked] = [await attachment('hello'), await attachment('hallo')]
  const whole = await readFile(sidecarPath(garbled), 'utf8')
  await writeFile(sidecarPath(garbled), whole.replace('ada', 'bob'))
  await rm(sidecarPath(blocked))
  await mkdir(sidecarPath(blocked))
  await client.blob.updateMany({ data: { sidecarDueAt: new Date() } })
  await audit({ isRepair: false })
  t.not(await readFile(sidecarPath(garbled), 'utf8'), whole)
  await outcomes()
  t.equal(await readFile(sidecarPath(garbled), 'utf8'), whole)
  t.strictSame(await client.blob.findMany({ where: { sidecarDueAt: { not: null } }, select: { id: true } }), [{ id: blocked.id }], 'what cannot be written stays owed')
})

test('foreign files go only when told, but not while they may be all that is left of a lost one', async (t) => {
  const { outcomes, attachment, blobPath, root } = await setUp(t)
  const lost = await attachment('hello')
  await rm(blobPath(lost))
  await writeFile(join(root, 'same-size'), 'hallo')
  await writeFile(join(root, 'other-size'), 'hi')
  t.same((await outcomes({ removesForeign: true })).toSorted(), ['blob-missing left', 'foreign left', 'foreign mended'])
  t.ok(existsSync(join(root, 'same-size')))
  t.notOk(existsSync(join(root, 'other-size')))
})

test('what was removed for good, erased or cannot be believed is left', async (t) => {
  const { audit, storage, tombstones, blobPath } = await setUp(t)
  const { store } = storage
  const kept = [
    await publish(store, 'a', { aliases: ['/i/gone'] }),
    await publish(store, 'b', { source: 'system-m:/i/gone' }),
    await publish(store, 'c', { state: 'live', ownerId: null }),
    await publish(store, 'd'),
  ]
  await writeFile(blobPath(kept[3] as Sidecar), 'x')
  await tombstones.entomb([{ ...kept[0] as Sidecar, source: null }, { ...kept[1] as Sidecar, aliases: [] }])
  const { findings } = await audit()
  const order = kept.map(({ id }) => id as string)
  t.match(findings.toSorted((a, b) => order.indexOf(a.id ?? '') - order.indexOf(b.id ?? '')), [
    { outcome: 'left', action: /old URL says so/ },
    { outcome: 'left', action: /imported from says so/ },
    { outcome: 'left', action: /cannot be believed: it names no owner/ },
    { outcome: 'left', action: /not those that its sidecar tells of/ },
  ])
})

test('nothing is adopted while the ledger cannot be read', async (t) => {
  const { audit, storage, root } = await setUp(t)
  await publish(storage.store, 'a')
  await rm(join(root, 'erasures.ndjson'))
  await mkdir(join(root, 'erasures.ndjson'))
  t.match((await audit()).findings, [{ problem: 'row-missing', outcome: 'left', action: /erased/ }, { problem: 'ledger-damaged', outcome: 'left' }])
})

test('it is refused what is no backup, and while another one repairs', async (t) => {
  const { audit, root, fs } = await setUp(t)
  await t.rejects(audit({ from: await folderFor(t) }), { name: 'Refusal', message: /is no backup/ })
  const staging = await openStaging({ fs, durable: createDurable({ fs, onSyncFailure () {} }), root, role: { work: repairWork, isExclusive: false }, monotonicMs: () => 0 })
  t.teardown(() => staging.close())
  await t.rejects(audit(), { name: 'Refusal', message: /repairs the volume/ })
  t.match(await audit({ isRepair: false }), { findings: { length: 0 } })
})

test('links in the way are never followed', async (t) => {
  const { outcomes, attachment, blobPath, root } = await setUp(t)
  const behind = await folderFor(t)
  const sidecar = await attachment('hello')
  const day = dirname(blobPath(sidecar))
  cpSync(day, join(behind, 'day'), { recursive: true })
  await rm(day, { recursive: true })
  await symlink(join(behind, 'day'), day)
  await copyFile(join(behind, 'day', `${sidecar.id}.bin`), join(root, `${sidecar.id}.bin`))
  const before = await readdir(join(behind, 'day'))
  t.same((await outcomes({ removesForeign: true })).toSorted(), ['blob-missing left', 'foreign left'])
  t.same(await readdir(join(behind, 'day')), before)
})

test('a database on the volume outside of its folder, its log and the keys beside it are never foreign', { skip: onSqliteOnly }, async (t) => {
  for (const database of ['gateway.sqlite', 'data/gateway.sqlite']) {
    const { audit, root, client } = await setUp(t, database)
    const folder = dirname(join(root, database))
    for (const name of ['jwt.secret', 'erasure-signing.jwk', 'gateway.sqlite.damaged-1']) await writeFile(join(folder, name), '')
    await writeFile(join(root, 'notes'), '')
    t.match((await audit({ removesForeign: true })).findings, [{ path: 'notes', outcome: 'mended' }])
    for (const name of ['gateway.sqlite', 'gateway.sqlite-wal', 'gateway.sqlite-shm', 'jwt.secret', 'erasure-signing.jwk', 'gateway.sqlite.damaged-1']) t.ok(existsSync(join(folder, name)), name)
    t.equal(await client.blob.count(), 0)
  }
})

test('lost tombstones are written anew', async (t) => {
  const { outcomes, problems, tombstones, attachment, root } = await setUp(t)
  await tombstones.entomb([{ ...await attachment('a', { aliases: ['/old'] }), source: null }])
  await rm(join(root, 'tombstones.ndjson'))
  t.same(await outcomes(), ['ledger-damaged mended'])
  t.same(await problems(), [])
})

test('what a file without a record or a sidecar is, a backup may know: its line there is its sidecar', async (t) => {
  const { audit, outcomes, problems, attachment, client, blobPath, sidecarPath } = await setUp(t)
  const sidecar = await attachment('hello', { filename: 'letter.txt' })
  await client.blob.deleteMany()
  await rm(sidecarPath(sidecar))
  t.match((await audit()).findings, [{ problem: 'blob-undescribed', outcome: 'left', action: /line with its id in the manifest\.ndjson of a snapshot.* ID\.sidecar\.json/ }])
  await writeFile(join(dirname(blobPath(sidecar)), `${sidecar.id}.sidecar.json`), manifestLine(sidecar))
  t.same(await outcomes(), ['row-missing mended'])
  t.same(await problems(), [])
  t.match(await client.attachment.findMany(), [{ id: sidecar.recordId, filename: 'letter.txt' }])
})

test('where the database is older than the volume, no sidecar and nothing beside it is touched', async (t) => {
  const { audit, attachment, avatar, client, blobPath, storage, backup, textOf } = await setUp(t)
  const [deleted, damaged, lost, owed] = [await attachment('a'), await attachment('bb'), await attachment('ccc'), await attachment('dddd')]
  const face = await avatar('face')
  const from = await backup()
  const newer = [deleted, damaged, lost, owed, face].map((sidecar): Sidecar => ({ ...sidecar, state: 'deleted', revision: 2 }))
  for (const sidecar of newer) await storage.store.writeSidecar(sidecar)
  await writeFile(blobPath(damaged), 'xx')
  await rm(blobPath(lost))
  await client.blob.update({ where: { id: owed.id }, data: { sidecarDueAt: new Date(0) } })
  await client.avatar.deleteMany()
  const { findings } = await audit({ from })
  t.same(findings.map(({ problem }) => problem).toSorted(), ['blob-corrupt', 'blob-missing', 'row-inconsistent', ...Array.from({ length: 5 }, () => 'sidecar-differs')])
  for (const { problem, outcome, action } of findings) t.match({ outcome, action }, { outcome: 'left', action: /^The database is older than the volume: stop the gateway and run "upload-gateway rebuild"/ }, problem)
  for (const sidecar of newer) t.same(await storage.store.readSidecar(sidecar), sidecar)
  t.equal(await textOf(damaged), 'xx')
})

test('a folder of uploads that was linked back from another disk stays, with all that is behind it', async (t) => {
  const { audit, attachment, blobPath, root, textOf } = await setUp(t)
  const sidecar = await attachment('hello')
  const [kind = '', year = ''] = blobPath(sidecar).slice(root.length + 1).split('/')
  const elsewhere = join(await folderFor(t), year)
  await rename(join(root, kind, year), elsewhere)
  await symlink(elsewhere, join(root, kind, year))
  const { findings } = await audit({ removesForeign: true })
  t.match(findings.find(({ problem }) => problem === 'foreign'), { path: `${kind}/${year}`, outcome: 'left', action: /need a real folder there/ })
  t.equal(await textOf(sidecar), 'hello')
})
