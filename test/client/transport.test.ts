import { createServer, type RequestListener } from 'node:http'
import type { AddressInfo } from 'node:net'
import { test, type Test } from 'tap'
import { byFetch, type Transport } from '../../src/client/transport.ts'
import { byXhr } from '../../src/client/xhr.ts'
import { HttpXhr } from './fixtures/xhr.ts'

async function listening (t: Test, listener: RequestListener): Promise<string> {
  const server = createServer(listener)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  t.teardown(() => { server.closeAllConnections(); server.close() })
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

/** Says what came. */
const echo: RequestListener = (request, response) => {
  const chunks: Buffer[] = []
  request.on('data', (chunk: Buffer) => chunks.push(chunk)).on('end', () => {
    response.setHeader('X-Echo', `${request.method} ${request.headers['x-said']}`)
    if (request.method === 'DELETE') response.writeHead(204).end()
    else response.end(String(Buffer.concat(chunks).length))
  })
}

const transports: Array<[string, Transport]> = [['fetch', byFetch(fetch)], ['XMLHttpRequest', byXhr(HttpXhr)]]

for (const [name, transport] of transports) {
  test(`${name}: a request and its answer`, async (t) => {
    const url = await listening(t, echo)
    const sent: number[] = []
    const bytes = 300_000
    const response = await transport({ url, method: 'PUT', headers: { 'X-Said': 'this' }, body: new Blob([new Uint8Array(bytes)]), bytes, onSent: (count) => sent.push(count) })
    t.match(response, { status: 200, ok: true })
    t.equal(response.headers.get('X-Echo'), 'PUT this')
    t.equal(await response.text(), String(bytes))
    t.equal(sent.at(-1), bytes)
    t.strictSame(sent, [...sent].sort((a, b) => a - b))
    if (name === 'XMLHttpRequest') t.ok(sent.length > 2, 'told on the way')
  })

  test(`${name}: an answer without a body`, async (t) => {
    const response = await transport({ url: await listening(t, echo), method: 'DELETE', headers: {} })
    t.equal(response.status, 204)
    t.equal(await response.text(), '')
  })

  test(`${name}: no answer is an error of the network`, async (t) => {
    const url = await listening(t, (request) => request.socket.destroy())
    await t.rejects(transport({ url, method: 'GET', headers: {} }), { code: 'NETWORK_FAILED', status: 0 })
  })

  test(`${name}: an abort ends it with its reason, before and during`, async (t) => {
    const arrived = Promise.withResolvers<void>()
    const url = await listening(t, () => arrived.resolve())
    await t.rejects(transport({ url, method: 'GET', headers: {}, signal: AbortSignal.abort(new Error('before')) }), { message: 'before' })
    const controller = new AbortController()
    const waiting = transport({ url, method: 'GET', headers: {}, signal: controller.signal })
    await arrived.promise
    controller.abort(new Error('during'))
    await t.rejects(waiting, { message: 'during' })
  })

  test(`${name}: a gateway that says nothing is given up some time`, async (t) => {
    const real = globalThis.setTimeout
    const limits: number[] = []
    t.intercept(globalThis, 'setTimeout', { value: (run: () => void, ms: number, ...rest: []) => { if (ms > 50_000) limits.push(ms); return real(run, ms > 50_000 ? 20 : ms, ...rest) } })
    const url = await listening(t, (request) => { request.resume() })
    await t.rejects(transport({ url, method: 'POST', headers: {}, body: 'text', bytes: 4 }), { code: 'NETWORK_FAILED', cause: Error })
    t.ok(limits.every((ms) => ms >= 60_000 && ms < 130_000), String(limits))
  })
}

test('fetch: what was refused was not taken, and does not count', async (t) => {
  const sent: number[] = []
  const answering = (status: number) => byFetch(async () => new Response(null, { status }))({ url: 'http://x/', method: 'PUT', headers: {}, body: 'text', bytes: 4, onSent: (count) => sent.push(count) })
  for (const status of [401, 409, 423, 503]) t.equal((await answering(status)).status, status)
  t.strictSame(sent, [])
  await answering(204)
  t.strictSame(sent, [4])
})

test('cookies of another origin are only sent where they are wanted', async (t) => {
  const seen: unknown[] = []
  const transport = byFetch(async (_url, init) => { seen.push(init?.credentials); return new Response() })
  await transport({ url: 'http://x/', method: 'POST', headers: {}, hasCookies: true })
  await transport({ url: 'http://x/', method: 'POST', headers: {} })
  t.strictSame(seen, ['include', undefined])
})
