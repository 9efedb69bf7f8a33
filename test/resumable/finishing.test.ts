// Complete bytes become an attachment once: when the process dies, when something fails, when two are at it.
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { test } from 'tap'
import { Upload } from 'tus-js-client'
import { append } from '../fixtures/home-files.ts'
import { collectLog } from '../fixtures/log.ts'
import { build } from '../helper.ts'
import { createClamdServer } from './clamd-server.ts'
import { bodyType, clientOf, clock, open, until } from './fixture.ts'

test('what was complete when the process died is finished by the next one, once, without its client', async (t) => {
  const gateway = await open(t)
  const { ada, app, client, folder } = gateway
  const url = await ada.begin(10)
  await ada.send(url, 0, 'hello')
  await ada.send(url, 5, 'world')
  const [row] = await client.resumable.findMany()
  const [blob] = await client.blob.findMany()
  // As it was before the commit: the bytes are there, and a blob that was published, and nothing in the rows tells of it.
  await client.attachment.deleteMany()
  await client.blob.deleteMany()
  const id = row?.id ?? ''
  await client.resumable.update({ where: { id }, data: { state: 'finishing', finishAt: new Date(Date.now() + 200_000) } })
  await client.segment.create({ data: { id: `${id}/0-9`, uploadId: id, start: 0n, bytes: 10n } })
  await append(app.home.fs, join(folder, 'resumable', id, '0-9'), 'helloworld, and what was not committed')
  await app.close()

  const next = await open(t, { UPLOADS_DIR: folder })
  await until('it is finished', async () => (await next.ada.look(url)).json().state === 'finished')
  const { attachment } = (await next.ada.look(url)).json()
  t.equal(attachment.id, row?.recordId, 'the id that it had from the beginning')
  t.equal(await next.ada.content(`/api/attachments/${attachment.id}`), 'helloworld')
  const [now] = await next.client.blob.findMany()
  t.not(now?.id, blob?.id)
  await until('the segments are gone', async () => (await next.kept()).length === 2)
  t.strictSame((await next.kept()).map((path) => path.includes(now?.id ?? '?')), [true, true], 'nothing is left of the attempt that died')
  t.equal(await next.client.attachment.count(), 1)
})

test('what keeps it from being finished right now is told as that, and it is finished later: by its client, or by upkeep', async (t) => {
  const scanner = await createClamdServer(t)
  const time = clock()
  const gateway = await open(t, { CLAMD_URL: scanner.url, SCAN_TIMEOUT_SECONDS: '5' }, { now: time.now })
  const { ada, client, kept } = gateway
  scanner.answer = 'down'
  const [byClient, bySomebody] = [await ada.begin(5), await ada.begin(5)]
  const notYet = { code: 'RESUMABLE_FINISHING', status: 423, detail: /^All bytes of this upload are kept, .* right now: SCANNER_UNAVAILABLE\. .* ask again with HEAD/ }
  for (const url of [byClient, bySomebody]) {
    const answer = await ada.send(url, 0, 'hello')
    t.match(answer.json(), notYet)
    t.equal(answer.headers['retry-after'], '30', 'as long as the scanner asks for')
    t.match((await ada.look(url)).json(), { state: 'finishing', offset: 5 })
  }
  t.match(await ada.head(byClient), { statusCode: 423, headers: { 'retry-after': '30', 'upload-offset': undefined }, body: '' }, 'and never that it is complete')
  t.match((await ada.send(byClient, 5, '')).json(), notYet)
  t.match((await ada.end(await ada.begin(1))).statusCode, 204)
  t.equal(await client.attachment.count(), 0)
  scanner.answer = 'clean'
  t.match(await ada.head(byClient), { statusCode: 200, headers: { 'upload-offset': '5', 'upload-result': /attachments/ } })
  time.forward(60_000)
  await gateway.app.close()
  scanner.answer = 'down'
  const stillDown = await open(t, { UPLOADS_DIR: gateway.folder, CLAMD_URL: scanner.url })
  await until('it was tried', async () => (await stillDown.rows()).some(({ state, finishAt }) => state === 'finishing' && Number(finishAt) < Date.now() + 100_000))
  t.match((await stillDown.ada.look(bySomebody)).json(), { state: 'finishing', offset: 5 })
  await stillDown.app.close()
  scanner.answer = 'clean'
  const next = await open(t, { UPLOADS_DIR: gateway.folder, CLAMD_URL: scanner.url })
  await until('it is finished', async () => (await next.ada.look(bySomebody)).json().state === 'finished')
  t.match(await next.client.blob.findMany(), [{ scan: 'clean' }, { scan: 'clean' }])
  scanner.answer = 'infected'
  const url = await next.ada.begin(5)
  t.match((await next.ada.send(url, 0, 'hello')).json(), { code: 'UPLOAD_INFECTED', status: 422 })
  t.equal((await next.ada.head(url)).statusCode, 422)
  t.strictSame((await kept()).filter((path) => path.startsWith('resumable/') || path.startsWith('staging/')), [])
})

test('an upload that comes with its creation, or is made of parts, is told where it is, and is one when it is asked for again', async (t) => {
  const scanner = await createClamdServer(t)
  const { ada, client } = await open(t, { CLAMD_URL: scanner.url })
  const part = await ada.create({ 'upload-length': '5', 'upload-concat': 'partial', 'content-type': bodyType }, 'hello')
  scanner.answer = 'down'
  const concat = { 'upload-concat': `final;${String(part.headers.location)}` }
  const whole = { 'upload-length': '5', 'content-type': bodyType, 'idempotency-key': 'one' }
  const empty = { 'upload-length': '0', 'idempotency-key': 'two' }
  const ask = () => Promise.all([ada.create(concat), ada.create(whole, 'world'), ada.create(empty)])
  const [first, again] = [await ask(), await ask()]
  for (const answer of [...first, ...again]) t.match(answer, { statusCode: 423, headers: { 'retry-after': '30' } })
  const [places, same] = [first, again].map((answers) => answers.map(({ headers }) => headers.location))
  t.strictSame(places, same)
  t.match(places, Array(3).fill(/^\/api\/resumable\//))
  scanner.answer = 'clean'
  t.match(await ask(), Array(3).fill({ statusCode: 201, headers: { 'upload-result': /attachments/ } }))
  t.equal(await client.attachment.count(), 3)
})

test('a client of tus waits at the same address while it cannot be finished, and there is one attachment', async (t) => {
  const scanner = await createClamdServer(t)
  const log = collectLog()
  const { ada, app, client, rows } = await open(t, { LOG_LEVEL: 'warn', CLAMD_URL: scanner.url }, { logStream: log.stream })
  await app.listen({ port: 0, host: '127.0.0.1' })
  scanner.answer = 'down'
  const seen: string[] = []
  await new Promise<void>((resolve, reject) => {
    new Upload(Buffer.from('helloworld'), {
      endpoint: `http://127.0.0.1:${(app.server.address() as AddressInfo).port}/api/resumable`,
      headers: { Authorization: String(ada.own.authorization) },
      retryDelays: Array<number>(5).fill(1),
      onAfterResponse: (request, response) => {
        seen.push(`${request.getMethod()} ${response.getStatus()}`)
        if (seen.length === 4) scanner.answer = 'clean'
      },
      onSuccess: () => resolve(),
      onError: reject,
    }).start()
  })
  t.strictSame(seen, ['POST 201', 'PATCH 423', 'HEAD 423', 'HEAD 423', 'HEAD 200'])
  t.match(await rows(), [{ state: 'finished' }])
  t.equal(await client.attachment.count(), 1)
  const told = log.lines().filter(({ msg }) => msg === 'a resumable upload could not be finished yet')
  t.match(told, Array(3).fill({ err: { code: 'SCANNER_UNAVAILABLE', cause: { message: /UNKNOWN COMMAND/ } } }), 'what the client is not told')
})

test('many who ask while it is being finished get the same attachment', async (t) => {
  const scanner = await createClamdServer(t)
  const gateway = await open(t, { CLAMD_URL: scanner.url })
  const { ada, client } = gateway
  const url = await ada.begin(5)
  scanner.answer = 'waits'
  const last = ada.send(url, 0, 'hello')
  await until('it is being scanned', () => scanner.waiting() === 1)
  t.match((await ada.look(url)).json(), { state: 'finishing' })
  const others = [ada.head(url), ada.send(url, 5, ''), ada.head(url)]
  await new Promise((resolve) => setImmediate(resolve))
  scanner.release()
  const answers = await Promise.all([last, ...others])
  t.strictSame(answers.map(({ statusCode }) => statusCode), [204, 200, 204, 200])
  t.equal(new Set(answers.map((answer) => answer.headers['upload-result'])).size, 1)
  t.equal(await client.attachment.count(), 1)

  const ended = await ada.begin(5)
  scanner.answer = 'waits'
  const lost = ada.send(ended, 0, 'hello')
  await until('it is being scanned', () => scanner.waiting() === 1)
  const end = ada.end(ended)
  await new Promise((resolve) => setImmediate(resolve))
  scanner.release()
  t.equal((await end).statusCode, 204)
  t.ok([204, 410].includes((await lost).statusCode))
  t.match((await ada.look(ended)).json(), { state: 'finished' })
  t.equal(await client.attachment.count(), 2, 'it was complete: what it has become stays, and answers for its key')
  t.equal((await ada.end(ended)).statusCode, 204)
  t.equal((await ada.look(ended)).statusCode, 404)
})

test('an attempt that was overtaken elsewhere leaves nothing, and nobody is told that it failed', async (t) => {
  const scanner = await createClamdServer(t)
  const gateway = await open(t, { CLAMD_URL: scanner.url })
  const { ada, client, kept } = gateway
  const url = await ada.begin(5)
  scanner.answer = 'waits'
  const slow = ada.send(url, 0, 'hello')
  await until('it is being scanned', () => scanner.waiting() === 1)
  const { app: other } = await build(t, { UPLOADS_DIR: gateway.folder }, { now: () => new Date(Date.now() + 60_000) })
  t.teardown(() => other.close())
  // Of several, the one that leads goes on with it.
  await gateway.app.coordination.stepDown()
  const elsewhere = await clientOf({ ...gateway, app: other }, 'ada')
  await until('it is finished there', async () => (await elsewhere.look(url)).json().state === 'finished')
  scanner.release()
  t.match(await slow, { statusCode: 204, headers: { 'upload-result': /attachments/ } })
  t.equal(await client.attachment.count(), 1)
  await until('the rest is gone', async () => (await kept()).length === 2)
})

test('while another process is at it, nobody is told that it failed, nor that it is done', async (t) => {
  const scanner = await createClamdServer(t)
  const { ada, client } = await open(t, { CLAMD_URL: scanner.url })
  const url = await ada.begin(5)
  scanner.answer = 'waits'
  const slow = ada.send(url, 0, 'hello')
  await until('it is being scanned', () => scanner.waiting() === 1)
  // As another process does it that begins an attempt.
  await client.resumable.updateMany({ data: { epoch: { increment: 1 } } })
  scanner.release()
  const answer = await slow
  t.match(answer, { statusCode: 423, headers: { 'retry-after': '5' } })
  t.match(answer.json(), { code: 'RESUMABLE_FINISHING', detail: /another process is at it/ })
  await client.resumable.updateMany({ data: { heldUntil: null } })
  t.match(await ada.head(url), { statusCode: 200, headers: { 'upload-result': /attachments/ } })
  t.equal(await client.attachment.count(), 1)
})

test('bytes that a restore has not brought back are told as gone, at once and for good', async (t) => {
  const { ada, app: { home: { fs } }, folder, rows } = await open(t)
  const [lost, short, read] = [await ada.begin(10), await ada.begin(10), await ada.begin(10)]
  for (const url of [lost, short, read]) await ada.send(url, 0, 'hello')
  const folderOf = (url: string) => join(folder, 'resumable', url.split('/').at(-1) ?? '')
  await fs.rm(folderOf(lost), { recursive: true })
  for (const url of [short, read]) {
    await fs.rm(join(folderOf(url), '0-1'))
    await append(fs, join(folderOf(url), '0-1'), 'hel')
  }
  for (const url of [lost, short]) {
    t.equal((await ada.head(url)).statusCode, 410)
    t.match((await ada.look(url)).json(), { state: 'failed', failure: { code: 'RESUMABLE_GONE' } })
    t.match((await ada.send(url, 5, 'world')).json(), { code: 'RESUMABLE_GONE' })
  }
  t.match((await ada.send(read, 5, 'world')).json(), { code: 'RESUMABLE_GONE', status: 410 }, 'found when it is put together')
  t.strictSame((await rows()).map(({ state }) => state), ['failed', 'failed', 'failed'])
})
