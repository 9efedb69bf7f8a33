// Three gateways on one PostgreSQL and one shared folder: one of them leads, whatever dies or falls silent; what happens on one counts on all.
import { randomBytes, randomInt } from 'node:crypto'
import { PassThrough } from 'node:stream'
import t, { type Test } from 'tap'
import { picture, temporaryFolder } from '../helper.ts'
import { attachmentIn, call, get, json, postAttachment, putAvatar, sha256, type Answer } from './client.ts'
import { receiver, webhookSecret, type Receiver } from './fixtures/receiver.ts'
import { bearer, start, type Gateway, type Settings } from './gateway.ts'
import { pause, until } from './machine.ts'
import { postgres, type Postgres } from './postgres.ts'

const mebibyte = 1024 ** 2

type Three = readonly [Gateway, Gateway, Gateway]

type Replicas = { readonly server: Postgres, readonly folder: string, readonly gateways: Three, readonly settings: Settings }

async function replicas (t: Test, more: Settings = {}): Promise<Replicas> {
  const server = await postgres(t)
  const folder = await temporaryFolder(t)
  const settings = { DATABASE_URL: server.url, ...more }
  const gateways = await Promise.all([start(t, folder, settings), start(t, folder, settings), start(t, folder, settings)])
  return { server, folder, gateways, settings }
}

const telling = ({ url }: Receiver): Settings => ({ WEBHOOK_URL: url, WEBHOOK_SECRET: webhookSecret })

async function leads (gateway: Gateway): Promise<boolean> {
  const answer = await call(gateway, '/metrics', { idleMs: 1000 }).catch(() => undefined)
  return /^uploads_leads 1$/m.test(answer?.body.toString() ?? '')
}

async function leading (gateways: readonly Gateway[]): Promise<Gateway[]> {
  const found = await Promise.all(gateways.map(leads))
  return gateways.filter((_, index) => found[index])
}

/** The one that leads, and those that do not. @throws when there is not exactly one within `ms` */
async function roles (gateways: readonly Gateway[], ms = 10_000): Promise<{ leader: Gateway, others: Gateway[], afterMs: number }> {
  const at = Date.now()
  let found: Gateway[] = []
  await until('one leads', async () => {
    found = await leading(gateways)
    return found.length === 1
  }, ms)
  const [leader] = found
  if (leader === undefined) throw new Error('there is one')
  return { leader, others: gateways.filter((gateway) => gateway !== leader), afterMs: Date.now() - at }
}

const lines = ({ lines }: Gateway, upkeep: string): string[] => lines.filter((line) => line.includes(`"upkeep":"${upkeep}"`))

const setAvatar = async (gateway: Gateway, user: string, seed: number): Promise<Answer> => putAvatar(gateway, user, await picture('jpeg', { seed, width: 300, height: 300 }))

t.test('exactly one leads; when it is killed another does within 10 s', async (t) => {
  const { gateways, folder, settings } = await replicas(t)
  const { leader, others } = await roles(gateways)
  t.equal((await leading(others)).length, 0)
  await leader.kill()
  const { leader: second, afterMs } = await roles(others)
  t.comment(`another led ${afterMs} ms after the kill`)
  const again = await start(t, folder, settings)
  t.strictSame(await leading([again, ...others]), [second], 'one that comes back takes nothing away')
  const stoppedAt = Date.now()
  await second.stop()
  await roles([again, ...others.filter((one) => one !== second)])
  t.comment(`another led ${Date.now() - stoppedAt} ms after a clean stop began`)
})

t.test('a leader that falls silent is succeeded within 10 s, and does nothing twice when it wakes', async (t) => {
  const hook = await receiver(t)
  const { gateways, server } = await replicas(t, { ...telling(hook), SWEEP_INTERVAL_SECONDS: '1', SWEEP_GRACE_SECONDS: '0' })
  const { leader, others } = await roles(gateways)
  for (const gateway of gateways) attachmentIn(await postAttachment(gateway, 'ada', randomBytes(1000)))
  await until('all of it is delivered', async () => (await server.client.query('SELECT FROM "Event"')).rowCount === 0)
  process.kill(leader.pid, 'SIGSTOP')
  const { leader: second, afterMs } = await roles(others)
  t.comment(`another led ${afterMs} ms after the stop`)
  const [third] = others.filter((one) => one !== second)
  if (third === undefined) throw new Error('there is a third')
  for (const gateway of [second, third, second, third]) attachmentIn(await postAttachment(gateway, 'ada', randomBytes(1000)))
  await until('the successor delivers', () => hook.taken.length === 7)
  const already = lines(leader, 'sweep').length
  process.kill(leader.pid, 'SIGCONT')
  for (let round = 0; round < 10; round += 1) {
    t.strictSame(await leading(gateways), [second], 'it knows that it does not lead any more')
    attachmentIn(await postAttachment(leader, 'ada', randomBytes(1000)))
    await pause(200)
  }
  await until('all is delivered', () => hook.taken.length === 17)
  await pause(1500)
  t.equal(new Set(hook.taken.map(({ id }) => id)).size, hook.taken.length, 'nothing is told twice')
  t.strictSame(hook.taken.map(({ occurredAt }) => occurredAt), hook.taken.map(({ occurredAt }) => occurredAt).toSorted(), 'in order')
  t.strictSame(lines(leader, 'sweep').slice(already).filter((line) => !line.includes('ended early')), [], 'what was under way ended, and nothing began')
  t.ok(leader.lines.some((line) => line.includes('does not lead any more')))
})

t.test('when PostgreSQL is killed and comes back, one leads again within 10 s, and all hear each other', async (t) => {
  const { gateways, server } = await replicas(t)
  await roles(gateways)
  await server.kill()
  await until('nobody leads', async () => (await leading(gateways)).length === 0, 10_000)
  await server.start()
  const { afterMs } = await roles(gateways)
  t.comment(`one led ${afterMs} ms after PostgreSQL was back`)
  const [a, b, c] = gateways
  for (const [from, to] of [[a, b], [b, c], [c, a]] as const) await endsElsewhere(t, from, to)
})

/** Erases a user on one gateway who is uploading on the other. */
async function endsElsewhere (t: Test, from: Gateway, to: Gateway): Promise<void> {
  const user = `ada-${randomBytes(4).toString('hex')}`
  await until('it takes uploads', async () => (await postAttachment(from, user, randomBytes(10))).status === 201)
  const body = new PassThrough()
  const answer = call(to, '/api/attachments', { method: 'POST', headers: { ...await bearer(user), 'content-type': 'application/octet-stream' }, body })
  body.write(randomBytes(mebibyte))
  await pause(300)
  const at = Date.now()
  const erased = await call(from, `/api/users/${user}/uploads`, { method: 'DELETE', headers: await bearer('root', 'uploads:admin') })
  t.equal(erased.status, 200)
  const { status } = await answer
  t.equal(status, 410)
  t.ok(Date.now() - at < 2500, `an upload elsewhere ended after ${Date.now() - at} ms`)
  body.destroy()
}

t.test('who is erased on one gateway has no upload go on on another', async (t) => {
  const { gateways: [a, b] } = await replicas(t)
  await endsElsewhere(t, a, b)
  await endsElsewhere(t, b, a)
})

t.test('sweeps, expiries and webhooks are one gateway\'s, and each event is told once, in order, whichever gateway it happened on', async (t) => {
  const hook = await receiver(t)
  const { gateways, server } = await replicas(t, { ...telling(hook), SWEEP_INTERVAL_SECONDS: '1', SWEEP_GRACE_SECONDS: '0', TRASH_RETENTION_DAYS: '0', SWEEP_MAX_PERCENT: '100' })
  const { leader, others } = await roles(gateways)
  const users = ['ada', 'bob', 'cy', 'dan']
  const expected: Record<string, string[]> = {}
  await Promise.all(users.map(async (user, index) => {
    const done: string[] = []
    expected[user] = done
    for (let round = 0; round < 25; round += 1) {
      const gateway = gateways[(round + index) % 3] as Gateway
      const { id } = attachmentIn(await postAttachment(gateway, user, randomBytes(500)))
      done.push(`attachment.created ${id}`)
      if (round % 2 === 0) continue
      const gone = await call(gateways[(round + index + 1) % 3] as Gateway, `/api/attachments/${id}`, { method: 'DELETE', headers: await bearer(user) })
      if (gone.status !== 204) throw new Error(String(gone.status))
      done.push(`attachment.deleted ${id}`)
    }
  }))
  await until('all is delivered', async () => (await server.client.query('SELECT FROM "Event"')).rowCount === 0)
  for (const user of users) t.strictSame(hook.taken.filter(({ ownerId }) => ownerId === user).map(({ type, data }) => `${type} ${String(data['id'])}`), expected[user])
  t.strictSame(hook.faults, [])
  await until('what was deleted is purged', async () => (await server.client.query('SELECT FROM "Blob" WHERE "state" <> \'live\'')).rowCount === 0)
  t.ok(lines(leader, 'sweep').length > 0)
  for (const other of others) t.strictSame(lines(other, 'sweep'), [])
})

t.test('who is erased again and again is told of each time, and of every upload since the last time, while those that lead are killed', { timeout: 180_000 }, async (t) => {
  const hook = await receiver(t)
  const { gateways: first, server, folder, settings } = await replicas(t, telling(hook))
  const gateways: Gateway[] = [...first]
  const erasures = 12
  const uploading = new AbortController()
  let kills = 0
  const killing = (async () => {
    for (; !uploading.signal.aborted; kills += 1) {
      const { leader } = await roles(gateways)
      hook.answer(kills % 2 === 0 ? 503 : 204)
      await leader.kill()
      gateways[gateways.indexOf(leader)] = await start(t, folder, settings)
    }
    hook.answer(204)
  })()

  /** On one of the gateways, and on another one when that is killed meanwhile: once, or twice. */
  async function asking<Result> (ask: (gateway: Gateway) => Promise<Result>): Promise<Result> {
    for (let attempt = randomInt(3); ; attempt += 1) {
      try {
        return await ask(gateways[attempt % 3] as Gateway)
      } catch {
        await pause(50)
      }
    }
  }
  const users = ['ada', 'bob', 'cy', 'dan']
  const since = await Promise.all(users.map(async (user) => {
    const ids: string[] = []
    for (let round = 0; round <= erasures; round += 1) {
      for (let count = 0; count < 3; count += 1) {
        const { id } = await asking(async (gateway) => attachmentIn(await postAttachment(gateway, user, randomBytes(500))))
        ids.push(id)
      }
      if (round === erasures) return ids
      const erasure = await asking(async (gateway) => {
        const answer = await call(gateway, `/api/users/${user}/uploads`, { method: 'DELETE', headers: await bearer('root', 'uploads:admin') })
        if (answer.status !== 200) throw new Error(String(answer.status))
        return json(answer).erased
      })
      t.ok(erasure.blobs.length >= 3 * (round + 1), 'the receipt names all that was erased')
      ids.length = 0
    }
    return ids
  }))
  uploading.abort()
  await killing
  t.ok(kills > 1, `${kills} were killed`)
  await until('all is delivered', async () => (await server.client.query('SELECT FROM "Event"')).rowCount === 0, 90_000)
  for (const [index, user] of users.entries()) {
    const told = (type: string) => new Set(hook.taken.filter((one) => one.ownerId === user && one.type === type).map(({ data }) => String(data['id'])))
    const created = told('attachment.created')
    t.strictSame(since[index]?.filter((id) => !created.has(id)), [], `every upload of ${user} since the last erasure`)
    t.ok(told('attachment.erased').size >= 3 * erasures, 'every file that was erased')
  }
  t.strictSame(hook.faults, [])
})

t.test('what is due when a gateway takes over is done within seconds, not after its interval, and by nobody else', async (t) => {
  const { gateways, server } = await replicas(t)
  const { leader, others } = await roles(gateways)
  const [other] = others
  if (other === undefined) throw new Error('there is another')
  const expiresAt = new Date(Date.now() + 2000)
  const { id } = json(await call(other, '/api/attachments?visibility=public', { method: 'POST', headers: { ...await bearer('ada'), 'content-type': 'application/octet-stream', 'content-disposition': 'attachment; filename="a.bin"' }, body: randomBytes(10) })).attachments[0]
  t.equal((await call(other, `/api/attachments/${id}`, { method: 'PATCH', headers: { ...await bearer('ada'), 'content-type': 'application/json' }, body: Buffer.from(JSON.stringify({ expiresAt })) })).status, 200)
  await pause(expiresAt.getTime() - Date.now())
  await leader.kill()
  const at = Date.now()
  await until('it is in the trash', async () => (await server.client.query('SELECT FROM "Blob" WHERE "state" = \'deleted\'')).rowCount === 1, 10_000)
  t.comment(`${Date.now() - at} ms after the kill`)
  const { leader: second } = await roles(others)
  await until('that is said', () => lines(second, 'expired').length === 1)
  for (const third of others) if (third !== second) t.strictSame(lines(third, 'expired'), [])
})

t.test('an event on one gateway is told at once by the one that leads', async (t) => {
  const hook = await receiver(t)
  const { gateways, folder } = await replicas(t, telling(hook))
  const { others: [other] } = await roles(gateways)
  if (other === undefined) throw new Error('there is another')
  const waits: number[] = []
  for (let round = 0; round < 12; round += 1) {
    const before = hook.taken.length
    attachmentIn(await postAttachment(other, 'ada', randomBytes(100)))
    const at = performance.now()
    while (hook.taken.length === before) await pause(2)
    waits.push(performance.now() - at)
    await pause(170)
  }
  const [, second = 0] = waits.toSorted((a, b) => b - a)
  t.ok(second < 300, `told within ${Math.round(second)} ms, where it is looked for once a second (${folder})`)
})

const tus = { ...await bearer('ada'), 'tus-resumable': '1.0.0' }
const piece = { ...tus, 'content-type': 'application/offset+octet-stream' }

async function begin (gateway: Gateway, length: number): Promise<string> {
  const { status, headers } = await call(gateway, '/api/resumable', { method: 'POST', headers: { ...tus, 'upload-length': length } })
  if (status !== 201) throw new Error(String(status))
  return headers.location ?? ''
}

const patch = (gateway: Gateway, path: string, bytes: Buffer | PassThrough, offset: number): Promise<Answer> =>
  call(gateway, path, { method: 'PATCH', headers: { ...piece, 'upload-offset': offset }, body: bytes })

const offsetOn = async (gateway: Gateway, path: string): Promise<number> =>
  Number((await call(gateway, path, { method: 'HEAD', headers: tus })).headers['upload-offset'])

t.test('a resumable upload that began on one gateway goes on on another and is finished on the third', async (t) => {
  const { gateways: [a, b, c] } = await replicas(t)
  const bytes = randomBytes(9 * mebibyte)
  const path = await begin(a, bytes.length)
  t.equal((await patch(a, path, bytes.subarray(0, 4 * mebibyte), 0)).status, 204)
  t.equal(await offsetOn(b, path), 4 * mebibyte)
  t.equal((await patch(b, path, bytes.subarray(4 * mebibyte, 6 * mebibyte), 4 * mebibyte)).status, 204)
  const last = await patch(c, path, bytes.subarray(6 * mebibyte), 6 * mebibyte)
  t.equal(last.status, 204)
  for (const gateway of [a, b, c]) t.equal(sha256((await get(gateway, `${String(last.headers['upload-result'])}/content`, 'ada')).body), sha256(bytes))
})

t.test('who is asked on another gateway where an upload stands ends its holder, of which nothing is lost', async (t) => {
  const { gateways: [a, b] } = await replicas(t)
  const bytes = randomBytes(6 * mebibyte)
  for (const [from, to] of [[a, b], [b, a]] as const) {
    const path = await begin(from, bytes.length)
    const body = new PassThrough()
    const first = patch(from, path, body, 0)
    body.write(bytes.subarray(0, 3 * mebibyte))
    // Less than what is told to the row by itself, and sooner.
    await pause(400)
    const at = Date.now()
    t.equal(await offsetOn(to, path), 3 * mebibyte, 'all that had come')
    t.ok(Date.now() - at < 1500, `after ${Date.now() - at} ms`)
    t.equal((await first).status, 409)
    body.destroy()
    const last = await patch(to, path, bytes.subarray(3 * mebibyte), 3 * mebibyte)
    t.equal(sha256((await get(from, `${String(last.headers['upload-result'])}/content`, 'ada')).body), sha256(bytes))
  }
})

t.test('a gateway that is killed in the middle of a piece holds nobody up for long', async (t) => {
  const { gateways: [a, b, c] } = await replicas(t)
  const bytes = randomBytes(40 * mebibyte)
  const path = await begin(a, bytes.length)
  const body = new PassThrough()
  const lost = t.rejects(patch(a, path, body, 0))
  for (let at = 0; at < 24; at += 1) body.write(bytes.subarray(at * mebibyte, (at + 1) * mebibyte))
  await until('some of it counts', async () => json(await get(b, path, 'ada')).offset >= 16 * mebibyte)
  await a.kill()
  await lost
  const at = Date.now()
  const offset = await offsetOn(b, path)
  t.ok(Date.now() - at < 4000, `after ${Date.now() - at} ms`)
  t.ok(offset >= 16 * mebibyte)
  const middle = Math.floor((offset + bytes.length) / 2)
  t.equal((await patch(b, path, bytes.subarray(offset, middle), offset)).status, 204)
  const last = await patch(c, path, bytes.subarray(middle), middle)
  t.equal(sha256((await get(b, `${String(last.headers['upload-result'])}/content`, 'ada')).body), sha256(bytes))
})

t.test('a changed avatar is what every gateway shows, in every size, with the answer to the change', async (t) => {
  const { gateways } = await replicas(t)
  const shapes = ['', '?size=64', '?size=256&format=webp', '?fallback=initials', '?size=128&fallback=identicon']
  let worst = 0
  const tags = new Map<string, string>()
  for (let round = 0; round < 12; round += 1) {
    const { status } = await setAvatar(gateways[round % 3] as Gateway, 'ada', round * 20)
    t.ok(status === 200 || status === 201)
    const at = performance.now()
    const plain = await Promise.all(gateways.map((gateway) => call(gateway, '/api/avatars/ada')))
    worst = Math.max(worst, performance.now() - at)
    t.equal(new Set(plain.map(({ headers }) => headers.etag)).size, 1)
    const first = await Promise.all(gateways.flatMap((gateway) => shapes.map(async (shape) => ({ shape, ...await call(gateway, `/api/avatars/ada${shape}`) }))))
    for (const shape of shapes) {
      const answers = first.filter((one) => one.shape === shape)
      t.strictSame(new Set(answers.map(({ status }) => status)), new Set([200]))
      const etags = new Set(answers.map(({ headers }) => headers.etag))
      t.equal(etags.size, 1, `all show the same for "${shape}"`)
      const [etag = ''] = etags
      t.not(etag, tags.get(shape), 'and another than before')
      const old = tags.get(shape)
      if (old !== undefined) for (const gateway of gateways) t.equal((await call(gateway, `/api/avatars/ada${shape}`, { headers: { 'if-none-match': old } })).status, 200, 'the old one is not confirmed')
      tags.set(shape, etag)
    }
  }
  t.comment(`read on all of them within ${Math.round(worst)} ms of the change`)
  t.ok(worst < 1000)
  t.equal((await call(gateways[1], '/api/avatars/me', { method: 'DELETE', headers: await bearer('ada') })).status, 204)
  for (const gateway of gateways) {
    t.equal((await call(gateway, '/api/avatars/ada')).status, 404)
    t.equal((await call(gateway, '/api/avatars/ada?size=64')).status, 404)
    t.equal((await call(gateway, '/api/avatars/ada?fallback=initials')).status, 200)
  }
})

t.test('who logs out, or is called otherwise, does so on every gateway at once', async (t) => {
  const { gateways: [a, b, c] } = await replicas(t)
  const post = (gateway: Gateway, path: string, body: object, more: Record<string, string> = {}, method = 'POST') => call(gateway, path, { method, headers: { 'content-type': 'application/json', ...more }, body: Buffer.from(JSON.stringify(body)) })
  const account = json(await post(a, '/api/auth/register', { email: 'ada@example.com', password: 'correct horse battery', displayName: 'Ada' }))
  const own = { authorization: `Bearer ${account.token}` }
  const drawn = async (gateway: Gateway) => sha256((await call(gateway, `/api/avatars/${account.user.id}?fallback=initials`)).body)
  const before = await Promise.all([a, b, c].map(drawn))
  t.equal(new Set(before).size, 1)
  t.equal((await post(b, '/api/auth/profile', { displayName: 'Zoe' }, own, 'PUT')).status, 200)
  const after = await Promise.all([a, b, c].map(drawn))
  t.equal(new Set(after).size, 1)
  t.not(after[0], before[0])
  t.equal((await post(c, '/api/auth/logout', {}, own)).status, 204)
  for (const gateway of [a, b, c]) t.equal((await call(gateway, '/api/attachments', { headers: own })).status, 401)
})

/** As the version after this one would leave it: a column and a table more, which this one has never heard of. */
async function migrateByHand ({ client }: Postgres): Promise<void> {
  await client.query('ALTER TABLE "Attachment" ADD COLUMN "later" TEXT')
  await client.query('CREATE TABLE "Later" ("id" TEXT PRIMARY KEY, "blobId" TEXT NOT NULL REFERENCES "Blob" ("id") ON DELETE CASCADE)')
  await client.query(`INSERT INTO "_prisma_migrations" ("id", "checksum", "finished_at", "migration_name", "applied_steps_count")
    VALUES (gen_random_uuid()::text, repeat('0', 64), now(), '29990101000000_later', 1)`)
}

t.test('during an upgrade this version goes on beside the next, and starts after it', async (t) => {
  const { gateways, server, folder, settings } = await replicas(t)
  const [a, b, c] = gateways
  const bytes = randomBytes(1000)
  const early = attachmentIn(await postAttachment(a, 'ada', bytes))
  await migrateByHand(server)
  const works = async (gateway: Gateway, user: string) => {
    t.equal((await get(gateway, early.url, 'ada')).body.toString('hex'), bytes.toString('hex'))
    const { id, url } = attachmentIn(await postAttachment(gateway, user, bytes))
    t.equal((await get(a, url, user)).status, 200)
    const changed = await call(gateway, `/api/attachments/${id}`, { method: 'PATCH', headers: { ...await bearer(user), 'content-type': 'application/json' }, body: Buffer.from('{"alt":"a"}') })
    t.equal(changed.status, 200)
    t.equal((await setAvatar(gateway, user, 7)).status, 201)
    t.equal((await get(gateway, '/api/attachments', user)).status, 200)
    t.equal((await call(gateway, `/api/users/${user}/uploads`, { method: 'DELETE', headers: await bearer('root', 'uploads:admin') })).status, 200)
    t.equal((await get(gateway, url, user)).status, 404)
  }
  for (const [gateway, user] of [[a, 'bob'], [b, 'cy'], [c, 'dan']] as const) await works(gateway, user)
  await c.stop()
  const next = await start(t, folder, settings)
  await works(next, 'eve')
  t.ok(next.lines.some((line) => line.includes('29990101000000_later')), 'which it says')
})
