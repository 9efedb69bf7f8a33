// Damage of every kind on the volume of a real gateway: verify names each, and nothing else; audit mends what can be mended, and harms nothing.
import { execFileSync } from 'node:child_process'
import { randomBytes, randomInt } from 'node:crypto'
import { copyFileSync, cpSync, lstatSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs'
import { basename, dirname, join, relative } from 'node:path'
import BetterSqlite3 from 'better-sqlite3'
import t, { type Test } from 'tap'
import { temporaryFolder } from '../helper.ts'
import type { Finding } from '../../src/operations/finding.ts'
import type { Audited } from '../../src/operations/audit.ts'
import { decodeSidecar, encodeSidecar } from '../../src/storage/sidecar.ts'
import { blobPath, sidecarPath } from '../../src/storage/volume/layout.ts'
import { audit, type Row } from './audit.ts'
import { attachmentIn, call, get, json, noise, postAttachment, putAvatar, sha256 } from './client.ts'
import { command, type Ran } from './command.ts'
import { start, type Gateway } from './gateway.ts'
import { until } from './machine.ts'
import { createUploaders, remove } from './uploaders.ts'

/** A volume with files in every state that a user can bring them into, and a copy of it; its gateway has stopped. */
async function furnished (t: Test, { attachments = 24 } = {}) {
  const folder = await temporaryFolder(t)
  const gateway = await start(t, folder)
  const urls: string[] = []
  for (let n = 0; n < attachments; n += 1) urls.push(attachmentIn(await postAttachment(gateway, 'eve', randomBytes(randomInt(1000, 300_000)))).url)
  for (let n = 0; n < 3; n += 1) await putAvatar(gateway, 'ada', noise(20_000))
  await remove(gateway, (urls.pop() ?? '').replace('/content', ''), 'eve')
  await gateway.stop()
  const copy = join(await temporaryFolder(t), 'copy')
  cpSync(folder, copy, { recursive: true })
  const precious = join(await temporaryFolder(t), 'precious.txt')
  writeFileSync(precious, 'somebody else\'s')
  return { folder, copy, precious }
}

const findingsIn = ({ stdout, stderr }: Ran): Finding[] => {
  if (stdout === '') throw new Error(stderr)
  return JSON.parse(stdout).findings
}

const named = (findings: readonly Finding[]): string[] => findings.map(({ problem, path }) => `${problem} ${path}`).sort()

/** A link in the place of a folder of uploads: whoever moved uploads to another disk has them behind it, and it is never removed. */
const linkedFolder = 'avatars/2024'

/** Asked to remove what is foreign, it leaves that link alone, and nothing else. A person takes it away. */
async function removeForeign (t: Test, folder: string): Promise<void> {
  const removed = await command(folder, ['audit', '--repair', '--remove-foreign', '--json'])
  t.equal(removed.code, 3)
  t.same(named(findingsIn(removed).filter((finding) => (finding as Audited).outcome === 'left')), [`foreign ${linkedFolder}`])
  rmSync(join(folder, linkedFolder))
}

/** What is at every path but the database's, staging's, and behind a link. */
function contents (folder: string): Record<string, string> {
  const files: Record<string, string> = {}
  for (const entry of readdirSync(folder, { recursive: true, withFileTypes: true })) {
    const path = relative(folder, join(entry.parentPath, entry.name))
    if (entry.isFile() && !/^(database|staging|pictures|avatars\/2024)\//.test(path)) files[path] = sha256(readFileSync(join(folder, path)))
  }
  return files
}

type Damage = { readonly expected: string[], readonly touched: string[] }

/** Each thing that can happen to a file, done to a file of its own. */
function damage (folder: string, precious: string): Damage {
  const rows = audit(folder).rows.filter(({ kind, state }) => kind === 'attachment' && state === 'live')
  const expected: string[] = []
  const touched: string[] = []
  const next = (): { row: Row, blob: string, sidecar: string } => {
    const row = rows.shift()
    if (row === undefined) throw new Error('there are too few files')
    const one = { row, blob: blobPath(folder, row), sidecar: sidecarPath(folder, row) }
    touched.push(within(one.blob), within(one.sidecar))
    return one
  }
  const within = (path: string) => relative(folder, path)
  const expect = (problem: string, path: string) => { expected.push(`${problem} ${within(path)}`) }
  const stranger = (path: string) => {
    touched.push(within(path))
    expect('foreign', path)
    return path
  }

  const flipped = next()
  const bytes = readFileSync(flipped.blob)
  bytes.writeUInt8(bytes.readUInt8(500) ^ 1, 500)
  writeFileSync(flipped.blob, bytes)
  expect('blob-corrupt', flipped.blob)

  const cut = next()
  truncateSync(cut.blob, 100)
  expect('blob-size', cut.blob)

  const deleted = next()
  rmSync(deleted.blob)
  expect('blob-missing', deleted.blob)

  const [one, other] = [next(), next()]
  renameSync(one.blob, `${one.blob}.x`)
  renameSync(other.blob, one.blob)
  renameSync(`${one.blob}.x`, other.blob)
  expect('blob-swapped', one.blob)
  expect('blob-swapped', other.blob)

  const forged = next()
  const said = decodeSidecar(readFileSync(forged.sidecar, 'utf8'))
  if (said === undefined) throw new Error('a sidecar is damaged')
  writeFileSync(forged.sidecar, encodeSidecar({ ...said, ownerId: 'mallory' }))
  expect('sidecar-differs', forged.sidecar)

  const garbled = next()
  writeFileSync(garbled.sidecar, readFileSync(garbled.sidecar, 'utf8').replace('eve', 'bob'))
  expect('sidecar-damaged', garbled.sidecar)

  const bare = next()
  rmSync(bare.sidecar)
  expect('sidecar-missing', bare.sidecar)

  const linked = next()
  rmSync(linked.blob)
  symlinkSync(precious, linked.blob)
  expect('blob-missing', linked.blob)

  const piped = next()
  rmSync(piped.sidecar)
  execFileSync('mkfifo', [piped.sidecar])
  expect('sidecar-damaged', piped.sidecar)

  const misplaced = next()
  const elsewhere = join(folder, 'attachments/2001/02/03')
  mkdirSync(elsewhere, { recursive: true })
  renameSync(misplaced.blob, join(elsewhere, basename(misplaced.blob)))
  touched.push(within(join(elsewhere, basename(misplaced.blob))))
  expect('blob-missing', misplaced.blob)

  const unknown = next()
  const connection = new BetterSqlite3(join(folder, 'database/gateway.sqlite'))
  connection.prepare('DELETE FROM Blob WHERE id = ?').run(unknown.row.id)
  // As the sqlite3 shell does, which does not look at foreign keys.
  connection.pragma('foreign_keys = OFF')
  const dangling = next()
  connection.prepare('DELETE FROM Blob WHERE id = ?').run(dangling.row.id)
  connection.close()
  expect('row-missing', unknown.blob)
  expect('row-missing', dangling.blob)

  const twice = next()
  copyFileSync(twice.blob, stranger(join(dirname(twice.blob), `${twice.row.id}.png`)))
  writeFileSync(stranger(join(folder, 'notes.txt')), 'mine')
  writeFileSync(stranger(join(dirname(twice.blob), 'notes.txt')), 'mine')
  symlinkSync(dirname(precious), stranger(join(folder, 'pictures')))
  symlinkSync(dirname(precious), stranger(join(folder, linkedFolder)))
  execFileSync('mkfifo', [stranger(join(dirname(twice.blob), 'pipe'))])
  return { expected: expected.sort(), touched }
}

t.test('verify names each thing that is wrong, and nothing else; audit mends it and harms nothing', { timeout: 300_000 }, async (t) => {
  const { folder, copy, precious } = await furnished(t)
  const before = await command(folder, ['verify', '--json'])
  t.same(findingsIn(before), [])
  t.match(before, { code: 0, stderr: '' })

  const { expected, touched } = damage(folder, precious)
  const first = await command(folder, ['verify', '--json'])
  t.same(named(findingsIn(first)), expected)
  t.equal(first.code, 3)
  const forPeople = await command(folder, ['verify'])
  t.equal(forPeople.code, 3)
  for (const { path, mend } of findingsIn(first)) t.ok(forPeople.stdout.includes(path) && forPeople.stdout.includes(mend), `${path} is told with what mends it`)

  const damaged = contents(folder)
  const dry = await command(folder, ['audit', '--json', '--from', copy])
  t.equal(dry.code, 3)
  t.same(contents(folder), damaged, 'without --repair nothing is changed')
  t.same(named(findingsIn(dry)), expected)
  const outcomes = (ran: Ran) => Object.fromEntries((findingsIn(ran) as Audited[]).map(({ problem, path, outcome }) => [`${problem} ${path}`, outcome]))
  t.same(outcomes(dry), Object.fromEntries(expected.map((name) => [name, name.startsWith('foreign') ? 'left' : 'mendable'])))

  const repaired = await command(folder, ['audit', '--repair', '--json', '--from', copy])
  t.equal(repaired.code, 3)
  t.same(outcomes(repaired), Object.fromEntries(expected.map((name) => [name, name.startsWith('foreign') ? 'left' : 'mended'])))
  const untouched = new Set(touched)
  const others = (files: Record<string, string>) => Object.fromEntries(Object.entries(files).filter(([path]) => !untouched.has(path) && !path.includes('.damaged')))
  t.same(others(contents(folder)), others(damaged), 'all other files are as they were')
  t.same(others(contents(folder)), others(contents(copy)))
  const rest = findingsIn(await command(folder, ['verify', '--json']))
  t.same([...new Set(rest.map(({ problem }) => problem))], ['foreign'], 'what was damaged is kept beside what took its place')
  t.ok(rest.some(({ path }) => path.endsWith('.damaged')))

  await removeForeign(t, folder)
  if (!t.match(await command(folder, ['verify', '--json']), { code: 0 }, 'it is clean')) return
  t.same(contents(folder), contents(copy), 'file by file it is the volume that it was')
  t.equal(readFileSync(precious, 'utf8'), 'somebody else\'s', 'nothing behind a link was touched')
  const rowsOf = (root: string) => audit(root).rows.map((row) => `${row.id} ${row.state} ${row.sha256} ${row.sidecarDueAt}`).sort()
  t.same(rowsOf(folder), rowsOf(copy), 'and its records are those that there were')
})

t.test('killed at random points and run again, audit --repair comes to the same end', { timeout: 300_000 }, async (t) => {
  const { folder, copy, precious } = await furnished(t)
  const clean = contents(copy)
  /** Of all but sidecars, which are made anew. */
  const bytesOf = (files: Record<string, string>) => Object.entries(files).filter(([path]) => !path.endsWith('.sidecar.json')).map(([, hash]) => hash)
  let kills = 0
  for (let round = 0; round < 2; round += 1) {
    damage(folder, precious)
    const damaged = bytesOf(contents(folder))
    const startedAt = performance.now()
    await command(folder, ['audit', '--from', copy])
    const fullMs = performance.now() - startedAt
    for (let attempt = 0; attempt < 4; attempt += 1) {
      const ran = await command(folder, ['audit', '--repair', '--from', copy], { killAfterMs: Math.round(fullMs * randomInt(60, 105) / 100) })
      if (ran.signal === 'SIGKILL') kills += 1
      const there = new Set(bytesOf(contents(folder)))
      t.same(damaged.filter((hash) => !there.has(hash)), [], 'all bytes that were there are, under some name')
    }
    await command(folder, ['audit', '--repair', '--from', copy])
    await removeForeign(t, folder)
    if (!t.match(await command(folder, ['verify', '--json']), { code: 0 }, 'it is clean')) return
    t.same(contents(folder), clean)
  }
  t.comment(`${kills} kills`)
})

async function churn (gateway: Gateway, user: string, isOver: () => boolean): Promise<number> {
  let changes = 0
  while (!isOver()) {
    const avatars = await Promise.all([putAvatar(gateway, user, noise(30_000)), putAvatar(gateway, user, noise(30_000))])
    const { url } = attachmentIn(await postAttachment(gateway, user, randomBytes(20_000)))
    await remove(gateway, url.replace('/content', ''), user)
    await remove(gateway, '/api/avatars/me', user)
    changes += avatars.length + 3
  }
  return changes
}

t.test('beside a gateway under uploads, replacements and deletes verify finds nothing', { timeout: 300_000 }, async (t) => {
  const folder = await temporaryFolder(t)
  const gateway = await start(t, folder)
  const uploaders = createUploaders({ maxSize: 300_000 })
  let isOver = false
  const uploading = uploaders.upload(gateway, 6, () => isOver)
  const churning = Promise.all(['kim', 'lee', 'max', 'noa'].map((user) => churn(gateway, user, () => isOver)))
  await until('there is something', () => uploaders.acknowledged.length > 20)
  for (let run = 0; run < 4; run += 1) {
    const { code, stdout, stderr } = await command(folder, ['verify', '--json'])
    t.equal(code, 0, stderr)
    const { findings, records } = JSON.parse(stdout)
    t.same(findings, [])
    t.comment(`${records} records`)
  }
  const dry = await command(folder, ['audit', '--json'])
  t.same(findingsIn(dry), [])
  isOver = true
  const changes = (await churning).reduce((sum, count) => sum + count, 0)
  const before = uploaders.acknowledged.length
  await gateway.stop()
  await uploading
  t.comment(`${before} uploads and ${changes} other changes meanwhile`)
})

t.test('a second repair at the same time is refused, and a gateway serves what was mended', async (t) => {
  const { folder, copy } = await furnished(t, { attachments: 3 })
  const gateway = await start(t, folder)
  const [row] = audit(folder).rows.filter(({ kind, state }) => kind === 'attachment' && state === 'live')
  if (row === undefined) throw new Error('there is no file')
  rmSync(blobPath(folder, row))
  const { attachments: [attachment] } = json(await get(gateway, '/api/attachments?limit=200', 'eve'))
  t.ok(attachment)
  t.match(await command(folder, ['audit', '--repair', '--from', copy]), { code: 0, stdout: /Mended: 1/ })
  t.equal(sha256(readFileSync(blobPath(folder, row))), row.sha256)
  t.equal(lstatSync(blobPath(folder, row)).isFile(), true)
  const { url, sha256: hash } = attachment
  t.equal(sha256((await get(gateway, url, 'eve')).body), hash)
  t.match(await command(folder, ['audit', '--repair', '--from', await temporaryFolder(t)]), { code: 1, stderr: /is no backup/ })
  t.match(await command(folder, ['audit', '--remove-foreign']), { code: 2, stderr: /only together with --repair/ })
  t.match(await command(folder, ['verify', '--sample', '0%']), { code: 2 })
  t.match(await command(folder, ['verify', '--sample', '50%', '--json']), { code: 0 })
  t.match(await command(folder, ['verify', copy]), { code: 1, stderr: /is no backup/ })
  t.equal(gateway.isRunning(), true)
})

t.test('the gateways find it themselves, one of the two that share the volume, and stop at once', async (t) => {
  const { folder } = await furnished(t, { attachments: 3 })
  const [row] = audit(folder).rows.filter(({ kind, state }) => kind === 'attachment' && state === 'live')
  if (row === undefined) throw new Error('there is no file')
  rmSync(blobPath(folder, row))
  const gateways = [await start(t, folder, { AUDIT_INTERVAL_SECONDS: '2' }), await start(t, folder, { AUDIT_INTERVAL_SECONDS: '2' })]
  for (const gateway of gateways) {
    await until('it is told', async () => /^uploads_audit_missing 1$/m.test((await call(gateway, '/metrics')).body.toString()))
    t.match((await call(gateway, '/metrics')).body.toString(), /^uploads_audit_last_success_timestamp_seconds \d+/m)
  }
  t.ok(gateways.some(({ lines }) => lines.some((line) => line.includes('"audit":"blob-missing"') && line.includes(row.id))))
  for (const gateway of gateways) t.equal((await gateway.stop()).code, 0)
})
