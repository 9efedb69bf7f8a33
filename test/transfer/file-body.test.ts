import { createHash, randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { Writable } from 'node:stream'
import { setTimeout } from 'node:timers/promises'
import t, { type Test } from 'tap'
import type { OpenFile } from '../../src/storage/fs.ts'
import type { Representation } from '../../src/transfer/representation.ts'
import { FileBody } from '../../src/transfer/file-body.ts'
import { createPieceBuffers, largePieceBytes, smallPieceBytes, type PieceBuffers } from '../../src/transfer/piece-buffers.ts'
import { fileOf } from './fixtures/open-file.ts'
import { representationOf } from './fixtures/representation.ts'
import { portOf, serving } from './fixtures/serving.ts'

const bytes = randomBytes(5 * largePieceBytes + 1234)
const sha256 = (data: Buffer) => createHash('sha256').update(data).digest('hex')

/** Where it is told what becomes of each buffer. */
function counting (buffers = createPieceBuffers()) {
  const counts = { taken: 0, back: 0, up: 0 }
  const counted: PieceBuffers = {
    take (length) { const taken = buffers.take(length); counts.taken += taken.length; return taken },
    giveBack (buffer) { counts.back += 1; buffers.giveBack(buffer) },
    giveUp (buffer) { counts.up += 1; buffers.giveUp(buffer) },
  }
  return { counts, counted }
}

async function until (holds: () => boolean): Promise<void> {
  while (!holds()) await setTimeout(5)
}

/** Takes each piece after a while, and looks at it only then. */
function slow (pieces: Buffer[]) {
  return new Writable({ write (chunk: Buffer, _encoding, done) { setImmediate(() => { pieces.push(Buffer.from(chunk)); done() }) } })
}

async function sending (t: Test, file: () => OpenFile, overrides: Partial<Representation> = {}) {
  const { app, log } = await serving(t, () => representationOf(bytes, { file: async () => file(), read: async () => { throw new Error('there is a file') }, ...overrides }))
  const port = await portOf(app)
  return { app, log, port }
}

t.test('no byte is overwritten before it is taken, and every buffer comes back', async (t) => {
  for (const buffers of [createPieceBuffers(), createPieceBuffers({ most: 0 })]) {
    const { counts, counted } = counting(buffers)
    const file = fileOf(bytes)
    const pieces: Buffer[] = []
    const answer = slow(pieces)
    new FileBody(file, { start: 7, end: bytes.length - 1 }, counted).pipe(answer)
    await once(answer, 'finish')
    t.equal(sha256(Buffer.concat(pieces)), sha256(bytes.subarray(7)))
    await until(() => counts.back === counts.taken && file.closed === 1)
    t.equal(counts.up, 0)
  }
})

t.test('a file is sent whole or in part, over one connection', async (t) => {
  const files: Array<ReturnType<typeof fileOf>> = []
  const { port, log } = await sending(t, () => { const file = fileOf(bytes); files.push(file); return file })
  const got = async (range?: string) => {
    const answer = await fetch(`http://127.0.0.1:${port}/`, { headers: range === undefined ? {} : { range } })
    return { status: answer.status, range: answer.headers.get('content-range'), sha256: sha256(Buffer.from(await answer.arrayBuffer())) }
  }
  t.strictSame(await got(), { status: 200, range: null, sha256: sha256(bytes) })
  t.strictSame(await got('bytes=5-9'), { status: 206, range: `bytes 5-9/${bytes.length}`, sha256: sha256(bytes.subarray(5, 10)) })
  t.strictSame(await got('bytes=100000-'), { status: 206, range: `bytes 100000-${bytes.length - 1}/${bytes.length}`, sha256: sha256(bytes.subarray(100_000)) })
  await until(() => files.every(({ closed }) => closed === 1))
  t.equal(files.length, 3)
  t.strictSame(log.filter(({ level }) => level > 30), [])
})

t.test('a client that takes nothing costs two buffers, and one that leaves none', async (t) => {
  const endless = { size: 64 * 1024 ** 2, closed: 0, reads: 0 }
  const file: OpenFile = {
    size: endless.size,
    read (_into, length, _position, done) { endless.reads += 1; setImmediate(done, null, length) },
    close () { endless.closed += 1 },
  }
  const { app, port, log } = await sending(t, () => file, { size: endless.size })
  const client = connect(port, '127.0.0.1')
  const [socket] = await once(app.server, 'connection') as [Socket]
  client.pause().write('GET / HTTP/1.1\r\nHost: x\r\n\r\n')
  let before = -1
  while (before !== endless.reads || before === 0) {
    before = endless.reads
    await setTimeout(100)
  }
  t.ok(socket.writableLength <= 2 * largePieceBytes, `${socket.writableLength} bytes wait`)
  t.ok(endless.reads < endless.size / largePieceBytes)
  client.destroy()
  await until(() => endless.closed === 1)
  t.strictSame(log.filter(({ level }) => level > 30), [])
})

t.test('a thousand of them cost no more than small ones', (t) => {
  const buffers = createPieceBuffers()
  const all = Array.from({ length: 1000 }, () => buffers.take(1e9)).flat()
  t.ok(all.reduce((sum, { length }) => sum + length, 0) <= 32 * 1024 ** 2 + 1000 * smallPieceBytes)
  t.end()
})

t.test('a file that ends too early breaks the connection, and is logged once', async (t) => {
  const file = fileOf(bytes.subarray(0, largePieceBytes + 10), { size: bytes.length })
  const { port, log } = await sending(t, () => file)
  const answer = await fetch(`http://127.0.0.1:${port}/`)
  t.equal(answer.headers.get('content-length'), String(bytes.length))
  await t.rejects(answer.arrayBuffer())
  await until(() => file.closed === 1)
  const failures = log.filter(({ level }) => level > 30)
  t.equal(failures.length, 1)
  t.match(JSON.stringify(failures), /ends \d+ bytes too early.*"STORAGE_UNAVAILABLE"/)
})

t.test('a file whose first byte cannot be read is an error that says so', async (t) => {
  let closed = 0
  const { port } = await sending(t, () => ({ size: bytes.length, read: (_into, _length, _position, done) => done(new Error('EIO'), 0), close () { closed += 1 } }))
  const answer = await fetch(`http://127.0.0.1:${port}/`)
  t.match({ status: answer.status, code: (await answer.json() as { code: string }).code }, { status: 503, code: 'STORAGE_UNAVAILABLE' })
  t.equal(closed, 1)
})

t.test('a descriptor that is read from is closed after that, and what a connection may have is not used again', async (t) => {
  const { counts, counted } = counting()
  const reading = Promise.withResolvers<() => void>()
  let closed = 0
  const file: OpenFile = {
    size: bytes.length,
    read (_into, length, position, done) {
      if (position === 0) done(null, length)
      else reading.resolve(() => done(null, length))
    },
    close () { closed += 1 },
  }
  const stuck = new Writable({ write () {} })
  const body = new FileBody(file, { start: 0, end: bytes.length - 1 }, counted)
  body.pipe(stuck)
  const finishRead = await reading.promise
  stuck.destroy()
  body.destroy()
  await setTimeout(10)
  t.strictSame({ closed, ...counts }, { closed: 0, taken: 2, back: 0, up: 1 })
  finishRead()
  await once(body, 'close')
  t.strictSame({ closed, ...counts }, { closed: 1, taken: 2, back: 1, up: 1 })
})

t.test('a write that fails gives its buffer up', async (t) => {
  const { counts, counted } = counting()
  const broken = new Writable({ autoDestroy: false, write (_chunk, _encoding, done) { setImmediate(done, new Error('EPIPE')) } }).on('error', () => {})
  const body = new FileBody(fileOf(bytes), { start: 0, end: 99 }, counted)
  body.pipe(broken)
  await until(() => counts.up === 1)
  t.equal(counts.back, 0)
  body.destroy()
})

t.test('what is destroyed before it is piped reads nothing', async (t) => {
  const { counts, counted } = counting()
  const file = fileOf(bytes)
  const body = new FileBody(file, { start: 0, end: 99 }, counted)
  body.destroy()
  const answer = slow([])
  t.equal(body.pipe(answer), answer)
  await setTimeout(10)
  t.strictSame({ closed: file.closed, reads: file.reads, ...counts }, { closed: 1, reads: 0, taken: 0, back: 0, up: 0 })
})
