// What is answered. How a connection fares that breaks is in send-connection.test.ts.
import { Readable } from 'node:stream'
import { setImmediate } from 'node:timers/promises'
import type { FastifyInstance } from 'fastify'
import t from 'tap'
import { StorageUnavailable } from '../../src/errors.ts'
import { etagOf } from '../../src/transfer/etag.ts'
import { representationOf } from './fixtures/representation.ts'
import { serving } from './fixtures/serving.ts'

const bytes = Buffer.from('0123456789')
const exact = 'Sat, 21 Nov 2026 10:11:12 GMT'
const etag = etagOf(representationOf(bytes).sha256)
/** What belongs to the file, and so to no error. */
const ofTheFile = ['etag', 'last-modified', 'accept-ranges', 'content-disposition', 'repr-digest']

t.test('a GET answers with the bytes and all that is to be said of them', async (t) => {
  const { app } = await serving(t, representationOf(bytes))
  const { statusCode, headers, rawPayload } = await app.inject('/')
  t.equal(statusCode, 200)
  t.same(rawPayload, bytes)
  const { date, connection, ...rest } = headers
  t.same(rest, {
    vary: 'Accept',
    etag,
    'cache-control': 'public, no-cache',
    'content-disposition': 'inline; filename=picture.png',
    'x-content-type-options': 'nosniff',
    'content-security-policy': "default-src 'none'; style-src 'unsafe-inline'; sandbox",
    'cross-origin-resource-policy': 'cross-origin',
    'referrer-policy': 'no-referrer',
    'content-type': 'image/png',
    'content-length': '10',
    'last-modified': exact,
    'accept-ranges': 'bytes',
    'repr-digest': 'sha-256=:hNiYd/DUBB77a/kaFvAkjy/Vc+avBcGflr7bn4gveII=:',
  })
})

t.test('a HEAD answers as the GET would, without a body and without opening the file', async (t) => {
  const cases: Record<string, string>[] = [{}, { 'if-none-match': etag }, { 'if-match': '"x"' }, { 'if-modified-since': exact }, { 'if-unmodified-since': exact }]
  for (const url of ['/', '/explicit']) {
    for (const headers of cases) {
      const file = representationOf(bytes)
      const { app } = await serving(t, file)
      const get = await app.inject({ url, headers })
      const reads = file.reads.length
      const head = await app.inject({ url, headers, method: 'HEAD' })
      t.equal(head.statusCode, get.statusCode)
      t.equal(head.body, '')
      t.same({ ...head.headers, date: 0 }, { ...get.headers, date: 0 }, `${url} ${JSON.stringify(headers)}`)
      t.equal(file.reads.length, reads)
    }
  }
})

t.test('a HEAD takes no notice of Range', async (t) => {
  for (const range of ['bytes=2-5', 'bytes=99-']) {
    const { app } = await serving(t, representationOf(bytes))
    const { statusCode, headers } = await app.inject({ url: '/', method: 'HEAD', headers: { range } })
    t.equal(statusCode, 200)
    t.match(headers, { 'content-length': '10', 'content-range': undefined })
  }
})

t.test('a 304 says what a cache must know and nothing of a body', async (t) => {
  for (const method of ['GET', 'HEAD'] as const) {
    for (const url of ['/', '/explicit']) {
      const file = representationOf(bytes, { isPublic: false, cacheControl: 'private, max-age=60' })
      const { app } = await serving(t, file)
      const { statusCode, headers, body } = await app.inject({ url, method, headers: { 'if-none-match': etag, range: 'bytes=0-1' } })
      t.equal(statusCode, 304)
      t.equal(body, '')
      t.match(headers, { etag, 'cache-control': 'private, max-age=60', 'cross-origin-resource-policy': 'same-site', vary: url === '/' ? 'Accept' : undefined })
      for (const name of ['content-length', 'content-type', 'content-range', 'last-modified', 'repr-digest', 'transfer-encoding']) t.notOk(name in headers, `${method} ${url} ${name}`)
      t.equal(file.reads.length, 0)
    }
  }
})

t.test('a 412 and a 416 carry nothing of the file and are not kept', async (t) => {
  const file = representationOf(bytes, { cacheControl: 'public, max-age=31536000, immutable' })
  const { app } = await serving(t, file)
  const failed = await app.inject({ url: '/', headers: { 'if-match': '"x"', range: 'bytes=99-' } })
  t.match(failed, { statusCode: 412, headers: { 'cache-control': 'no-store' } })
  t.equal(failed.json().code, 'PRECONDITION_FAILED')
  const outside = await app.inject({ url: '/', headers: { range: 'bytes=99-' } })
  t.match(outside, { statusCode: 416, headers: { 'cache-control': 'no-store', 'content-range': 'bytes */10' } })
  t.equal(outside.json().code, 'RANGE_NOT_SATISFIABLE')
  for (const name of ofTheFile) t.notOk(name in failed.headers || name in outside.headers, name)
  t.equal(file.reads.length, 0)
})

t.test('a part is what a slice of the bytes would be', async (t) => {
  for (let size = 1; size <= 4; size++) {
    const whole = bytes.subarray(0, size)
    const { app } = await serving(t, representationOf(whole))
    for (let start = 0; start < size; start++) {
      for (let last = start; last <= size + 1; last++) {
        const end = Math.min(last, size - 1)
        const { statusCode, headers, rawPayload } = await app.inject({ url: '/', headers: { range: `bytes=${start}-${last}` } })
        const expected = whole.subarray(start, last + 1)
        t.equal(statusCode, 206)
        t.same(rawPayload, expected)
        t.match(headers, { 'content-length': String(expected.length), 'content-range': `bytes ${start}-${end}/${size}`, etag: /^"/, 'last-modified': exact, 'content-type': 'image/png' })
      }
    }
  }
})

t.test('only the bytes of the part are read', async (t) => {
  const file = representationOf(bytes)
  const { app } = await serving(t, file)
  t.equal((await app.inject({ url: '/', headers: { range: 'bytes=-3' } })).body, '789')
  t.equal((await app.inject({ url: '/', headers: { range: 'bytes=8-' } })).body, '89')
  t.equal((await app.inject('/')).body, '0123456789')
  t.same(file.reads, [{ start: 7, end: 9 }, { start: 8, end: 9 }, undefined])
})

t.test('the digest is that of the whole file, also with a part of it, unless the client wants none', async (t) => {
  const { app } = await serving(t, representationOf(bytes))
  const digest = `sha-256=:${Buffer.from(representationOf(bytes).sha256, 'hex').toString('base64')}:`
  for (const [wanted, expected] of [['', digest], ['sha-256=1', digest], ['sha-512=10, sha-256=1', digest], ['sha-512=10', digest], ['no dictionary,', digest], ['sha-256', digest], ['sha-256=0', undefined], ['sha-512=3, sha-256=0', undefined]] as const) {
    for (const [method, range, status] of [['GET', 'bytes=2-5', 206], ['GET', 'lines=1', 200], ['HEAD', 'bytes=2-5', 200]] as const) {
      const { statusCode, headers } = await app.inject({ method, url: '/', headers: { range, 'want-repr-digest': wanted } })
      t.equal(statusCode, status)
      t.equal(headers['repr-digest'], expected, `${method} ${range} ${wanted}`)
    }
  }
})

t.test('several ranges, malformed ones and other units are answered with the whole', async (t) => {
  const { app } = await serving(t, representationOf(bytes))
  for (const range of ['bytes=0-1,3-4', 'bytes=0-0, 99-', 'bytes=5-2', 'bytes=x', 'lines=0-1', 'bytes=']) {
    const { statusCode, headers, body } = await app.inject({ url: '/', headers: { range } })
    t.equal(statusCode, 200, range)
    t.equal(body, '0123456789')
    t.notOk('content-range' in headers)
  }
})

t.test('a part is sent only of the bytes the client began with', async (t) => {
  const { app } = await serving(t, representationOf(bytes))
  const cases: [ifRange: string, range: string, status: number][] = [
    [etag, 'bytes=2-5', 206],
    [exact, 'bytes=2-5', 206],
    [`W/${etag}`, 'bytes=2-5', 200],
    ['"x"', 'bytes=2-5', 200],
    ['Sat, 21 Nov 2026 10:11:13 GMT', 'bytes=2-5', 200],
    ['Sat, 21 Nov 2026 10:11:11 GMT', 'bytes=2-5', 200],
    ['nonsense', 'bytes=2-5', 200],
    [etag, 'bytes=99-', 416],
    ['"x"', 'bytes=99-', 200],
  ]
  for (const [ifRange, range, status] of cases) {
    const { statusCode } = await app.inject({ url: '/', headers: { range, 'if-range': ifRange } })
    t.equal(statusCode, status, `${ifRange} ${range}`)
  }
})

t.test('preconditions come before ranges', async (t) => {
  const { app } = await serving(t, representationOf(bytes))
  const status = async (headers: Record<string, string>) => (await app.inject({ url: '/', headers })).statusCode
  t.equal(await status({ 'if-none-match': etag, range: 'bytes=99-' }), 304)
  t.equal(await status({ 'if-none-match': '"x"', range: 'bytes=0-1' }), 206)
  t.equal(await status({ 'if-match': etag, range: 'bytes=0-1' }), 206)
  t.equal(await status({ 'if-modified-since': exact, range: 'bytes=0-1', 'if-range': etag }), 304)
})

t.test('an empty file is served whole, whatever range is asked for', async (t) => {
  const { app } = await serving(t, representationOf(Buffer.alloc(0)))
  for (const headers of [{}, { range: 'bytes=0-' }, { range: 'bytes=-1' }, { range: 'bytes=5-6' }]) {
    const answer = await app.inject({ url: '/', headers })
    t.match(answer, { statusCode: 200, body: '', headers: { 'content-length': '0', 'accept-ranges': 'bytes' } })
  }
  t.match(await app.inject({ url: '/', method: 'HEAD' }), { statusCode: 200, headers: { 'content-length': '0' } })
})

t.test('hostile content is sent to be saved, private content to this site alone', async (t) => {
  for (const contentType of ['text/html', 'image/svg+xml']) {
    const { app } = await serving(t, representationOf(Buffer.from('<script>'), { contentType, isPublic: false, filename: 'x".html' }))
    t.match((await app.inject('/')).headers, {
      'content-type': contentType,
      'content-disposition': 'attachment; filename="x\\".html"',
      'x-content-type-options': 'nosniff',
      'content-security-policy': /default-src 'none'.*; sandbox$/,
      'cross-origin-resource-policy': 'same-site',
    })
  }
})

t.test('plain text is UTF-8', async (t) => {
  const { app } = await serving(t, representationOf(Buffer.from('Привет'), { contentType: 'text/plain' }))
  t.match(await app.inject('/'), { body: 'Привет', headers: { 'content-type': 'text/plain; charset=utf-8' } })
})

t.test('a file that cannot be opened is an error without the headers of the file', async (t) => {
  const { app } = await serving(t, representationOf(bytes, { read: async () => { throw new StorageUnavailable() } }))
  for (const headers of [{}, { range: 'bytes=0-1' }]) {
    const answer = await app.inject({ url: '/', headers })
    t.equal(answer.statusCode, 503)
    t.equal(answer.json().code, 'STORAGE_UNAVAILABLE')
    t.equal(answer.headers['cache-control'], 'no-store')
    for (const name of [...ofTheFile, 'content-range']) t.notOk(name in answer.headers, name)
  }
})

t.test('a file that fails before its first byte is an error without the headers of the file', async (t) => {
  const broken = () => new Readable({ read () { this.destroy(new StorageUnavailable()) } })
  const empty = () => Readable.from([])
  const slowHook = (app: FastifyInstance) => { app.addHook('onSend', async () => { for (let turn = 0; turn < 5; turn++) await setImmediate() }) }
  for (const [open, prepare] of [[broken], [empty], [broken, slowHook], [empty, slowHook]] as const) {
    const { app } = await serving(t, representationOf(bytes, { cacheControl: 'max-age=31536000, immutable', read: async () => open() }), prepare)
    const answer = await app.inject({ url: '/', headers: { range: 'bytes=0-1' } })
    t.equal(answer.statusCode, 503)
    t.equal(answer.json().code, 'STORAGE_UNAVAILABLE')
    t.equal(answer.headers['cache-control'], 'no-store')
    for (const name of [...ofTheFile, 'content-range']) t.notOk(name in answer.headers, name)
  }
})

t.test('a hook that fails leaves no file open', async (t) => {
  const source = new Readable({ read () {} })
  const { app } = await serving(t, representationOf(bytes, { read: async () => source }), (app) => {
    app.addHook('onSend', async (_request, _reply, payload) => {
      if (payload instanceof Readable) throw new Error('hook')
    })
  })
  t.equal((await app.inject('/')).statusCode, 500)
  t.equal(source.destroyed, true)
})
