import { randomBytes } from 'node:crypto'
import { createServer, type AddressInfo } from 'node:net'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { test, type Test } from 'tap'
import { createClamd } from '../../src/scanning/clamd.ts'
import { eventually } from '../transfer/fixtures/upload-server.ts'
import { temporaryFolder } from '../helper.ts'
import { daemon, eicar, version, type Behaviour } from './fixtures/daemon.ts'

const never = new AbortController().signal

async function * pieces (bytes: Buffer, length = 64 * 1024): AsyncGenerator<Buffer> {
  for (let at = 0; at < bytes.length; at += length) yield bytes.subarray(at, at + length)
}

const scan = async (t: Test, behaviour: Behaviour, bytes = Buffer.from('some text')) => {
  const { url } = await daemon(t, behaviour)
  return createClamd(url).scan(pieces(bytes), never)
}

test('the daemon gets the bytes as they are, and its verdict is told', async (t) => {
  const { url, seen, open } = await daemon(t)
  const clamd = createClamd(url)
  const large = randomBytes(3e6)
  for (const bytes of [Buffer.from('harmless'), large, Buffer.alloc(0)]) t.equal(await clamd.scan(pieces(bytes), never), undefined)
  t.equal(await clamd.scan(pieces(Buffer.concat([large, Buffer.from(eicar)]), 1000), never), 'Eicar-Test-Signature')
  t.same(seen.map(({ length }) => length), [8, 3e6, 0, 3e6 + eicar.length])
  t.ok(seen[1]?.equals(large))
  t.ok(await eventually(() => open() === 0), 'no connection stays open')
})

test('a socket of this machine, and an address of six, will do', async (t) => {
  const { url } = await daemon(t, {}, { path: join(await temporaryFolder(t), 'clamd.ctl') })
  t.equal(await createClamd(url).scan(pieces(Buffer.from(eicar)), never), 'Eicar-Test-Signature')
  const refusal = await createClamd('tcp://[::1]:1').scan(pieces(Buffer.from('x')), never).catch((error: unknown) => error)
  t.match(refusal, { syscall: 'connect', address: '::1', port: 1 })
})

test('a daemon that is not there is told at once', async (t) => {
  const gone = await daemon(t, {}, { path: join(await temporaryFolder(t), 'clamd.ctl') })
  await gone.close()
  await t.rejects(createClamd(gone.url).scan(pieces(Buffer.from('x')), never), { code: 'ENOENT' })
  const refusing = await daemon(t)
  await refusing.close()
  await t.rejects(createClamd(refusing.url).scan(pieces(randomBytes(1e6)), never), { code: 'ECONNREFUSED' })
  await t.rejects(createClamd(refusing.url).version(never), { code: 'ECONNREFUSED' })
})

test('whatever is no verdict is none', async (t) => {
  for (const answer of ['INSTREAM size limit exceeded. ERROR', 'stream: Can\'t allocate memory ERROR', 'UNKNOWN COMMAND', '', 'OK', 'stream: OK and more', 'stream:  FOUND', 'stream: Heuristics.Limits.Exceeded.MaxFileSize FOUND']) {
    await t.rejects(scan(t, { answer: () => answer }), { message: `The scanner answered "${answer}".` }, answer)
  }
  t.equal(await scan(t, { answer: () => `stream: ${'x'.repeat(1000)} FOUND` }), 'x'.repeat(200))
  await t.rejects(scan(t, { onData: (socket) => { socket.write('x'.repeat(5000)) }, answer: () => undefined }), /does not come to the end/)
})

test('a verdict on a part of the bytes is none', async (t) => {
  const bytes = randomBytes(20e6)
  const over = new AbortController()
  async function * endless () {
    yield bytes
    await new Promise((resolve) => setTimeout(resolve, 50).unref())
    for (let sent = 0; sent < 100 && !over.signal.aborted; sent++) yield bytes
  }
  const { url } = await daemon(t, { onData: (socket) => { socket.write('stream: OK\0') }, answer: () => undefined })
  await t.rejects(createClamd(url).scan(endless(), never), { message: 'The scanner answered "stream: OK" before it had all.' })
  over.abort()
})

test('a daemon that closes the connection has given no verdict, wherever it does', async (t) => {
  for (const after of [0, 10, 100_000, 5e6]) {
    const closing = await daemon(t, { onData: (socket, received) => { if (received.length >= after) socket.end() } })
    await t.rejects(createClamd(closing.url).scan(pieces(Buffer.alloc(20e6)), never), { message: /closed the connection|EPIPE|ECONNRESET/ }, `${after}`)
    const cutting = await daemon(t, { onData: (socket, received) => { if (received.length >= after) socket.resetAndDestroy() } })
    await t.rejects(createClamd(cutting.url).scan(pieces(Buffer.alloc(20e6)), never), `${after}`)
  }
  await t.rejects(scan(t, { answer: () => undefined, onData: (socket, received) => { if (received.subarray(-4).equals(Buffer.alloc(4))) socket.end() } }), { message: 'The scanner closed the connection before it had answered.' })
})

test('its word that a file is too large for it may come before the end', async (t) => {
  const limited: Behaviour = { onData: (socket, received) => { if (received.length > 1e6) socket.end('INSTREAM size limit exceeded. ERROR\0') } }
  await t.rejects(scan(t, limited, Buffer.alloc(10e6)), /size limit exceeded. ERROR" before it had all|EPIPE|ECONNRESET/)
})

test('one that hangs is given up when the signal says so, and so is one before it began', async (t) => {
  const { url, open } = await daemon(t, { isHung: true })
  const clamd = createClamd(url)
  const reason = new Error('late')
  for (const bytes of [Buffer.from('x'), Buffer.alloc(20e6)]) {
    const late = new AbortController()
    const scanning = clamd.scan(pieces(bytes), late.signal)
    t.ok(await eventually(() => open() > 0))
    late.abort(reason)
    await t.rejects(scanning, reason)
    t.ok(await eventually(() => open() >= 0))
  }
  await t.rejects(clamd.scan(pieces(Buffer.from('x')), AbortSignal.abort(reason)), reason)
  await t.rejects(clamd.version(AbortSignal.abort(reason)), reason)
})

test('bytes that cannot be read are not scanned', async (t) => {
  const broken = async function * () { yield Buffer.from('x'); throw new Error('EIO') }
  const { url, seen, open } = await daemon(t)
  await t.rejects(createClamd(url).scan(broken(), never), { message: 'EIO' })
  t.ok(await eventually(() => open() === 0))
  t.same(seen, [])
})

test('a slow daemon holds up the reading of the file', async (t) => {
  const server = createServer((socket) => { socket.pause().on('error', () => {}) })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  let read = 0
  const source = Readable.from(async function * () { for (; read < 500e6; read += 65_536) yield Buffer.alloc(65_536) }())
  const late = new AbortController()
  const scanning = createClamd(`tcp://127.0.0.1:${(server.address() as AddressInfo).port}`).scan(source, late.signal)
  let last = -1
  t.ok(await eventually(async () => {
    await new Promise((resolve) => setTimeout(resolve, 100))
    const stands = read > 0 && read === last
    last = read
    return stands
  }), 'the reading stands')
  t.ok(read < 60e6, `after ${read} bytes, most of them in the buffers of the system`)
  late.abort(new Error('enough'))
  await t.rejects(scanning, { message: 'enough' })
  t.ok(await eventually(() => source.destroyed), 'and the file is closed')
  server.close()
})

test('the version is what the daemon says it is, or unknown', async (t) => {
  for (const [said, told] of [[version, version], ['ClamAV 1.0.7', 'ClamAV 1.0.7'], ['COMMAND UNAVAILABLE', null], ['', null], [`ClamAV ${'9'.repeat(1000)}`, `ClamAV ${'9'.repeat(193)}`]] as const) {
    const { url } = await daemon(t, { version: said })
    t.equal(await createClamd(url).version(never), told)
  }
})
