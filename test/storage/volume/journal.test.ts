import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { constants } from 'node:fs'
import { appendFile, mkdir, open, readFile, stat, symlink, truncate, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import process from 'node:process'
import { test, type Test } from 'tap'
import { createDurable } from '../../../src/storage/volume/durable.ts'
import { createJournal } from '../../../src/storage/volume/journal.ts'
import { createFaults } from '../../fixtures/faults.ts'
import { folderFor, openBelow } from '../fixtures/volume.ts'

type Entry = { n: number, text?: string }

const isEntry = (value: unknown): value is Entry => typeof (value as Entry).n === 'number'

async function setUp (t: Test) {
  const folder = await folderFor(t)
  const path = join(folder, 'journal.ndjson')
  const faults = createFaults()
  const failures: unknown[] = []
  const journal = createJournal({ fs: faults.fs, durable: createDurable({ fs: faults.fs, onSyncFailure: (error) => failures.push(error) }), path, isEntry })
  const numbers = async () => (await journal.read())?.entries.map(({ n }) => n)
  return { folder, path, faults, failures, journal, numbers }
}

test('what is appended is read back, oldest first', async (t) => {
  const { path, journal } = await setUp(t)
  await journal.append([{ n: 1, text: 'Grüße 👋\n"\u2028' }, { n: 2 }])
  await journal.append([{ n: 3 }])
  t.strictSame(await journal.read(), { entries: [{ n: 1, text: 'Grüße 👋\n"\u2028' }, { n: 2 }, { n: 3 }], damagedLines: 0 })
  t.equal(journal.path, path)
  t.equal((await stat(path)).mode & 0o777, 0o640 & ~process.umask())
})

test('a file that is not there is told from an empty one, and appending nothing makes it', async (t) => {
  const { journal } = await setUp(t)
  t.equal(await journal.read(), undefined)
  await journal.append([])
  t.strictSame(await journal.read(), { entries: [], damagedLines: 0 })
})

test('file and folder are fsynced before an append returns', async (t) => {
  const { folder, path, journal, faults } = await setUp(t)
  await journal.append([{ n: 1 }])
  t.strictSame(faults.calls.filter(({ on }) => on === 'writev' || on === 'sync').map(({ on, path: of }) => [on, of]), [['writev', path], ['sync', path], ['sync', folder]])
  t.strictSame(openBelow(folder), [])
})

test('half a line that a dead process left takes nothing with it', async (t) => {
  const { path, journal } = await setUp(t)
  await journal.append([{ n: 1 }, { n: 2 }])
  const whole = (await readFile(path)).length
  for (let length = whole - 2; length > whole - 40; length -= 7) {
    await truncate(path, length)
    t.strictSame(await journal.read(), { entries: [{ n: 1 }], damagedLines: 1 }, `cut at ${length}`)
  }
  await journal.append([{ n: 3 }])
  t.strictSame(await journal.read(), { entries: [{ n: 1 }, { n: 3 }], damagedLines: 1 })
})

test('half a line is no damage when the whole one is there, as after a full disk', async (t) => {
  const { path, journal } = await setUp(t)
  await journal.append([{ n: 1 }, { n: 2, text: 'x' }])
  const line = (await readFile(path, 'utf8')).split('\n').at(-2) ?? ''
  await appendFile(path, `${line.slice(0, -1)}\n`)
  await appendFile(path, `${line.slice(0, 84)}\n`)
  t.strictSame(await journal.read(), { entries: [{ n: 1 }, { n: 2, text: 'x' }], damagedLines: 0 })
  await appendFile(path, `${line.slice(0, 83)}\n`)
  await appendFile(path, `${line.replace('"x"', '"y"')}\n`)
  t.match(await journal.read(), { damagedLines: 2 }, 'one that may have been any, and one that was changed')
})

test('a file that does not end in a newline is no hindrance', async (t) => {
  const { path, journal, numbers } = await setUp(t)
  await journal.append([{ n: 1 }])
  await writeFile(path, (await readFile(path, 'utf8')).trimEnd())
  t.strictSame(await numbers(), [1])
  await journal.append([{ n: 2 }])
  t.strictSame(await journal.read(), { entries: [{ n: 1 }, { n: 2 }], damagedLines: 0 })
})

test('a line that was changed, or is none of the kind, is counted and skipped', async (t) => {
  const { path, journal } = await setUp(t)
  await journal.append([{ n: 1, text: 'ada' }, { n: 2 }, { n: 3 }])
  await writeFile(path, (await readFile(path, 'utf8')).replace('ada', 'eve'))
  for (const line of ['garbage', 'null', '7', '"x"', '[]', '{}', '{"checksum":"sha256:0","n":4}', '{"n":5}', '\0\0\0\0']) await appendFile(path, `${line}\n`)
  await appendFile(path, Buffer.from([0xff, 0xfe, 0x0a]))
  await journal.append([{ other: 1 } as never])
  t.strictSame(await journal.read(), { entries: [{ n: 2 }, { n: 3 }], damagedLines: 12 })
})

test('two processes that append at once lose nothing and spoil nothing', async (t) => {
  const { path, faults } = await setUp(t)
  const any = createJournal({ fs: faults.fs, durable: createDurable({ fs: faults.fs, onSyncFailure: () => {} }), path, isEntry: (value: unknown): value is { name: string } => typeof value === 'object' })
  const script = join(import.meta.dirname, '../fixtures/journal-process.ts')
  const children = ['a', 'b', 'c'].map((name) => spawn(process.execPath, [script, path, name, '100'], { stdio: 'inherit' }))
  for (const [code] of await Promise.all(children.map((child) => once(child, 'exit')))) t.equal(code, 0)
  const { entries, damagedLines } = await any.read() ?? { entries: [], damagedLines: -1 }
  t.equal(damagedLines, 0)
  for (const name of ['a', 'b', 'c']) t.equal(entries.filter((entry) => entry.name === name).length, 200)
})

test('a write that was cut short is done again as a whole: its rest could end up behind another process\'s lines', async (t) => {
  const { path, journal, faults, numbers } = await setUp(t)
  faults.inject({ on: 'writev', short: 20 }, { on: 'writev', nth: 2, before: () => appendFile(path, 'half a line of another') })
  await journal.append([{ n: 1 }])
  t.strictSame(await numbers(), [1])
  faults.heal()
  faults.inject({ on: 'writev', short: 0, forever: true })
  await t.rejects(journal.append([{ n: 2 }]), /took only a part/)
})

test('a full disk is told, and what was there before stays readable', async (t) => {
  for (const fault of [{ on: 'open' }, { on: 'writev' }, { on: 'sync' }] as const) {
    const { folder, journal, faults, failures, numbers } = await setUp(t)
    await journal.append([{ n: 1 }])
    faults.inject({ ...fault, errno: 'ENOSPC' })
    await t.rejects(journal.append([{ n: 2 }]), { code: 'ENOSPC' })
    t.strictSame((await numbers())?.[0], 1)
    t.strictSame(failures, [])
    t.strictSame(openBelow(folder), [])
  }
})

test('I6: a failed fsync of file or folder fails the append, and is remembered', async (t) => {
  for (const nth of [1, 2]) {
    const { journal, faults, failures } = await setUp(t)
    faults.inject({ on: 'sync', nth, errno: 'EIO' })
    await t.rejects(journal.append([{ n: 1 }]), { code: 'EIO' })
    t.equal(failures.length, 1)
  }
})

test('one that cannot be read is not taken for missing', async (t) => {
  const { folder, path, journal, faults } = await setUp(t)
  faults.inject({ on: 'open', errno: 'EACCES' })
  await t.rejects(journal.read(), { code: 'EACCES' })
  await mkdir(path)
  await t.rejects(journal.read(), { name: 'ConfigError', message: /journal\.ndjson is not an ordinary file/ })
  await t.rejects(journal.append([{ n: 1 }]), { code: 'EISDIR' })
  const lost = createJournal({ fs: faults.fs, durable: createDurable({ fs: faults.fs, onSyncFailure: () => {} }), path: join(folder, 'nowhere', 'x'), isEntry })
  await t.rejects(lost.append([{ n: 1 }]), { code: 'ENOENT' })
})

test('a pipe in place of the file is not waited for: neither to read nor to append', { skip: process.platform === 'win32' && 'there are no pipes' }, async (t) => {
  const { folder, path, journal } = await setUp(t)
  execFileSync('mkfifo', [path])
  const refusal = { name: 'ConfigError', message: /journal\.ndjson is not an ordinary file.*Move that away/ }
  await t.rejects(journal.read(), refusal)
  await t.rejects(journal.append([{ n: 1 }]), refusal)
  const reader = await open(path, constants.O_RDONLY | constants.O_NONBLOCK)
  await t.rejects(journal.append([{ n: 1 }]), refusal, 'also when somebody would take what is written')
  await reader.close()
  t.strictSame(openBelow(folder), [])
})

test('where several machines append, each does all of it in its turn, and without one nothing', async (t) => {
  const { path, faults } = await setUp(t)
  const steps: string[] = []
  const durable = createDurable({ fs: faults.fs, onSyncFailure: () => {} })
  const journal = createJournal({ fs: faults.fs, durable, path, isEntry, async alone (work) { steps.push(`turn after ${faults.calls.length}`); const done = await work(); steps.push(`${openBelow(path).length} open`); return done } })
  await journal.append([{ n: 1 }])
  t.strictSame(steps, ['turn after 0', '0 open'])
  const refused = createJournal({ fs: faults.fs, durable, path, isEntry, alone: () => Promise.reject(new Error('no turn')) })
  await t.rejects(refused.append([{ n: 2 }]), { message: 'no turn' })
  t.strictSame(await refused.read(), { entries: [{ n: 1 }], damagedLines: 0 })
})

test('a second place may be a link', { skip: process.platform === 'win32' && 'links are for administrators' }, async (t) => {
  const { folder, path, journal, numbers } = await setUp(t)
  await symlink(join(folder, 'elsewhere'), path)
  await journal.append([{ n: 1 }])
  t.strictSame(await numbers(), [1])
})
