import { once } from 'node:events'
import { createServer, request as httpRequest, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import t, { type Test } from 'tap'
import { checkNetwork } from '../../../src/operations/doctor/network.ts'
import { build, picture } from '../../helper.ts'

const limits = { attachmentMaxBytes: 100 * 1024 ** 2, avatarMaxBytes: 5 * 1024 ** 2 }

type Handler = (request: IncomingMessage, response: ServerResponse, pass: (headers?: Record<string, string>) => void) => void

/** Whatever stands between; `pass` forwards the request at once, without its body where none is needed. */
async function proxyTo (t: Test, target: string, handle: Handler, { answersContinue = false } = {}): Promise<string> {
  const listener = (request: IncomingMessage, response: ServerResponse) => handle(request, response, (headers = {}) => {
    const { expect, ...passed } = request.headers
    const onward = httpRequest(new URL(request.url ?? '', target), { method: request.method, headers: { ...passed, ...(expect !== undefined && !answersContinue && { expect }) }, agent: false }, (answer) => {
      response.writeHead(answer.statusCode ?? 0, { ...answer.headers, ...headers })
      answer.pipe(response)
    })
    onward.on('error', () => response.destroy())
    if (request.method === 'GET') onward.end()
    else onward.flushHeaders()
  })
  const server = createServer(listener).listen(0, '127.0.0.1')
  if (!answersContinue) server.on('checkContinue', listener)
  t.teardown(() => { server.closeAllConnections(); server.close() })
  await once(server, 'listening')
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

async function setUp (t: Test) {
  const { app, as } = await build(t)
  const url = await app.listen({ port: 0, host: '127.0.0.1' })
  const { version } = (await app.inject({ method: 'PUT', url: '/api/avatars/me', headers: { ...await as('ada'), 'content-type': 'image/jpeg' }, payload: await picture() })).json()
  const look = async (at = url, { trustProxy = false as boolean | string[], user = 'ada', isExpected = true, now = () => new Date(), config = limits } = {}) => {
    const checks = await checkNetwork({ url: at, config: { ...config, trustProxy }, avatar: user === '' ? undefined : { userId: user, blobId: version }, isExpected, now, timeoutMs: 500 })
    return { checks, named: (name: string) => checks.find((check) => check.name === name) }
  }
  return { url, look, through: async (handle: Handler, options?: { answersContinue?: boolean }) => look(await proxyTo(t, url, handle, options)) }
}

t.test('a gateway that is reached directly is in order', async (t) => {
  const { look } = await setUp(t)
  const { checks, named } = await look()
  t.strictSame(checks.filter(({ level }) => level !== 'ok').map(({ name }) => name), ['timeouts'])
  t.match(named('upload size'), { detail: /104,857,600 bytes/ })
  t.match(named('ranges'), { detail: /with their ETag/ })
})

t.test('a proxy that only passes on is seen by the traces it leaves', async (t) => {
  const { through, look, url } = await setUp(t)
  const { checks, named } = await through((_request, _response, pass) => pass({ via: '1.1 proxy', server: 'nginx' }))
  t.match(named('proxy'), { level: 'warning', detail: /1\.1 proxy, nginx/, change: /TRUST_PROXY=1/ })
  t.strictSame(checks.filter(({ level }) => level !== 'ok').map(({ name }) => name), ['proxy', 'timeouts'])
  const trusted = await look(await proxyTo(t, url, (_request, _response, pass) => pass({ via: '1.1 proxy' })), { trustProxy: ['127.0.0.1'] })
  t.match(trusted.named('proxy'), { level: 'ok', detail: /remoteAddress/ })
})

t.test('a proxy that refuses large bodies is told from the gateway', async (t) => {
  const { through } = await setUp(t)
  const { named } = await through((request, response, pass) => request.method === 'POST' ? response.writeHead(413).end('<html>') : pass())
  t.match(named('upload size'), { level: 'problem', detail: /refuses an upload of 104,857,600 bytes with 413/, change: /client_max_body_size 0/ })
  t.match(named('Expect: 100-continue'), { level: 'warning', detail: /413/ })
  const other = await through((request, response, pass) => request.method === 'POST' ? response.writeHead(403).end() : pass())
  t.match(other.named('upload size'), { level: 'warning', detail: /with 403/ })
})

t.test('a proxy that waits for the whole body is told', async (t) => {
  const { through } = await setUp(t)
  const { named } = await through((request, _response, pass) => { if (request.method === 'GET') pass() })
  t.match(named('upload size'), { level: 'warning', detail: /not passed on until its body has come/, change: /proxy_request_buffering off/ })
  t.match(named('Expect: 100-continue'), { level: 'warning', detail: /gets no answer/ })
})

t.test('a proxy that asks for the body itself is no harm', async (t) => {
  const { through } = await setUp(t)
  const { named } = await through((_request, _response, pass) => pass(), { answersContinue: true })
  t.match(named('Expect: 100-continue'), { level: 'ok', detail: /asks for the body itself/ })
})

t.test('a proxy that changes files, or drops ranges, is told', async (t) => {
  const { through, look } = await setUp(t)
  const isFile = (request: IncomingMessage) => request.url?.startsWith('/api/avatars/') === true
  const cases: Array<[Handler, object]> = [
    [(request, _response, pass) => { delete request.headers.range; pass() }, { level: 'warning', detail: /200 comes/ }],
    [(request, _response, pass) => isFile(request) ? pass({ etag: 'W/"weak"' }) : pass(), { level: 'warning', detail: /changes files/ }],
    [(request, _response, pass) => isFile(request) ? pass({ 'content-encoding': 'gzip' }) : pass(), { level: 'warning', detail: /changes files/ }],
    [(request, response, pass) => isFile(request) ? response.writeHead(206, { 'content-range': 'bytes 0-0/9', etag: '"a"' }).end() : pass(), { level: 'warning', detail: /without bytes/ }],
    [(request, _response, pass) => { if (!isFile(request)) pass() }, { level: 'problem', detail: /not come in time/ }],
  ]
  for (const [handle, expected] of cases) t.match((await through(handle)).named('ranges'), expected)
  t.match((await look(undefined, { user: 'nobody' })).named('ranges'), { level: 'unknown', detail: /gone/ })
  t.match((await look(undefined, { user: '' })).named('ranges'), { level: 'unknown', detail: /no avatar/ })
})

t.test('no gateway is a problem only where there ought to be one', async (t) => {
  const { look, through } = await setUp(t)
  t.match((await look('http://127.0.0.1:1')).checks, [{ level: 'problem', detail: /not reached.*ECONNREFUSED/, change: /PORT and PUBLIC_URL.*proxy.*--url/ }])
  t.match((await look('http://127.0.0.1:1', { isExpected: false })).checks, [{ level: 'unknown' }])
  t.match((await through((_request, response) => { response.end('hello') })).checks, [{ level: 'problem', detail: /200 came back, but not from a gateway/ }])
  t.match((await through(() => {})).checks, [{ level: 'problem', detail: /nothing came back in time/ }])
})

t.test('a gateway that is not ready, silent, or another one is told', async (t) => {
  const { look, through } = await setUp(t)
  t.match((await look()).named('same gateway'), { level: 'ok', detail: /limits of these settings, and knows a picture of this volume\.$/ })
  t.match((await look(undefined, { user: '' })).named('same gateway'), { level: 'ok', detail: /Whether it is of this volume cannot be seen/ })
  t.match((await look(undefined, { config: { ...limits, attachmentMaxBytes: 7 } })).named('same gateway'), { level: 'warning', detail: /other limits/ })
  const { app: other } = await build(t)
  t.match((await look(await other.listen({ port: 0, host: '127.0.0.1' }))).named('same gateway'), { level: 'warning', detail: /gateway of another one/, change: /--url/ })
  const broken = await through((request, response, pass) => request.url === '/health/ready' ? response.writeHead(503).end('{"volume":"failed"}') : pass())
  t.match(broken.named('ready'), { level: 'problem', detail: /volume.*failed/ })
  const silent = await through((request, _response, pass) => { if (!/ready|limits/.test(request.url ?? '')) pass() })
  t.match(silent.named('ready'), { level: 'problem', detail: /in time/ })
  t.match(silent.named('same gateway'), { level: 'warning' })
})

t.test('clocks that differ are told', async (t) => {
  const { look, through } = await setUp(t)
  t.match((await look(undefined, { now: () => new Date('2020-01-01') })).named('clock'), { level: 'warning', detail: /differs from this machine by \d+ s/ })
  const dateless = await through((request, response, pass) => {
    if (request.url !== '/health/live') return pass()
    response.sendDate = false
    response.end('{"status":"live"}')
  })
  t.match(dateless.named('clock'), { level: 'unknown' })
})
