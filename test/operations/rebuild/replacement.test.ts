import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import BetterSqlite3 from 'better-sqlite3'
import t, { type Test } from 'tap'
import { prepareReplacement } from '../../../src/operations/rebuild/replacement.ts'
import { fileSystem } from '../../../src/storage/fs.ts'
import { createFaults } from '../../fixtures/faults.ts'

function makeDatabase (file: string, content: string): void {
  const connection = new BetterSqlite3(file)
  connection.pragma('journal_mode = WAL')
  connection.exec('CREATE TABLE Note (text TEXT)')
  connection.prepare('INSERT INTO Note VALUES (?)').run(content)
  connection.close()
}

function contentOf (file: string): unknown {
  const connection = new BetterSqlite3(file)
  try {
    return connection.prepare('SELECT text FROM Note').pluck().get()
  } finally {
    connection.close()
  }
}

/** As a killed process leaves it: with what it wrote last in the log only. */
function leaveLog (t: Test, place: string): void {
  const held = new BetterSqlite3(place)
  held.pragma('journal_mode = WAL')
  held.pragma('wal_autocheckpoint = 0')
  held.exec("UPDATE Note SET text = 'from the log'")
  const [wal, main] = [readFileSync(`${place}-wal`), readFileSync(place)]
  held.close()
  writeFileSync(place, main)
  writeFileSync(`${place}-wal`, wal)
  t.ok(wal.length > 0)
}

function setUp (t: Test) {
  const folder = t.testdir()
  const place = join(folder, 'gateway.sqlite')
  return { folder, place, names: () => readdirSync(folder).sort() }
}

t.test('the new database takes the place of the old one, and of nothing', async (t) => {
  const { place, names } = setUp(t)
  for (const content of ['first', 'second']) {
    const { file, putInPlace, discard } = await prepareReplacement({ fs: fileSystem, place })
    makeDatabase(file, content)
    t.equal(await putInPlace(false), undefined)
    await discard()
    t.strictSame(names(), ['gateway.sqlite'])
    t.equal(contentOf(place), content)
  }
})

t.test('the log of the old database is never applied to the new one', async (t) => {
  const { place, names } = setUp(t)
  makeDatabase(place, 'old')
  leaveLog(t, place)
  const { file, putInPlace } = await prepareReplacement({ fs: fileSystem, place })
  makeDatabase(file, 'new')
  await putInPlace(false)
  t.strictSame(names(), ['gateway.sqlite'])
  t.equal(contentOf(place), 'new')
})

t.test('killed before the rename, the old database still has all that it had', async (t) => {
  const { place } = setUp(t)
  makeDatabase(place, 'old')
  leaveLog(t, place)
  const faults = createFaults()
  faults.inject({ on: 'rename', errno: 'EIO' })
  const { file, putInPlace, discard } = await prepareReplacement({ fs: faults.fs, place })
  makeDatabase(file, 'new')
  await t.rejects(putInPlace(false), { code: 'EIO' })
  await discard()
  t.equal(contentOf(place), 'from the log')
})

t.test('a log without its database goes too', async (t) => {
  const { place, names } = setUp(t)
  makeDatabase(place, 'old')
  leaveLog(t, place)
  await fileSystem.unlink(place)
  const { file, putInPlace } = await prepareReplacement({ fs: fileSystem, place })
  makeDatabase(file, 'new')
  await putInPlace(false)
  t.strictSame(names(), ['gateway.sqlite'])
  t.equal(contentOf(place), 'new')
})

t.test('an old database from which not all could be read is kept beside the new one, with its log', async (t) => {
  const { place, names } = setUp(t)
  for (const isOldKept of [true, false]) {
    // One that is damaged is kept in any case: nobody could say what was in it.
    writeFileSync(place, 'no database '.repeat(1000))
    writeFileSync(`${place}-wal`, 'its log')
    const { file, putInPlace } = await prepareReplacement({ fs: fileSystem, place })
    makeDatabase(file, 'new')
    const kept = await putInPlace(isOldKept) ?? ''
    t.match(kept, /gateway\.sqlite\.damaged-/)
    t.match(readFileSync(kept, 'utf8'), /^no database/)
    if (isOldKept) t.equal(readFileSync(`${kept}-wal`, 'utf8'), 'its log')
    t.equal(contentOf(place), 'new')
  }
  t.notOk(names().includes('gateway.sqlite-wal'))
})

t.test('what killed runs left is removed first, and nothing else', async (t) => {
  const { folder, place, names } = setUp(t)
  for (const name of ['gateway.sqlite', 'gateway.sqlite.rebuild-1', 'gateway.sqlite.rebuild-1-wal', 'gateway.sqlite.damaged-1', 'jwt.secret']) writeFileSync(join(folder, name), '')
  const { file, discard } = await prepareReplacement({ fs: fileSystem, place })
  t.strictSame(names(), ['gateway.sqlite', 'gateway.sqlite.damaged-1', 'jwt.secret'])
  for (const end of ['', '-wal', '-shm']) writeFileSync(file + end, '')
  await discard()
  t.strictSame(names(), ['gateway.sqlite', 'gateway.sqlite.damaged-1', 'jwt.secret'])
  t.ok(await prepareReplacement({ fs: fileSystem, place: join(folder, 'not', 'there', 'gateway.sqlite') }))
  const faults = createFaults()
  faults.inject({ on: 'readdir', errno: 'EACCES' })
  await t.rejects(prepareReplacement({ fs: faults.fs, place }), { code: 'EACCES' })
})

t.test('a new database that is not sound, or not durable, does not replace the old one', async (t) => {
  const { place } = setUp(t)
  makeDatabase(place, 'old')
  const broken = await prepareReplacement({ fs: fileSystem, place })
  makeDatabase(broken.file, 'new')
  const bytes = readFileSync(broken.file)
  bytes.fill(0xff, 4096, 8192)
  writeFileSync(broken.file, bytes)
  await t.rejects(broken.putInPlace(false), /not sound/)
  t.equal(contentOf(place), 'old')

  const faults = createFaults()
  const { file, putInPlace } = await prepareReplacement({ fs: faults.fs, place })
  makeDatabase(file, 'new')
  faults.inject({ on: 'sync', path: /rebuild-/, errno: 'EIO' })
  await t.rejects(putInPlace(false), { code: 'EIO' })
  t.equal(contentOf(place), 'old')
  faults.heal()
  faults.inject({ on: 'stat', errno: 'EACCES' })
  await t.rejects(putInPlace(false), { name: 'Refusal', message: /cannot be looked at \(EACCES\)/ })
  t.ok(existsSync(file))
})
