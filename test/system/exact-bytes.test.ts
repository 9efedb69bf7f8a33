// Bodies of lengths about those of blocks and buffers, in chunks of any size, many at once and interleaved: what is kept is what was sent.
import { createHash, randomBytes, randomInt } from 'node:crypto'
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import t from 'tap'
import { temporaryFolder } from '../helper.ts'
import { audit, staging } from './audit.ts'
import { get, json, sha256 } from './client.ts'
import { bearer, start, type Gateway } from './gateway.ts'
import { until } from './machine.ts'

const kibibyte = 1024
const mebibyte = 1024 ** 2
const lengths = [1, 2, 64 * kibibyte, mebibyte, 2 * mebibyte, 3 * mebibyte].flatMap((length) => [length - 1, length, length + 1]).filter((length) => length > 0).concat(5_555_555)
const { authorization } = await bearer('ada')
const sweeping = { SWEEP_INTERVAL_SECONDS: '1', SWEEP_GRACE_SECONDS: '1', SWEEP_MAX_PERCENT: '100' }

/** Of one connection: the answers so far, and how to wait for one. */
async function connection ({ url }: Gateway) {
  const { hostname, port } = new URL(url)
  const socket = connect(Number(port), hostname).setNoDelay()
  await once(socket, 'connect')
  let received = ''
  socket.setEncoding('latin1').on('data', (text: string) => { received += text }).on('error', () => {})
  return {
    socket,
    /** Final answers, whole ones. */
    answers: () => [...received.matchAll(/HTTP\/1\.1 (\d+) [^]*?\r\n\r\n(\{.*\})?/g)].filter(([, status]) => status !== '100').map(([, status, body]) => ({ status: Number(status), body: body === undefined ? undefined : JSON.parse(body) })),
    received: () => received,
  }
}

const write = (socket: Socket, bytes: Buffer | string): Promise<void> => new Promise((resolve) => { if (socket.write(bytes)) setImmediate(resolve); else socket.once('drain', resolve) })

/** In pieces of such sizes. */
async function writeIn (socket: Socket, bytes: Buffer, size: () => number, framed: boolean): Promise<void> {
  for (let at = 0; at < bytes.length;) {
    const piece = bytes.subarray(at, at + size())
    at += piece.length
    await write(socket, framed ? Buffer.concat([Buffer.from(`${piece.length.toString(16)}\r\n`), piece, Buffer.from('\r\n')]) : piece)
  }
  if (framed) await write(socket, '0\r\n\r\n')
}

const digest = (bytes: Buffer) => createHash('sha256').update(bytes).digest('base64')

const head = (more: string) => `POST /api/attachments HTTP/1.1\r\nHost: x\r\nAuthorization: ${authorization}\r\n${more}\r\n`

const sizes: Array<[name: string, size: () => number]> = [
  ['of a few bytes', () => randomInt(1, 400)],
  ['of some kilobytes', () => randomInt(1, 100_000)],
  ['of exactly 64 KiB', () => 64 * kibibyte],
  ['of a megabyte and one', () => mebibyte + 1],
]

type Kept = { url: string, hash: string }

t.test('one at a time and all at once', { timeout: 300_000 }, async (t) => {
  const folder = await temporaryFolder(t)
  const gateway = await start(t, folder, sweeping)
  const kept: Kept[] = []
  const fail = (message: string): void => { t.fail(message) }

  async function sendRaw (length: number, [name, size]: typeof sizes[number], framed: boolean, isExpected: boolean): Promise<void> {
    const bytes = randomBytes(length)
    const { socket, answers, received } = await connection(gateway)
    const framing = framed ? 'Transfer-Encoding: chunked\r\n' : `Content-Length: ${length}\r\n`
    await write(socket, head(`Content-Type: application/octet-stream\r\n${framing}Content-Digest: sha-256=:${digest(bytes)}:\r\n${isExpected ? 'Expect: 100-continue\r\n' : ''}`))
    if (isExpected) await until('it is asked for', () => received().includes('100 Continue'))
    await writeIn(socket, bytes, size, framed)
    await until('it is answered', () => answers().length === 1)
    socket.destroy()
    const [answer] = answers()
    if (answer?.status !== 201) return fail(`${length} bytes in pieces ${name}: ${received()}`)
    const [one] = answer.body.attachments
    if (one.sha256 !== sha256(bytes) || one.size !== length) fail(`${length} bytes in pieces ${name} are others`)
    kept.push({ url: one.url, hash: sha256(bytes) })
  }

  async function sendForm (all: readonly number[], size: () => number): Promise<void> {
    const files = all.map((length) => randomBytes(length))
    const boundary = 'x'.repeat(randomInt(1, 60))
    const body = Buffer.concat([
      ...files.flatMap((bytes) => [Buffer.from(`--${boundary}\r\nContent-Disposition: form-data; name="sha256"\r\n\r\n${sha256(bytes)}\r\n--${boundary}\r\nContent-Disposition: form-data; name="file"; filename="a.bin"\r\n\r\n`), bytes, Buffer.from('\r\n')]),
      Buffer.from(`--${boundary}--\r\n`),
    ])
    const { socket, answers, received } = await connection(gateway)
    await write(socket, head(`Content-Type: multipart/form-data; boundary=${boundary}\r\nContent-Length: ${body.length}\r\n`))
    await writeIn(socket, body, size, false)
    await until('it is answered', () => answers().length === 1)
    socket.destroy()
    const [answer] = answers()
    if (answer?.status !== 201) return fail(`a form with ${all}: ${received()}`)
    t.same(answer.body.attachments.map((one: { sha256: string }) => one.sha256), files.map(sha256))
    kept.push(...answer.body.attachments.map(({ url }: { url: string }, index: number) => ({ url, hash: sha256(files[index] ?? Buffer.alloc(0)) })))
  }

  for (const [index, length] of lengths.entries()) {
    await Promise.all([
      ...sizes.flatMap((size) => length > 2 * mebibyte && size === sizes[0] ? [] : [sendRaw(length, size, false, index % 3 === 0), sendRaw(length, size, true, false)]),
      sendForm([length, 0, 3, lengths[(index + 5) % lengths.length] ?? 1], () => randomInt(1, 200_000)),
      sendForm([length], () => 64 * kibibyte),
    ])
  }
  await sendForm([70], () => 1)
  await Promise.all(Array.from({ length: 40 }, (_, index) => sendRaw(lengths[index % lengths.length] ?? 1, sizes[1 + index % 3] ?? ['', () => 1], index % 2 === 0, false)))
  t.comment(`${kept.length} kept`)
  for (const { url, hash } of kept) t.equal(sha256((await get(gateway, url, 'ada')).body), hash)
  t.same(audit(folder).broken, [])
})

t.test('pipelined on one connection, and the one after a body that is not what its digest says', async (t) => {
  const folder = await temporaryFolder(t)
  const gateway = await start(t, folder, sweeping)
  const { socket, answers } = await connection(gateway)
  const bodies = Array.from({ length: 12 }, (_, index) => randomBytes(lengths[2 + index] ?? 5))
  const requests = bodies.map((bytes, index) => Buffer.concat([
    Buffer.from(head(`Content-Type: application/octet-stream\r\nContent-Length: ${bytes.length}\r\nContent-Digest: sha-256=:${digest(index % 4 === 3 ? randomBytes(3) : bytes)}:\r\n`)), bytes,
  ]))
  await writeIn(socket, Buffer.concat(requests), () => randomInt(1, 300_000), false)
  await until('all are answered', () => answers().length === bodies.length)
  socket.destroy()
  for (const [index, { status, body }] of answers().entries()) {
    if (index % 4 === 3) t.equal(status, 422)
    else {
      t.equal(status, 201)
      t.equal(sha256((await get(gateway, body.attachments[0].url, 'ada')).body), sha256(bodies[index] ?? Buffer.alloc(0)))
    }
  }
  t.same(audit(folder).broken, [])
})

t.test('given up at any byte, beside others that are not', { timeout: 120_000 }, async (t) => {
  const folder = await temporaryFolder(t)
  const gateway = await start(t, folder, sweeping)
  const whole = randomBytes(3 * mebibyte)
  const kept: string[] = []
  const headers = head(`Content-Type: application/octet-stream\r\nContent-Length: ${whole.length}\r\n`)
  async function abort (at: number): Promise<void> {
    const { socket } = await connection(gateway)
    await write(socket, headers)
    await writeIn(socket, whole.subarray(0, at), () => randomInt(1, 100_000), false)
    socket.resetAndDestroy()
  }
  async function complete (): Promise<void> {
    const { socket, answers } = await connection(gateway)
    await write(socket, headers)
    await writeIn(socket, whole, () => randomInt(1, 100_000), false)
    await until('it is answered', () => answers().length === 1)
    socket.destroy()
    kept.push(answers()[0]?.body.attachments[0].url)
  }
  for (let kilobyte = 0; kilobyte < 3 * 1024; kilobyte += 256) {
    await Promise.all([complete(), ...Array.from({ length: 32 }, (_, index) => abort(kilobyte * kibibyte + index * 8 * kibibyte))])
  }
  t.equal(json(await get(gateway, '/api/attachments?limit=200', 'ada')).attachments.length, kept.length)
  for (const url of kept) t.equal(sha256((await get(gateway, url, 'ada')).body), sha256(whole))
  await until('nothing is left of the others', () => staging(folder).flatMap(({ files }) => files).length === 0 && audit(folder).orphans.length === 0)
  t.same(audit(folder).broken, [])
})
