import { setImmediate } from 'node:timers/promises'
import Fastify from 'fastify'
import fastifyPlugin from 'fastify-plugin'
import { test } from 'tap'
import { delivery } from '../../src/events/delivery.ts'
import { createOutbox } from '../../src/events/records.ts'
import type { Chore } from '../../src/plugins/upkeep.ts'
import { createLoneCoordination } from '../../src/records/coordination.ts'
import { coordinationDouble } from '../fixtures/coordination.ts'
import { collectLog } from '../fixtures/log.ts'
import { build, multipart, picture } from '../helper.ts'
import { refusing, taken, type Message } from './fixtures/receiver.ts'
import { idOf, toldGateway } from './fixtures/told.ts'

test('every created, changed, deleted and restored attachment is told at once, in order', async (t) => {
  const { attach, send, receiver, delivered, app } = await toldGateway(t)
  const id = idOf(await attach('ada', 'notes.txt', { more: [['visibility', 'public'], ['contextType', 'message'], ['contextId', '7']] }))
  await receiver.until(1)
  t.equal((await send('ada', 'PATCH', `/api/attachments/${id}`, { alt: 'a private thought', contextId: '8' })).statusCode, 200)
  t.equal((await send('ada', 'DELETE', `/api/attachments/${id}`)).statusCode, 204)
  t.equal((await send('ada', 'DELETE', `/api/attachments/${id}`)).statusCode, 404, 'what did not happen is not told')
  t.equal((await send('bob', 'PATCH', `/api/attachments/${id}`, { alt: 'x' })).statusCode, 404)
  await receiver.until(3)
  await delivered()
  const [created, changed, deleted] = receiver.messages() as [Message, Message, Message]
  t.equal(receiver.got.length, 3)
  t.match(created, { type: 'attachment.created', ownerId: 'ada', data: { id, url: `/api/attachments/${id}/content`, filename: 'notes.txt', size: 6, sha256: /^[0-9a-f]{64}$/, visibility: 'public', contextType: 'message', contextId: '7' } })
  t.notOk('readers' in created.data, 'nothing of anybody but the owner')
  t.match(Math.abs(Date.now() - Date.parse(created.occurredAt)) < 60_000, true)
  t.strictSame(changed.data, { id, url: `/api/attachments/${id}/content`, changed: ['contextId', 'alt'] })
  t.match(deleted, { type: 'attachment.deleted', data: { id, contextId: '8', filename: 'notes.txt' } })
  t.equal(new Set(receiver.messages().map((message) => message.id)).size, 3)
  t.strictSame(receiver.got.map(({ headers, message }) => headers['webhook-id'] === message.id), [true, true, true])
  t.equal(await app.database.client.event.count(), 0, 'what was taken is not kept')
})

test('all files of one request are told, each to be told apart', async (t) => {
  const { app, as, receiver } = await toldGateway(t)
  const body = await multipart([['ownerId', 'ada'], ['a', { bytes: '1', filename: 'one.txt' }], ['ownerId', 'bob'], ['b', { bytes: '2', filename: 'two.txt' }]])
  t.equal((await app.inject({ method: 'POST', url: '/api/attachments', headers: { ...body.headers, ...await as('chat', 'uploads:service') }, payload: body.payload })).statusCode, 201)
  const told = await receiver.until(2)
  t.strictSame(told.map(({ ownerId, data }) => [ownerId, data['filename']]).sort(), [['ada', 'one.txt'], ['bob', 'two.txt']])
})

test('every created, replaced, deleted and restored picture is told, with the version it replaced', async (t) => {
  const { setAvatar, send, receiver, as, app } = await toldGateway(t)
  const first = (await setAvatar('ada', 1)).json()
  const second = (await setAvatar('ada', 2)).json()
  t.equal((await app.inject({ method: 'PUT', url: '/api/avatars/me', headers: { ...await as('ada'), 'content-type': 'image/png' }, payload: 'no picture' })).statusCode, 415)
  t.equal((await send('ada', 'POST', `/api/avatars/me/versions/${first.version}/restore`)).statusCode, 200)
  t.equal((await send('ada', 'POST', `/api/avatars/me/versions/${first.version}/restore`)).statusCode, 200, 'again, which changes nothing')
  t.equal((await send('ada', 'DELETE', '/api/avatars/me')).statusCode, 204)
  const [created, replaced, restored, deleted] = await receiver.until(4) as [Message, Message, Message, Message]
  t.match(created, { type: 'avatar.created', ownerId: 'ada', data: { ...first, replaced: null } })
  t.match(replaced, { type: 'avatar.replaced', data: { ...second, replaced: first.version } })
  t.match(restored, { type: 'avatar.restored', data: { version: first.version, replaced: second.version, avatarUrl: '/api/avatars/ada' } })
  t.strictSame(deleted.data, { userId: 'ada', avatarUrl: '/api/avatars/ada', version: first.version })
  t.equal(receiver.got.length, 4)
})

test('a picture of nobody yet known is told when its user claims it', async (t) => {
  const { app, as, receiver } = await toldGateway(t, {}, { COMPAT_ANONYMOUS_AVATARS: 'true' })
  const body = await multipart([['file', { bytes: await picture('png'), filename: 'a.png', type: 'image/png' }]])
  const { url } = (await app.inject({ method: 'POST', url: '/api/upload/avatar', ...body })).json()
  t.equal((await app.inject({ method: 'PATCH', url: '/api/users/me/avatar', headers: await as('ada'), payload: { avatar: url } })).statusCode, 200)
  t.match(await receiver.until(1), [{ type: 'avatar.created', ownerId: 'ada', data: { userId: 'ada', replaced: null } }])
})

test('a receiver that is down gets everything when it is there again, one owner\'s in order, and is complained of once', async (t) => {
  const log = collectLog()
  const { attach, receiver, delivered, metrics, client } = await toldGateway(t, { logStream: log.stream }, { LOG_LEVEL: 'info' })
  receiver.answerWith(refusing(503))
  const ids: string[] = []
  for (const name of ['1.txt', '2.txt', '3.txt']) ids.push(idOf(await attach('ada', name)))
  await attach('bob', 'b.txt')
  await receiver.until(2)
  while (await client.event.count({ where: { attempts: 1, dueAt: { gt: new Date() } } }) < 2) await setImmediate()
  const body = await metrics()
  t.match(body, /^webhook_events_waiting 4$/m)
  t.match(body, /^webhook_events_dead 0$/m)
  t.match(body, /^webhook_events_oldest_seconds \d/m)
  t.match(body, /^webhook_attempts_failed_total [2-9]/m)
  t.match(body, /^webhook_events_sent_total 0$/m)
  const before = receiver.got.length
  receiver.answerWith(taken)
  await delivered()
  const toAda = receiver.got.slice(before).map(({ message }) => message).filter(({ ownerId }) => ownerId === 'ada')
  t.strictSame(toAda.map(({ data }) => data['id']), ids)
  const warnings = log.lines().filter(({ msg }) => /webhook/.test(String(msg)))
  t.strictSame(warnings.map(({ level, msg }) => [level, String(msg)]), [
    [40, 'The webhook did not take an event: it answered 503. It is tried again.'],
    [30, 'The webhook takes events again.'],
  ])
})

test('what was given up is told in the log and the metrics', async (t) => {
  const log = collectLog()
  const { attach, receiver, client, metrics } = await toldGateway(t, { logStream: log.stream }, { LOG_LEVEL: 'info' })
  receiver.answerWith(refusing(410))
  await attach('ada', 'a.txt')
  await receiver.until(1)
  while (await client.event.count({ where: { dueAt: { lte: new Date(Date.now() + 25_000) } } }) === 0) await setImmediate()
  await client.event.updateMany({ data: { attempts: 7, createdAt: new Date(Date.now() - 3 * 86_400_000), dueAt: new Date() } })
  while (await client.event.count({ where: { deadAt: { not: null } } }) === 0) await setImmediate()
  while (log.lines().every(({ level }) => level !== 50)) await setImmediate()
  t.match(log.lines().filter(({ level }) => level === 50), [{ msg: /^The webhook did not take an event for three days: it answered 410\. It is given up; "upload-gateway events retry"/ }])
  t.match(await metrics(), /^webhook_events_dead 1$/m)
  t.match(await metrics(), /^webhook_events_oldest_seconds 0$/m)
})

test('what was not delivered when the gateway stopped is delivered after the next start, also what another told', async (t) => {
  const { attach, receiver, app, folder } = await toldGateway(t)
  receiver.answerWith(refusing(500))
  await attach('ada', 'a.txt')
  await receiver.until(1)
  await app.close()
  const before = receiver.got.length
  receiver.answerWith(taken)
  const again = await build(t, { ...receiver.settings, UPLOADS_DIR: folder })
  await receiver.until(before + 1)
  t.match(receiver.messages().at(-1), { type: 'attachment.created', data: { filename: 'a.txt' } })
  while (await again.app.database.client.event.count() > 0) await setImmediate()
  const at = new Date()
  await again.app.database.client.event.create({ data: { id: 'of a command', type: 'avatar.created', ownerKey: 'o', payload: '{"id":"of a command"}', createdAt: at, dueAt: at } })
  await receiver.until(before + 2)
  t.equal(receiver.messages().at(-1)?.id, 'of a command')
})

test('a stop waits for the event that is being sent', async (t) => {
  const { attach, receiver, app, folder } = await toldGateway(t)
  let answer = () => {}
  receiver.answerWith((response) => { answer = () => { response.writeHead(204).end() } })
  await attach('ada', 'a.txt')
  await receiver.until(1)
  let isClosed = false
  const closed = app.close().then(() => { isClosed = true })
  await setImmediate()
  t.equal(isClosed, false)
  answer()
  await closed
  const again = await build(t, { UPLOADS_DIR: folder })
  t.equal(await again.app.database.client.event.count(), 0)
})

test('without a webhook nothing is kept to be told', async (t) => {
  const { app, as } = await build(t)
  t.equal((await app.inject({ method: 'PUT', url: '/api/avatars/me', headers: { ...await as('ada'), 'content-type': 'image/png' }, payload: await picture('png') })).statusCode, 201)
  t.equal(await app.database.client.event.count(), 0)
  t.notMatch((await app.inject('/metrics')).body, /^webhook_events_waiting \d/m)
})

test('once the webhook is taken away, what it was not told is kept for a month, though it names somebody who was erased', async (t) => {
  const { attach, receiver, app, client, folder, as } = await toldGateway(t)
  receiver.answerWith(refusing(500))
  await attach('ada', 'a.txt')
  await receiver.until(1)
  t.equal((await app.inject({ method: 'DELETE', url: '/api/users/ada/uploads', headers: await as('root', 'uploads:admin') })).statusCode, 200)
  t.ok((await client.event.findMany()).some(({ payload }) => payload.includes('ada')))
  await app.close()
  const { app: { database } } = await build(t, { UPLOADS_DIR: folder })
  const days = 86_400_000
  let at = Date.now()
  const chores: Chore[] = []
  const bare = Fastify()
  for (const name of ['storage', 'upkeep', 'erasures']) bare.register(fastifyPlugin(async () => {}, { name }))
  bare.decorate('doNowAndThen', (chore: Chore) => { chores.push(chore) })
  const now = () => new Date(at)
  bare.register(delivery, { coordination: createLoneCoordination(), webhook: undefined, outbox: createOutbox({ client: database.client, now }), events: { onTold: () => t.fail('nobody is told') }, metrics: { eventSent () {}, eventFailed () {} }, now })
  await bare.ready()
  const run = async () => Promise.all(chores.map((chore) => chore.run(new AbortController().signal)))
  at += 29 * days
  t.strictSame(await run(), [0])
  at += 2 * days
  t.strictSame(await run(), [2])
  t.equal(await database.client.event.count(), 0)
})

test('a gateway that does not lead tells the one that does, which looks at once, as it does when it begins to', async (t) => {
  const others = coordinationDouble({ leads: false })
  const { promise: told, resolve: onTold } = Promise.withResolvers<() => void>()
  let looks = 0
  const none = async () => {
    looks += 1
    return []
  }
  const bare = Fastify()
  t.teardown(() => bare.close())
  for (const name of ['storage', 'upkeep', 'erasures']) bare.register(fastifyPlugin(async () => {}, { name }))
  bare.decorate('doNowAndThen', () => {})
  bare.register(delivery, { coordination: others.coordination, webhook: { url: 'http://127.0.0.1:9/', secrets: ['whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw'] }, outbox: { due: none } as never, events: { onTold }, metrics: { eventSent () {}, eventFailed () {} }, now: () => new Date() })
  await bare.ready()
  const tell = await told
  tell()
  t.strictSame(others.told, [['told', '']])
  t.equal(looks, 0)
  others.lead()
  await setImmediate()
  t.equal(looks, 1)
  others.hear('told', '')
  await setImmediate()
  t.equal(looks, 2)
  tell()
  await setImmediate()
  t.equal(looks, 3)
  t.equal(others.told.length, 1)
})
