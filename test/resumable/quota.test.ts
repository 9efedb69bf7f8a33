// What unfinished uploads take of their owner's quota while nobody knows how long they are, and those that are made of parts.
import { join } from 'node:path'
import { test } from 'tap'
import { picture } from '../helper.ts'
import { createClamdServer } from './clamd-server.ts'
import { bodyType, cameIn, clientOf, clock, connect, open, patchHead, until } from './fixture.ts'

const chunk = (bytes: number) => `${bytes.toString(16)}\r\n${'a'.repeat(bytes)}\r\n`

test('without a length, what is announced must fit beside all else, and counts no more than once', async (t) => {
  const time = clock()
  const gateway = await open(t, { QUOTA_BYTES: '100' }, { now: time.now })
  const { ada } = gateway
  const usage = async () => (await ada.ask('GET', '/api/usage')).json()
  const [first, second, third] = [await ada.begin(undefined), await ada.begin(undefined), await ada.begin(undefined)]
  t.match((await ada.send(first, 0, 'a'.repeat(101))).json(), { code: 'QUOTA_EXCEEDED', status: 413 })
  t.match(await usage(), { reservedBytes: 0, reservedFiles: 3 })

  const { socket } = await connect(gateway)
  socket.write(patchHead(first, ada.own, { 'upload-offset': '0', 'content-length': '60' }) + 'a'.repeat(20))
  await cameIn(gateway)
  t.match(await usage(), { reservedBytes: 60 })
  t.match((await ada.send(second, 0, 'a'.repeat(41))).json(), { code: 'QUOTA_EXCEEDED' })
  time.forward(6000)
  socket.write('a'.repeat(10))
  await until('that much is durable', async () => (await ada.look(first)).json().offset === 30)
  await until('it counts once', async () => (await usage()).reservedBytes === 60)
  t.match(await ada.send(second, 0, 'a'.repeat(30)), { statusCode: 204 })
  t.match((await ada.send(third, 0, 'a'.repeat(11))).json(), { code: 'QUOTA_EXCEEDED' })
  socket.destroy()
  await until('the rest will not come', async () => (await usage()).reservedBytes === 60)
  t.match(await ada.send(third, 0, 'a'.repeat(40)), { statusCode: 204 })
  t.match((await ada.send(third, 40, 'a')).json(), { code: 'QUOTA_EXCEEDED' })
  t.match(await ada.send(first, 30, '', { 'upload-length': '30' }), { statusCode: 204, headers: { 'upload-result': /attachments/ } })
  t.match(await usage(), { bytes: 30, reservedBytes: 70, reservedFiles: 2 })
})

test('without a length, and with bytes that nobody announced, what becomes durable must fit, and nothing else stays', async (t) => {
  const time = clock()
  const gateway = await open(t, { QUOTA_BYTES: '100' }, { now: time.now })
  const { ada, app: { home: { fs } }, folder } = gateway
  const sent = async (url: string, offset: number) => {
    const { socket, answer } = await connect(gateway)
    socket.write(patchHead(url, ada.own, { 'upload-offset': String(offset), 'transfer-encoding': 'chunked', connection: 'close' }))
    return { socket, answer }
  }
  const four = await Promise.all(Array.from({ length: 4 }, () => ada.begin(undefined)))
  const answers = await Promise.all(four.map(async (url) => {
    const { socket, answer } = await sent(url, 0)
    socket.write(`${chunk(50)}0\r\n\r\n`)
    return (await answer).slice(9, 12)
  }))
  t.strictSame(answers.sort(), ['204', '204', '413', '413'])
  t.equal((await gateway.kept()).length, 2, 'no byte of the others')
  const [full = ''] = four
  t.match((await ada.ask('GET', '/api/usage')).json(), { reservedBytes: 100 })
  const none = await sent(full, 0).then(({ socket, answer }) => { socket.end(); return answer })
  t.notMatch(none, / 20\d /)

  for (const url of four) await ada.end(url)
  const url = await ada.begin(undefined)
  const { socket, answer } = await sent(url, 0)
  socket.write(chunk(10))
  await cameIn(gateway)
  time.forward(6000)
  socket.write(chunk(10))
  await until('that much is durable', async () => (await ada.look(url)).json().offset === 20)
  time.forward(6000)
  socket.write(chunk(90))
  t.match(await answer, /^HTTP\/1\.1 413 [^]*QUOTA_EXCEEDED/)
  t.match((await ada.look(url)).json(), { offset: 20, state: 'receiving' })
  const place = join(folder, 'resumable', url.split('/').at(-1) ?? '')
  const [file = '', ...others] = await fs.readdir(place)
  t.strictSame([(await fs.stat(join(place, file))).size, others], [20, []], 'what did not fit is not on the disk either')
  t.match(await ada.send(url, 20, 'a'.repeat(80), { 'upload-length': '100' }), { statusCode: 204, headers: { 'upload-result': /attachments/ } })
})

test('parts count once, before, while and after the whole is made of them', async (t) => {
  const scanner = await createClamdServer(t)
  const gateway = await open(t, { QUOTA_BYTES: '15', CLAMD_URL: scanner.url })
  const { ada } = gateway
  const usage = async () => (await ada.ask('GET', '/api/usage')).json()
  const part = async (text: string) => String((await ada.create({ 'upload-length': String(text.length), 'upload-concat': 'partial', 'content-type': bodyType }, text)).headers.location)
  const parts = [await part('hello'), await part('world')]
  t.match(await usage(), { bytes: 0, reservedBytes: 10, reservedFiles: 0 })
  scanner.answer = 'down'
  const final = await ada.create({ 'upload-concat': `final;${parts.join(' ')}` })
  t.equal(final.statusCode, 423)
  t.match(await usage(), { bytes: 0, reservedBytes: 10, reservedFiles: 1 })
  t.match((await ada.create({ 'upload-length': '6' })).json(), { code: 'QUOTA_EXCEEDED' })
  await gateway.app.close()

  // As after a kill: whoever comes next knows only the rows.
  scanner.answer = 'clean'
  const next = await open(t, { QUOTA_BYTES: '15', CLAMD_URL: scanner.url, UPLOADS_DIR: gateway.folder })
  await until('it is finished', async () => (await next.ada.look(String(final.headers.location))).json().state === 'finished')
  t.match((await next.ada.ask('GET', '/api/usage')).json(), { bytes: 10, files: 1, reservedBytes: 0, reservedFiles: 0 })
  t.match(await next.ada.create({ 'upload-length': '5' }), { statusCode: 201 })
  t.match((await (await clientOf(next, 'ada')).create({ 'upload-length': '1' })).json(), { code: 'QUOTA_EXCEEDED' })
})

test('a picture only needs room for what it has beyond the one that it replaces, while it is under way too', async (t) => {
  const bytes = await picture('png', { width: 60, height: 40 })
  const { ada } = await open(t, { QUOTA_BYTES: String(Math.floor(bytes.length * 1.5)) })
  const put = async () => (await ada.ask('PUT', '/api/avatars/me', { 'content-type': 'image/png' }, bytes)).statusCode
  t.equal(await put(), 201)
  await ada.begin(bytes.length, { kind: 'avatar' })
  t.match((await ada.ask('GET', '/api/usage')).json(), { bytes: bytes.length, reservedBytes: 0, reservedFiles: 0 })
  t.equal(await put(), 200)
  t.equal((await ada.ask('POST', '/api/attachments', { 'content-type': 'text/plain' }, 'hello')).statusCode, 201)
  const deferred = await ada.begin(undefined, { kind: 'avatar' })
  t.equal((await ada.send(deferred, 0, bytes, { 'upload-length': String(bytes.length) })).statusCode, 204)
})

test('I7: what a commit may have counted, whose answer was lost, is not cut off when the rest is refused', async (t) => {
  const time = clock()
  const gateway = await open(t, { QUOTA_BYTES: '100' }, { now: time.now })
  const { ada, client } = gateway
  const url = await ada.begin(undefined)
  t.equal((await ada.send(url, 0, 'hello')).statusCode, 204)
  const { socket, answer } = await connect(gateway)
  socket.write(patchHead(url, ada.own, { 'upload-offset': '5', 'transfer-encoding': 'chunked', connection: 'close' }))
  const commit = client.$transaction.bind(client) as (...args: unknown[]) => Promise<unknown>
  let lost = 0
  client.$transaction = (async (...args: unknown[]) => {
    const done = await commit(...args)
    const [row] = done as Array<{ offset?: bigint } | undefined>
    if (lost > 0 || (row?.offset ?? 0n) <= 5n) return done
    lost += 1
    throw new Error('the answer is lost')
  }) as never
  // As much again would be too much.
  socket.write(chunk(50))
  await until('it is committed', async () => {
    time.forward(6000)
    socket.write(chunk(1))
    await new Promise((resolve) => setTimeout(resolve, 100))
    return lost === 1
  })
  t.match(await answer, /^HTTP\/1\.1 (503|413) /)
  const { statusCode, headers } = await ada.head(url)
  t.equal(statusCode, 200)
  const offset = Number(headers['upload-offset'])
  t.ok(offset >= 55, String(offset))
  const { headers: { 'upload-result': result } } = await ada.send(url, offset, 'b', { 'upload-length': String(offset + 1) })
  t.equal(await ada.content(result), `hello${'a'.repeat(offset - 5)}b`)
})
