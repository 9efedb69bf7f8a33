import { once } from 'node:events'
import { createServer, type RequestListener } from 'node:http'
import type { AddressInfo } from 'node:net'
import t, { type Test } from 'tap'
import { member, probe } from '../../../src/operations/doctor/probe.ts'

async function serve (t: Test, listener: RequestListener): Promise<string> {
  const server = createServer(listener).listen(0, '127.0.0.1')
  t.teardown(() => { server.closeAllConnections(); server.close() })
  await once(server, 'listening')
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

t.test('an answer comes with its status, headers and body', async (t) => {
  const url = await serve(t, (request, response) => response.writeHead(201, { 'x-method': request.method ?? '' }).end(request.url))
  t.match(await probe(url, { path: '/a' }, 1000), { status: 201, headers: { 'x-method': 'GET' }, body: '/a', wasContinued: false })
})

t.test('a declared body is never sent, and the answer to it heard', async (t) => {
  let received = 0
  const url = await serve(t, (request, response) => {
    request.on('error', () => {}).on('data', (chunk: Buffer) => { received += chunk.length })
    response.writeHead(413).end('too large')
  })
  const headers = { 'content-length': 1e9 }
  t.match(await probe(url, { method: 'POST', path: '/', headers }, 1000), { status: 413, body: 'too large', wasContinued: false })
  t.match(await probe(url, { method: 'POST', path: '/', headers: { ...headers, expect: '100-continue' } }, 1000), { status: 413, wasContinued: true })
  t.equal(received, 0)
})

t.test('silence is told, and so is no connection', async (t) => {
  const url = await serve(t, () => {})
  t.equal(await probe(url, { path: '/' }, 50), 'silence')
  await t.rejects(probe('http://127.0.0.1:1', { path: '/' }, 1000), { code: 'ECONNREFUSED' })
  await t.rejects(probe('https://127.0.0.1:1', { path: '/' }, 1000), { code: 'ECONNREFUSED' })
})

t.test('an answer that never ends, or is cut off, is taken as far as it came', async (t) => {
  const endless = await serve(t, (_request, response) => {
    const timer = setInterval(() => response.write('x'.repeat(50_000)), 1)
    response.on('close', () => clearInterval(timer))
  })
  t.match(await probe(endless, { path: '/' }, 1000), { status: 200, body: /^x{65000}/ })
  const cut = await serve(t, (_request, response) => {
    response.writeHead(200, { 'content-length': 10 }).write('abc')
    setTimeout(() => response.destroy(), 20)
  })
  t.match(await probe(cut, { path: '/' }, 1000), { status: 200, body: 'abc' })
})

t.test('a member of a body that is JSON', async (t) => {
  t.strictSame([member('{"a":1}', 'a'), member('{"a":1}', 'b'), member('null', 'a'), member('<html>', 'a')], [1, undefined, undefined, undefined])
})
