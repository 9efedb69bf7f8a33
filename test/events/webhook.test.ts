import { createServer } from 'node:http'
import { createServer as createTcpServer, type AddressInfo } from 'node:net'
import { once } from 'node:events'
import { test } from 'tap'
import { createWebhook } from '../../src/events/webhook.ts'
import { receiverFor, refusing, webhookSecret } from './fixtures/receiver.ts'

const now = () => new Date()
const other = `whsec_${Buffer.from('another secret, as it was before').toString('base64')}`
const event = { id: 'e1', payload: JSON.stringify({ id: 'e1', type: 'avatar.created', name: 'Grüße 👋' }) }

test('an event is signed so that the receiver can tell who sent it, and that it is whole', async (t) => {
  const { url, got } = await receiverFor(t)
  t.strictSame(await createWebhook({ url, secrets: [webhookSecret], now })(event), { isTaken: true })
  t.match(got, [{ message: { id: 'e1', name: 'Grüße 👋' }, path: '/hook', headers: { 'content-type': 'application/json', 'webhook-id': 'e1', 'webhook-timestamp': /^\d{10}$/, 'webhook-signature': /^v1,\S+$/, 'user-agent': /^upload-gateway\// } }])
  t.match(await createWebhook({ url, secrets: [other], now })(event), { isTaken: false, reason: 'it answered 401' })
})

test('while secrets rotate, a receiver with either of them is content', async (t) => {
  const [one, two] = [await receiverFor(t), await receiverFor(t, { secret: other })]
  for (const { url } of [one, two]) t.strictSame(await createWebhook({ url, secrets: [webhookSecret, other], now })(event), { isTaken: true })
  t.equal(one.got[0]?.headers['webhook-signature']?.toString().split(' ').length, 2)
})

test('only 2xx means taken, and a redirect is not followed', async (t) => {
  const { url, got, answerWith } = await receiverFor(t)
  const elsewhere = await receiverFor(t)
  const send = createWebhook({ url, secrets: [webhookSecret], now })
  for (const status of [200, 201, 202, 204, 299]) {
    answerWith(refusing(status))
    t.strictSame(await send(event), { isTaken: true }, String(status))
  }
  for (const status of [301, 302, 307, 308, 304, 400, 404, 410, 429, 500, 503]) {
    answerWith(refusing(status, { location: elsewhere.url }))
    t.strictSame(await send(event), { isTaken: false, reason: `it answered ${status}` }, String(status))
  }
  t.equal(elsewhere.got.length, 0)
  t.equal(got.length, 16)
})

test('Retry-After is understood as seconds and as a date, and nothing else is', async (t) => {
  const { url, answerWith } = await receiverFor(t)
  const at = new Date()
  at.setUTCMilliseconds(0)
  const send = createWebhook({ url, secrets: [webhookSecret], now: () => at })
  const waits: Array<[string, number | undefined]> = [
    ['120', 120_000], ['0', 0], [new Date(at.getTime() + 90_000).toUTCString(), 90_000], ['Wed, 21 Oct 2015 07:28:00 GMT', 0],
    ['soon', undefined], ['-1', undefined], ['1.5', undefined], ['9999999999', undefined], ['2015', 2_015_000], ['yesterday GMT', undefined],
  ]
  for (const [text, retryAfterMs] of waits) {
    answerWith(refusing(503, { 'retry-after': text }))
    t.strictSame(await send(event), { isTaken: false, reason: 'it answered 503', ...(retryAfterMs !== undefined && { retryAfterMs }) }, text)
  }
})

test('a receiver that hangs, at whichever point, is not waited for', async (t) => {
  const connections = new Set<{ destroy (): void }>()
  const silent = createTcpServer((socket) => { connections.add(socket) }).listen(0, '127.0.0.1')
  await once(silent, 'listening')
  t.teardown(() => { for (const socket of connections) socket.destroy(); silent.close() })
  const send = createWebhook({ url: `http://127.0.0.1:${(silent.address() as AddressInfo).port}/`, secrets: [webhookSecret], now, deadlineMs: 50 })
  t.strictSame(await send(event), { isTaken: false, reason: 'it did not answer within 0.05 seconds' })

  const { url, answerWith } = await receiverFor(t)
  answerWith((response) => { response.writeHead(200).write('{') })
  t.strictSame(await createWebhook({ url, secrets: [webhookSecret], now, deadlineMs: 300 })(event), { isTaken: true }, 'it said that it took it')
  answerWith((response) => { response.socket?.destroy() })
  t.match(await createWebhook({ url, secrets: [webhookSecret], now })(event), { isTaken: false, reason: /^it cannot be reached \(/ })
})

test('a receiver that is not there is named as that', async (t) => {
  const { url, stop } = await receiverFor(t)
  await stop()
  t.strictSame(await createWebhook({ url, secrets: [webhookSecret], now })(event), { isTaken: false, reason: 'it cannot be reached (ECONNREFUSED)' })
  t.strictSame(await createWebhook({ url: 'http://127.0.0.1:1/', secrets: [webhookSecret], now })(event), { isTaken: false, reason: 'it cannot be reached (no connection)' }, 'a port that no browser would ask either')
})

test('of an endless answer only the beginning is read', async (t) => {
  let sent = 0
  const chunk = Buffer.alloc(64 * 1024)
  const server = createServer((_request, response) => {
    const more = () => { while (!response.destroyed && response.write(chunk)) sent += chunk.length }
    response.writeHead(200).on('drain', more)
    more()
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => { server.closeAllConnections(); server.close() })
  t.strictSame(await createWebhook({ url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`, secrets: [webhookSecret], now })(event), { isTaken: true })
  t.ok(sent < 64 * 1024 ** 2)
})

test('a name and a password in the URL are sent as such, and not as part of it', async (t) => {
  const { url, got } = await receiverFor(t)
  const withName = url.replace('//', '//gate:a%20word@')
  t.strictSame(await createWebhook({ url: `${withName}?x=1`, secrets: [webhookSecret], now })(event), { isTaken: true })
  t.match(got, [{ path: '/hook?x=1', headers: { authorization: `Basic ${Buffer.from('gate:a word').toString('base64')}` } }])
})
