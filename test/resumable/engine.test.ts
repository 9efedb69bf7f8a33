// What is kept when clients leave, stand still, come back, take over; and when the gateway stops.
import { createHash } from 'node:crypto'
import { stat } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'tap'
import { createFaults } from '../fixtures/faults.ts'
import { onVolumeOnly } from '../fixtures/object-server.ts'
import { cameIn, clock, connect, open, patchHead, until } from './fixture.ts'

test('what came before the client left is kept, to the byte, and it goes on from there', async (t) => {
  const gateway = await open(t)
  const { ada } = gateway
  const url = await ada.begin(10_000)
  const { socket } = await connect(gateway)
  socket.write(patchHead(url, ada.own, { 'upload-offset': '0', 'content-length': '10000' }))
  socket.write('a'.repeat(4321))
  await cameIn(gateway)
  socket.destroy()
  await until('it is durable', async () => (await ada.look(url)).json().offset === 4321)
  t.match(await ada.head(url), { statusCode: 200, headers: { 'upload-offset': '4321' } })
  const last = await ada.send(url, 4321, 'b'.repeat(5679))
  t.equal(await ada.content(last.headers['upload-result']), 'a'.repeat(4321) + 'b'.repeat(5679))
})

test('more comes while what is there is made durable; it counts with the next commit', { skip: onVolumeOnly }, async (t) => {
  const faults = createFaults()
  const time = clock()
  const gateway = await open(t, {}, { fs: faults.fs, now: time.now })
  const { ada } = gateway
  const rest = Buffer.alloc(2_000_000, 'c')
  const length = 20 + rest.length
  const url = await ada.begin(length)
  const { socket, answer } = await connect(gateway)
  socket.write(patchHead(url, ada.own, { 'upload-offset': '0', 'content-length': String(length), connection: 'close' }) + 'a'.repeat(10))
  await cameIn(gateway)
  const { promise, resolve: end } = Promise.withResolvers<void>()
  faults.inject({ on: 'sync', path: /0-1$/, before: () => promise })
  time.forward(6000)
  socket.write('b'.repeat(10))
  await until('it is being made durable', () => faults.count('sync', /0-1$/) === 1)
  socket.write(rest)
  await until('more is written', () => faults.count('writev', /0-1$/) === 2)
  t.match((await ada.look(url)).json(), { offset: 0 })
  end()
  t.match(await answer, /^HTTP\/1\.1 204 /)
  const { attachment } = (await ada.look(url)).json()
  t.equal(await ada.content(`/api/attachments/${attachment.id}`), 'a'.repeat(10) + 'b'.repeat(10) + rest)
})

test('while the disk is slow no more comes than may be lost', { skip: onVolumeOnly }, async (t) => {
  const faults = createFaults()
  const gateway = await open(t, {}, { fs: faults.fs })
  const { ada } = gateway
  const bytes = Buffer.alloc(60 * 1024 ** 2, 'abcdefg')
  const url = await ada.begin(bytes.length)
  const { socket, answer } = await connect(gateway)
  const { promise, resolve: end } = Promise.withResolvers<void>()
  faults.inject({ on: 'sync', path: /0-1$/, before: () => promise })
  socket.write(patchHead(url, ada.own, { 'upload-offset': '0', 'content-length': String(bytes.length), connection: 'close' }))
  socket.write(bytes)
  await until('it is being made durable', () => faults.count('sync', /0-1$/) === 1)
  await new Promise((resolve) => setTimeout(resolve, 1000))
  const { size } = await stat(join(gateway.folder, 'resumable', url.split('/').at(-1) ?? '', '0-1'))
  t.ok(size <= 17 * 1024 ** 2, `${size} bytes came`)
  end()
  t.match(await answer, /^HTTP\/1\.1 204 /)
  const { attachment } = (await ada.look(url)).json()
  t.equal(attachment.sha256, createHash('sha256').update(bytes).digest('hex'))
})

test('I6: a sync that fails while more comes is not tried again: what it was for does not count', { skip: onVolumeOnly }, async (t) => {
  const faults = createFaults()
  const time = clock()
  const gateway = await open(t, {}, { fs: faults.fs, now: time.now })
  const { ada } = gateway
  const url = await ada.begin(30)
  const { socket, answer } = await connect(gateway)
  socket.write(patchHead(url, ada.own, { 'upload-offset': '0', 'content-length': '30', connection: 'close' }) + 'a'.repeat(10))
  await cameIn(gateway)
  faults.inject({ on: 'sync', path: /0-1$/, errno: 'EIO' })
  time.forward(6000)
  socket.write('b'.repeat(10))
  t.match(await answer, /^HTTP\/1\.1 503 /)
  t.equal(faults.count('sync', /0-1$/), 1)
  t.match((await ada.look(url)).json(), { offset: 0 })
  const { headers } = await ada.send(url, 0, 'c'.repeat(30))
  t.equal(await ada.content(headers['upload-result']), 'c'.repeat(30))
})

test('with a checksum, nothing of what a client began and left is kept', async (t) => {
  const gateway = await open(t)
  const { ada } = gateway
  const url = await ada.begin(10)
  const { socket } = await connect(gateway)
  socket.write(patchHead(url, ada.own, { 'upload-offset': '0', 'content-length': '10', 'upload-checksum': 'md5 kAFQmDzST7DWlj99KOF/cg==' }))
  socket.write('abc')
  await cameIn(gateway)
  socket.destroy()
  await until('it is gone', async () => (await gateway.kept()).length === 0)
  t.match(await ada.head(url), { headers: { 'upload-offset': '0' } })
})

test('a later request ends the one before, which keeps what it has', async (t) => {
  const gateway = await open(t)
  const { ada } = gateway
  const url = await ada.begin(10)
  const first = await connect(gateway)
  first.socket.write(patchHead(url, ada.own, { 'upload-offset': '0', 'content-length': '10' }) + 'hello')
  await cameIn(gateway)
  t.match(await ada.head(url), { statusCode: 200, headers: { 'upload-offset': '5' } }, 'while the other still sends')
  const heads = await Promise.all(Array.from({ length: 20 }, () => ada.head(url)))
  t.strictSame(new Set(heads.map(({ statusCode }) => statusCode)), new Set([200]))
  first.socket.end('world')
  t.match(await first.answer, /^HTTP\/1\.1 409 [^]*RESUMABLE_TAKEN_OVER/)
  t.match((await ada.look(url)).json(), { offset: 5 }, 'nothing of the one that was ended counts any more')

  const answers = await Promise.all(Array.from({ length: 8 }, () => ada.send(url, 5, 'world')))
  const refused = answers.filter(({ statusCode }) => statusCode !== 204)
  t.ok(refused.length >= 7, 'one of many at once, unless it was taken over with its last byte')
  t.strictSame(new Set(refused.map(({ statusCode }) => statusCode)), new Set([409]))
  t.match(await ada.head(url), { statusCode: 200, headers: { 'upload-offset': '10', 'upload-result': /attachments/ } }, 'whoever asks then finds all of it there')
  const { attachment } = (await ada.look(url)).json()
  t.equal(await ada.content(`/api/attachments/${attachment.id}`), 'helloworld')
  t.equal(await gateway.client.attachment.count(), 1)
})

test('who is on another gateway finds out with the next commit', async (t) => {
  const gateway = await open(t)
  const { ada, client } = gateway
  const url = await ada.begin(10)
  const { socket, answer } = await connect(gateway)
  socket.write(patchHead(url, ada.own, { 'upload-offset': '0', 'content-length': '10', connection: 'close' }) + 'hello')
  await cameIn(gateway)
  // As another process does it.
  await client.resumable.updateMany({ data: { epoch: { increment: 1 } } })
  socket.write('world')
  t.match(await answer, /^HTTP\/1\.1 409 [^]*RESUMABLE_TAKEN_OVER/)
  t.match((await ada.look(url)).json(), { offset: 0 })

  const { epoch } = await client.resumable.findFirstOrThrow()
  const gone = await connect(gateway)
  gone.socket.write(patchHead(url, ada.own, { 'upload-offset': '0', 'content-length': '10', connection: 'close' }) + 'hello')
  await until('it has begun', async () => (await client.resumable.findFirstOrThrow()).epoch > epoch)
  await client.resumable.deleteMany()
  gone.socket.write('world')
  t.match(await gone.answer, /^HTTP\/1\.1 410 [^]*RESUMABLE_GONE/)
})

test('an upload that is ended while somebody waits for their turn is gone', async (t) => {
  const faults = createFaults()
  const gateway = await open(t, {}, { fs: faults.fs })
  const { ada, client } = gateway
  const url = await ada.begin(10)
  const { socket, answer } = await connect(gateway)
  socket.write(patchHead(url, ada.own, { 'upload-offset': '0', 'content-length': '10', connection: 'close' }) + 'hello')
  await cameIn(gateway)
  faults.inject({ on: 'sync', path: /resumable/, before: () => client.resumable.deleteMany() })
  t.equal((await ada.head(url)).statusCode, 410)
  socket.end('world')
  t.match(await answer, /^HTTP\/1\.1 409 /, 'what ended it is what it is told')
})

test('who asks where it stands while it is becoming complete does not look for its bytes: they may be gone because it is kept', async (t) => {
  const faults = createFaults()
  const gateway = await open(t, {}, { fs: faults.fs })
  const { ada, client, rows } = gateway
  const url = await ada.begin(10)
  await ada.send(url, 0, 'hello')
  const { socket } = await connect(gateway)
  socket.write(patchHead(url, ada.own, { 'upload-offset': '5', 'content-length': '5' }) + 'wor')
  await until('it came', async () => faults.count('open', /0-1$/) === 2 || (await gateway.kept()).length === 2)
  // As another process does it that has all bytes, and is done with them.
  faults.inject({
    on: 'sync',
    path: /resumable/,
    async before () {
      await client.resumable.updateMany({ data: { state: 'finishing', offset: 10n, heldUntil: new Date(Date.now() + 60_000) } })
      await gateway.app.home.fs.rm(join(gateway.folder, 'resumable', url.split('/').at(-1) ?? ''), { recursive: true })
    },
  })
  t.equal((await ada.head(url)).statusCode, 423)
  t.match(await rows(), [{ state: 'finishing' }])
  await client.resumable.updateMany({ data: { heldUntil: null } })
  t.equal((await ada.head(url)).statusCode, 410, 'who finishes it does look')
  t.match(await rows(), [{ state: 'failed' }])
  socket.destroy()
})

test('a client that stands still is ended, and what it sent is kept', async (t) => {
  const gateway = await open(t, { UPLOAD_IDLE_SECONDS: '1' })
  const { ada } = gateway
  const url = await ada.begin(10)
  const { socket, answer } = await connect(gateway)
  socket.write(patchHead(url, ada.own, { 'upload-offset': '0', 'content-length': '10' }) + 'hello')
  t.match(await answer, /^HTTP\/1\.1 408 [^]*UPLOAD_STALLED/)
  t.match(await ada.head(url), { headers: { 'upload-offset': '5' } })
})

test('a stop ends those who send, and keeps what they sent; the next gateway goes on', async (t) => {
  const gateway = await open(t)
  const { ada, app, folder } = gateway
  const url = await ada.begin(10)
  const { socket, answer } = await connect(gateway)
  socket.write(patchHead(url, ada.own, { 'upload-offset': '0', 'content-length': '10' }) + 'hello')
  await cameIn(gateway)
  await app.close()
  t.match(await answer, /^HTTP\/1\.1 503 [^]*SERVICE_STOPPING/)
  const next = await open(t, { UPLOADS_DIR: folder })
  t.match(await next.ada.head(url), { headers: { 'upload-offset': '5' } })
  t.match(await next.ada.send(url, 5, 'world'), { statusCode: 204, headers: { 'upload-result': /attachments/ } })
})

test('what is cut off by more than there is room for is not taken for the whole', async (t) => {
  const time = clock()
  const gateway = await open(t, {}, { now: time.now })
  const { ada, client } = gateway
  const begin = async (length: number) => {
    const url = await ada.begin(length)
    const { socket, answer } = await connect(gateway)
    socket.write(patchHead(url, ada.own, { 'upload-offset': '0', 'transfer-encoding': 'chunked', connection: 'close' }))
    return { url, socket, answer, chunk: (bytes: number) => { socket.write(`${bytes.toString(16)}\r\n`); socket.write(Buffer.alloc(bytes, 'a')); socket.write('\r\n') } }
  }
  const short = await begin(10)
  short.chunk(10)
  await cameIn(gateway)
  short.chunk(5)
  short.socket.write('0\r\n\r\n')
  t.match(await short.answer, /^HTTP\/1\.1 413 [^]*UPLOAD_TOO_LARGE/)
  t.match((await ada.look(short.url)).json(), { state: 'receiving', offset: 0 })
  t.strictSame(await gateway.kept(), [], 'nothing of it is left')
  t.match(await ada.send(short.url, 0, 'helloworld'), { statusCode: 204, headers: { 'upload-result': /attachments/ } })

  const long = await begin(10)
  long.chunk(4)
  await cameIn(gateway, (path) => !path.startsWith('attachments/'))
  time.forward(6000)
  long.chunk(3)
  await until('that much counts', async () => (await ada.look(long.url)).json().offset === 7)
  time.forward(6000)
  long.chunk(3)
  await new Promise((resolve) => setTimeout(resolve, 100))
  long.chunk(5)
  long.socket.write('0\r\n\r\n')
  t.match(await long.answer, /^HTTP\/1\.1 413 /)
  t.match((await ada.look(long.url)).json(), { state: 'receiving', offset: 7 })
  t.match(await ada.send(long.url, 7, 'rld'), { statusCode: 204, headers: { 'upload-result': /attachments/ } }, 'and it goes on')
  t.equal(await client.attachment.count(), 2)
})

test('a long request is durable now and then, also where it came slowly', async (t) => {
  const time = clock()
  const gateway = await open(t, {}, { now: time.now })
  const { ada } = gateway
  const url = await ada.begin(40 * 1024 ** 2)
  const { socket } = await connect(gateway)
  socket.write(patchHead(url, ada.own, { 'upload-offset': '0', 'content-length': String(40 * 1024 ** 2) }))
  const offset = async () => (await ada.look(url)).json().offset
  socket.write(Buffer.alloc(17 * 1024 ** 2))
  await until('much came', async () => await offset() >= 8 * 1024 ** 2)
  const much = await offset()
  time.forward(6000)
  socket.write(Buffer.alloc(1024 ** 2))
  await until('time passed', async () => await offset() > much)
  t.ok(await offset() < 40 * 1024 ** 2, 'it goes on')
  const { length } = await gateway.client.segment.findMany()
  t.equal(length, 1, 'in one file')
  socket.destroy()
  await until('all of it', async () => await offset() === 18 * 1024 ** 2)
})

test('space is set aside for all that is to come, before any of it', async (t) => {
  const faults = createFaults()
  const { ada, rows } = await open(t, { QUOTA_BYTES: '1000' }, { fs: { ...faults.fs, statfs: (async () => ({ bavail: 100, blocks: 1000, bsize: 1, files: 0, ffree: 0 })) as never } })
  t.match(await ada.create({ 'upload-length': '60' }), { statusCode: 507 }, 'it must be put together too')
  const first = await ada.begin(40)
  t.match(await ada.create({ 'upload-length': '40' }), { statusCode: 507 })
  t.equal((await rows()).length, 1)
  t.match((await ada.ask('GET', '/api/usage')).json(), { reservedBytes: 40, reservedFiles: 1 })
  await ada.end(first)
  t.match(await ada.create({ 'upload-length': '40' }), { statusCode: 201 })
})

test('what could not begin sets nothing aside', async (t) => {
  const faults = createFaults()
  const { ada, client } = await open(t, {}, { fs: { ...faults.fs, statfs: (async () => ({ bavail: 100, blocks: 1000, bsize: 1, files: 0, ffree: 0 })) as never } })
  await client.$executeRawUnsafe('ALTER TABLE "Resumable" RENAME TO "Elsewhere"')
  t.match(await ada.create({ 'upload-length': '40' }), { statusCode: 503 })
  await client.$executeRawUnsafe('ALTER TABLE "Elsewhere" RENAME TO "Resumable"')
  t.match(await ada.create({ 'upload-length': '40' }), { statusCode: 201 })
})
