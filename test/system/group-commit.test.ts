// Uploads that share one transaction of the database, some of them refused, with the gateway killed at a call of it, or the call failing: each is all there or not, as it was told.
import { randomBytes, randomInt, randomUUID } from 'node:crypto'
import t, { type Test } from 'tap'
import { temporaryFolder } from '../helper.ts'
import { audit, staging } from './audit.ts'
import { get, json, postAttachment, sha256, type Answer } from './client.ts'
import { start, type Gateway } from './gateway.ts'
import { needs, until } from './machine.ts'
import { inject } from './strace.ts'

/** CYCLES=50 npm run test:system -- test/system/group-commit.test.ts for more. */
const cycles = Number(process.env['CYCLES'] ?? 6)
const size = 20_000
const fits = 3
const settings = { SWEEP_INTERVAL_SECONDS: '1', SWEEP_GRACE_SECONDS: '1', SWEEP_MAX_PERCENT: '100', QUOTA_BYTES: String(size * fits) }
const users = 6

type Sent = { readonly user: string, readonly hash: string, readonly key: string | undefined, readonly bytes: Buffer, answer?: Answer | undefined }

/** More than may be kept, of several users at once; and of one of them, what is sent on two connections under one key. */
function wave (cycle: number): Sent[] {
  const all: Sent[] = []
  for (let user = 0; user < users; user += 1) {
    for (let count = 0; count < fits + 2; count += 1) all.push(sent(`user-${cycle}-${user}`))
    const keyed = sent(`keyed-${cycle}-${user}`, randomUUID())
    all.push(keyed, { ...keyed }, { ...keyed })
  }
  return all
}

function sent (user: string, key?: string): Sent {
  const bytes = randomBytes(size)
  return { user, key, bytes, hash: sha256(bytes) }
}

async function send (gateway: Gateway, one: Sent): Promise<void> {
  const headers = one.key === undefined ? {} : { 'idempotency-key': one.key }
  one.answer = await postAttachment(gateway, one.user, one.bytes, { headers }).catch(() => undefined)
}

const listOf = async (gateway: Gateway, user: string): Promise<Array<{ url: string, sha256: string }>> => json(await get(gateway, '/api/attachments?limit=100', user)).attachments

async function holds (t: Test, gateway: Gateway, all: readonly Sent[]): Promise<void> {
  for (const user of new Set(all.map((one) => one.user))) {
    const own = all.filter((one) => one.user === user)
    const list = await listOf(gateway, user)
    const there = list.map((one) => one.sha256)
    t.ok(list.length <= fits, `${user} has no more than may be kept`)
    t.equal(new Set(there).size, there.length, 'each once')
    t.ok(there.every((hash) => own.some((one) => one.hash === hash)))
    for (const { hash, answer } of own) if (answer?.status === 201) t.ok(there.includes(hash), 'what was acknowledged is there')
    for (const { url, sha256: hash } of list) t.equal(sha256((await get(gateway, url, user)).body), hash)
  }
}

const calls = ['pwrite64', 'fsync'] as const

t.test(`killed ${cycles} times at a call of a commit that many share`, { timeout: 300_000 }, async (t) => {
  await needs('strace')
  const folder = await temporaryFolder(t)
  const all: Sent[] = []
  for (let cycle = 0; cycle < cycles; cycle += 1) {
    const gateway = await start(t, folder, settings)
    const other = await start(t, folder, settings)
    const call = calls[cycle % calls.length] ?? 'fsync'
    await inject(t, gateway, 'main', `${call}:signal=SIGKILL:when=${call === 'fsync' ? randomInt(1, 8) : randomInt(1, 200)}`)
    const current = wave(cycle)
    await Promise.all(current.map((one, index) => send(index % 3 === 0 ? other : gateway, one)))
    await gateway.kill()
    t.comment(`cycle ${cycle}: ${current.filter(({ answer }) => answer?.status === 201).length} of ${current.length} acknowledged`)
    for (const { answer } of current) t.ok(answer === undefined || [201, 413, 409, 503].includes(answer.status), `${answer?.status}`)
    all.push(...current)
    const next = await start(t, folder, settings)
    await holds(t, next, current)
    t.same(audit(folder).broken, [])
    for (const one of current.filter(({ key }) => key !== undefined)) {
      await send(next, one)
      t.equal(one.answer?.status, 201)
    }
    await holds(t, next, current)
    await other.kill()
    await next.kill()
  }
  const last = await start(t, folder, settings)
  await until('no file is without a row', () => audit(folder).orphans.length === 0)
  await holds(t, last, all)
  t.same(audit(folder).broken, [])
})

t.test('a call of a commit that many share fails: who is told so has nothing, and the next are kept', { timeout: 300_000 }, async (t) => {
  await needs('strace')
  const folder = await temporaryFolder(t)
  const gateway = await start(t, folder, settings)
  const all: Sent[] = []
  for (const [cycle, rule] of ['fsync:error=EIO:when=2', 'fsync:error=ENOSPC:when=1', 'pwrite64:error=ENOSPC:when=20', 'pwrite64:error=EIO:when=33', 'pwrite64:error=ENOSPC:when=50+', 'fsync:error=EIO:when=2+2'].entries()) {
    const detach = await inject(t, gateway, 'main', rule)
    const current = wave(100 + cycle)
    await Promise.all(current.map((one) => send(gateway, one)))
    await detach()
    const counts = Object.entries(Object.groupBy(current, ({ answer }) => `${answer?.status} ${answer === undefined || answer.status < 300 ? '' : json(answer).code}`)).map(([status, some]) => `${some?.length} × ${status}`)
    t.comment(`${rule}: ${counts.join(', ')}`)
    for (const { answer } of current) t.ok([201, 413, 409, 503, 507].includes(answer?.status ?? 0), `${answer?.status} ${answer?.body}`)
    await holds(t, gateway, current)
    for (const one of current.filter(({ key }) => key !== undefined)) {
      await send(gateway, one)
      t.equal(one.answer?.status, 201, 'once more with the same key')
    }
    await holds(t, gateway, current)
    all.push(...current)
  }
  await until('no file is without a row', () => audit(folder).orphans.length === 0)
  t.same(audit(folder).broken, [])
  t.same(staging(folder).flatMap(({ files }) => files), [])
  await gateway.kill()
  await holds(t, await start(t, folder, settings), all)
})
