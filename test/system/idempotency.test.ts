// One Idempotency-Key, one effect: with many at once, answers that are lost, kills, and two gateways.
import { randomBytes, randomInt, randomUUID } from 'node:crypto'
import t from 'tap'
import { multipart, temporaryFolder } from '../helper.ts'
import { audit } from './audit.ts'
import { attachmentIn, call, get, json, noise, postAttachment, sha256, type Answer, type Call } from './client.ts'
import { persist } from './fixtures/persisting.ts'
import { proxy } from './fixtures/proxy.ts'
import { bearer, start, type Gateway } from './gateway.ts'
import { pause, until } from './machine.ts'

const parallel = 50
const sweeping = { SWEEP_INTERVAL_SECONDS: '1', SWEEP_GRACE_SECONDS: '1', SWEEP_MAX_PERCENT: '100' }
const { authorization } = await bearer('ada')

type Way = { readonly name: string, readonly path: string, /** Another body each time. */ request (): Promise<Call>, idIn (answer: Answer): string }

const ways: Way[] = [
  {
    name: 'an attachment as a raw body',
    path: '/api/attachments',
    request: async () => ({ method: 'POST', headers: { 'content-type': 'application/octet-stream', 'content-disposition': 'attachment; filename="a.bin"' }, body: randomBytes(300_000) }),
    idIn: (answer) => attachmentIn(answer).id,
  },
  {
    name: 'an attachment in a form',
    path: '/api/attachments',
    async request () {
      const { payload, headers } = await multipart([['contextType', 'message'], ['file', { bytes: randomBytes(300_000), filename: 'a.bin' }]])
      return { method: 'POST', headers, body: payload }
    },
    idIn: (answer) => attachmentIn(answer).id,
  },
  {
    name: 'an avatar',
    path: '/api/avatars/me',
    request: async () => ({ method: 'PUT', headers: { 'content-type': 'image/png' }, body: noise(200_000) }),
    idIn: (answer) => {
      if (answer.status !== 201) throw new Error(`The avatar was answered with ${answer.status}: ${answer.body}`)
      return json(answer).version
    },
  },
]

const keyed = (request: Call, key: string, token = authorization): Call => ({ ...request, headers: { ...request.headers, authorization: token, 'idempotency-key': key } })

const liveIn = (folder: string) => audit(folder, { isHashed: false }).rows.filter(({ state }) => state === 'live')

/** Nothing is left of the attempts that came to nothing. */
async function isClean (folder: string): Promise<void> {
  await until('no file is without a row', () => audit(folder).orphans.length === 0)
}

for (const { name, path, request, idIn } of ways) {
  t.test(`${parallel} times ${name} at once with one key, lost answers and a kill after the commit: one of it`, async (t) => {
    const folder = await temporaryFolder(t)
    const first = await start(t, folder, sweeping)
    const way = await proxy(t, first.url)
    way.dropAnswers(parallel / 2)
    const sent = keyed(await request(), randomUUID())
    let lost = 0
    const answers = Array.from({ length: parallel }, () => persist(way, path, sent, { onLost: () => { lost += 1 } }))
    await until('one is committed', () => liveIn(folder).length > 0)
    t.equal((await first.kill()).signal, 'SIGKILL')
    const second = await start(t, folder, sweeping)
    way.lead(second.url)

    const ids = new Set((await Promise.all(answers)).map(idIn))
    t.ok(lost > 0, `${lost} attempts came to nothing`)
    t.equal(ids.size, 1, 'one id')
    t.equal(liveIn(folder).length, 1, 'one row')
    await isClean(folder)
    t.same(audit(folder).broken, [])
    t.equal(audit(folder).rows.filter(({ state }) => state !== 'purging').length, 1, 'one blob')
    t.equal((await call(second, path, sent)).headers['idempotency-replayed'], 'true', 'who asks later is told so')
    await second.stop()
  })
}

t.test('the same through two gateways on one database: one attachment, and either answers for it later', async (t) => {
  const folder = await temporaryFolder(t)
  const [first, second] = [await start(t, folder, sweeping), await start(t, folder, sweeping)]
  for (const { name, path, request, idIn } of ways) {
    const before = liveIn(folder).length
    const sent = keyed(await request(), randomUUID())
    const answers = await Promise.all(Array.from({ length: parallel }, (_, index) => persist(index % 2 === 0 ? first : second, path, sent)))
    t.equal(new Set(answers.map(idIn)).size, 1, name)
    t.equal(answers.filter(({ headers }) => headers['idempotency-replayed'] === undefined).length, 1, 'one of them did it')
    t.equal(liveIn(folder).length, before + 1)
  }
  await isClean(folder)
  t.same(audit(folder).broken, [])
})

t.test('clients that retry whatever happens have each file once, through kills at any moment and two gateways', { timeout: 120_000 }, async (t) => {
  const folder = await temporaryFolder(t)
  const steady = await start(t, folder, sweeping)
  let killed = await start(t, folder, sweeping)
  const ways = [await proxy(t, killed.url), await proxy(t, steady.url)]
  const kept = new Set<string>()
  const wrong: string[] = []
  const over = new AbortController()
  let lost = 0

  async function client (): Promise<void> {
    while (!over.signal.aborted) {
      const body = randomBytes(randomInt(1000, 400_000))
      const sent: Call = keyed({ method: 'POST', headers: { 'content-type': 'application/octet-stream' }, body }, randomUUID())
      // Each attempt through another gateway than the one before.
      let turn = randomInt(2)
      const target = { get url () { return ways[turn++ % 2]?.url ?? '' } }
      const { id, sha256: hash } = attachmentIn(await persist(target, '/api/attachments', sent, { onLost: () => { lost += 1 } }))
      if (kept.has(id) || hash !== sha256(body)) wrong.push(id)
      kept.add(id)
    }
  }

  const clients = Array.from({ length: 12 }, client)
  for (let cycle = 0; cycle < 6; cycle += 1) {
    for (const way of ways) way.dropAnswers(10)
    await pause(randomInt(500, 1200))
    await killed.kill()
    killed = await start(t, folder, sweeping)
    ways[0]?.lead(killed.url)
  }
  over.abort()
  await Promise.all(clients)
  const dropped = ways.reduce((sum, { droppedAnswers }) => sum + droppedAnswers, 0)
  t.ok(dropped > 20, `${kept.size} uploads, ${lost} attempts came to nothing, of those ${dropped} were answered`)
  t.same(wrong, [], 'each is answered with an id of its own, and its own bytes')
  t.equal(liveIn(folder).length, kept.size, 'as many rows as were meant')
  await isClean(folder)
  t.same(audit(folder).broken, [])
})

t.test('a key stands for one request of one caller, also after a restart', async (t) => {
  const folder = await temporaryFolder(t)
  let gateway: Gateway = await start(t, folder)
  const key = randomUUID()
  const [one, other] = [randomBytes(1000), randomBytes(1000)]
  const post = (user: string, body: Buffer) => postAttachment(gateway, user, body, { headers: { 'idempotency-key': key } })
  const { id } = attachmentIn(await post('ada', one))
  await gateway.kill()
  gateway = await start(t, folder)
  t.equal(attachmentIn(await post('ada', one)).id, id)
  t.match(await post('ada', other), { status: 422, body: /IDEMPOTENCY_KEY_REUSED/ })
  const hers = attachmentIn(await post('eve', one))
  t.not(hers.id, id, 'another caller\'s key is another key')
  t.equal((await get(gateway, hers.url, 'ada')).status, 404)
  t.equal(liveIn(folder).length, 2)
})
