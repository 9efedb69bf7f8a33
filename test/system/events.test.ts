// What happens to files reaches the webhook: all of it, in order per owner, whatever becomes of the receiver and the gateways meanwhile.
import { randomBytes, randomInt } from 'node:crypto'
import { join } from 'node:path'
import BetterSqlite3 from 'better-sqlite3'
import t from 'tap'
import { temporaryFolder } from '../helper.ts'
import { attachmentIn, call, json, noise, postAttachment, putAvatar, type Answer } from './client.ts'
import { command } from './command.ts'
import { receiver, webhookSecret, type Receiver, type Told } from './fixtures/receiver.ts'
import { bearer, start, type Gateway } from './gateway.ts'
import { pause, until } from './machine.ts'
import { remove } from './uploaders.ts'

const parallel = 8
const downMs = 60_000

const settingsFor = ({ url }: Receiver) => ({ WEBHOOK_URL: url, WEBHOOK_SECRET: webhookSecret })

const waiting = (folder: string): number => {
  const connection = new BetterSqlite3(join(folder, 'database', 'gateway.sqlite'), { readonly: true })
  try {
    return connection.prepare('SELECT id FROM Event').all().length
  } finally {
    connection.close()
  }
}

/** The first time that each was told. */
function firsts (taken: readonly Told[]): Told[] {
  const seen = new Set<string>()
  return taken.filter(({ id }) => !seen.has(id) && seen.add(id))
}

/** Of which file it is, and what happened to it. */
const gist = ({ type, data }: Pick<Told, 'type' | 'data'>): string => `${type} ${data['id'] ?? data['version']}`

/** A user who uploads, replaces and deletes, and remembers what was acknowledged, in that order. */
async function user (name: string, gatewayNow: () => Gateway, signal: AbortSignal): Promise<string[]> {
  const done: string[] = []
  const attachments: string[] = []
  let hasAvatar: boolean | undefined = false
  /** Undefined when the answer did not come: then nobody knows. */
  const tried = (answer: Promise<Answer>) => answer.catch(() => undefined)

  const acts = [
    async () => {
      const answer = await tried(postAttachment(gatewayNow(), name, randomBytes(randomInt(1, 20_000))))
      if (answer?.status !== 201) return
      const { id } = attachmentIn(answer)
      attachments.push(id)
      done.push(`attachment.created ${id}`)
    },
    async () => {
      const id = attachments.shift()
      if (id === undefined) return
      const answer = await tried(remove(gatewayNow(), `/api/attachments/${id}`, name))
      if (answer?.status === 204) done.push(`attachment.deleted ${id}`)
    },
    async () => {
      const answer = await tried(putAvatar(gatewayNow(), name, noise(5000)))
      const wasThere = hasAvatar
      hasAvatar = answer === undefined ? undefined : true
      if (answer?.status !== 200 && answer?.status !== 201) return
      if (wasThere !== undefined) done.push(`avatar.${wasThere ? 'replaced' : 'created'} ${json(answer).version}`)
    },
  ]
  for (let turn = 0; !signal.aborted; turn += 1) {
    await acts[turn % acts.length]?.()
    await pause(randomInt(50, 250))
  }
  return done
}

/** Those of `expected` that do not come in `told` in that order. */
function missing (expected: readonly string[], told: readonly string[]): string[] {
  let at = 0
  return expected.filter((one) => {
    const found = told.indexOf(one, at)
    if (found !== -1) at = found + 1
    return found === -1
  })
}

t.test('a receiver that is down for a minute under load, and a gateway that is killed meanwhile: every event arrives, in order per owner', { timeout: 240_000 }, async (t) => {
  const hook = await receiver(t)
  const folder = await temporaryFolder(t)
  const steady = await start(t, folder, settingsFor(hook))
  let killed = await start(t, folder, settingsFor(hook))
  const over = new AbortController()
  const users = Array.from({ length: parallel }, (_, index) => `user-${index}`)
  const acting = Promise.all(users.map((name, index) => user(name, () => index % 2 === 0 || !killed.isRunning() ? steady : killed, over.signal)))

  await until('some are taken', () => hook.taken.length > 2 * parallel)
  await hook.leave()
  await pause(downMs / 2)
  await killed.kill()
  const depth = waiting(folder)
  t.ok(depth > 20, `${depth} are waiting`)
  t.match((await call(steady, '/metrics')).body.toString(), /webhook_events_waiting [1-9]\d+/)
  killed = await start(t, folder, settingsFor(hook))
  await pause(downMs / 2)
  const before = hook.attempts
  await hook.comeBack()
  over.abort()
  const done = await acting
  const since = Date.now()
  await until('all are taken', () => waiting(folder) === 0, 120_000)
  t.comment(`${hook.taken.length - before} in ${Date.now() - since} ms`)

  t.same(hook.faults, [], 'each was signed')
  const told = firsts(hook.taken)
  t.ok(hook.taken.length - told.length <= 2 * parallel, `${told.length} events, ${hook.taken.length - told.length} of them told twice`)
  for (const [index, name] of users.entries()) {
    const own = told.filter(({ ownerId }) => ownerId === name)
    const expected = done[index] ?? []
    t.same(missing(expected, own.map(gist)), [], `all ${expected.length} of ${name}, in order`)
    t.equal(new Set(own.map(gist)).size, own.length, 'nothing happened twice')
    t.same(own.map(({ occurredAt }) => occurredAt), own.map(({ occurredAt }) => occurredAt).sort(), 'in the order in which it happened')
    t.ok(own.length - expected.length <= 3, 'what was not acknowledged is at most what was under way')
  }
  t.equal((await steady.stop()).code, 0)
})

t.test('a receiver that answers with errors, stands still or sends elsewhere: nothing is lost, and one owner does not hold up the others', { timeout: 90_000 }, async (t) => {
  const hook = await receiver(t)
  const folder = await temporaryFolder(t)
  const gateway = await start(t, folder, settingsFor(hook))
  const ids: string[] = []
  const post = async (name: string) => { ids.push(attachmentIn(await postAttachment(gateway, name, randomBytes(10))).id) }
  const told = () => firsts(hook.taken).map(({ data }) => String(data['id']))

  for (const [what, status, headers] of [['an error', 500, {}], ['another place', 302, { location: `${hook.url}/elsewhere` }], ['a request to wait', 429, { 'retry-after': '1' }], ['that it is gone', 410, {}]] as const) {
    hook.answer(status, headers)
    const before = hook.attempts
    await post('ada')
    await until('it was tried', () => hook.attempts > before)
    t.notOk(told().includes(ids.at(-1) ?? ''), what)
    hook.answer(204)
    await until(`it is taken after ${what}`, () => told().includes(ids.at(-1) ?? ''))
  }

  hook.answer(0)
  const before = hook.attempts
  await post('ada')
  await until('it was tried', () => hook.attempts > before)
  hook.answer(204)
  await post('eve')
  await until('eve\'s is taken, while nobody answers ada\'s', () => told().includes(ids.at(-1) ?? ''), 5000)
  t.notOk(told().includes(ids.at(-2) ?? ''))
  await until('ada\'s is taken too', () => told().includes(ids.at(-2) ?? ''), 40_000)
  t.same([...told()].sort(), [...ids].sort(), 'each')
  t.same(hook.faults, [])
})

t.test('two gateways that look at one outbox tell each thing once, and at once', { timeout: 60_000 }, async (t) => {
  const hook = await receiver(t)
  const folder = await temporaryFolder(t)
  const gateways = [await start(t, folder, settingsFor(hook)), await start(t, folder, settingsFor(hook))] as const
  const answers = await Promise.all(Array.from({ length: 100 }, (_, index) => postAttachment(gateways[index % 2 === 0 ? 0 : 1], `user-${index % 10}`, randomBytes(10))))
  const ids = answers.map((answer) => attachmentIn(answer).id)
  await until('all are taken', () => waiting(folder) === 0)
  t.same(hook.taken.map(({ data }) => data['id']).sort(), [...ids].sort(), 'each, and none twice')
  const since = Date.now()
  await postAttachment(gateways[0], 'ada', randomBytes(10))
  await until('it is taken', () => hook.taken.length === 101)
  t.ok(Date.now() - since < 2000, `after ${Date.now() - since} ms`)
})

t.test('of a user who is erased nothing is told any more but that', { timeout: 60_000 }, async (t) => {
  const hook = await receiver(t)
  const folder = await temporaryFolder(t)
  const gateway = await start(t, folder, settingsFor(hook))
  await hook.leave()
  const { id } = attachmentIn(await postAttachment(gateway, 'ada', randomBytes(10), { headers: { 'content-disposition': 'attachment; filename="a secret name.txt"' } }))
  await postAttachment(gateway, 'eve', randomBytes(10))
  t.equal((await call(gateway, '/api/users/ada/uploads', { method: 'DELETE', headers: await bearer('root', 'uploads:admin') })).status, 200)
  await hook.comeBack()
  await until('all are taken', () => waiting(folder) === 0, 40_000)
  t.same(firsts(hook.taken).filter(({ ownerId }) => ownerId === 'ada').map(gist), [`attachment.erased ${id}`])
  t.notMatch(JSON.stringify(hook.taken), /a secret name/)
  t.match((await command(folder, ['events', 'list'], { settings: settingsFor(hook) })), { code: 0 })
  t.same(hook.taken.filter(({ ownerId }) => ownerId === 'eve').map(({ type }) => type), ['attachment.created'], 'of others it is told as ever')
})
