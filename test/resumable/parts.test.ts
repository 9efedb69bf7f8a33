// What is made of parts: each of them is used for one thing only, and what is asked for is what is answered.
import { createHash } from 'node:crypto'
import { test } from 'tap'
import { createFaults } from '../fixtures/faults.ts'
import { createClamdServer } from './clamd-server.ts'
import { bodyType, clientOf, metadata, open, until, type Client } from './fixture.ts'

const part = async (client: Client, text: string, headers: Record<string, string> = {}): Promise<string> =>
  String((await client.create({ 'upload-length': String(text.length), 'upload-concat': 'partial', 'content-type': bodyType, ...headers }, text)).headers.location)

test('of those that are made at once of the same parts, or of some of the same, one is kept', async (t) => {
  const scanner = await createClamdServer(t)
  const { ada, client, kept } = await open(t, { CLAMD_URL: scanner.url })
  const [a, b, c] = [await part(ada, 'hello'), await part(ada, 'world'), await part(ada, '!')]
  scanner.answer = 'waits'
  const asked = [`${a} ${b}`, `${b} ${a}`, `${a} ${b}`, `${b} ${c}`, `${a} ${a} ${b}`].map((those, index) => ada.create({ 'upload-concat': `final;${those}`, 'upload-metadata': metadata({ filename: `${index}.txt` }) }))
  await until('all are being scanned', () => scanner.waiting() >= 4)
  scanner.release()
  const answers = await Promise.all(asked)
  t.strictSame(answers.map(({ statusCode }) => statusCode).sort(), [201, 410, 410, 410, 410])
  for (const answer of answers.filter(({ statusCode }) => statusCode === 410)) {
    t.match(answer.json(), { code: 'RESUMABLE_GONE' })
    t.equal((await ada.head(String(answer.headers.location))).statusCode, 410, 'for good')
  }
  t.equal(await client.attachment.count(), 1)
  t.equal((await kept()).filter((path) => !path.startsWith('resumable/')).length, 2, 'one file and its sidecar')
})

test('a part that was ended meanwhile is missing; one may come twice', async (t) => {
  const scanner = await createClamdServer(t)
  const { ada, client } = await open(t, { CLAMD_URL: scanner.url, QUOTA_BYTES: '100' })
  const [a, b] = [await part(ada, 'hello'), await part(ada, 'world')]
  scanner.answer = 'waits'
  const asked = ada.create({ 'upload-concat': `final;${a} ${b}` })
  await until('it is being scanned', () => scanner.waiting() === 1)
  await ada.end(b)
  scanner.release()
  t.match((await asked).json(), { code: 'RESUMABLE_GONE', status: 410 }, 'and not that it is over the quota')
  t.equal(await client.attachment.count(), 0)
  const twice = await ada.create({ 'upload-concat': `final;${a} ${a}` })
  t.equal(await ada.content(twice.headers['upload-result']), 'hellohello')
})

test('what was made of the same parts for another, or as something else, is nobody\'s answer', async (t) => {
  const gateway = await open(t)
  const bot = await clientOf(gateway, 'bot', 'uploads:service')
  const one = await part(bot, 'hello')
  const sha256 = createHash('sha256').update('hello').digest('hex')
  const said = { 'upload-concat': `final;${one}`, 'upload-metadata': metadata({ filename: 'a.txt', sha256 }), 'x-owner-id': 'ada' }
  const first = await bot.create(said)
  t.equal(first.statusCode, 201)
  t.match(await bot.create(said), { statusCode: 201, headers: { location: first.headers.location } }, 'as after a lost answer')
  for (const other of [{ 'x-owner-id': 'bob' }, { 'upload-metadata': metadata({ filename: 'b.txt', sha256 }) }, { 'upload-metadata': metadata({ filename: 'a.txt', sha256, kind: 'avatar' }) }, { 'repr-digest': `sha-256=:${Buffer.from(sha256, 'hex').toString('base64')}:` }]) {
    const answer = await bot.create({ ...said, ...other })
    t.match(answer, { statusCode: 404, headers: { location: undefined } }, JSON.stringify(other))
    t.match(answer.json(), { code: 'RESUMABLE_NOT_FOUND' })
  }
  t.match(await gateway.client.blob.findMany(), [{ ownerId: 'ada' }])
})

test('what was sent before its owner was erased goes into nothing afterwards', async (t) => {
  const faults = createFaults()
  const gateway = await open(t, {}, { fs: faults.fs })
  const { ada, client, kept, rows } = gateway
  await ada.create({ 'upload-length': '3', 'content-type': bodyType }, 'old')
  const parts = [await part(ada, 'hello'), await part(ada, 'world')]
  const admin = await clientOf(gateway, 'root', 'uploads:admin')
  const { promise: mayGoOn, resolve: goOn } = Promise.withResolvers<void>()
  let isErasing = false
  faults.inject({ on: 'unlink', path: /attachments\//, before: () => { isErasing = true; return mayGoOn } })
  const erasure = admin.ask('DELETE', '/api/users/ada/uploads')
  await until('it has begun', () => isErasing)
  const whole = await ada.create({ 'upload-concat': `final;${parts.join(' ')}` })
  t.match(whole.json(), { code: 'OWNER_ERASED', status: 410 })
  goOn()
  t.equal((await erasure).statusCode, 200)
  t.strictSame([await client.attachment.count(), await rows(), await kept()], [0, [], []])
})

test('a digest of a whole file is not said of a part', async (t) => {
  const { ada, rows } = await open(t)
  const digest = createHash('sha256').update('hello').digest()
  for (const headers of [{ 'upload-metadata': metadata({ sha256: digest.toString('hex') }) }, { 'repr-digest': `sha-256=:${digest.toString('base64')}:` }]) {
    const answer = await ada.create({ 'upload-length': '5', 'upload-concat': 'partial', ...headers })
    t.match(answer.json(), { code: 'RESUMABLE_INVALID', status: 400, detail: /Upload-Checksum/ })
  }
  t.strictSame(await rows(), [])
})

test('an upload takes many small pieces, and not endlessly many; large ones as many as it needs', async (t) => {
  const { ada, client } = await open(t)
  const url = await ada.begin(10_000 * 1024)
  const uploadId = url.split('/').at(-1) ?? ''
  await ada.send(url, 0, 'a')
  await client.segment.createMany({ data: Array.from({ length: 9_998 }, (_, index) => ({ id: `${uploadId}/${index + 1}-${index + 2}`, uploadId, start: BigInt(index + 1), bytes: 1n })) })
  await client.resumable.updateMany({ data: { epoch: 20_000, offset: 9_999n } })
  t.match(await ada.send(url, 9_999, 'a'), { statusCode: 204 })
  const many = await ada.send(url, 10_000, 'a')
  t.match(many.json(), { code: 'RESUMABLE_INVALID', status: 400, detail: /too many small pieces.* 1 MiB/ })
  t.match((await ada.look(url)).json(), { offset: 10_000, state: 'receiving' })
  await client.resumable.updateMany({ data: { offset: BigInt(1024 ** 2) } })
  t.match(await ada.send(url, 1024 ** 2, 'a'), { statusCode: 204 }, 'who has sent so much')
  t.match((await ada.send(url, 1024 ** 2 + 1, 'a')).json(), { code: 'RESUMABLE_INVALID' })
})
