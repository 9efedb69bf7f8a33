// Three gateways on one PostgreSQL and one volume: what is promised to one user holds whichever of them is asked, and however many at once.
import { randomBytes, randomUUID } from 'node:crypto'
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import pg from 'pg'
import t, { type Test } from 'tap'
import { picture, temporaryFolder } from '../helper.ts'
import { compare, rowsOn, type Row } from './audit.ts'
import { attachmentIn, call, get, json, postAttachment, putAvatar, sha256, type Answer, type Call } from './client.ts'
import { receiver, webhookSecret } from './fixtures/receiver.ts'
import { bearer, start, type Gateway, type Settings } from './gateway.ts'
import { until } from './machine.ts'
import { postgres } from './postgres.ts'
import { remove } from './uploaders.ts'

const replicas = 3
/** Hundreds of erasures, one after the other, on a busy machine. */
const longMs = 600_000
/** No upload waits for longer than that until it is committed: it would be swept. */
const sweeping = { SWEEP_INTERVAL_SECONDS: '1', SWEEP_GRACE_SECONDS: '20', SWEEP_MAX_PERCENT: '100', DATABASE_CONNECTIONS: '6' }

const server = await postgres(t)

type Deployment = {
  readonly folder: string
  /** One after the other. */
  readonly gateway: (index: number) => Gateway
  readonly ask: pg.Client
  readonly live: () => Promise<Row[]>
  /** Everything on the volume has its row, and every row its files. */
  readonly isWhole: (t: Test) => Promise<void>
}

let deployments = 0

async function deploy (t: Test, settings: Settings = {}): Promise<Deployment> {
  deployments += 1
  const url = await server.create(`exactness_${deployments}`)
  const folder = await temporaryFolder(t)
  const gateways: Gateway[] = []
  for (let count = 0; count < replicas; count += 1) gateways.push(await start(t, folder, { ...sweeping, ...settings, DATABASE_URL: url }))
  const ask = new pg.Client({ connectionString: url })
  await ask.connect()
  t.teardown(() => ask.end())
  return {
    folder, ask,
    gateway: (index) => gateways[index % replicas] as Gateway,
    live: async () => (await rowsOn(ask)).filter(({ state }) => state === 'live'),
    async isWhole (t) {
      await until('nothing on the volume is without a row', async () => compare(folder, await rowsOn(ask)).orphans.length === 0, 60_000)
      await until('no sidecar is owed', async () => (await rowsOn(ask)).every(({ sidecarDueAt }) => sidecarDueAt === null), 120_000)
      t.same(compare(folder, await rowsOn(ask)).broken, [])
    },
  }
}

/** `count` at once, each asked of the next gateway. */
const atOnce = <T>(count: number, one: (index: number) => Promise<T>): Promise<T[]> => Promise.all(Array.from({ length: count }, (_, index) => one(index)))

function outcomes (answers: readonly Answer[]): Record<string, number> {
  const counts: Record<string, number> = {}
  for (const { status, body } of answers) {
    const key = status < 300 ? String(status) : `${status} ${JSON.parse(body.toString()).code}`
    counts[key] = (counts[key] ?? 0) + 1
  }
  return counts
}

t.test('50 pictures of one user at once: one is current, and all others are its history', { timeout: longMs }, async (t) => {
  const { gateway, ask, isWhole } = await deploy(t)
  const count = 50
  const pictures = await atOnce(count, (index) => picture('png', { seed: index, width: 20 + index }))
  const answers = await Promise.all(pictures.map((bytes, index) => putAvatar(gateway(index), 'ada', bytes)))
  t.same(outcomes(answers), { 200: count - 1, 201: 1 }, 'one was the first')
  const { rows: current } = await ask.query('SELECT "blobId" FROM "Avatar" WHERE "userId" = \'ada\'')
  const { rows: states } = await ask.query('SELECT "state", CAST(COUNT(*) AS INTEGER) AS "count" FROM "Blob" WHERE "ownerId" = \'ada\' GROUP BY "state" ORDER BY "state"')
  t.same(states, [{ state: 'live', count: 1 }, { state: 'superseded', count: count - 1 }])
  const { rows: shown } = await ask.query('SELECT "sha256" FROM "Blob" WHERE "state" = \'live\' AND "id" = $1', [current[0]?.blobId])
  t.equal(current.length, 1)
  for (let index = 0; index < replicas; index += 1) {
    await until('every gateway shows it', async () => sha256((await get(gateway(index), '/api/avatars/ada', 'ada')).body) === shown[0]?.sha256)
  }
  await isWhole(t)
})

t.test('100 uploads at once where one more fits: one is kept', { timeout: longMs }, async (t) => {
  const [kept, size, count] = [100_000, 20_000, 100]
  for (const quota of [{ QUOTA_BYTES: String(kept + size) }, { QUOTA_FILES: '2' }]) {
    const { gateway, live, ask, isWhole } = await deploy(t, quota)
    attachmentIn(await postAttachment(gateway(0), 'ada', randomBytes(kept)))
    const answers = await atOnce(count, (index) => postAttachment(gateway(index), 'ada', randomBytes(size)))
    t.same(outcomes(answers), { 201: 1, '413 QUOTA_EXCEEDED': count - 1 })
    t.equal((await live()).reduce((sum, row) => sum + Number(row.size), 0), kept + size, 'not a byte more')
    t.match((await ask.query('SELECT * FROM "Usage"')).rows, [{ ownerId: 'ada', bytes: String(kept + size), files: 2 }])
    await isWhole(t)
  }
})

t.test('60 requests with one Idempotency-Key at once: one upload, and one answer', { timeout: longMs }, async (t) => {
  const { gateway, live, ask, isWhole } = await deploy(t)
  for (const [path, method, body, type] of [['/api/attachments', 'POST', randomBytes(50_000), 'application/octet-stream'], ['/api/avatars/me', 'PUT', await picture('png'), 'image/png']] as const) {
    const before = (await live()).length
    const request: Call = { method, body, headers: { ...await bearer('ada'), 'content-type': type, 'idempotency-key': randomUUID() } }
    const answers = await atOnce(60, (index) => call(gateway(index), path, request))
    t.same(outcomes(answers), { 201: 60 })
    t.equal(new Set(answers.map(({ body }) => body.toString())).size, 1)
    t.equal(answers.filter(({ headers }) => headers['idempotency-replayed'] === undefined).length, 1)
    t.equal((await live()).length, before + 1)
  }
  t.equal((await ask.query('SELECT 1 FROM "Answer"')).rowCount, 2)
  await isWhole(t)
})

const tus = { ...await bearer('ada'), 'tus-resumable': '1.0.0' }

async function begin (gateway: Gateway, length: number): Promise<string> {
  const { status, headers, body } = await call(gateway, '/api/resumable', { method: 'POST', headers: { ...tus, 'upload-length': length } })
  if (status !== 201) throw new Error(`The upload was not begun: ${status} ${body}`)
  return headers.location ?? ''
}

const patch = (gateway: Gateway, path: string, bytes: Buffer, offset: number): Promise<Answer> =>
  call(gateway, path, { method: 'PATCH', headers: { ...tus, 'content-type': 'application/offset+octet-stream', 'upload-offset': offset }, body: bytes })

async function offsetOf (gateway: Gateway, path: string): Promise<number> {
  const { status, headers } = await call(gateway, path, { method: 'HEAD', headers: tus })
  return status === 200 ? Number(headers['upload-offset']) : Number.NaN
}

t.test('a resumable upload goes on wherever its next bytes come, and becomes one file', { timeout: longMs }, async (t) => {
  const { gateway, live, folder, isWhole } = await deploy(t)
  const bytes = randomBytes(300_000)
  const path = await begin(gateway(0), bytes.length)
  for (let offset = 0, index = 0; offset < bytes.length; offset += 50_000, index += 1) {
    t.equal(await offsetOf(gateway(index + 1), path), offset)
    t.equal((await patch(gateway(index), path, bytes.subarray(offset, offset + 50_000), offset)).status, 204)
  }
  t.match(await live(), [{ sha256: sha256(bytes), size: '300000' }])

  const races = 30
  await atOnce(races, async (race) => {
    const raced = randomBytes(20_000 + race)
    const to = await begin(gateway(race), raced.length)
    // Each offset is sent to two gateways at once, until all of it is there.
    await until('it is complete', async () => {
      const offset = await offsetOf(gateway(race), to)
      if (offset === raced.length) return true
      if (Number.isNaN(offset)) return false
      await Promise.all([1, 2].map((step) => patch(gateway(race + step), to, raced.subarray(offset, offset + 7000), offset).catch(() => {})))
      return false
    }, 120_000)
    await until('it has become a file', async () => (await live()).filter((row) => row.sha256 === sha256(raced)).length === 1, 120_000)
  })
  t.equal((await live()).length, 1 + races, 'none of them became two')
  await until('no piece is left', async () => (await readdir(join(folder, 'resumable'))).length === 0, 120_000)
  await isWhole(t)
})

const admin = await bearer('root', 'uploads:admin')

/** Returns the epoch of the erasure. */
async function erase (gateway: Gateway, user: string): Promise<number> {
  const answer = await call(gateway, `/api/users/${user}/uploads`, { method: 'DELETE', headers: admin, idleMs: 120_000 })
  if (answer.status !== 200) throw new Error(`The user was not erased: ${answer.status} ${answer.body}`)
  return json(answer).erased.epoch
}

t.test('uploads of users who are erased at the same moment: nothing is left that came before', { timeout: longMs }, async (t) => {
  const { gateway, ask, isWhole } = await deploy(t)
  const users = 200
  const together = 4
  const epochs = new Map<string, number>()
  const answers: Answer[] = []
  for (let first = 0; first < users; first += together) {
    await atOnce(together, async (index) => {
      const user = `user-${first + index}`
      attachmentIn(await postAttachment(gateway(index), user, randomBytes(100)))
      const [sent, shown, epoch] = await Promise.all([
        postAttachment(gateway(index), user, randomBytes(5000)),
        putAvatar(gateway(index + 2), user, await picture('png', { seed: first + index })),
        erase(gateway(index + 1), user),
      ])
      answers.push(sent, shown)
      epochs.set(user, epoch)
    })
  }
  const { 200: shown = 0, 201: sent = 0, '410 OWNER_ERASED': refused = 0 } = outcomes(answers)
  t.equal(shown + sent + refused, 2 * users)
  t.comment(`${shown + sent} were committed before their owner was erased, or began after that; ${refused} were caught by it`)
  t.same([...epochs.values()].sort((one, other) => one - other), Array.from({ length: users }, (_, index) => index + 1), 'each erasure has an epoch of its own, and none is left out')
  const { rows } = await ask.query<{ ownerId: string, epoch: number }>('SELECT "ownerId", "epoch" FROM "Blob" WHERE "ownerId" IS NOT NULL')
  t.same(rows.filter(({ ownerId, epoch }) => epoch < (epochs.get(ownerId) ?? 0)), [], 'no row is from before')
  await isWhole(t)
})

t.test('of readers who are erased while files name them, no name is left that came before', { timeout: longMs }, async (t) => {
  const { gateway, ask, isWhole } = await deploy(t)
  const { id } = attachmentIn(await postAttachment(gateway(0), 'ada', randomBytes(50)))
  const headers = { ...await bearer('ada'), 'content-type': 'application/json' }
  for (let round = 0; round < 60; round += 1) {
    const reader = `reader-${round}`
    const name = (index: number) => call(gateway(index), `/api/attachments/${id}`, { method: 'PATCH', headers, body: Buffer.from(JSON.stringify({ readers: [reader, `other-${index}`] })) })
    const [one, other, epoch] = await Promise.all([name(round), name(round + 1), erase(gateway(round + 2), reader)])
    t.same([one.status, other.status], [200, 200])
    // A list that was made by a request which began after the erasure may name them again.
    const { rows } = await ask.query<{ readersEpoch: number }>('SELECT "readersEpoch" FROM "Attachment" WHERE "readers" LIKE $1', [`%${reader},%`])
    t.same(rows.filter(({ readersEpoch }) => readersEpoch < epoch), [])
  }
  await isWhole(t)
})

t.test('what happens to the files of one user is told in the order in which it was committed', { timeout: longMs }, async (t) => {
  const hook = await receiver(t)
  const { gateway, ask } = await deploy(t, { WEBHOOK_URL: hook.url, WEBHOOK_SECRET: webhookSecret })
  // The order of the commits as PostgreSQL has it: the last statement of each transaction that tells something writes its turn.
  await ask.query(`CREATE TABLE "Told" ("turn" BIGSERIAL, "seq" INTEGER, "id" TEXT);
    CREATE FUNCTION "note"() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN INSERT INTO "Told" ("seq", "id") VALUES (NEW."seq", NEW."id"); RETURN NULL; END $$;
    CREATE CONSTRAINT TRIGGER "note" AFTER INSERT ON "Event" DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION "note"()`)
  const chains = 60
  await atOnce(chains, async (index) => {
    const { id } = attachmentIn(await postAttachment(gateway(index), 'ada', randomBytes(100)))
    t.equal((await call(gateway(index + 1), `/api/attachments/${id}`, { method: 'PATCH', headers: { ...await bearer('ada'), 'content-type': 'application/json' }, body: Buffer.from('{"alt":"a"}') })).status, 200)
    t.equal((await remove(gateway(index + 2), `/api/attachments/${id}`, 'ada')).status, 204)
  })
  const { rows } = await ask.query<{ id: string, seq: number }>('SELECT "id", "seq" FROM "Told" ORDER BY "turn"')
  t.equal(rows.length, 3 * chains)
  t.same(rows.map(({ seq }) => seq), rows.map(({ seq }) => seq).sort((one, other) => one - other), 'they are numbered as they were committed')
  const firsts = () => [...new Set(hook.taken.map(({ id }) => id))]
  await until('all of it is told', () => firsts().length === rows.length, 120_000)
  t.same(firsts(), rows.map(({ id }) => id))
  t.same(hook.faults, [])
})
