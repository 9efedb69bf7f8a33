// Many at once, on connections that they share: each has the bytes that were asked for, all of them, and nobody else's.
import { createHash, randomBytes, randomInt } from 'node:crypto'
import { once } from 'node:events'
import { readdirSync } from 'node:fs'
import { request, type OutgoingHttpHeaders } from 'node:http'
import { connect, type Socket } from 'node:net'
import { setTimeout } from 'node:timers/promises'
import type { Test } from 'tap'
import { asking, attached, constant, test } from '../fixtures/asking.ts'
import { picture } from '../helper.ts'

type Client = Awaited<ReturnType<typeof asking>>
type Asked = { path: string, headers: OutgoingHttpHeaders }

const written = ({ path, headers }: Asked): string =>
  `GET ${path} HTTP/1.1\r\nhost: x\r\n${Object.entries(headers).map(([name, value]) => `${name}: ${String(value)}\r\n`).join('')}\r\n`

type Got = { status: number, body: string }

/** The answers of one connection, in their order. */
async function answersOn ({ url }: Client, all: readonly Asked[]): Promise<Got[]> {
  const socket = connect(Number(url.port), url.hostname)
  socket.write(all.map(written).join(''))
  const got: Got[] = []
  let bytes = Buffer.alloc(0)
  while (got.length < all.length) {
    const end = bytes.indexOf('\r\n\r\n')
    const head = bytes.subarray(0, Math.max(0, end)).toString('latin1')
    const status = Number(/^HTTP\/1\.1 (\d+)/.exec(head)?.[1] ?? 0)
    const length = status === 304 ? 0 : Number(/^content-length: (\d+)/im.exec(head)?.[1] ?? 0)
    if (end < 0 || bytes.length < end + 4 + length) {
      const [chunk] = await once(socket, 'data') as [Buffer]
      bytes = Buffer.concat([bytes, chunk])
      continue
    }
    got.push({ status, body: bytes.subarray(end + 4, end + 4 + length).toString('latin1') })
    bytes = bytes.subarray(end + 4 + length)
  }
  socket.destroy()
  return got
}

test('who shares a connection sees what is theirs, in the order in which it was asked for', async (t) => {
  const client = await asking(t)
  const { put, as, app } = client
  await put(await picture('png'))
  const large = randomBytes(600_000)
  const cases: Asked[] = [{ path: '/api/avatars/ada', headers: {} }, { path: '/api/avatars/nobody', headers: {} }, { path: '/health/live', headers: {} }]
  for (const user of ['ada', 'bob']) {
    const attach = async (bytes: Buffer) => (await client.attach(bytes, { user })).json().attachments[0].url as string
    const [small, big] = [await attach(Buffer.from(`of ${user}`)), await attach(large)]
    for (const who of [await as('ada'), await as('bob'), {}, { authorization: 'Bearer wrong' }]) {
      cases.push({ path: small, headers: who }, { path: small, headers: { ...who, range: 'bytes=-2' } }, { path: small, headers: { ...who, 'if-none-match': '*' } }, { path: big, headers: { ...who, range: 'bytes=9-300' } })
    }
  }
  // As Fastify alone says it, which inject asks.
  const expected = await Promise.all(cases.map(async ({ path, headers }) => {
    const { statusCode, rawPayload } = await app.inject({ url: path, headers })
    return { status: statusCode, body: rawPayload.toString('latin1') }
  }))
  const plain = ({ status, body }: Got) => ({ status, body: status < 400 ? body : '' })
  await Promise.all(Array.from({ length: 8 }, async () => {
    const chosen = Array.from({ length: 150 }, () => randomInt(cases.length))
    const got = await answersOn(client, chosen.map((index) => cases[index] ?? { path: '/', headers: {} }))
    t.strictSame(got.map(plain), chosen.map((index) => plain(expected[index] ?? { status: 0, body: '' })))
  }))
})

test('whatever is asked in whatever form, what is ready is what is found out anew', async (t) => {
  const client = await asking(t, { CORS_ORIGINS: 'https://app.example,https://two.example' })
  const { put, app, as, ask } = client
  const { versionedUrl } = (await put(await picture('png', { width: 200, height: 150 }))).json()
  const open = await attached(client, Buffer.from('0123456789'), 'public')
  const own = await attached(client, Buffer.from('abcdefghij'))
  const empty = await attached(client, Buffer.from(''), 'public').catch(() => undefined)
  const { headers: { etag, 'last-modified': modified } } = await ask(open.url)
  const paths = ['/api/avatars/ada', '/api/avatars/%61da', '/api/avatars/ada?size=64', '/api/avatars/ada?size=64&format=webp', '/api/avatars/ada?format=webp&size=64', versionedUrl, `${versionedUrl}?x`, open.url, `${open.url}?download=1`, `${open.url}?download=0`, own.url, own.url.toUpperCase(), `/${own.url}`, `${own.url}/`, ...(empty === undefined ? [] : [empty.url])]
  const fields: Record<string, Array<string | undefined>> = {
    authorization: [undefined, undefined, (await as('ada')).authorization, (await as('bob')).authorization, (await as('s', 'uploads:service')).authorization, '', 'Basic eDp5', 'bearer', 'Bearer x'],
    accept: [undefined, '', '*/*', 'image/avif,image/webp', 'image/webp', 'image/png;q=0.1, image/jpeg'],
    origin: [undefined, undefined, '', 'https://app.example', 'https://two.example', 'https://other.example'],
    range: [undefined, undefined, 'bytes=0-0', 'bytes=-3', 'bytes=2-', 'bytes=5-2', 'bytes=0-1,3-4', 'bytes=99-', 'bytes=-0', 'lines=1-2', 'BYTES=1-3'],
    'if-range': [undefined, undefined, etag, '"x"', modified, `W/${etag}`],
    'if-none-match': [undefined, undefined, undefined, etag, `W/${etag}`, '"x"', '*', `"x" , ${etag}`, etag?.slice(1)],
    'if-match': [undefined, undefined, undefined, undefined, etag, '"x"', '*', `W/${etag}`],
    'if-modified-since': [undefined, undefined, modified, 'Mon, 23 Nov 2020 16:08:57 GMT', 'yesterday'],
    'if-unmodified-since': [undefined, undefined, undefined, modified, 'Mon, 23 Nov 2020 16:08:57 GMT'],
    'want-repr-digest': [undefined, undefined, undefined, 'sha-512=1', 'sha-256=0'],
    'x-http-method-override': [undefined, undefined, 'DELETE'],
    host: [undefined, 'other.example'],
    'x-forwarded-host': [undefined, 'other.example'],
  }
  const oneOf = <T>(all: readonly T[]): T | undefined => all[randomInt(all.length)]
  let ready = 0
  for (let times = 0; times < 1500; times += 1) {
    const path = oneOf(paths) ?? ''
    const chosen = Object.entries(fields).map(([name, values]) => [name, oneOf(values)] as const).filter((field): field is [string, string] => field[1] !== undefined)
    const headers = Object.fromEntries(randomInt(3) === 0 ? chosen : chosen.filter(() => randomInt(3) === 0))
    const method = randomInt(4) === 0 ? 'HEAD' : 'GET'
    const got = await ask(path, headers, method)
    if (got.wasReady) ready += 1
    const { statusCode, headers: said, rawPayload } = await app.inject({ url: path, method, headers: { host: 'x', ...headers } })
    const anew = constant({ status: statusCode, headers: said as typeof got.headers, body: rawPayload, wasReady: false })
    const plain = ({ status, headers: { connection, 'keep-alive': _, 'content-length': length, 'transfer-encoding': coding, ...rest }, body }: ReturnType<typeof constant>) => ({ status, headers: { ...rest, ...(status < 300 && { length }) }, body: status < 400 ? body : '' })
    if (!t.strictSame(plain(constant(got)), plain(anew), `${method} ${path} ${JSON.stringify(headers)}`)) return
  }
  t.ok(ready > 300, `${ready} were ready`)
})

test('a client that asks for several and takes none is cut off as one that asks for one', async (t) => {
  const client = await asking(t)
  const { url } = await attached(client, randomBytes(500_000), 'public')
  await client.ask(url)
  const connection = once(client.app.server, 'connection').then(([socket]) => socket as Socket)
  const socket = connect(Number(client.url.port), client.url.hostname).pause()
  t.teardown(() => socket.destroy())
  const [asked, health] = [{ path: url, headers: {} }, { path: '/health/live', headers: {} }]
  socket.write([health, ...Array.from({ length: 40 }, () => asked)].map(written).join(''))
  const served = await connection
  while (served.writableLength === 0) await setTimeout(5)
  t.equal(served.timeout, 60_000)
})

const descriptors = () => readdirSync('/proc/self/fd').length

/** Takes pieces of any size after any time, and leaves early if it is to. */
async function download (url: URL, path: string, { range, leavesAfter = Infinity, isSlow }: { range: string | undefined, leavesAfter?: number | undefined, isSlow: boolean }): Promise<string | undefined> {
  const sent = request({ host: url.hostname, port: url.port, path, agent: false, headers: range === undefined ? {} : { range } }).on('error', () => {}).end()
  const [answer] = await once(sent, 'response')
  const digest = createHash('sha256')
  let taken = 0
  for await (const chunk of answer) {
    digest.update(chunk as Buffer)
    taken += (chunk as Buffer).length
    if (taken > leavesAfter) return undefined
    if (isSlow && randomInt(4) === 0) await setTimeout(randomInt(20))
  }
  return digest.digest('hex')
}

test('a hundred take large files at once, slowly, while others leave: each has the bytes of its own, and no file stays open', async (t: Test) => {
  const client = await asking(t)
  const all = await Promise.all(Array.from({ length: 4 }, async () => {
    const bytes = randomBytes(4_000_000 + randomInt(1_000_000))
    return { bytes, ...await attached(client, bytes, 'public') }
  }))
  const before = descriptors()
  let whole = 0
  await Promise.all(Array.from({ length: 200 }, async (_, index) => {
    const { bytes, url } = all[index % all.length] ?? { bytes: Buffer.alloc(0), url: '' }
    const leaves = index % 2 === 0
    const [one, two] = [randomInt(bytes.length), randomInt(bytes.length)]
    const range = index % 3 === 0 ? { start: Math.min(one, two), end: Math.max(one, two) } : undefined
    const got = await download(client.url, url, { range: range && `bytes=${range.start}-${range.end}`, isSlow: index % 5 !== 0, leavesAfter: leaves ? randomInt(2_000_000) : undefined })
    if (got === undefined) return
    const expected = createHash('sha256').update(range === undefined ? bytes : bytes.subarray(range.start, range.end + 1)).digest('hex')
    if (got === expected) whole += 1
    else t.fail(`${url} ${JSON.stringify(range)}`)
  }))
  t.ok(whole >= 100, `${whole} came whole`)
  const deadline = performance.now() + 20_000
  while (descriptors() > before && performance.now() < deadline) await setTimeout(50)
  t.ok(descriptors() <= before, `${descriptors()} of ${before} descriptors`)
})
