// Commands on PostgreSQL: the records moved there and back under reads, backed up under load and restored, made anew from the volume alone, and looked at.
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { readdir, rm, truncate, unlink } from 'node:fs/promises'
import { connect, createServer, type AddressInfo } from 'node:net'
import { join } from 'node:path'
import BetterSqlite3 from 'better-sqlite3'
import pg from 'pg'
import t, { type Test } from 'tap'
import { temporaryFolder } from '../helper.ts'
import { attachmentIn, call, get, json, noise, postAttachment, putAvatar, sha256, type Answer } from './client.ts'
import { command, type Ran } from './command.ts'
import { receiver, webhookSecret } from './fixtures/receiver.ts'
import { start, type Gateway, type Settings } from './gateway.ts'
import { pause, until } from './machine.ts'
import { postgres, type Postgres } from './postgres.ts'
import { createUploaders, lost, remove } from './uploaders.ts'

/** Keys that the gateway makes for itself are moved with the rows. */
const ownKeys = { JWT_SECRET: '', RATE_UPLOADS_PER_MINUTE: '0' }

const server: Postgres = await postgres(t)

const done = (t: Test, ran: Ran, code = 0): void => { t.equal(ran.code, code, `${ran.stdout}${ran.stderr}`) }

async function withClient<T> (url: string, use: (client: pg.Client) => Promise<T>): Promise<T> {
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  try {
    return await use(client)
  } finally {
    await client.end()
  }
}

const upload = (gateway: Gateway, token: string, body: Buffer, headers: Readonly<Record<string, string>> = {}): Promise<Answer> =>
  call(gateway, '/api/attachments', { method: 'POST', body, headers: { authorization: token, 'content-type': 'application/octet-stream', 'content-disposition': 'attachment; filename="na%C3%AFve.bin"', ...headers } })

const tus = { 'tus-resumable': '1.0.0' }

/** Something of everything, made through a gateway that signs with a key of its own making. */
async function furnish (gateway: Gateway) {
  const account = { email: 'ada@example.com', password: 'correct horse battery staple' }
  const registered = json(await call(gateway, '/api/auth/register', { method: 'POST', headers: { 'content-type': 'application/json' }, body: Buffer.from(JSON.stringify(account)) }))
  const authorization = `Bearer ${registered.token}`
  const me = registered.user.id as string
  const bytes = randomBytes(300_000)
  const keyed = { 'idempotency-key': 'a-key-of-ada' }
  const first = await upload(gateway, authorization, bytes, keyed)
  const { id, url } = attachmentIn(first)
  for (let count = 0; count < 3; count += 1) await call(gateway, '/api/avatars/me', { method: 'PUT', headers: { authorization, 'content-type': 'image/png' }, body: noise(20_000) })
  const gone = attachmentIn(await upload(gateway, authorization, randomBytes(1000)))
  await call(gateway, `/api/attachments/${gone.id}`, { method: 'DELETE', headers: { authorization } })
  const link = json(await call(gateway, `/api/attachments/${id}/links`, { method: 'POST', headers: { authorization, 'content-type': 'application/json' }, body: Buffer.from('{}') }))
  const whole = randomBytes(500_000)
  const begun = await call(gateway, '/api/resumable', { method: 'POST', headers: { ...tus, authorization, 'upload-length': whole.length, 'upload-metadata': `filename ${Buffer.from('later.bin').toString('base64')}` } })
  const resumable = begun.headers.location ?? ''
  await call(gateway, resumable, { method: 'PATCH', headers: { ...tus, authorization, 'content-type': 'application/offset+octet-stream', 'upload-offset': 0 }, body: whole.subarray(0, 200_000) })
  return { authorization, me, bytes, keyed, first, id, url, link: new URL(link.url).pathname, whole, resumable, account }
}

type Furnished = Awaited<ReturnType<typeof furnish>>

/** What the gateway says of it all: answers that must be the same wherever the records are. */
async function told (gateway: Gateway, { authorization, me, url, link, resumable, keyed, bytes, id }: Furnished): Promise<unknown[]> {
  const paths = ['/api/attachments', '/api/attachments?limit=1', url, `/api/attachments/${id}`, `/api/attachments/${id}/links`, `/api/avatars/${me}`, '/api/avatars/me/versions', '/api/auth/profile', '/api/usage', link]
  const answers = await Promise.all(paths.map(async (path) => call(gateway, path, { headers: path === link ? {} : { authorization } })))
  const head = await call(gateway, resumable, { method: 'HEAD', headers: { ...tus, authorization } })
  const limits = json(await call(gateway, '/api/limits'))
  const again = limits.readOnly === true ? undefined : await upload(gateway, authorization, bytes, keyed)
  return [
    ...answers.map(({ status, headers, body }, index) => ({ path: paths[index], status, type: headers['content-type'], sha256: sha256(body), ...(/json/.test(headers['content-type'] ?? '') && { body: json({ status, headers, body }) }) })),
    { offset: head.headers['upload-offset'], length: head.headers['upload-length'] },
    ...again === undefined ? [] : [{ status: again.status, body: again.body.toString() }],
  ]
}

/** Reads all the time, with a fixed number of clients, until it is stopped: every answer must be a good one. */
function reading (gateway: () => Gateway, { authorization, url, me, link }: Furnished) {
  const failures: string[] = []
  let [count, isOver] = [0, false]
  async function read (path: string): Promise<void> {
    for (;;) {
      if (isOver) return
      const answer = await call(gateway(), path, { headers: path === link ? {} : { authorization } }).catch((error: unknown) => error)
      count += 1
      if (!(answer instanceof Error) && (answer as Answer).status === 200) continue
      failures.push(`${path}: ${answer instanceof Error ? answer.message : `${(answer as Answer).status} ${(answer as Answer).body.toString()}`}`)
    }
  }
  const over = Promise.all([url, '/api/attachments', `/api/avatars/${me}`, link].map(read))
  return { async stop () { isOver = true; await over; return { count, failures } } }
}

const hashesIn = (ran: Ran): unknown => json({ body: Buffer.from(ran.stdout) } as Answer).tables

t.test('the records move to PostgreSQL and back while gateways read, and nobody notices', async (t) => {
  const folder = await temporaryFolder(t)
  const hook = await receiver(t)
  const webhook = { WEBHOOK_URL: 'http://127.0.0.1:1/', WEBHOOK_SECRET: webhookSecret }
  const [sqlite, back] = [`file:${join(folder, 'database', 'gateway.sqlite')}`, `file:${join(await temporaryFolder(t), 'gateway.sqlite')}`]
  const url = await server.create('moved')
  const first = await start(t, folder, { ...ownKeys, ...webhook })
  const uploads = await furnish(first)
  await upload(first, (await sessionOf(first, 'eve@example.com')), randomBytes(1000))
  await erased(t, folder, { ...ownKeys }, first)
  const before = await told(first, uploads)
  t.strictSame(before.filter((answer) => ![200, 201, undefined].includes((answer as { status?: number }).status)), [])
  const copy = (from: string, to: string) => command(folder, ['database', 'copy', '--from', from, '--to', to, '--json'], { settings: ownKeys })
  const refused = await copy(sqlite, url)
  done(t, refused, 1)
  t.match(refused.stderr, /gateway runs on it as process \d+.*READ_ONLY=true/)
  await first.stop()

  let current = await start(t, folder, { ...ownKeys, READ_ONLY: 'true' })
  const readers = reading(() => current, uploads)
  const there = await copy(sqlite, url)
  done(t, there)
  const next = await start(t, folder, { ...ownKeys, DATABASE_URL: url, READ_ONLY: 'true' })
  const former = current
  current = next
  await pause(200)
  await former.stop()
  done(t, await command(folder, ['verify'], { settings: { ...ownKeys, DATABASE_URL: url } }))

  const home = await copy(url, back)
  done(t, home)
  t.strictSame(hashesIn(home), hashesIn(there), 'every row is the same after both ways')
  const { count, failures } = await readers.stop()
  t.ok(count > 20, `${count} reads`)
  t.strictSame(failures, [])
  await next.stop()

  for (const settings of [{ DATABASE_URL: url }, { DATABASE_URL: back }]) done(t, await command(folder, ['verify'], { settings: { ...ownKeys, ...settings } }))
  const moved = await start(t, folder, { ...ownKeys, DATABASE_URL: back })
  t.strictSame(await told(moved, uploads), before, 'all answers are the same, also to an old Idempotency-Key')
  await moved.stop()
  for (const DATABASE_URL of [sqlite, url]) {
    for (const args of [['sweep'], ['verify'], ['serve']]) {
      const stale = await command(folder, args, { settings: { ...ownKeys, DATABASE_URL } })
      done(t, stale, 1)
      t.match(stale.stderr, /belongs to another database: since \S+ to \S+gateway\.sqlite\. What was uploaded since is unknown/)
    }
  }

  const again = await server.create('again')
  done(t, await copy(back, again))
  const last = await start(t, folder, { ...ownKeys, DATABASE_URL: again, WEBHOOK_URL: hook.url, WEBHOOK_SECRET: webhookSecret })
  const { authorization, resumable, whole } = uploads
  const patched = await call(last, resumable, { method: 'PATCH', headers: { ...tus, authorization, 'content-type': 'application/offset+octet-stream', 'upload-offset': 200_000 }, body: whole.subarray(200_000) })
  t.equal(patched.status, 204)
  const finished = await call(last, `${String(patched.headers['upload-result'])}`, { headers: { authorization } })
  t.equal(sha256((await call(last, json(finished).url, { headers: { authorization } })).body), sha256(whole), 'an upload that was not finished goes on')
  await until('the events that waited are delivered', () => hook.taken.length > 0)
  await last.stop()
})

/** Signed by the account that this makes. */
async function sessionOf (gateway: Gateway, email: string): Promise<string> {
  const { token } = json(await call(gateway, '/api/auth/register', { method: 'POST', headers: { 'content-type': 'application/json' }, body: Buffer.from(JSON.stringify({ email, password: 'correct horse battery staple' })) }))
  return `Bearer ${token}`
}

/** Somebody is: the ledger, tombstones and the epoch are part of what is moved. */
async function erased (t: Test, folder: string, settings: Settings, gateway: Gateway): Promise<void> {
  const session = await sessionOf(gateway, 'kim@example.com')
  const { id } = json(await call(gateway, '/api/auth/profile', { headers: { authorization: session } })).user ?? json(await call(gateway, '/api/auth/profile', { headers: { authorization: session } }))
  await upload(gateway, session, randomBytes(1000))
  done(t, await command(folder, ['erase', '--owner', id, '--yes'], { settings }))
}

/** So many rows that copying them takes a while. */
function crowd (file: string, count: number): void {
  const connection = new BetterSqlite3(file)
  const insert = connection.prepare('INSERT INTO "Owner" ("key") VALUES (?)')
  connection.transaction(() => { for (let row = 0; row < count; row += 1) insert.run(`an owner ${row}`) })()
  connection.close()
}

t.test('a copy that is killed leaves the new database empty, and the same again works', async (t) => {
  const folder = await temporaryFolder(t)
  const url = await server.create('killed')
  const gateway = await start(t, folder)
  for (let count = 0; count < 10; count += 1) attachmentIn(await postAttachment(gateway, 'ada', randomBytes(1000)))
  await gateway.stop()
  const source = join(folder, 'database', 'gateway.sqlite')
  crowd(source, 100_000)
  const args = ['database', 'copy', '--from', `file:${source}`, '--to', url]
  const countIn = (table: string) => withClient(url, async (client) => Number((await client.query(`SELECT count(*) FROM "${table}"`)).rows[0].count)).catch(() => 0)
  for (const killAfterMs of [1000, 1500, 2000, 2500, 3000]) {
    await command(folder, args, { killAfterMs })
    const counts = [await countIn('Blob'), await countIn('Owner')]
    t.ok(['0,0', '10,100001'].includes(counts.join()), `${counts.join()} after ${killAfterMs} ms`)
    if (counts[0] === 10) break
  }
  const again = await command(folder, args)
  t.ok(again.code === 0 || /is not empty/.test(again.stderr), again.stderr)
  done(t, await command(folder, ['verify'], { settings: { DATABASE_URL: url } }))
})

t.test('a backup under load is restored to another PostgreSQL, whole', async (t) => {
  const folder = join(await temporaryFolder(t), 'uploads')
  const dir = join(await temporaryFolder(t), 'backup')
  const settings = { DATABASE_URL: await server.create('backed'), ...ownKeys, JWT_SECRET: 's'.repeat(40) }
  const own = { ...settings, JWT_SECRET: '' }
  const gateway = await start(t, folder, { DATABASE_URL: settings.DATABASE_URL })
  const uploads = createUploaders({ maxSize: 100_000 })
  const loading = uploads.upload(gateway, 4)
  await until('there are uploads', () => uploads.acknowledged.length > 20)
  const known = [...uploads.acknowledged]
  const ran = await command(folder, ['backup', dir, '--with-keys'], { settings: { DATABASE_URL: settings.DATABASE_URL } })
  done(t, ran)
  t.ok(uploads.acknowledged.length > known.length, 'uploads went on meanwhile')
  await gateway.kill()
  await loading
  done(t, await command(folder, ['verify', dir], { settings: own }))
  await rm(folder, { recursive: true })
  await server.client.query('DROP DATABASE "backed" WITH (FORCE)')
  const elsewhere = await server.create('restored')
  const restored = await command(folder, ['restore', dir], { settings: { DATABASE_URL: elsewhere } })
  t.ok(restored.code === 0, `${restored.stdout}${restored.stderr}`)
  t.match(restored.stdout, /Restored the keys .*link\.secret/)
  done(t, await command(folder, ['verify'], { settings: { DATABASE_URL: elsewhere } }))
  const occupied = await command(join(folder, '..', 'other'), ['restore', dir], { settings: { DATABASE_URL: elsewhere } })
  done(t, occupied, 1)
  t.match(occupied.stderr, /^PostgreSQL at .*"restored".* has rows already, in Blob/m)
  const back = await start(t, folder, { DATABASE_URL: elsewhere })
  t.strictSame(await lost(back, known.filter(({ isAvatar }) => !isAvatar)), [], 'every attachment from before the backup')
  await back.stop()
  const drilled = await command(folder, ['restore', '--drill', dir], { settings: { DATABASE_URL: elsewhere } })
  done(t, drilled)
})

t.test('a restore that is killed goes on', async (t) => {
  const folder = join(await temporaryFolder(t), 'uploads')
  const dir = join(await temporaryFolder(t), 'backup')
  const settings = { DATABASE_URL: await server.create('interrupted') }
  const gateway = await start(t, folder, settings)
  for (let count = 0; count < 10; count += 1) attachmentIn(await postAttachment(gateway, 'ada', randomBytes(10_000)))
  done(t, await command(folder, ['backup', dir], { settings }))
  await gateway.stop()
  await rm(folder, { recursive: true })
  await server.client.query('DROP DATABASE "interrupted" WITH (FORCE)')
  await server.create('interrupted')
  for (const killAfterMs of [500, 800, 1100, 1400]) await command(folder, ['restore', dir], { settings, killAfterMs })
  const last = await command(folder, ['restore', dir], { settings })
  t.ok(last.code === 0 || /is not empty|has rows already/.test(last.stderr), last.stderr)
  done(t, await command(folder, ['verify'], { settings }))
  const back = await start(t, folder, settings)
  t.equal(json(await get(back, '/api/attachments', 'ada')).attachments.length, 10)
})

t.test('the database is made anew from the volume alone, and accounts come over where it can be read', async (t) => {
  const folder = await temporaryFolder(t)
  const settings = { ...ownKeys, DATABASE_URL: await server.create('rebuilt') }
  const gateway = await start(t, folder, settings)
  const uploads = await furnish(gateway)
  const [attachments] = await told(gateway, uploads)
  const busy = await command(folder, ['rebuild'], { settings })
  done(t, busy, 1)
  t.match(busy.stderr, /in use: gateway runs on it/)
  await gateway.stop()
  const ran = await command(folder, ['rebuild'], { settings })
  done(t, ran)
  t.match(ran.stdout, /PostgreSQL at 127\.0\.0\.1:\d+, database "rebuilt" as "postgres" is made anew.*[^]*1 embedded account brought over/)
  t.notMatch(ran.stdout, /\.sqlite/)
  const again = await start(t, folder, settings)
  const [after] = await told(again, uploads)
  t.strictSame(after, attachments, 'sessions go on, and all is listed as it was')
  await again.stop()
  const empty = { ...settings, DATABASE_URL: await server.create('empty') }
  const anew = await command(folder, ['rebuild'], { settings: empty })
  done(t, anew, 3)
  t.match(anew.stdout, /no old database to bring embedded accounts over from/)
  done(t, await command(folder, ['verify'], { settings: empty }))
  const other = await temporaryFolder(t)
  await (await start(t, other, {})).stop()
  const foreign = await command(other, ['rebuild'], { settings })
  done(t, foreign, 1)
  t.match(foreign.stderr, /belongs to another volume/)
})

t.test('planted damage is found and mended, and each command says what is true', async (t) => {
  const folder = await temporaryFolder(t)
  const url = await server.create('looked_at')
  const settings = { DATABASE_URL: url }
  const none = await command(folder, ['verify'], { settings })
  done(t, none, 1)
  t.match(none.stderr, /There is no uploads volume at UPLOADS_DIR/)
  const gateway = await start(t, folder, settings)
  const kept = await Promise.all(Array.from({ length: 4 }, async () => attachmentIn(await postAttachment(gateway, 'ada', randomBytes(5000)))))
  for (let count = 0; count < 2; count += 1) await putAvatar(gateway, 'ada', noise(10_000))
  await remove(gateway, `/api/attachments/${kept[3]?.id}`, 'ada')
  const run = (...args: string[]) => command(folder, args, { settings })
  const files = (await readdir(join(folder, 'attachments'), { recursive: true })).filter((name) => name.endsWith('.bin'))
  const [damaged, row] = await withClient(url, async (client) => {
    const ids = await Promise.all([kept[0], kept[1]].map(async (one) => (await client.query('SELECT "blobId" FROM "Attachment" WHERE "id" = $1', [one?.id])).rows[0].blobId as string))
    await client.query('DELETE FROM "Blob" WHERE "id" = $1', [ids[1]])
    return ids
  })
  await truncate(join(folder, 'attachments', files.find((name) => name.includes(damaged ?? '?')) ?? ''), 10)
  const found = await run('verify', '--json')
  done(t, found, 3)
  const { findings } = JSON.parse(found.stdout)
  t.ok(findings.some(({ problem }: { problem: string }) => problem === 'blob-size'), found.stdout)
  t.ok(findings.some(({ id }: { id: string }) => id === row))
  const mended = await run('audit', '--repair')
  t.ok([0, 3].includes(mended.code ?? 1), mended.stderr)
  t.equal((await get(gateway, kept[1]?.url ?? '', 'ada')).status, 200, 'what had no row is there again')
  const explained = await run('explain', kept[2]?.id ?? '')
  done(t, explained)
  const doctor = await run('doctor', '--url', gateway.url)
  t.match(doctor.stdout, /ok +database, server: PostgreSQL at 127\.0\.0\.1:\d+, database "looked_at" as "postgres": version \d+/)
  t.match(doctor.stdout, /PROBLEM +database, durability: fsync and full_page_writes are off there/)
  t.match(doctor.stdout, /ok +database, version: .*\nok +database, usage: .*\nok +database, volume: It belongs to this volume\.\nok +database, clock/)
  await withClient(url, (client) => client.query('UPDATE "Usage" SET "bytes" = "bytes" + 1'))
  t.match((await run('doctor', '--url', gateway.url)).stdout, /PROBLEM +database, usage: Of 1 users/)
  const receipt = join(folder, '..', `receipt-${process.pid}.jws`)
  t.teardown(() => unlink(receipt).catch(() => {}))
  for (const args of [['trash', 'list'], ['sweep'], ['events', 'list'], ['privacy', 'sweep'], ['token', '--subject', 'ada'], ['erase', '--owner', 'ada', '--yes', '--receipt', receipt], ['erase', '--verify', receipt]]) {
    const ran = await run(...args)
    t.ok([0, 3].includes(ran.code ?? 1), `${args.join(' ')}: ${ran.stdout}${ran.stderr}`)
    t.notMatch(ran.stdout, /gateway\.sqlite/, args.join(' '))
  }
  const wrong = await command(folder, ['verify'], { settings: { DATABASE_URL: 'postgres://postgres:secret@127.0.0.1:1/x' } })
  done(t, wrong, 1)
  t.match(wrong.stderr, /^PostgreSQL at 127\.0\.0\.1:1, database "x" as "postgres" cannot be reached/)
  t.notMatch(wrong.stderr, /secret/)
  const untouched = await server.create('untouched')
  const absent = await command(folder, ['verify'], { settings: { DATABASE_URL: untouched } })
  done(t, absent, 1)
  t.match(absent.stderr, /^PostgreSQL at .*"untouched".* holds no tables of the gateway\. Set DATABASE_URL/)
  await withClient(untouched, async (client) => t.strictSame((await client.query("SELECT 1 FROM pg_class WHERE relname = 'Blob'")).rows, [], 'no command makes them'))
})

/** A way to PostgreSQL that ends when a client says this at the end of a copy: whether that still arrives, and whether there is a way again. */
async function wayUntil (t: Test, url: string, said: string, arrives: boolean, isLast = false): Promise<string> {
  const target = new URL(url)
  const port = Number(target.port)
  const way = createServer((near) => {
    const far = connect(port, '127.0.0.1')
    for (const [from, to] of [[near, far], [far, near]] as const) from.on('error', () => to.destroy()).on('close', () => to.destroy())
    far.pipe(near)
    let isEnding = false
    near.on('data', (bytes) => {
      isEnding ||= bytes.includes('ENABLE TRIGGER USER')
      const isSaid = isEnding && bytes.includes(said)
      if (isSaid) far.unpipe()
      if (!isSaid || arrives) far.write(bytes)
      if (isSaid) near.resetAndDestroy()
      if (isSaid && isLast) way.close()
    })
  }).listen(0, '127.0.0.1')
  await once(way, 'listening')
  t.teardown(() => way.close())
  target.port = String((way.address() as AddressInfo).port)
  return target.href
}

t.test('a copy that loses the server at its end says what is true', async (t) => {
  const folder = await temporaryFolder(t)
  const gateway = await start(t, folder)
  attachmentIn(await postAttachment(gateway, 'ada', randomBytes(1000)))
  await gateway.stop()
  const from = `file:${join(folder, 'database', 'gateway.sqlite')}`
  const copyVia = async (url: string) => command(folder, ['database', 'copy', '--from', from, '--to', url])
  const blobsIn = (url: string) => withClient(url, async (client) => Number((await client.query('SELECT count(*) FROM "Blob"')).rows[0].count))

  const after = await server.create('lost_after')
  done(t, await copyVia(await wayUntil(t, after, 'ANALYZE', false)))
  t.equal(await blobsIn(after), 1, 'it was committed by then')

  const during = await server.create('lost_during')
  const before = await copyVia(await wayUntil(t, during, 'ENABLE TRIGGER USER', false))
  t.not(before.code, 0)
  t.match(before.stderr, /Nothing was copied/)
  t.equal(await blobsIn(during), 0)
  done(t, await copyVia(await wayUntil(t, during, 'COMMIT\0', true)))
  t.equal(await blobsIn(during), 1, 'only the answer was lost')

  const never = await server.create('lost_for_good')
  const unknown = await copyVia(await wayUntil(t, never, 'COMMIT\0', true, true))
  done(t, unknown, 1)
  t.match(unknown.stderr, /^It is not known whether PostgreSQL at 127\.0\.0\.1:\d+, database "lost_for_good" as "postgres" has taken the new rows: .*look at that database before you run this again\.$/m)
  t.notMatch(unknown.stderr, /Nothing was copied/)
  t.equal(await blobsIn(never), 1)
  const rebuilt = await command(folder, ['rebuild'], { settings: { DATABASE_URL: await wayUntil(t, never, 'COMMIT\0', true, true) } })
  done(t, rebuilt, 1)
  t.match(rebuilt.stderr, /^It is not known whether /m)
  t.notMatch(rebuilt.stderr, /is there still/)
})
