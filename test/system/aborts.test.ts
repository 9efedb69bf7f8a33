// Clients that leave in the middle, or hardly send: they cost nothing that lasts, and nobody else notices.
import { randomBytes, randomInt } from 'node:crypto'
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import t, { type Test } from 'tap'
import { temporaryFolder } from '../helper.ts'
import { publishedFiles, staging } from './audit.ts'
import { call, postAttachment } from './client.ts'
import { bearer, start, type Gateway } from './gateway.ts'
import { pause, until } from './machine.ts'
import { openFiles, restingRss } from './process.ts'

const mebibyte = 1024 ** 2
const bytes = randomBytes(3 * mebibyte)

/** The head of a request, and a body of which as much is sent as wanted. */
async function rawRequest (kind: 'raw' | 'multipart'): Promise<{ head: Buffer, body: Buffer }> {
  const preamble = '--limit\r\nContent-Disposition: form-data; name="contextType"\r\n\r\nmessage\r\n--limit\r\nContent-Disposition: form-data; name="file"; filename="a.bin"\r\nContent-Type: application/octet-stream\r\n\r\n'
  const body = kind === 'raw' ? bytes : Buffer.concat([Buffer.from(preamble), bytes, Buffer.from('\r\n--limit--\r\n')])
  const type = kind === 'raw' ? 'application/octet-stream' : 'multipart/form-data; boundary=limit'
  const { authorization } = await bearer('ada')
  return { body, head: Buffer.from(`POST /api/attachments HTTP/1.1\r\nHost: x\r\nAuthorization: ${authorization}\r\nContent-Type: ${type}\r\nContent-Length: ${body.length}\r\n\r\n`) }
}

/** Its end, in whatever way: also by a reset, which the socket tells as an error and `once` would pass on. */
const closing = (socket: Socket): Promise<unknown> => new Promise((resolve) => socket.on('error', () => {}).once('close', resolve))

async function abortAfter ({ url }: Gateway, { head, body }: { head: Buffer, body: Buffer }, length: number, how: 'reset' | 'end'): Promise<void> {
  const socket = connect(Number(new URL(url).port), '127.0.0.1')
  const closed = closing(socket)
  await once(socket, 'connect')
  await new Promise((resolve) => socket.write(Buffer.concat([head, body.subarray(0, length)]), resolve))
  if (how === 'reset') socket.resetAndDestroy()
  else socket.resume().end()
  await closed
}

const uploadsInFlight = (folder: string): number => staging(folder).flatMap(({ files }) => files).length

t.test('1 000 aborted uploads leave no file, no descriptor and no memory behind', { timeout: 300_000 }, async (t) => {
  const folder = await temporaryFolder(t)
  const gateway = await start(t, folder, { LOG_LEVEL: 'info' })
  const requests = await Promise.all([rawRequest('raw'), rawRequest('multipart')])
  const places = [0, 1, 100, 64 * 1024, mebibyte - 1, mebibyte, mebibyte + 1, bytes.length - 1]

  async function abort (count: number): Promise<void> {
    let left = count
    const one = async () => {
      while (left > 0) {
        left -= 1
        const request = requests[left % 2] ?? await rawRequest('raw')
        const place = left % 3 === 0 ? places[left % places.length] : randomInt(bytes.length)
        await abortAfter(gateway, request, place ?? 0, left % 5 === 0 ? 'end' : 'reset')
      }
    }
    await Promise.all(Array.from({ length: 10 }, one))
    await until('the last one is noticed', () => uploadsInFlight(folder) === 0)
  }

  // As much again as is measured: until then V8 and malloc still settle, by tens of megabytes.
  await abort(1000)
  for (let times = 0; times < 20; times += 1) await postAttachment(gateway, 'ada', bytes)
  const before = { rss: await restingRss(gateway.pid, 8000), files: openFiles(gateway.pid), published: publishedFiles(folder).length }
  let grown = Infinity
  // What leaks grows every time; what still settles does not.
  for (let rounds = 0; rounds < 3 && grown >= 20 * mebibyte; rounds += 1) {
    const rss = await restingRss(gateway.pid, 8000)
    await abort(1000)
    await until('all descriptors are closed', () => openFiles(gateway.pid) <= before.files)
    grown = await restingRss(gateway.pid, 8000) - rss
  }

  t.equal(uploadsInFlight(folder), 0)
  t.equal(publishedFiles(folder).length, before.published)
  t.ok(grown < 20 * mebibyte, `memory grew by ${(grown / mebibyte).toFixed(1)} MiB`)
  t.equal((await postAttachment(gateway, 'ada', bytes)).status, 201)
  t.ok(gateway.lines.filter((line) => line.includes('UPLOAD_ABORTED')).length >= 1000, 'each has its line')
  t.notOk(gateway.lines.some((line) => /"level":(50|60)/.test(line)), 'none of them is an error of ours')
  t.comment(`memory at rest ${(before.rss / mebibyte).toFixed(0)} MiB, grown by ${(grown / mebibyte).toFixed(1)} MiB; ${before.files} descriptors`)
})

t.test('200 uploads that drip are closed by the watchdog, while health answers at once', { timeout: 120_000 }, async (t) => {
  const folder = await temporaryFolder(t)
  const gateway = await start(t, folder, { UPLOAD_IDLE_SECONDS: '2' })
  // Has nothing to do on the same machine: what it takes longer now and then is not the gateway's doing.
  const idle = await start(t, await temporaryFolder(t))
  const { head, body } = await rawRequest('raw')
  const before = openFiles(gateway.pid)
  // An event loop that is held up is held up every time.
  let laterMs = Infinity
  for (let rounds = 0; rounds < 3 && laterMs >= 250; rounds += 1) {
    const over = new AbortController()
    const slowest = Promise.all([gateway, idle].map((one) => slowestHealth(t, one, over.signal)))
    await drip(t, gateway, { head, body })
    over.abort()
    const [busyMs = Infinity, idleMs = 0] = await slowest
    laterMs = busyMs - idleMs
    t.comment(`health took at most ${busyMs.toFixed(0)} ms, and ${idleMs.toFixed(0)} ms of a gateway that is idle`)
    await until('nothing is left', () => uploadsInFlight(folder) === 0 && openFiles(gateway.pid) <= before)
  }
  t.ok(laterMs < 250, `the drip made health ${laterMs.toFixed(0)} ms slower at most`)
})

/** How long health took at most until `over` is aborted, in milliseconds. */
async function slowestHealth (t: Test, gateway: Gateway, over: AbortSignal): Promise<number> {
  let slowestMs = 0
  while (!over.aborted) {
    const at = performance.now()
    t.equal((await call(gateway, '/health/live')).status, 200)
    slowestMs = Math.max(slowestMs, performance.now() - at)
    await pause(20)
  }
  return slowestMs
}

/** Sends 200 uploads that drip, begun within a second, until each has been answered. */
async function drip (t: Test, gateway: Gateway, { head, body }: { head: Buffer, body: Buffer }): Promise<void> {
  const one = async (_: unknown, index: number) => {
    await pause(index * 5)
    const socket = connect(Number(new URL(gateway.url).port), '127.0.0.1')
    let answer = ''
    socket.setEncoding('latin1').on('data', (text: string) => { answer += text })
    const closed = closing(socket)
    await once(socket, 'connect')
    socket.write(Buffer.concat([head, body.subarray(0, 1000)]))
    const timer = setInterval(() => socket.write(body.subarray(0, 10)), 200)
    const at = performance.now()
    await closed
    clearInterval(timer)
    return { ms: performance.now() - at, status: answer.slice(9, 12) }
  }
  const ended = await Promise.all(Array.from({ length: 200 }, one))
  t.same(ended.filter(({ status }) => status !== '408'), [], 'each was answered with 408')
  t.ok(Math.max(...ended.map(({ ms }) => ms)) < 10_000, `the last after ${Math.max(...ended.map(({ ms }) => ms)).toFixed(0)} ms`)
}
