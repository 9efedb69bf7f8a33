import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { rm, truncate } from 'node:fs/promises'
import type { OutgoingHttpHeaders } from 'node:http'
import { connect } from 'node:net'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { setTimeout } from 'node:timers/promises'
import BetterSqlite3 from 'better-sqlite3'
import sharp from 'sharp'
import { mediaCookie } from '../../src/plugins/route-description.ts'
import { asking as build, attached, constant, test } from '../fixtures/asking.ts'
import { collectLog } from '../fixtures/log.ts'
import { picture } from '../helper.ts'

test('what is asked again is answered at once, and as the first time', async (t) => {
  const client = await build(t, { CORS_ORIGINS: 'https://app.example' })
  const { ask, put, as } = client
  const bytes = await picture('png', { width: 300, height: 300 })
  const { versionedUrl } = (await put(bytes)).json()
  const file = await attached(client, Buffer.from('hello'))
  const open = await attached(client, bytes, 'public')
  const token = await as('ada')
  const cases: Array<[string, string, OutgoingHttpHeaders?]> = [
    ['the picture', '/api/avatars/ada'],
    ['a version of it', versionedUrl],
    ['a query that says nothing', '/api/avatars/ada?v=1'],
    ['a variant', '/api/avatars/ada?size=64&format=webp'],
    ['a negotiated one', '/api/avatars/ada?size=64', { accept: 'image/avif,image/webp,*/*' }],
    ['for another browser', '/api/avatars/ada?size=64', { accept: 'image/png,*/*' }],
    ['of another site', '/api/avatars/ada', { origin: 'https://app.example' }],
    ['of a site that is not known', '/api/avatars/ada', { origin: 'https://other.example' }],
    ['a private file', file.url, token],
    ['to be saved', `${file.url}?download=1`, token],
    ['a public one', open.url],
    ['a public one for somebody', open.url, token],
    ['a preview', `/api/attachments/${open.id}/preview?size=320`, { accept: 'image/webp' }],
  ]
  for (const [what, path, headers] of cases) {
    const first = await ask(path, headers)
    t.equal(first.wasReady, false, what)
    const second = await ask(path, headers)
    t.equal(second.wasReady, true, `${what}, again`)
    t.strictSame(constant(second), constant(first), what)
    t.not(second.headers['x-request-id'], first.headers['x-request-id'])
    const head = await ask(path, headers, 'HEAD')
    t.strictSame({ ...constant(head), wasReady: head.wasReady }, { ...constant(first), body: '', wasReady: true }, `${what}, without its bytes`)
    const tag = String(first.headers.etag)
    for (const held of [tag, `W/${tag}`, `"x", ${tag}`, '*']) t.match(await ask(path, { ...headers, 'if-none-match': held }), { status: 304, wasReady: true, headers: { etag: tag } }, `${what}: ${held}`)
    t.match(await ask(path, { ...headers, 'if-none-match': '"x"' }), { status: 200, wasReady: true })
  }
})

test('a 304 that was ready says what one says that was not', async (t) => {
  const { ask, put } = await build(t)
  await put(await picture('png'))
  const { headers: { etag } } = await ask('/api/avatars/ada', {}, 'HEAD')
  const first = await ask('/api/avatars/ada', { 'if-none-match': etag })
  const second = await ask('/api/avatars/ada', { 'if-none-match': etag })
  t.match([first.wasReady, second.wasReady], [false, true])
  t.strictSame(constant(second), constant(first))
})

test('who asks for more than what is there is answered by all that knows of it', async (t) => {
  const { ask, put } = await build(t)
  const bytes = await picture('png')
  await put(bytes)
  await ask('/api/avatars/ada')
  const cases: Array<[OutgoingHttpHeaders, number]> = [
    [{ range: 'bytes=99999-' }, 416],
    [{ 'if-match': '"x"' }, 412],
    [{ 'if-unmodified-since': 'Mon, 23 Nov 2020 16:08:57 GMT' }, 412],
    [{ 'want-repr-digest': 'sha-256=0' }, 200],
    [{ 'content-length': '0' }, 200],
    [{ 'transfer-encoding': 'chunked' }, 200],
  ]
  for (const [headers, status] of cases) t.match(await ask('/api/avatars/ada', headers), { status, wasReady: false }, JSON.stringify(headers))
  t.match(await ask('/api/avatars/ada', {}, 'DELETE'), { status: 401, wasReady: false })
  t.match(await ask('/api/avatars/ada'), { status: 200, wasReady: true, body: bytes })
})

/** Large enough not to be read as a whole. */
const large = randomBytes(600_000)

test('parts, and what has not changed since, are ready too', async (t) => {
  const client = await build(t)
  const { ask, put, as } = client
  await put(await picture('png'))
  const { versionedUrl } = (await put(await picture('png', { seed: 3 }))).json()
  const file = await attached(client, large)
  const token = await as('ada')
  for (const [path, headers] of [['/api/avatars/ada'], [versionedUrl], [file.url, token]] as Array<[string, OutgoingHttpHeaders?]>) {
    const { headers: { etag, 'last-modified': modified }, body } = await ask(path, headers)
    const cases: Array<[OutgoingHttpHeaders, number, Buffer]> = [
      [{ range: 'bytes=0-9' }, 206, body.subarray(0, 10)],
      [{ range: 'bytes=7-7', 'if-range': etag }, 206, body.subarray(7, 8)],
      [{ range: 'bytes=-12', 'if-range': modified }, 206, body.subarray(-12)],
      [{ range: 'bytes=0-9', 'if-match': etag, 'if-unmodified-since': 'Mon, 23 Nov 2020 16:08:57 GMT' }, 206, body.subarray(0, 10)],
      [{ range: 'bytes=0-9', 'if-none-match': etag }, 304, Buffer.alloc(0)],
      [{ 'if-modified-since': modified }, 304, Buffer.alloc(0)],
    ]
    for (const [more, status, bytes] of cases) {
      const ready = await ask(path, { ...headers, ...more })
      t.match(ready, { status, wasReady: true }, `${path} ${JSON.stringify(more)}`)
      t.ok(ready.body.equals(bytes))
      // What asks for a digest it knows is answered by all.
      t.strictSame(constant(ready), constant(await ask(path, { ...headers, ...more, 'want-repr-digest': 'sha-256=1' })))
    }
    t.match(await ask(path, { ...headers, range: 'bytes=0-9' }, 'HEAD'), { status: 200, wasReady: true, headers: { 'content-length': String(body.length), 'content-range': undefined } })
    t.match(await ask(path, { ...headers, range: `bytes=${body.length}-` }), { status: 416, wasReady: false, headers: { 'content-range': `bytes */${body.length}` } })
    const whole = { range: 'bytes=0-9', 'if-range': '"x"' }
    t.match(await ask(path, { ...headers, ...whole }), { status: 200, wasReady: body.length < large.length, body })
  }
})

test('a large part, and all of a large file, is sent as it is read', async (t) => {
  const client = await build(t)
  const { ask } = client
  const { url } = await attached(client, large, 'public')
  for (const times of [1, 2]) {
    t.match(await ask(url), { status: 200, wasReady: false, body: large }, `${times}`)
    t.match(await ask(url, { range: 'bytes=1000-90000' }), { status: 206, wasReady: false, body: large.subarray(1000, 90_001) })
    t.match(await ask(url, { range: 'bytes=1000-66535' }), { status: 206, wasReady: true, body: large.subarray(1000, 66_536) })
  }
})

test('a preview of a large picture is the preview', async (t) => {
  const client = await build(t)
  const bytes = await sharp(randomBytes(600 * 600 * 3), { raw: { width: 600, height: 600, channels: 3 } }).png().toBuffer()
  t.ok(bytes.length > 512 * 1024)
  const { id } = await attached(client, bytes, 'public')
  const path = `/api/attachments/${id}/preview?size=320&format=webp`
  const first = await client.ask(path)
  const second = await client.ask(path)
  t.match(first, { status: 200, headers: { 'content-type': 'image/webp' } })
  t.strictSame(constant(second), constant(first))
  t.match(await client.ask(path, { range: 'bytes=0-3' }), { status: 206, body: Buffer.from('RIFF') })
})

test('of a file that is open, nobody sees a part who may not, nor one that is gone', async (t) => {
  const client = await build(t)
  const { ask, as, change, folder, files } = client
  const file = await attached(client, large, 'public')
  const token = await as('ada')
  const part = (headers: OutgoingHttpHeaders = {}) => ask(file.url, { ...headers, range: 'bytes=5-8' })
  await part()
  t.match(await part(), { status: 206, wasReady: true })
  await change('PATCH', `/api/attachments/${file.id}`, { visibility: 'private' })
  t.match(await part(), { status: 404 })
  t.match(await part(await as('bob')), { status: 404 })
  await part(token)
  t.match(await part(token), { status: 206, wasReady: true, body: large.subarray(5, 9) })
  await change('PATCH', `/api/attachments/${file.id}`, { readers: ['bob'] })
  await part(await as('bob'))
  t.match(await part(await as('bob')), { status: 206, wasReady: true })
  await change('PATCH', `/api/attachments/${file.id}`, { readers: [] })
  t.match(await part(await as('bob')), { status: 404 })
  await part(token)
  const blob = join(folder, (await files()).find((path) => path.endsWith('.bin')) ?? '')
  await truncate(blob, 3)
  t.match(await ask(file.url, { ...token, range: 'bytes=9-12' }), { status: 503, wasReady: false }, 'it ends too early')
  await change('DELETE', `/api/attachments/${file.id}`)
  t.match(await part(token), { status: 404 })
})

test('as soon as a change is answered, nobody sees what was before it', async (t) => {
  const client = await build(t, { ACCOUNTS: 'embedded' })
  const { ask, put, as, change, app } = client
  const [one, two] = [await picture('png', { seed: 1 }), await picture('png', { seed: 2 })]
  const twice = async (path: string, headers?: OutgoingHttpHeaders) => { await ask(path, headers); return ask(path, headers) }

  await put(one)
  t.match(await twice('/api/avatars/ada'), { body: one, wasReady: true })
  const { versionedUrl } = (await put(two)).json()
  t.match(await ask('/api/avatars/ada'), { body: two })
  t.match(await twice(versionedUrl), { body: two, wasReady: true })
  await change('PATCH', '/api/avatars/me', { crop: '0,0,0.5,0.5' })
  await change('DELETE', '/api/avatars/me')
  t.match(await ask('/api/avatars/ada'), { status: 404 })
  t.match(await ask(versionedUrl), { status: 404 })

  const file = await attached(client, one, 'public')
  const token = await as('ada')
  t.match(await twice(file.url), { status: 200, wasReady: true })
  await change('PATCH', `/api/attachments/${file.id}`, { visibility: 'private' })
  t.match(await ask(file.url), { status: 404 })
  t.match(await twice(file.url, token), { status: 200, wasReady: true, headers: { 'cache-control': 'private, no-cache' } })
  t.match(await ask(file.url, await as('bob')), { status: 404 })
  await change('PATCH', `/api/attachments/${file.id}`, { readers: ['bob'] })
  t.match(await twice(file.url, await as('bob')), { status: 200, wasReady: true })
  await change('PATCH', `/api/attachments/${file.id}`, { readers: [] })
  t.match(await ask(file.url, await as('bob')), { status: 404 })
  await change('PATCH', `/api/attachments/${file.id}`, { filename: 'other.png' })
  t.match((await ask(file.url, token)).headers['content-disposition'], /other\.png/)
  await change('DELETE', `/api/attachments/${file.id}`)
  t.match(await ask(file.url, token), { status: 404 })

  const account = (await app.inject({ method: 'POST', url: '/api/auth/register', payload: { email: 'eve@x.org', password: 'a long password' } })).json()
  const own = { authorization: `Bearer ${account.token}` }
  const hers = (await app.inject({ method: 'POST', url: '/api/attachments', headers: { ...own, 'content-type': 'application/octet-stream' }, payload: 'hello' })).json().attachments[0]
  t.match(await twice(hers.url, own), { status: 200, wasReady: true })
  await app.inject({ method: 'POST', url: '/api/auth/logout', headers: own })
  t.match(await ask(hers.url, own), { status: 401 })
})

test('as soon as another process has changed something, nobody sees what was before it', async (t) => {
  const { ask, put, folder } = await build(t)
  await put(await picture('png'))
  await ask('/api/avatars/ada')
  t.match(await ask('/api/avatars/ada'), { wasReady: true })
  const other = new BetterSqlite3(`${folder}/database/gateway.sqlite`)
  t.teardown(() => other.close())
  other.prepare('DELETE FROM Avatar').run()
  t.match(await ask('/api/avatars/ada'), { status: 404 })
})

test('nor does who has asked in the same turn of the event loop', async (t) => {
  const { ask, put, folder, url, app } = await build(t)
  await put(await picture('png'))
  await ask('/api/avatars/ada')
  const other = new BetterSqlite3(`${folder}/database/gateway.sqlite`)
  const [one, two] = [connect(Number(url.port), url.hostname), connect(Number(url.port), url.hostname)]
  t.teardown(() => { other.close(); one.destroy(); two.destroy() })
  for (const socket of [one, two]) {
    socket.setNoDelay(true)
    socket.write('GET /health/live HTTP/1.1\r\nhost: x\r\n\r\n')
    await once(socket, 'data')
  }
  app.server.once('request', () => {
    other.prepare('DELETE FROM Avatar').run()
    two.write('host: x\r\n\r\n')
  })
  one.write('GET /api/avatars/ada HTTP/1.1\r\nhost: x\r\n\r\n')
  two.write('GET /api/avatars/ada HTTP/1.1\r\n')
  const [[before], [after]] = await Promise.all([once(one, 'data'), once(two, 'data')])
  t.match(String(before), /^HTTP\/1\.1 200/)
  t.match(String(after), /^HTTP\/1\.1 404/)
})

test('what time ends is not shown any longer', async (t) => {
  let at = Date.now()
  const client = await build(t, {}, { now: () => new Date(at) })
  const { ask, as, change, app } = client
  const token = await as('ada')
  const file = await attached(client, Buffer.from('hello'))
  const session = await app.inject({ method: 'POST', url: '/api/media-session', headers: token })
  const cookie = String(session.headers['set-cookie']).split(';')[0] ?? ''
  t.match(cookie, mediaCookie)
  for (const headers of [token, { cookie }]) {
    await ask(file.url, headers)
    t.match(await ask(file.url, headers), { status: 200, wasReady: true })
  }
  at += 3_610_000
  t.match(await ask(file.url, token), { wasReady: false }, 'a token')
  t.match(await ask(file.url, { cookie }), { status: 404 }, 'a media session')

  at = Date.now()
  await change('PATCH', `/api/attachments/${file.id}`, { expiresAt: new Date(at + 60_000).toISOString() })
  await ask(file.url, token)
  t.match(await ask(file.url, token), { status: 200, wasReady: true })
  at += 60_001
  t.match(await ask(file.url, token), { status: 404 }, 'a file')
})

test('each is logged and counted as any other', async (t) => {
  const log = collectLog()
  const { ask, put, app } = await build(t, { LOG_LEVEL: 'info' }, { logStream: log.stream })
  await put(await picture('png'))
  await ask('/api/avatars/ada?size=32&format=png')
  await ask('/api/avatars/ada?size=32&format=png', { 'x-request-id': 'mine' })
  const [first, second] = log.lines().filter(({ route, method }) => route === '/api/avatars/:userId' && method === 'GET')
  t.match(second, { requestId: 'mine', path: '/api/avatars/ada', status: 200, msg: 'GET /api/avatars/ada 200', bytesOut: Number })
  t.strictSame(Object.keys(second ?? {}), Object.keys(first ?? {}))
  const { body } = await app.inject('/metrics')
  t.match(body, 'http_request_duration_seconds_count{method="GET",route="/api/avatars/:userId",status="200"} 2')
})

test('answers of one connection come in the order of its requests, and a client that leaves is logged', async (t) => {
  const log = collectLog()
  const client = await build(t, { LOG_LEVEL: 'info' }, { logStream: log.stream })
  const { ask, put, url } = client
  await put(await picture('png'))
  await ask('/api/avatars/ada')
  const socket = connect(Number(url.port), url.hostname)
  const get = (path: string, more = '') => `GET ${path} HTTP/1.1\r\nhost: x\r\n${more}\r\n`
  socket.end(get('/health/live') + get('/api/avatars/ada') + get('/api/avatars/bob') + get('/api/avatars/ada', 'connection: close\r\n'))
  const answers = (await text(socket)).match(/HTTP\/1\.1 \d+/g)
  t.strictSame(answers, ['HTTP/1.1 200', 'HTTP/1.1 200', 'HTTP/1.1 404', 'HTTP/1.1 200'])

  const large = await attached(client, Buffer.alloc(500_000, 'x'), 'public')
  await ask(large.url)
  const leaving = connect(Number(url.port), url.hostname)
  leaving.write(get(large.url).repeat(100))
  await once(leaving, 'data')
  leaving.destroy()
  const left = () => log.lines().filter(({ isAborted }) => isAborted === true)
  while (left().length === 0) await setTimeout(10)
  t.match(left()[0], { status: 200, route: '/api/attachments/:id/content' })
})

test('where many ask in one turn of the event loop, they are answered at its end, and who asks alone is at once', async (t) => {
  const { ask, put, url, app } = await build(t)
  await put(await picture('png'))
  await ask('/api/avatars/ada')
  const sockets = [1, 2, 3, 4].map(() => connect(Number(url.port), url.hostname))
  t.teardown(() => { for (const socket of sockets) socket.destroy() })
  await Promise.all(sockets.map(async (socket) => once(socket, 'connect')))
  const atOnce: boolean[] = []
  app.server.on('request', (_request, response) => { atOnce.push(response.headersSent) })
  // While connections are taken, requests may come in several turns.
  for (const asking of [sockets, sockets, sockets, sockets.slice(0, 1), sockets.slice(0, 1)]) {
    const answers = asking.map(async (socket) => once(socket, 'data'))
    for (const socket of asking) socket.write('GET /api/avatars/ada HTTP/1.1\r\nhost: x\r\n\r\n')
    for (const [answer] of await Promise.all(answers)) t.match(String(answer), /^HTTP\/1\.1 200/)
  }
  t.strictSame(atOnce.slice(8), [false, false, false, false, false, true])
})

test('of what is pipelined by a client that reads nothing, no more is taken than is read at once', async (t) => {
  const client = await build(t)
  const { url } = await attached(client, Buffer.alloc(500_000, 'x'), 'public')
  await client.ask(url)
  let taken = 0
  client.app.server.on('request', () => { taken += 1 })
  const socket = connect(Number(client.url.port), client.url.hostname)
  t.teardown(() => socket.destroy())
  socket.pause()
  const get = `GET ${url} HTTP/1.1\r\nhost: x\r\n\r\n`
  socket.write(get.repeat(50_000))
  await once(client.app.server, 'request')
  await setTimeout(500)
  t.ok(taken * get.length < 2 * 65_536, `${taken}`)
})

test('what is not in memory is read, and what cannot be read is for who says so', async (t) => {
  const client = await build(t, { MEMORY_CACHE_BYTES: '0' })
  const { ask, as, folder, files } = client
  const { url } = await attached(client, Buffer.from('hello'))
  const token = await as('ada')
  await ask(url, token)
  t.match(await ask(url, token), { status: 200, wasReady: true, body: Buffer.from('hello') })
  const blob = (await files()).find((path) => path.endsWith('.txt')) ?? ''
  await rm(join(folder, blob))
  t.match(await ask(url, token), { status: 503, wasReady: false })
})

test('a stop ends it', async (t) => {
  const { ask, put, app } = await build(t)
  await put(await picture('png'))
  await ask('/api/avatars/ada')
  t.match(await ask('/api/avatars/ada'), { wasReady: true })
  await app.close()
  await t.rejects(ask('/api/avatars/ada'))
})
