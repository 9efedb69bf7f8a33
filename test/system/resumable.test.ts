// Resumable uploads through kills at every point, takeovers and stops, on one gateway and on two: never lost, never twice.
import { randomBytes, randomInt } from 'node:crypto'
import { existsSync } from 'node:fs'
import { once } from 'node:events'
import { request, type ClientRequest } from 'node:http'
import { join } from 'node:path'
import { buffer } from 'node:stream/consumers'
import BetterSqlite3 from 'better-sqlite3'
import t, { type Test } from 'tap'
import { Upload } from 'tus-js-client'
import { filesBelow } from '../fixtures/files.ts'
import { temporaryFolder } from '../helper.ts'
import { audit, partialFiles } from './audit.ts'
import { call, get, json, noise, sha256, type Answer } from './client.ts'
import { command } from './command.ts'
import { proxy } from './fixtures/proxy.ts'
import { bearer, start, type Gateway } from './gateway.ts'
import { needs, pause, until } from './machine.ts'
import { essential, inject, oneWorker, record, type Point } from './strace.ts'

const mebibyte = 1024 ** 2
/** They mostly wait. */
const parallel = 12
const sweeping = { SWEEP_INTERVAL_SECONDS: '1', SWEEP_GRACE_SECONDS: '0', SWEEP_MAX_PERCENT: '100' }
const tus = { ...await bearer('ada'), 'tus-resumable': '1.0.0' }
const piece = { ...tus, 'content-type': 'application/offset+octet-stream' }

const encoded = (text: string): string => Buffer.from(text).toString('base64')

/** Who dies while finishing an upload holds it for 15 s more, and what nobody holds is looked for every 15 s. */
const finishingMs = 60_000

/** What a gateway that died leaves of uploads that are over is looked for once in a minute, if no other is started. */
const upkeepMs = 100_000

/** The path of a new upload. */
async function begin (gateway: Gateway, length: number, metadata = `filename ${encoded('a.bin')}`): Promise<string> {
  const { status, headers, body } = await call(gateway, '/api/resumable', { method: 'POST', headers: { ...tus, 'upload-length': length, 'upload-metadata': metadata } })
  if (status !== 201) throw new Error(`The upload was not begun: ${status} ${body}`)
  return headers.location ?? ''
}

const patch = (gateway: Gateway, path: string, bytes: Buffer, offset: number): Promise<Answer> =>
  call(gateway, path, { method: 'PATCH', headers: { ...piece, 'upload-offset': offset }, body: bytes.subarray(offset) })

const head = (gateway: Gateway, path: string): Promise<Answer> => call(gateway, path, { method: 'HEAD', headers: tus })

async function offsetOf (gateway: Gateway, path: string): Promise<number> {
  const { status, headers } = await head(gateway, path)
  return status === 200 ? Number(headers['upload-offset']) : Number.NaN
}

/** As clients do: asks where it stands, and sends the rest. */
async function carryOn (gateway: Gateway, path: string, bytes: Buffer): Promise<void> {
  const offset = await offsetOf(gateway, path)
  if (offset !== bytes.length) await patch(gateway, path, bytes, offset)
}

const attachments = async (gateway: Gateway) => json(await get(gateway, '/api/attachments', 'ada')).attachments as Array<{ id: string, url: string, sha256: string }>

/** What the rows say of resumable uploads, without asking a gateway: that would change something. */
function states (folder: string): string[] {
  const connection = new BetterSqlite3(join(folder, 'database', 'gateway.sqlite'), { readonly: true })
  try {
    return connection.prepare('SELECT state FROM Resumable').all().map((row) => (row as { state: string }).state)
  } finally {
    connection.close()
  }
}

async function segmentFiles (folder: string): Promise<string[]> {
  const home = join(folder, 'resumable')
  return existsSync(home) ? filesBelow(home) : []
}

/** All that must hold when an upload is over. */
async function isKeptOnce (t: Test, gateway: Gateway, bytes: Buffer): Promise<void> {
  const { folder } = gateway
  const list = await attachments(gateway)
  t.same(list.map((one) => one.sha256), [sha256(bytes)], 'one attachment, with all its bytes')
  t.equal(sha256((await get(gateway, list[0]?.url ?? '/', 'ada')).body), sha256(bytes))
  t.same(states(folder), ['finished'])
  t.same(audit(folder).broken, [])
  await until('nothing is left but the attachment', async () => audit(folder).orphans.length === 0 && (await segmentFiles(folder)).length === 0, upkeepMs)
}

t.test('the tools are there', () => needs('strace'))

/** A PATCH of which as much is sent as wanted. */
function slowPatch (gateway: Gateway, path: string, offset: number, length: number): { sent: ClientRequest, answer: Promise<string> } {
  const sent = request(new URL(path, gateway.url), { method: 'PATCH', headers: { ...piece, 'upload-offset': offset, 'content-length': length }, agent: false })
  const answer = once(sent, 'response').then(async ([response]) => `${response.statusCode} ${json({ body: await buffer(response) } as Answer).code}`, (error) => String(error.code ?? error.message))
  sent.setTimeout(30_000, () => sent.destroy(new Error('nothing came for 30 s'))).flushHeaders()
  return { sent, answer }
}

const write = (sent: ClientRequest, bytes: Buffer): Promise<void> => new Promise((resolve) => { sent.write(bytes, () => resolve()) })

t.test('a stop does not wait for bytes that may never come, and keeps those that came', async (t) => {
  const folder = await temporaryFolder(t)
  const first = await start(t, folder)
  const bytes = randomBytes(5 * mebibyte)
  const path = await begin(first, bytes.length)
  const { sent, answer } = slowPatch(first, path, 0, bytes.length)
  sent.on('error', () => {})
  await write(sent, bytes.subarray(0, 3 * mebibyte))
  await until('it has begun', async () => (await segmentFiles(folder)).length === 1)
  await pause(500)
  const since = Date.now()
  t.equal((await first.stop()).code, 0)
  t.ok(Date.now() - since < 10_000, `stopped after ${Date.now() - since} ms`)
  t.match(await answer, /^(503 SERVICE_STOPPING|ECONNRESET)$/)
  const second = await start(t, folder, sweeping)
  t.equal(await offsetOf(second, path), 3 * mebibyte)
  t.equal((await patch(second, path, bytes, 3 * mebibyte)).status, 204)
  await isKeptOnce(t, second, bytes)
})

t.test('who comes back takes over from a request that hangs, also on another gateway', async (t) => {
  const folder = await temporaryFolder(t)
  const [first, second] = [await start(t, folder, sweeping), await start(t, folder, sweeping)]
  for (const other of [first, second]) {
    const bytes = randomBytes(5 * mebibyte)
    const path = await begin(first, bytes.length)
    const { sent, answer } = slowPatch(first, path, 0, bytes.length)
    await write(sent, bytes.subarray(0, 3 * mebibyte))
    await until('all of that has come', async () => (await segmentFiles(folder)).length === 1)
    const since = Date.now()
    const offset = await offsetOf(other, path)
    t.ok(Date.now() - since < 2000, `it is told after ${Date.now() - since} ms where it stands: ${offset}`)
    if (other === first) t.equal(offset, 3 * mebibyte, 'with all that came')
    t.equal((await patch(other, path, bytes, offset)).status, 204)
    // The one who was overtaken still sends; other bytes, to see whose count.
    sent.on('error', () => {}).end(randomBytes(2 * mebibyte))
    t.match(await answer, /^(409 RESUMABLE_TAKEN_OVER|410 RESUMABLE_GONE|ECONNRESET|EPIPE)$/)
    t.ok((await attachments(second)).some((one) => one.sha256 === sha256(bytes)), 'the bytes of the one who took over')
  }
  t.equal((await attachments(second)).length, 2)
  await until('nothing is left', async () => audit(folder).orphans.length === 0 && (await segmentFiles(folder)).length === 0)
  t.same(audit(folder).broken, [])
})

t.test('an avatar comes this way too, and what is no picture is refused for good', async (t) => {
  const gateway = await start(t, await temporaryFolder(t), sweeping)
  const avatar = noise(2 * mebibyte)
  const kind = `kind ${encoded('avatar')}`
  const path = await begin(gateway, avatar.length, kind)
  const kept = await patch(gateway, path, avatar, 0)
  t.match(kept, { status: 204, headers: { 'upload-result': '/api/avatars/ada' } })
  t.equal(sha256((await call(gateway, '/api/avatars/ada')).body), sha256(avatar))

  const nothing = randomBytes(100_000)
  const refused = await begin(gateway, nothing.length, kind)
  t.match(await patch(gateway, refused, nothing, 0), { status: 415, body: /UPLOAD_TYPE_REJECTED/ })
  t.equal((await head(gateway, refused)).status, 415, 'asked again, it says so again')
  await until('nothing is left', async () => audit(gateway.folder).orphans.length === 0 && (await segmentFiles(gateway.folder)).length === 0)
  t.equal(audit(gateway.folder).rows.length, 1)
})

// The first of these mostly waits: the others run beside it.
t.jobs = 3

t.test('killed at each system call of the last request of an upload', { buffered: true, timeout: 600_000 }, async (t) => {
  const bytes = randomBytes(150_000)
  /** Up to the last request, which takes the bytes and makes an attachment of them. */
  async function ready (t: Test) {
    const folder = await temporaryFolder(t)
    const gateway = await start(t, folder, oneWorker)
    return { folder, gateway, path: await begin(gateway, bytes.length) }
  }
  const recorded = await ready(t)
  const all = await record(t, recorded.gateway, () => patch(recorded.gateway, recorded.path, bytes, 0))
  await recorded.gateway.stop()
  const points = essential(all)
  t.ok(points.some(({ on }) => on.startsWith('/resumable/')) && points.some(({ on }) => on.startsWith('/attachments/')), `${all.length} calls change the volume`)

  async function crashAt (t: Test, { thread, call: name, nth }: Point, hasReplica: boolean): Promise<void> {
    const { folder, gateway, path } = await ready(t)
    const replica = hasReplica ? await start(t, folder, sweeping) : undefined
    await inject(t, gateway, thread, `${name}:signal=SIGKILL:when=${nth}`)
    const isAcknowledged = await patch(gateway, path, bytes, 0).then(({ status }) => status === 204, () => false)
    await until('the process dies of it', () => !gateway.isRunning())
    t.equal((await gateway.exit).signal, 'SIGKILL', 'the process died of it')
    t.same(partialFiles(folder, new Set([sha256(bytes)])), [], 'I2: under final names all is whole')

    const [state = ''] = states(folder)
    t.ok(!isAcknowledged || state === 'finished', `${state}, acknowledged: ${isAcknowledged}`)
    const next = replica ?? await start(t, folder, sweeping)
    // Once all is there, the next gateway finishes it, as soon as the one that died does not hold it any more, and no client need come back.
    if (state === 'finishing') await until('it is finished', () => states(folder)[0] === 'finished', finishingMs)
    else await carryOn(next, path, bytes)
    await isKeptOnce(t, next, bytes)
    t.match((await head(next, path)).headers, { 'upload-offset': String(bytes.length), 'upload-result': `/api/attachments/${(await attachments(next))[0]?.id}` })
    await next.kill()
  }

  t.jobs = parallel
  // Those first that wait the longest: for what a gateway that was running before does now and then, at the end once in a minute.
  const tries = points.map((point, index) => ({ point, hasReplica: index % 3 === 0 })).reverse()
  for (const { point, hasReplica } of tries.sort((one, other) => Number(other.hasReplica) - Number(one.hasReplica))) {
    t.test(`killed at ${point.call} ${point.nth} of ${point.thread} on ${point.on}`, { buffered: true }, (t) => crashAt(t, point, hasReplica))
  }
})

t.test('a backup in the middle restores to a volume without the unfinished upload, which has to begin anew', { buffered: true, timeout: 120_000 }, async (t) => {
  const folder = join(await temporaryFolder(t), 'uploads')
  const backups = join(await temporaryFolder(t), 'backups')
  const first = await start(t, folder, sweeping)
  const bytes = randomBytes(3 * mebibyte)
  const [finished, unfinished] = [await begin(first, bytes.length), await begin(first, bytes.length)]
  await patch(first, finished, bytes, 0)
  t.equal((await patch(first, unfinished, bytes.subarray(0, mebibyte), 0)).status, 204)
  t.match(await command(folder, ['backup', backups]), { code: 0 })
  t.match(await command(folder, ['verify']), { code: 0 }, 'verify has nothing to say of it')
  t.notMatch((await command(folder, ['doctor'])).stdout, /resumable|segment/, 'nor doctor')
  await first.stop()

  const other = join(await temporaryFolder(t), 'restored')
  t.match(await command(other, ['restore', backups]), { code: 0 })
  const second = await start(t, other, sweeping)
  t.equal((await head(second, unfinished)).status, 404)
  t.same((await attachments(second)).map((one) => one.sha256), [sha256(bytes)])
  t.match(await command(other, ['verify']), { code: 0 })
})

t.test('killed while bytes come: what is lost is less than 20 MiB, and the rest is taken on another gateway', { buffered: true, timeout: 300_000 }, async (t) => {
  const folder = await temporaryFolder(t)
  const bytes = randomBytes(100 * mebibyte)
  let gateway = await start(t, folder, sweeping)
  const path = await begin(gateway, bytes.length)
  let offset = 0
  for (const upTo of [24, 47, 90]) {
    const { sent, answer } = slowPatch(gateway, path, offset, bytes.length - offset)
    await write(sent, bytes.subarray(offset, upTo * mebibyte))
    await gateway.kill()
    t.equal(await answer, 'ECONNRESET')
    gateway = await start(t, folder, sweeping)
    const standing = await offsetOf(gateway, path)
    t.ok(standing >= upTo * mebibyte - 20 * mebibyte && standing <= upTo * mebibyte, `of ${upTo} MiB that were sent ${standing / mebibyte} are there`)
    t.ok(standing >= offset, 'and what was told before is')
    offset = standing
  }
  t.equal((await patch(gateway, path, bytes, offset)).status, 204)
  await isKeptOnce(t, gateway, bytes)
})

t.test('clients that resume whatever happens have each file once, through kills at any moment and two gateways', { buffered: true, timeout: 300_000 }, async (t) => {
  const folder = await temporaryFolder(t)
  const steady = await start(t, folder, sweeping)
  let killed = await start(t, folder, sweeping)
  const line = await proxy(t, killed.url)
  const sent: string[] = []
  const over = new AbortController()

  async function client (): Promise<void> {
    while (!over.signal.aborted) {
      const bytes = randomBytes(randomInt(100_000, 6 * mebibyte))
      await new Promise((resolve, reject) => {
        // Enough for a start of a gateway on a machine that is busy, and for what one that died holds.
        const patience = Array.from({ length: finishingMs / 100 }, () => 100)
        new Upload(bytes, { endpoint: `${line.url}/api/resumable`, headers: tus, chunkSize: mebibyte, retryDelays: patience, onError: reject, onSuccess: resolve, onShouldRetry: () => true }).start()
      })
      sent.push(sha256(bytes))
    }
  }

  let busy = 6
  const failures: unknown[] = []
  for (let index = busy; index > 0; index -= 1) client().catch((error: unknown) => { failures.push(error) }).finally(() => { busy -= 1 })
  for (let cycle = 0; cycle < 8; cycle += 1) {
    await pause(randomInt(300, 1500))
    await killed.kill()
    // Meanwhile the other one takes what comes.
    line.lead(steady.url)
    killed = await start(t, folder, sweeping)
    line.lead(killed.url)
  }
  over.abort()
  await until('each client has sent its last file', () => busy === 0, 2 * finishingMs)
  t.same(failures, [], 'none gave up')

  const kept = audit(folder, { isHashed: false }).rows.filter(({ state }) => state === 'live').map((row) => row.sha256)
  t.ok(sent.length > 20, `${sent.length} uploads`)
  t.same([...kept].sort(), [...sent].sort(), 'each once')
  await until('nothing is left', async () => audit(folder).orphans.length === 0 && (await segmentFiles(folder)).length === 0, upkeepMs)
  t.same(audit(folder).broken, [])
  t.same([...new Set(states(folder).filter((state) => state !== 'receiving'))], ['finished'])
})
