// What a user may keep, and send in a minute, holds to the byte: with many at once, on two gateways, through kills.
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { connect } from 'node:net'
import { Readable } from 'node:stream'
import t, { type Test } from 'tap'
import { multipart, temporaryFolder } from '../helper.ts'
import { audit, staging } from './audit.ts'
import { attachmentIn, call, get, json, postAttachment, type Answer, type Call } from './client.ts'
import { bearer, start, type Gateway } from './gateway.ts'
import { pause, until } from './machine.ts'
import { remove } from './uploaders.ts'

const parallel = 100
const size = 20_000
const kept = 100_000
const sweeping = { SWEEP_INTERVAL_SECONDS: '1', SWEEP_GRACE_SECONDS: '1', SWEEP_MAX_PERCENT: '100' }
const { authorization } = await bearer('ada')

const usedBytes = (folder: string): number => audit(folder, { isHashed: false }).rows.filter(({ state }) => state === 'live').reduce((sum, row) => sum + Number(row.size), 0)
const usage = async (gateway: Gateway) => json(await get(gateway, '/api/usage', 'ada'))

function statuses (answers: readonly Answer[]): Record<string, number> {
  const counts: Record<string, number> = {}
  for (const { status, body } of answers) {
    const key = status < 300 ? String(status) : `${status} ${json({ body } as Answer).code}`
    counts[key] = (counts[key] ?? 0) + 1
  }
  return counts
}

/** The same bytes in each way that clients send them. */
const ways: Array<[name: string, request: () => Promise<Call>]> = [
  ['raw', async () => ({ headers: { 'content-type': 'application/octet-stream' }, body: randomBytes(size) })],
  ['in a form', async () => {
    const { payload, headers } = await multipart([['file', { bytes: randomBytes(size), filename: 'a.bin' }]])
    return { headers, body: payload }
  }],
  ['without a length', async () => ({ headers: { 'content-type': 'application/octet-stream', 'transfer-encoding': 'chunked' }, body: Readable.from([randomBytes(size / 2), randomBytes(size / 2)]) })],
]

const post = async (gateway: Gateway, { headers, ...call_ }: Call) => call(gateway, '/api/attachments', { ...call_, method: 'POST', headers: { ...headers, authorization } })

for (const [name, request] of ways) {
  t.test(`${parallel} at once ${name}, where one more fits, on two gateways: one is kept`, async (t) => {
    const folder = await temporaryFolder(t)
    const settings = { ...sweeping, QUOTA_BYTES: String(kept + size) }
    const gateways = [await start(t, folder, settings), await start(t, folder, settings)] as const
    attachmentIn(await postAttachment(gateways[0], 'ada', randomBytes(kept)))
    const answers = await Promise.all(Array.from({ length: parallel }, async (_, index) => post(gateways[index % 2 === 0 ? 0 : 1], await request())))
    t.same(statuses(answers), { 201: 1, '413 QUOTA_EXCEEDED': parallel - 1 })
    t.equal(usedBytes(folder), kept + size, 'not a byte more')
    t.match(await usage(gateways[1]), { bytes: kept + size, files: 2 })

    t.match(await postAttachment(gateways[0], 'ada', randomBytes(1)), { status: 413, body: /QUOTA_EXCEEDED/ }, 'not even one byte')
    t.equal((await postAttachment(gateways[0], 'eve', randomBytes(size))).status, 201, 'another user is not concerned')
    const [one] = answers.filter(({ status }) => status === 201)
    if (one === undefined) return
    t.equal((await remove(gateways[0], `/api/attachments/${attachmentIn(one).id}`, 'ada')).status, 204)
    t.equal((await post(gateways[1], await request())).status, 201, 'what is deleted makes room at once')
    await until('nothing is left of the others', () => audit(folder).orphans.length === 0)
    t.same(audit(folder).broken, [])
    t.same(staging(folder).flatMap(({ files }) => files), [])
  })
}

t.test(`${parallel} at once where one more file may be kept: one is kept`, async (t) => {
  const folder = await temporaryFolder(t)
  const gateway = await start(t, folder, { ...sweeping, QUOTA_BYTES: '0', QUOTA_FILES: '2' })
  attachmentIn(await postAttachment(gateway, 'ada', randomBytes(10)))
  const answers = await Promise.all(Array.from({ length: parallel }, () => postAttachment(gateway, 'ada', randomBytes(10))))
  t.same(statuses(answers), { 201: 1, '413 QUOTA_EXCEEDED': parallel - 1 })
  t.match(await usage(gateway), { files: 2 })
})

t.test('what takes its time, at once', { timeout: 170_000 }, async (t) => {
  t.jobs = 3

  t.test('what was set aside for uploads that came to nothing is given back, also of a gateway that was killed', { buffered: true }, async (t) => {
    const folder = await temporaryFolder(t)
    const settings = { ...sweeping, QUOTA_BYTES: String(kept) }
    const victim = await start(t, folder, settings)
    const gateway = await start(t, folder, settings)
    await hangUp(victim, kept)
    await until('the one who left is noticed', async () => (await postAttachment(victim, 'ada', randomBytes(1))).status === 201)
    const used = usedBytes(folder)

    const stalled = await begin(victim, kept - used)
    t.match(await postAttachment(victim, 'ada', randomBytes(1000)), { status: 413, body: /QUOTA_EXCEEDED/ }, 'it is set aside')
    await victim.kill()
    stalled.destroy()
    t.equal((await postAttachment(gateway, 'ada', randomBytes(kept - used))).status, 201, 'it is gone with the process')
    t.equal(usedBytes(folder), kept)
  })

  t.test(`${parallel} at once at the byte rate: as many as fit, and Retry-After is true`, { buffered: true }, async (t) => {
    const gateway = await start(t, await temporaryFolder(t), { RATE_BYTES_PER_MINUTE: String(10 * size) })
    const since = Date.now()
    const answers = await Promise.all(Array.from({ length: parallel }, () => postAttachment(gateway, 'ada', randomBytes(size))))
    t.same(statuses(answers), { 201: 10, '429 RATE_EXCEEDED': parallel - 10 })
    await isTrue(t, since, answers, () => postAttachment(gateway, 'ada', randomBytes(size)), () => postAttachment(gateway, 'eve', randomBytes(size)))
  })

  t.test('as many uploads in a minute as the caller may begin', { buffered: true }, async (t) => {
    const gateway = await start(t, await temporaryFolder(t), { RATE_UPLOADS_PER_MINUTE: '7', CALLER_OVERRIDES: 'chat rateUploads=0' })
    const since = Date.now()
    const answers = await Promise.all(Array.from({ length: parallel }, () => postAttachment(gateway, 'ada', randomBytes(10))))
    t.same(statuses(answers), { 201: 7, '429 RATE_EXCEEDED': parallel - 7 })
    const free = await Promise.all(Array.from({ length: parallel }, () => postAttachment(gateway, 'chat', randomBytes(10))))
    t.same(statuses(free), { 201: parallel }, 'who has limits of their own is held to those')
    await isTrue(t, since, answers, () => postAttachment(gateway, 'ada', randomBytes(10)), () => postAttachment(gateway, 'eve', randomBytes(10)))
  })
})

/** An upload of which the head and half of the bytes are sent. */
async function begin (gateway: Gateway, bytes: number) {
  const socket = connect(Number(new URL(gateway.url).port), '127.0.0.1')
  socket.on('error', () => {})
  await once(socket, 'connect')
  socket.write(`POST /api/attachments HTTP/1.1\r\nHost: x\r\nAuthorization: ${authorization}\r\nContent-Type: application/octet-stream\r\nContent-Length: ${bytes}\r\n\r\n`)
  socket.write(randomBytes(Math.floor(bytes / 2)))
  await until('it is in staging', () => staging(gateway.folder).some(({ pid, files }) => pid === gateway.pid && files.length > 0))
  return socket
}

async function hangUp (gateway: Gateway, bytes: number): Promise<void> {
  const socket = await begin(gateway, bytes)
  socket.resetAndDestroy()
}

/** Before the time in Retry-After it is refused, after it no more; others are not concerned. `since`: when the answers were asked for. */
async function isTrue (t: Test, since: number, answers: readonly Answer[], again: () => Promise<Answer>, asAnother: () => Promise<Answer>): Promise<void> {
  const at = Date.now()
  const refused = answers.filter(({ status }) => status === 429)
  const waits = refused.map(({ headers }) => Number(headers['retry-after']))
  t.ok(waits.every((wait) => Number.isInteger(wait) && wait >= 1 && wait <= 61), `wait ${Math.min(...waits)} to ${Math.max(...waits)} s`)
  t.ok(refused.every(({ headers }) => headers['ratelimit'] !== undefined && headers['ratelimit-policy'] !== undefined), `${refused[0]?.headers['ratelimit']} | ${refused[0]?.headers['ratelimit-policy']}`)
  t.equal((await asAnother()).status, 201, 'another caller is not concerned')
  const wait = Math.max(...waits) * 1000
  const slack = at - since + 2000
  // Each refusal says it again, and none of them makes it longer.
  for (const share of [0.3, 0.7]) {
    await pause(at + wait * share - Date.now())
    const early = await again()
    t.equal(early.status, 429, 'too early')
    t.ok(Math.abs(Number(early.headers['retry-after']) * 1000 - (at + wait - Date.now())) <= slack, `then it says ${early.headers['retry-after']} s more`)
  }
  await pause(at + wait - Date.now())
  t.equal((await again()).status, 201, `after ${wait} ms it goes on`)
}
