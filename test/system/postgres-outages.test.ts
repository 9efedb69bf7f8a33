// A PostgreSQL that is killed, or that nobody hears any more, under a gateway at work (I7): refused in time with a reason to come back, and at work again without a restart.
import { setTimeout } from 'node:timers/promises'
import pg from 'pg'
import t, { type Test } from 'tap'
import { isTaken, querying } from '../../src/records/failures.ts'
import { openPostgres } from '../../src/records/postgres/open.ts'
import { temporaryFolder } from '../helper.ts'
import { attachmentIn, call, get, json, postAttachment, type Answer } from './client.ts'
import { lossyWayTo } from './fixtures/lossy-way.ts'
import { start, type Gateway } from './gateway.ts'
import { until } from './machine.ts'
import { postgres } from './postgres.ts'

const rounds = 5
const backWithinMs = 5_000
const refusedWithinMs = 15_000

async function rowsOf (url: string): Promise<Array<{ id: string, blobId: string, filename: string }>> {
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  const { rows } = await client.query('SELECT "id", "blobId", "filename" FROM "Attachment" ORDER BY "id"')
  await client.end()
  return rows
}

type Told = { readonly name: string, readonly answer: Answer, readonly tookMs: number }

/** Uploads without pause until `isOver`, each under a name of its own. Returns all answers. */
async function uploading (gateway: Gateway, count: number, isOver: () => boolean, told: Told[]): Promise<void> {
  const one = async (worker: number) => {
    while (!isOver()) {
      const name = `file ${told.length} of ${worker} at ${performance.now()}`
      const at = performance.now()
      const answer = await postAttachment(gateway, `user-${worker}`, Buffer.from(name), { headers: { 'content-disposition': `attachment; filename="${name}"` } })
      told.push({ name, answer, tookMs: performance.now() - at })
      // As a client that is told to come back does, only sooner.
      if (answer.status !== 201) await setTimeout(100)
    }
  }
  await Promise.all(Array.from({ length: count }, (_, worker) => one(worker)))
}

const ready = async (gateway: Gateway): Promise<number> => (await call(gateway, '/health/ready')).status

const kept = (told: readonly Told[]) => told.filter(({ answer }) => answer.status === 201)
const refused = (told: readonly Told[]) => told.filter(({ answer }) => answer.status !== 201)

function judgeRefusals (t: Test, told: readonly Told[]): void {
  for (const { answer } of refused(told)) {
    if (answer.status !== 503 || json(answer).code !== 'DATABASE_UNAVAILABLE' || !(Number(answer.headers['retry-after']) > 0)) t.fail('a refusal that is no 503 with Retry-After', { status: answer.status, body: answer.body.toString() })
  }
}

t.test(`a PostgreSQL that is killed ${rounds} times under uploads loses and doubles nothing, and the gateway is at work again within ${backWithinMs} ms`, { timeout: 240_000 }, async (t) => {
  const server = await postgres(t, { isSynced: true })
  const url = await server.create('gateway')
  const gateway = await start(t, await temporaryFolder(t), { DATABASE_URL: url })
  const told: Told[] = []
  let isOver = false
  const uploads = uploading(gateway, 8, () => isOver, told)
  for (let round = 1; round <= rounds; round += 1) {
    const [before, failed] = [kept(told).length, refused(told).length]
    await until('uploads are acknowledged', () => kept(told).length > before + 20)
    await server.kill()
    await until('uploads are refused', () => refused(told).length > failed + 8)
    await until('it is not ready', async () => (await ready(gateway)) === 503)
    await server.start()
    const at = performance.now()
    const stood = kept(told).length
    await until('uploads are acknowledged again', () => kept(told).length > stood, backWithinMs)
    t.comment(`round ${round}: acknowledged again ${Math.round(performance.now() - at)} ms after PostgreSQL took connections`)
    await until('it is ready again', async () => (await ready(gateway)) === 200, backWithinMs)
  }
  isOver = true
  await uploads
  judgeRefusals(t, told)

  const rows = await rowsOf(url)
  const names = rows.map(({ filename }) => filename)
  t.equal(new Set(names).size, names.length, 'nothing is there twice')
  const [known, byName] = [new Set(rows.map(({ id }) => id)), new Set(names)]
  t.strictSame(kept(told).filter(({ answer }) => !known.has(attachmentIn(answer).id)).map(({ name }) => name), [], `each of ${kept(told).length} that were acknowledged has its row`)
  t.comment(`${kept(told).length} acknowledged, ${refused(told).length} refused, of which ${refused(told).filter(({ name }) => byName.has(name)).length} are there all the same`)
  for (const { name, answer } of kept(told)) {
    const { body } = await get(gateway, attachmentIn(answer).url, json(answer).attachments[0].ownerId)
    if (body.toString() !== name) t.fail(`${name} has other bytes`)
  }
  t.equal((await gateway.stop()).code, 0)
})

t.test(`when nothing comes through any more an upload is refused within ${refusedWithinMs} ms, and the next ones work when it does`, { timeout: 180_000 }, async (t) => {
  const server = await postgres(t)
  const url = new URL(await server.create('gateway'))
  const way = await lossyWayTo(t, Number(url.port))
  url.port = String(way.port)
  const gateway = await start(t, await temporaryFolder(t), { DATABASE_URL: url.href })
  const told: Told[] = []
  await uploading(gateway, 6, () => kept(told).length > 30, told)
  t.equal(refused(told).length, 0)

  way.swallowAll()
  const swallowed: Told[] = []
  await uploading(gateway, 6, () => refused(swallowed).length >= 6, swallowed)
  judgeRefusals(t, swallowed)
  const slowest = Math.round(Math.max(...swallowed.map(({ tookMs }) => tookMs)))
  t.ok(slowest < refusedWithinMs, `the slowest was told after ${slowest} ms`)
  t.comment(`the slowest refusal took ${slowest} ms`)
  t.equal(kept(swallowed).length, 0)

  way.heal()
  const at = performance.now()
  const later: Told[] = []
  await uploading(gateway, 6, () => kept(later).length > 0, later)
  judgeRefusals(t, later)
  t.comment(`acknowledged again ${Math.round(performance.now() - at)} ms after it came through`)
  t.ok(performance.now() - at < 2 * backWithinMs)
  t.equal((await gateway.stop()).code, 0)
})

t.test('connections that were forgotten on the way are all given up at once, and no later question waits for one', { timeout: 120_000 }, async (t) => {
  const server = await postgres(t)
  const url = new URL(await server.create('forgotten'))
  const way = await lossyWayTo(t, Number(url.port))
  url.port = String(way.port)
  const { client, close } = await openPostgres({ url: url.href, connections: 6 })
  t.teardown(close)
  await Promise.all(Array.from({ length: 6 }, () => client.$queryRaw`SELECT pg_sleep(0.2)::text`))
  way.forget()
  const at = performance.now()
  await t.rejects(querying(() => client.setting.count()), { code: 'DATABASE_UNAVAILABLE' })
  t.ok(performance.now() - at < 10_000)
  const again = performance.now()
  t.equal(await client.setting.count(), 0)
  await Promise.all(Array.from({ length: 6 }, () => client.setting.count()))
  t.ok(performance.now() - again < 2_000, 'the others were given up with the first')
})

t.test('a statement that only takes long is not given up, also in a transaction', { timeout: 120_000 }, async (t) => {
  const server = await postgres(t)
  const { client, close } = await openPostgres({ url: await server.create('long'), connections: 2 })
  t.teardown(close)
  await Promise.all([
    client.$queryRaw`SELECT pg_sleep(9)::text`,
    client.$transaction([client.setting.create({ data: { key: 'a', value: '' } }), client.$queryRaw`SELECT pg_sleep(9)::text`]),
  ])
  t.equal(await client.setting.count(), 1)
})

t.test('a server that does not tell what it is at is believed to be at work', { timeout: 60_000 }, async (t) => {
  const server = await postgres(t)
  const url = await server.create('untold')
  await server.client.query('ALTER ROLE postgres SET track_activities = off')
  const { client, close } = await openPostgres({ url, connections: 1 })
  t.teardown(close)
  await t.resolves(client.$queryRaw`SELECT pg_sleep(9)::text`)
})

t.test('closing does not wait for a server that does not answer', { timeout: 60_000 }, async (t) => {
  const server = await postgres(t)
  const url = new URL(await server.create('closing'))
  const way = await lossyWayTo(t, Number(url.port))
  url.port = String(way.port)
  const { client, close } = await openPostgres({ url: url.href, connections: 2 })
  await client.setting.count()
  way.swallowAll()
  const asked = t.rejects(client.setting.count())
  const at = performance.now()
  await close()
  t.ok(performance.now() - at < 5_000)
  await asked
})

t.test('what breaks a rule of the tables is told apart from a database that is gone', async (t) => {
  const server = await postgres(t)
  const { client, close } = await openPostgres({ url: await server.create('rules'), connections: 2 })
  t.teardown(close)
  await client.setting.create({ data: { key: 'a', value: '' } })
  t.ok(isTaken(await querying(() => client.setting.create({ data: { key: 'a', value: '' } })).catch((error: unknown) => error)))
  const refusal = (code: string) => querying(() => client.$executeRawUnsafe(`DO $$ BEGIN RAISE EXCEPTION SQLSTATE '${code}'; END $$`))
  await t.rejects(refusal('53100'), { code: 'STORAGE_FULL' })
  for (const code of ['57P01', '57P03', '53300', '40001', '55P03', '25006']) await t.rejects(refusal(code), { code: 'DATABASE_UNAVAILABLE', statusCode: 503 })
  await t.rejects(querying(() => client.$queryRaw`SELECT pg_terminate_backend(pg_backend_pid())::text`), { code: 'DATABASE_UNAVAILABLE' })
  t.equal(await client.setting.count(), 1, 'and it goes on')
})
