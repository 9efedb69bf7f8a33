import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test, type Test } from 'tap'
import { fileSystem } from '../../src/storage/fs.ts'
import { newUploadId } from '../../src/storage/ids.ts'
import { openStorage } from '../../src/storage/open.ts'
import type { Store } from '../../src/storage/store.ts'
import { folderFor, publish } from './fixtures/volume.ts'
import { storeFor } from './objects/fixture.ts'

/** On a volume and on an object store. */
async function onEach (t: Test, use: (t: Test, home: Awaited<ReturnType<typeof homeAt>>) => Promise<void>) {
  await t.test('a volume', async (t) => use(t, await homeAt({ fs: fileSystem, root: await folderFor(t) })))
  await t.test('an object store', async (t) => use(t, await homeAt(await storeFor(t))))
}

async function homeAt ({ fs, root }: Pick<Parameters<typeof openStorage>[0], 'fs' | 'root'>) {
  const { volumeId, staging } = await openStorage({ fs, root, reserveBytes: 0, known: { volumeId: undefined, knowsFiles: false } })
  await staging.close()
  const open = (id: string | undefined, onlyReads = false, monotonicMs?: () => number) => openStorage({ fs, root, reserveBytes: 0, known: { volumeId, knowsFiles: false }, claimant: { id, name: `the database ${id}`, onlyReads }, ...(monotonicMs !== undefined && { monotonicMs }) })
  const claimFile = join(root, 'database.json')
  return {
    fs, root, open, claimFile,
    async claim () { return fs.readFile(claimFile, 'utf8').then((text): unknown => JSON.parse(text), () => undefined) },
    /** A process that comes with this database, does `use`, and ends. */
    async come (id: string | undefined, onlyReads = false, use: (storage: Awaited<ReturnType<typeof open>>) => Promise<void> = async () => {}) {
      const storage = await open(id, onlyReads)
      await use(storage).finally(() => storage.staging.close())
    },
  }
}

const refusal = (id: string, other: string) => ({ name: 'ConfigError', message: new RegExp(`belongs to another database: since \\S+Z to the database ${other}\\. What was uploaded since is unknown to the database ${id}, which takes it for nobody's\\. Set DATABASE_URL to the one .*remove database\\.json there; else make a new one .* "upload-gateway rebuild", which has only those embedded accounts that this one has\\.$`) })

test('the first database that may change a home has it, and no other comes there', async (t) => onEach(t, async (t, { root, come, claim }) => {
  await come('old', true)
  t.equal(await claim(), undefined, 'who only reads takes nothing')
  await come('old')
  t.match(await claim(), { database: 'old', name: 'the database old', since: /^20\d\d-.*Z$/, copy: undefined })
  for (const onlyReads of [true, false]) await t.rejects(come('new', onlyReads), refusal('new', 'old'))
  await t.rejects(come(undefined, true), { message: /belongs to another database/ })
  const before = await claim()
  await come('old')
  t.strictSame(await claim(), before, 'nor is anything written for its own')
  t.strictSame(await readdir(join(root, 'staging')).catch(() => []), [])
}))

test('a copy takes over, and the original comes there no more', async (t) => onEach(t, async (t, { come, claim }) => {
  await come('old')
  await come('old', true, ({ claim }) => claim.handOver({ id: 'old', name: 'the database old' }, 'new'))
  t.match(await claim(), { database: 'old', copy: 'new' })
  await come('old', true)
  await come('new', true)
  t.match(await claim(), { database: 'old', copy: 'new' }, 'as long as nobody changes anything each may come')
  await come('new')
  t.match(await claim(), { database: 'new', name: 'the database new', copy: undefined })
  for (const onlyReads of [true, false]) await t.rejects(come('old', onlyReads), refusal('old', 'new'))
}))

test('a copy is out of date as soon as somebody came who may change the original', async (t) => onEach(t, async (t, { come, claim }) => {
  await come('old')
  await come('old', true, ({ claim }) => claim.handOver({ id: 'old', name: 'the database old' }, 'new'))
  await come('old')
  t.match(await claim(), { database: 'old', copy: undefined })
  await t.rejects(come('new'), refusal('new', 'old'))
}))

test('a copy of a copy takes over, of each database only the last', async (t) => onEach(t, async (t, { come, claim }) => {
  const copied = (id: string, copy: string) => come(id, true, ({ claim }) => claim.handOver({ id, name: `the database ${id}` }, copy))
  await copied('one', 'two')
  t.equal(await claim(), undefined, 'a home that belongs to none is taken by the first that comes')
  await come('one')
  await copied('one', 'two')
  await copied('one', 'three')
  await t.rejects(come('two'), refusal('two', 'one'))
  await copied('three', 'four')
  t.match(await claim(), { database: 'three', copy: 'four' })
  for (const id of ['one', 'two']) await t.rejects(come(id), refusal(id, 'three'))
  await come('four')
  await t.rejects(come('three'), refusal('three', 'four'))
}))

test('a process that came before sees that another database has the home now', async (t) => onEach(t, async (t, { fs, open, come, claim, claimFile }) => {
  const early = await open('old')
  await early.checkClaim()
  await fs.unlink(claimFile)
  await early.checkClaim()
  await fs.rm(join(early.staging.folder, 'heartbeat.json'))
  await come('new')
  await t.rejects(early.checkClaim(), refusal('old', 'new'))
  await early.claim.assign({ id: undefined, name: 'of none' })
  t.match(await claim(), { database: 'new' })
  await early.claim.assign({ id: 'old', name: 'the database old' })
  t.match(await claim(), { database: 'old', name: 'the database old' })
  await early.staging.close()
  await t.rejects(come('new'), refusal('new', 'old'))
}))

test('a process that stood still changes nothing in a home that another database has now', async (t) => onEach(t, async (t, { fs, open, claimFile }) => {
  let nowMs = 0
  const storage = await open('old', false, () => nowMs)
  const sidecar = await publish(storage.store, 'before')
  await storage.claim.assign({ id: 'new', name: 'the database new' })
  nowMs += 4_999
  await publish(storage.store, 'others would not have taken it for dead yet')
  nowMs += 1
  const refused = { code: 'STORAGE_UNAVAILABLE', cause: { message: /belongs to another database/ } }
  await t.rejects(publish(storage.store, 'after'), refused)
  const { store, segments } = storage
  for (const change of [() => store.writeSidecar(sidecar), () => store.remove(sidecar), () => store.removeForGood(sidecar), () => segments.remove(newUploadId()), () => segments.removeForGood(newUploadId())]) await t.rejects(change(), refused)
  t.equal(await storage.store.readSidecar(sidecar).then((found) => found?.id), sidecar.id)
  await fs.unlink(claimFile)
  await storage.lease()
  await store.writeSidecar(sidecar)
  await segments.remove(newUploadId())
  await segments.removeForGood(newUploadId())
  await store.remove(sidecar)
  await store.removeForGood(sidecar)
  await publish(storage.store, 'again')
  await storage.staging.close()
}))

test('a database that is elsewhere now says so when it comes', async (t) => onEach(t, async (t, { come, claim, open }) => {
  await come('old')
  const before = await claim()
  const storage = await open('old', true)
  await storage.claim.take({ id: 'old', name: 'elsewhere', onlyReads: false })
  t.strictSame(await claim(), { ...before as object, name: 'elsewhere' })
  await storage.staging.close()
}))

test('a home that is a copy of another belongs to the database of that, unless it has one of its own', async (t) => onEach(t, async (t, { open, claim }) => {
  const there = { database: 'old', name: 'there', since: '2026-11-22T12:00:00Z' }
  const storage = await open('old', true)
  await storage.claim.follow(undefined)
  t.equal(await claim(), undefined)
  for (const next of [there, { ...there, copy: 'new' }, there]) {
    await storage.claim.follow(next)
    t.strictSame(await claim(), next)
  }
  await storage.claim.follow({ ...there, database: 'another' })
  t.strictSame(await claim(), there)
  await storage.staging.close()
}))

test('a claim that is damaged refuses all, until somebody decides', async (t) => {
  const { come, claimFile } = await homeAt({ fs: fileSystem, root: await folderFor(t) })
  await come('old')
  for (const text of ['', '{', '{}', '{"database":7}']) {
    await writeFile(claimFile, text)
    await t.rejects(come('old'), { name: 'ConfigError', message: /^database\.json on UPLOADS_DIR \S+ is damaged, so it is not known which database belongs there: if you know that this database has all records, remove database\.json there; else/ })
  }
  await rm(claimFile)
  await mkdir(claimFile)
  await t.rejects(come('old'), { message: /not an ordinary file/ })
  await rm(claimFile, { recursive: true })
  await come('new')
  t.match(JSON.parse(await readFile(claimFile, 'utf8')), { database: 'new' })
})

test('a new database takes a home without uploads, whichever had it; one with uploads it does not', async (t) => onEach(t, async (t, { fs, root }) => {
  const come = async (id: string, use: (store: Store) => Promise<void> = async () => {}) => {
    const storage = await openStorage({ fs, root, reserveBytes: 0, known: { volumeId: undefined, knowsFiles: false }, claimant: { id, name: id, onlyReads: false } })
    await use(storage.store).finally(() => storage.staging.close())
  }
  await come('tried')
  await come('new', async (store) => { await publish(store, 'hello') })
  t.match(JSON.parse(await fs.readFile(join(root, 'database.json'), 'utf8')), { database: 'new' })
  await t.rejects(come('newer'), { message: /holds uploads, but the database is new.* Set DATABASE_URL to where the database that belongs to it is: since \S+ that is new; or make/ })
}))

test('a new database that was slow looks again for uploads before it takes the home', async (t) => {
  const root = await folderFor(t)
  const open = (id: string, volumeId: string | undefined, fs = fileSystem) => openStorage({ fs, root, reserveBytes: 0, known: { volumeId, knowsFiles: false }, claimant: { id, name: id, onlyReads: false } })
  const { volumeId, staging } = await open('right', undefined)
  await staging.close()
  let isMeanwhile = true
  const mkdir = async (path: string, options: { mode: number }) => {
    if (isMeanwhile && String(path).endsWith('staging')) {
      isMeanwhile = false
      const right = await open('right', volumeId)
      await publish(right.store, 'acknowledged')
      await right.staging.close()
    }
    return fileSystem.mkdir(path, options)
  }
  await t.rejects(open('wrong', undefined, { ...fileSystem, mkdir: mkdir as typeof fileSystem.mkdir }), { message: /holds uploads, but the database is new/ })
  t.match(JSON.parse(await readFile(join(root, 'database.json'), 'utf8')), { database: 'right' })
})

test('without a database that is at work nothing is claimed', async (t) => {
  const root = await folderFor(t)
  const storage = await openStorage({ fs: fileSystem, root, reserveBytes: 0, known: { volumeId: undefined, knowsFiles: false } })
  await storage.checkClaim()
  await storage.staging.close()
  t.notOk((await readdir(root)).includes('database.json'))
})
