// What happens on a real connection: clients that leave, files that break half-way, fields sent twice, connections used again.
import { once } from 'node:events'
import { createReadStream } from 'node:fs'
import { get, type IncomingMessage } from 'node:http'
import { connect } from 'node:net'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { text } from 'node:stream/consumers'
import t from 'tap'
import { etagOf } from '../../src/transfer/etag.ts'
import { representationOf } from './fixtures/representation.ts'
import { portOf, serving } from './fixtures/serving.ts'

const bytes = Buffer.from('0123456789')
const large = 64 * 1024 ** 2

/** Far more bytes than any socket buffer takes, and none of them in memory. */
function endless (): Readable {
  return new Readable({ read () { this.push(Buffer.alloc(64 * 1024)) } })
}

/** Not once(): a file that is closed early may say so with an error. */
function closeOf (stream: Readable): Promise<void> {
  return new Promise((resolve) => stream.once('close', () => resolve()))
}

async function answerTo (port: number): Promise<IncomingMessage> {
  const request = get({ port, host: '127.0.0.1', agent: false })
  const [response] = await once(request, 'response')
  return response
}

/** All that comes back for `request`, sent as it stands, until the gateway closes the connection. */
async function exchange (port: number, request: string): Promise<string> {
  const socket = connect(port, '127.0.0.1')
  socket.write(request)
  return await text(socket)
}

t.test('a client that leaves half-way closes the file, and is no failure of ours', async (t) => {
  const source = endless()
  const { app, log } = await serving(t, representationOf(bytes, { size: large, read: async () => source }))
  const response = await answerTo(await portOf(app))
  await once(response, 'data')
  const closed = closeOf(source)
  response.destroy()
  await closed
  t.equal(source.destroyed, true)
  await app.close()
  t.same(log.filter(({ level }) => level > 30), [])
})

t.test('a client that leaves while the file is being opened leaves none open', async (t) => {
  const source = endless()
  const opening = Promise.withResolvers<Readable>()
  const asked = Promise.withResolvers<void>()
  const { app, log } = await serving(t, representationOf(bytes, { size: large, read: () => { asked.resolve(); return opening.promise } }))
  const gone = Promise.withResolvers<void>()
  app.addHook('onRequest', async (request) => { request.raw.socket.once('close', () => gone.resolve()) })
  const request = get({ port: await portOf(app), host: '127.0.0.1', agent: false }).on('error', () => {})
  await asked.promise
  request.destroy()
  await gone.promise
  const closed = closeOf(source)
  opening.resolve(source)
  await closed
  t.equal(source.destroyed, true)
  t.same(log.filter(({ level }) => level > 30), [])
})

t.test('a hundred clients that leave leave no descriptor behind', async (t) => {
  const file = join(t.testdir({ file: Buffer.alloc(2 * 1024 ** 2) }), 'file')
  const sources: Promise<unknown>[] = []
  const { app } = await serving(t, () => representationOf(bytes, {
    size: 2 * 1024 ** 2,
    read: async () => {
      const source = createReadStream(file)
      sources.push(closeOf(source))
      return source
    },
  }))
  const port = await portOf(app)
  await Promise.all(Array.from({ length: 100 }, async () => (await answerTo(port)).destroy()))
  await Promise.all(sources)
  t.equal(sources.length, 100)
})

t.test('a file that breaks half-way cuts the connection and is logged once', async (t) => {
  async function * broken () {
    yield Buffer.alloc(1000)
    throw new Error('EIO: i/o error, read')
  }
  const { app, log } = await serving(t, representationOf(bytes, { size: 2000, read: async () => Readable.from(broken()) }))
  const response = await answerTo(await portOf(app))
  t.equal(response.headers['content-length'], '2000')
  await t.rejects(text(response), { code: 'ECONNRESET' })
  t.same(log.filter(({ level }) => level > 30).map(({ err }) => err?.message), ['EIO: i/o error, read'])
})

t.test('a file that is shorter or longer than was announced cuts the connection', async (t) => {
  for (const chunks of [[bytes], [bytes, bytes, bytes]]) {
    const { app, log } = await serving(t, representationOf(bytes, { size: 20, read: async () => Readable.from(chunks) }))
    const answer = await exchange(await portOf(app), 'GET / HTTP/1.1\r\nHost: a\r\n\r\n')
    t.match(answer, /^HTTP\/1\.1 200 OK\r\n[^]*content-length: 20\r\n/)
    t.equal(answer.split('\r\n\r\n')[1], bytes.toString().repeat(Math.min(chunks.length, 2)))
    t.same(log.filter(({ level }) => level > 30).map(({ err }) => err?.code), ['STORAGE_UNAVAILABLE'])
  }
})

t.test('answers without a body leave the connection in step', async (t) => {
  const file = representationOf(bytes)
  const { app } = await serving(t, file)
  const line = (method: string, fields = '') => `${method} / HTTP/1.1\r\nHost: a\r\n${fields}\r\n`
  const answer = await exchange(await portOf(app), [
    line('HEAD'),
    line('GET', `If-None-Match: ${etagOf(file.sha256)}\r\n`),
    line('HEAD', `If-None-Match: ${etagOf(file.sha256)}\r\n`),
    line('GET', 'Range: bytes=2-4\r\n'),
    line('GET', 'Connection: close\r\n'),
  ].join(''))
  const heads = answer.split('HTTP/1.1 ').slice(1)
  t.same(heads.map((head) => head.slice(0, 3)), ['200', '304', '304', '206', '200'])
  t.same(heads.map((head) => head.slice(head.indexOf('\r\n\r\n') + 4)), ['', '', '', '234', '0123456789'])
  t.match(heads[0], /content-length: 10\r\n/)
  t.notMatch(heads[1], /content-length|transfer-encoding|content-type:/i)
})

t.test('fields that are sent twice are lists where the RFC has lists, and ignored where it has not', async (t) => {
  const file = representationOf(bytes)
  const { app } = await serving(t, file)
  const port = await portOf(app)
  const tag = etagOf(file.sha256)
  const date = 'Sat, 21 Nov 2026 10:11:12 GMT'
  const status = async (...fields: string[]) => (await exchange(port, ['GET / HTTP/1.1', 'Host: a', 'Connection: close', ...fields, '', ''].join('\r\n'))).slice(9, 12)
  t.equal(await status(`If-None-Match: ${tag}`), '304')
  t.equal(await status('If-None-Match: "x"', `If-None-Match: ${tag}`), '304')
  t.equal(await status('If-Match: "x"', `If-Match: ${tag}`), '200')
  t.equal(await status(`If-Modified-Since: ${date}`), '304')
  t.equal(await status(`If-Modified-Since: ${date}`, `If-Modified-Since: ${date}`), '200')
  t.equal(await status('Range: bytes=0-1'), '206')
  t.equal(await status('Range: bytes=0-1', 'Range: bytes=0-1'), '200')
  t.equal(await status('Range: bytes=0-1', `If-Range: ${tag}`), '206')
  t.equal(await status('Range: bytes=0-1', `If-Range: ${tag}`, `If-Range: ${tag}`), '200')
})
