// Users erased under load, by HTTP and from the command line, with the gateway killed in the middle: they are gone, everybody else is there.
import { spawn } from 'node:child_process'
import { randomBytes, randomInt } from 'node:crypto'
import { once } from 'node:events'
import { readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { execPath } from 'node:process'
import { PassThrough } from 'node:stream'
import { text } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'
import BetterSqlite3 from 'better-sqlite3'
import t, { type Test } from 'tap'
import { picture, secret, temporaryFolder } from '../helper.ts'
import { filesWith } from '../users/fixtures.ts'
import { audit, staging } from './audit.ts'
import { attachmentIn, call, json, postAttachment, putAvatar, sha256 } from './client.ts'
import { bearer, start, type Gateway, type Settings } from './gateway.ts'
import { pause, until } from './machine.ts'
import { createUploaders, lost } from './uploaders.ts'

const cycles = 6
const parallel = 4
const many = 600
const cli = fileURLToPath(new URL('../../src/cli.ts', import.meta.url))

function launch (folder: string, settings: Settings, ...args: string[]) {
  const child = spawn(execPath, [cli, ...args], { cwd: tmpdir(), env: { PATH: process.env['PATH'], JWT_SECRET: secret, DISK_RESERVE: '0', ...settings, UPLOADS_DIR: folder }, stdio: ['ignore', 'pipe', 'pipe'] })
  const ended = Promise.all([text(child.stdout), text(child.stderr), once(child, 'close')]).then(([stdout, stderr, [code]]) => ({ code: code as number | null, stdout, stderr }))
  return { kill: () => child.kill('SIGKILL'), ended }
}

const command = (folder: string, settings: Settings, ...args: string[]) => launch(folder, settings, ...args).ended

function reading<T> (folder: string, read: (connection: BetterSqlite3.Database) => T): T {
  const connection = new BetterSqlite3(join(folder, 'database', 'gateway.sqlite'), { readonly: true })
  try {
    return read(connection)
  } finally {
    connection.close()
  }
}

/** How many erasures the database knows, begun or done. */
const begun = (folder: string): number => reading(folder, (connection) => connection.prepare<[], number>('SELECT count(*) FROM Erasure').pluck().get() ?? 0)

async function fill (gateway: Gateway, user: string): Promise<void> {
  for (let index = 0; index < 8; index += 1) attachmentIn(await postAttachment(gateway, user, randomBytes(randomInt(1, 200_000))))
  for (let index = 0; index < 3; index += 1) await putAvatar(gateway, user, await picture('jpeg', { seed: index }))
}

/** Uploads of which the half is there. What comes of them is the caller's to await. */
async function halfway (gateway: Gateway, user: string, count: number) {
  const headers = { ...await bearer(user), 'content-type': 'application/octet-stream' }
  return Array.from({ length: count }, () => {
    const body = new PassThrough()
    const answer = call(gateway, '/api/attachments', { method: 'POST', headers, body })
    answer.catch(() => {})
    body.write(randomBytes(2 * 1024 ** 2))
    return { body, answer }
  })
}

const erase = async (gateway: Gateway, user: string) => call(gateway, `/api/users/${user}/uploads`, { method: 'DELETE', headers: await bearer('root', 'uploads:admin') })

async function ledgerFor (t: Test): Promise<Settings> {
  return { ERASURE_LEDGER: join(await temporaryFolder(t), 'erasures.ndjson'), SWEEP_INTERVAL_SECONDS: '3600' }
}

t.test(`after ${cycles} erasures under load, each with a kill at some moment of it, nothing of the erased is left`, { timeout: 300_000 }, async (t) => {
  const folder = await temporaryFolder(t)
  const settings = await ledgerFor(t)
  const uploaders = createUploaders({ maxSize: 300_000 })
  let gateway = await start(t, folder, settings)
  const erased: string[] = []

  for (let cycle = 0; cycle < cycles; cycle += 1) {
    const user = `erased-user-number-${cycle}`
    await fill(gateway, user)
    const uploading = uploaders.upload(gateway, parallel)
    const inFlight = await halfway(gateway, user, 3)
    await pause(300)
    const before = begun(folder)
    const isByHttp = cycle % 2 === 0
    const process = isByHttp ? undefined : launch(folder, settings, 'erase', '--owner', user, '--yes')
    const asked = process === undefined ? erase(gateway, user).then(({ status }) => status === 200, () => false) : process.ended.then(({ code }) => code === 0)
    // A command first has to start.
    await (isByHttp ? pause(randomInt(20, 100)) : Promise.race([until('it is begun', () => begun(folder) > before), asked]))
    await pause(randomInt(20))
    process?.kill()
    for (const { body } of inFlight) body.end(randomBytes(1024))
    await gateway.kill()
    await uploading
    const wasAnswered = await asked
    const wasBegun = begun(folder) > before
    gateway = await start(t, folder, settings)
    if (!wasBegun) t.equal((await erase(gateway, user)).status, 200)
    t.comment(`${user}: ${wasAnswered ? 'answered' : wasBegun ? 'begun' : 'not begun'} before the kill`)
    erased.push(user)
  }

  let isStopping = false
  const uploading = uploaders.upload(gateway, parallel, () => isStopping)
  const startedAt = Date.now()
  for (const user of erased) await until(`nothing of ${user} is anywhere on the volume`, async () => (await filesWith(folder, user)).length === 0, 60_000 - (Date.now() - startedAt))
  t.comment(`gone within ${Math.round((Date.now() - startedAt) / 1000)} s of the last start`)
  isStopping = true
  await gateway.stop()
  await uploading
  gateway = await start(t, folder, settings)
  t.same(await lost(gateway, uploaders.acknowledged), [], `all of the others' ${uploaders.acknowledged.length} uploads are there`)
  t.same(audit(folder, { isHashed: false }).broken, [])
  t.match(staging(folder), [{ pid: gateway.pid, files: { length: 0 } }])
})

/** More than are removed in one go. Returns their ids. */
async function fillWithMany (gateway: Gateway, user: string): Promise<string[]> {
  const rounds = Array.from({ length: many / 20 }, () => Array.from({ length: 20 }, () => randomBytes(100)))
  for (const round of rounds) await Promise.all(round.map(async (bytes) => attachmentIn(await postAttachment(gateway, user, bytes))))
  return blobsOf(gateway.folder, user)
}

const blobsOf = (folder: string, user: string): string[] => reading(folder, (connection) => connection.prepare<[string], string>('SELECT id FROM Blob WHERE ownerId = ? ORDER BY id').pluck().all(user))

const namedIn = ({ blobs }: { blobs: Array<{ id: string }> }): string[] => blobs.map(({ id }) => id)

t.test('an erasure killed half-way and asked again has a receipt of all that went, by whichever run', { timeout: 120_000 }, async (t) => {
  const folder = await temporaryFolder(t)
  const settings = await ledgerFor(t)
  let gateway = await start(t, folder, settings)
  const [byCommand, byHttp] = [await fillWithMany(gateway, 'erased-by-command'), await fillWithMany(gateway, 'erased-by-http')]
  const files = async () => (await readdir(join(folder, 'attachments'), { recursive: true })).filter((path) => path.endsWith('.bin')).length

  const receipt = join(await temporaryFolder(t), 'receipt.jws')
  const asking = ['erase', '--owner', 'erased-by-command', '--yes', '--receipt', receipt]
  for (const left of [many * 2 - 1, many + 80, many + 10]) {
    const running = launch(folder, settings, ...asking)
    await until('so many are gone', async () => await files() <= left)
    running.kill()
    t.comment(`killed with ${await files() - many} files and ${blobsOf(folder, 'erased-by-command').length} rows left, exit code ${(await running.ended).code}`)
  }
  t.match(await command(folder, settings, ...asking), { code: 0, stdout: /The receipt is in/ })
  t.same(namedIn(JSON.parse((await command(folder, settings, 'erase', '--verify', receipt, '--json')).stdout).erased), byCommand)
  t.match(await command(folder, settings, ...asking), { code: 0, stdout: /^This user was erased already at .* The receipt names 0 avatars, 600 attachments/ })

  const asked = erase(gateway, 'erased-by-http').then(() => true, () => false)
  await until('some are gone', async () => await files() < 90)
  await gateway.kill()
  t.comment(`killed with ${await files()} files left, ${await asked ? 'answered' : 'not answered'}`)
  gateway = await start(t, folder, settings)
  t.same(await filesWith(folder, 'erased-by-http'), [], 'nobody has to ask')
  const again = json(await erase(gateway, 'erased-by-http'))
  t.same(namedIn(again.erased), byHttp)
})

t.test('an upload in flight ends by itself when its user is erased by another process, and nothing of it stays', { timeout: 60_000 }, async (t) => {
  const folder = await temporaryFolder(t)
  const settings = await ledgerFor(t)
  const gateway = await start(t, folder, settings)
  const mine = await halfway(gateway, 'erased-user', 2)
  const theirs = await halfway(gateway, 'another-user', 1)
  await until('they are in staging', () => staging(folder).some(({ files }) => files.length === 3))
  const receipt = join(await temporaryFolder(t), 'receipt.jws')
  t.match(await command(folder, settings, 'erase', '--owner', 'erased-user', '--yes', '--receipt', receipt), { code: 3, stdout: /^Nobody with this id had anything here.*\nErased at .*0 avatars, 0 attachments/ })
  for (const { answer } of mine) t.match(await answer, { status: 410, body: /OWNER_ERASED/ })
  t.same(staging(folder).map(({ files }) => files.length), [1], 'the other one goes on')
  const last = randomBytes(1000)
  for (const { body, answer } of theirs) {
    body.end(last)
    attachmentIn(await answer)
  }
  t.match(await command(folder, settings, 'erase', '--verify', receipt), { code: 0, stdout: /The receipt is genuine/ })
})

t.test('the proof holds, and says so when the ledger has lost it', { timeout: 60_000 }, async (t) => {
  const folder = await temporaryFolder(t)
  const settings = await ledgerFor(t)
  const gateway = await start(t, folder, settings)
  await fill(gateway, 'erased-user')
  const kept = attachmentIn(await postAttachment(gateway, 'another-user', randomBytes(1000)))
  const answer = await erase(gateway, 'erased-user')
  t.equal(json(answer).erased.blobs.length, 11)
  const receipt = join(await temporaryFolder(t), 'receipt.json')
  await writeFile(receipt, answer.body)
  t.match(await command(folder, settings, 'erase', '--verify', receipt, '--json'), { code: 0, stdout: /"findings": \[\]/ })
  await writeFile(settings['ERASURE_LEDGER'] ?? '', '')
  t.match(await command(folder, settings, 'erase', '--verify', receipt), { code: 3, stdout: /does not have the erasure/ })
  t.match(await command(folder, settings, 'erase', '--public-key'), { code: 0, stdout: /"crv":"Ed25519"/ })
  t.equal(sha256((await call(gateway, kept.url, { headers: await bearer('another-user') })).body), kept.sha256)
})

t.test('whoever was erased since a backup is not brought back by it, nowhere on the volume, and the receipt still proves it', { timeout: 120_000 }, async (t) => {
  const folder = join(await temporaryFolder(t), 'uploads')
  const backups = join(await temporaryFolder(t), 'backups')
  const settings = await ledgerFor(t)
  const uploaders = createUploaders({ maxSize: 100_000 })
  let gateway = await start(t, folder, settings)
  await fill(gateway, 'erased-user')
  let isStopping = false
  const uploading = uploaders.upload(gateway, parallel, () => isStopping)
  await until('others have uploaded too', () => uploaders.acknowledged.length > 20)
  t.match(await command(folder, settings, 'backup', backups, '--with-keys'), { code: 0 })
  const backedUp = (await filesWith(backups, 'erased-user')).length
  t.ok(backedUp > 0, `${backedUp} files of the backup name the user`)
  const receipt = join(await temporaryFolder(t), 'receipt.json')
  await writeFile(receipt, (await erase(gateway, 'erased-user')).body)
  isStopping = true
  await gateway.stop()
  await uploading
  await rm(folder, { recursive: true })

  t.match(await command(folder, settings, 'restore', backups), { code: 0 })
  t.same(await filesWith(folder, 'erased-user'), [])
  t.match(await command(folder, settings, 'erase', '--verify', receipt), { code: 0 })
  gateway = await start(t, folder, settings)
  t.same(await filesWith(folder, 'erased-user'), [])
  t.same(audit(folder, { isHashed: true }).broken, [])
  t.equal((await call(gateway, '/api/avatars/erased-user')).status, 404)
})
