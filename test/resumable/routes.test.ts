import { createHash } from 'node:crypto'
import { test } from 'tap'
import { metricsOf } from './metrics.ts'
import { picture } from '../helper.ts'
import { bodyType, clientOf, connect, metadata, open } from './fixture.ts'

const tusAbilities = {
  'tus-resumable': '1.0.0',
  'tus-version': '1.0.0',
  'tus-extension': 'creation,creation-with-upload,creation-defer-length,expiration,checksum,termination,concatenation',
  'tus-checksum-algorithm': 'sha1,sha256,sha512,md5',
}

test('bytes that come in pieces become one attachment, named in a header and in JSON, and nothing is left of the pieces', async (t) => {
  const gateway = await open(t)
  const { ada, kept, rows, client } = gateway
  const url = await ada.begin(10, { filename: 'Über.txt', filetype: 'text/markdown', visibility: 'public', contextType: 'message', contextId: '7', ignored: 'x' })
  t.match(url, /^\/api\/resumable\/[0-9a-f-]{36}$/)
  const first = await ada.send(url, 0, 'hello')
  t.match(first, { statusCode: 204, headers: { 'upload-offset': '5', 'tus-resumable': '1.0.0', 'upload-expires': /GMT$/ }, body: '' })
  t.strictSame((await kept()).map((path) => path.replace(/[0-9a-f-]{36}/, 'ID')), ['resumable/ID/0-1'])
  t.match((await ada.look(url)).json(), { state: 'receiving', offset: 5, length: 10, kind: 'attachment', ownerId: 'ada' })

  const head = await ada.head(url)
  t.match(head, { statusCode: 200, headers: { 'upload-offset': '5', 'upload-length': '10', 'cache-control': 'no-store', 'upload-metadata': /^filename / }, body: '' })
  t.notOk(head.headers['upload-result'])

  const last = await ada.send(url, 5, 'world')
  t.match(last, { statusCode: 204, headers: { 'upload-offset': '10', 'upload-result': /^\/api\/attachments\// } })
  t.notOk(last.headers['upload-expires'], 'what is finished does not expire')
  t.equal(await ada.content(last.headers['upload-result']), 'helloworld')
  const json = (await ada.look(url)).json()
  t.match(json, { state: 'finished', offset: 10, attachment: { filename: 'Über.txt', contentType: 'text/markdown', visibility: 'public', contextType: 'message', contextId: '7', size: 10, sha256: createHash('sha256').update('helloworld').digest('hex') } })
  t.equal(last.headers['upload-result'], `/api/attachments/${json.attachment.id}`)
  t.match((await kept()).map((path) => path.replace(/^.*\.(?=sidecar|md)/, '')), ['md', 'sidecar.json'])
  t.equal(await client.segment.count(), 0)
  t.match(await rows(), [{ state: 'finished', finishAt: null }])

  const again = await ada.head(url)
  t.match(again, { statusCode: 200, headers: { 'upload-offset': '10', 'upload-length': '10', 'upload-result': last.headers['upload-result'] } })
  t.equal(await client.attachment.count(), 1)
  t.match(await metricsOf(gateway), /uploads_total\{kind="attachment",outcome="kept"\} 1\n/)

  await ada.ask('DELETE', String(last.headers['upload-result']))
  t.strictSame((await ada.look(url)).json().attachment, undefined, 'deleted since')
  t.equal((await ada.head(url)).statusCode, 200)
})

test('all that is wrong with a creation is said before anything is kept', async (t) => {
  const { ada, rows, kept } = await open(t, { ATTACHMENT_MAX_BYTES: '1000', AVATAR_MAX_BYTES: '500', QUOTA_BYTES: '900' })
  const cases: Array<[headers: Record<string, string>, status: number, code: string, detail?: RegExp]> = [
    [{}, 400, 'RESUMABLE_INVALID', /either Upload-Length or Upload-Defer-Length/],
    [{ 'upload-length': '1', 'upload-defer-length': '1' }, 400, 'RESUMABLE_INVALID'],
    [{ 'upload-length': '-1' }, 400, 'RESUMABLE_INVALID', /number of bytes/],
    [{ 'upload-length': '1e3' }, 400, 'RESUMABLE_INVALID'],
    [{ 'upload-defer-length': '2' }, 400, 'RESUMABLE_INVALID', /must be 1/],
    [{ 'upload-length': '1001' }, 413, 'UPLOAD_TOO_LARGE', /1000 bytes/],
    [{ 'upload-length': '501', 'upload-metadata': metadata({ kind: 'avatar' }) }, 413, 'UPLOAD_TOO_LARGE', /500 bytes/],
    [{ 'upload-length': '901' }, 413, 'QUOTA_EXCEEDED'],
    [{ 'upload-length': '1', 'upload-metadata': metadata({ kind: 'film' }) }, 400, 'RESUMABLE_INVALID', /attachment or avatar/],
    [{ 'upload-length': '1', 'upload-metadata': metadata({ visibility: 'secret' }) }, 400, 'UPLOAD_FIELD_INVALID', /visibility/],
    [{ 'upload-length': '1', 'upload-metadata': metadata({ readers: 'a,me' }) }, 400, 'UPLOAD_FIELD_INVALID'],
    [{ 'upload-length': '1', 'upload-metadata': metadata({ expiresAt: '2001-01-01T00:00:00Z' }) }, 400, 'UPLOAD_FIELD_INVALID'],
    [{ 'upload-length': '1', 'upload-metadata': metadata({ kind: 'avatar', crop: '0,0,2,2' }) }, 422, 'CROP_INVALID'],
    [{ 'upload-length': '1', 'upload-metadata': metadata({ ownerId: 'bob' }) }, 403, 'OWNER_FORBIDDEN'],
    [{ 'upload-length': '1', 'x-owner-id': 'bob' }, 403, 'OWNER_FORBIDDEN'],
    [{ 'upload-length': '1', 'upload-metadata': metadata({ sha256: 'abc' }) }, 400, 'DIGEST_INVALID'],
    [{ 'upload-length': '1', 'repr-digest': 'sha-256=:AA==:' }, 400, 'DIGEST_INVALID'],
    [{ 'upload-length': '1', 'upload-metadata': 'filename' + ' YQ==' + ' YQ==' }, 400, 'RESUMABLE_INVALID'],
    [{ 'upload-length': '1', 'upload-concat': 'whole' }, 400, 'RESUMABLE_INVALID'],
    [{ 'upload-length': '1', 'upload-concat': 'final;/api/resumable/x' }, 400, 'RESUMABLE_INVALID'],
    [{ 'upload-concat': 'final;' }, 400, 'RESUMABLE_INVALID'],
    [{ 'upload-concat': 'finally /api/resumable/01a203e0-1116-77dc-9f84-fb5972ab4fe6' }, 400, 'RESUMABLE_INVALID'],
    [{ 'upload-concat': 'final;https://elsewhere/api/other/01a203e0-1116-77dc-9f84-fb5972ab4fe6' }, 400, 'RESUMABLE_INVALID'],
    [{ 'upload-concat': 'final;/api/resumable/01a203e0-1116-77dc-9f84-fb5972ab4fe6' }, 404, 'RESUMABLE_NOT_FOUND'],
  ]
  for (const [headers, status, code, detail] of cases) {
    const answer = await ada.create(headers)
    t.match(answer, { statusCode: status }, JSON.stringify(headers))
    t.match(answer.json(), { code, ...(detail !== undefined && { detail }) }, JSON.stringify(headers))
  }
  t.equal((await ada.create({ 'upload-length': '2', 'content-type': 'text/plain' }, 'ab')).json().code, 'CONTENT_TYPE_UNSUPPORTED')
  t.equal((await ada.create({ 'upload-length': '2', 'content-type': bodyType, 'content-encoding': 'gzip' }, 'ab')).json().code, 'CONTENT_TYPE_UNSUPPORTED')
  t.strictSame([await rows(), await kept()], [[], []])
  t.match((await ada.ask('GET', '/api/usage')).json(), { reservedBytes: 0, reservedFiles: 0 })
})

test('what is said of tus, and to whom', async (t) => {
  const { ada, app } = await open(t, { ATTACHMENT_MAX_BYTES: '1000', AVATAR_MAX_BYTES: '500' })
  const url = await ada.begin(5)
  for (const path of ['/api/resumable', url]) {
    const { statusCode, headers } = await app.inject({ method: 'OPTIONS', url: path })
    t.equal(statusCode, 204)
    t.match(headers, { ...tusAbilities, 'tus-max-size': '1000' })
  }
  for (const version of ['0.2.2', undefined]) {
    const { authorization } = ada.own
    const answer = await app.inject({ method: 'HEAD', url, headers: { authorization, ...(version !== undefined && { 'tus-resumable': version }) } as Record<string, string> })
    t.match(answer, { statusCode: 412, headers: { 'tus-version': '1.0.0', 'tus-resumable': '1.0.0' } })
  }
  t.match((await app.inject({ method: 'POST', url: '/api/resumable', headers: { 'tus-resumable': '1.0.0', 'upload-length': '1' } })).json(), { code: 'TOKEN_MISSING' })
  t.match((await app.inject({ method: 'GET', url, headers: { authorization: String(ada.own.authorization) } })).json(), { state: 'receiving' }, 'JSON is no tus')
  t.equal((await ada.ask('PUT', url)).statusCode, 405)
})

test('others see and do what they would with an upload that does not exist; services and the owner do see it', async (t) => {
  const gateway = await open(t)
  const [bob, bot] = [await clientOf(gateway, 'bob'), await clientOf(gateway, 'bot', 'uploads:service')]
  const url = await gateway.ada.begin(5)
  const nowhere = '/api/resumable/01a203e0-1116-77dc-9f84-fb5972ab4fe6'
  for (const address of [url, nowhere, '/api/resumable/x', '/api/resumable/..%2f..%2fstaging']) {
    for (const answer of [await bob.look(address), await bob.send(address, 0, 'hello'), await bob.end(address)]) t.match(answer.json(), { status: 404, code: 'RESUMABLE_NOT_FOUND' })
    t.equal((await bob.head(address)).statusCode, 404)
  }
  t.match(await bot.head(url), { statusCode: 200, headers: { 'upload-offset': '0' } })

  const forBob = await bot.begin(3, { filename: 'a.txt' }, { 'x-owner-id': 'bob' })
  const named = await bot.begin(3, { filename: 'b.txt', ownerId: 'bob' })
  t.match((await bob.look(named)).json(), { ownerId: 'bob' })
  t.equal((await gateway.ada.look(forBob)).statusCode, 404)
  const { headers } = await bot.send(forBob, 0, 'abc')
  t.match((await bob.ask('GET', String(headers['upload-result']))).json(), { ownerId: 'bob', filename: 'a.txt' })
  t.equal((await gateway.ada.ask('GET', String(headers['upload-result']))).statusCode, 404)
  t.match(await gateway.client.blob.findMany(), [{ ownerId: 'bob', creatorId: 'bot' }])
})

test('the first bytes may come with the creation, and an empty file needs none', async (t) => {
  const { ada, client } = await open(t)
  const begun = await ada.create({ 'upload-length': '10', 'content-type': bodyType }, 'hello')
  t.match(begun, { statusCode: 201, headers: { 'upload-offset': '5', location: /resumable/ }, body: '' })
  t.match(await ada.send(String(begun.headers.location), 5, 'world'), { statusCode: 204, headers: { 'upload-offset': '10', 'upload-result': /attachments/ } })
  const whole = await ada.create({ 'upload-length': '2', 'content-type': bodyType }, 'ab')
  t.match(whole, { statusCode: 201, headers: { 'upload-offset': '2', 'upload-result': /attachments/ } })
  const empty = await ada.create({ 'upload-length': '0', 'upload-metadata': metadata({ filename: 'empty.txt' }) })
  t.match(empty, { statusCode: 201, headers: { 'upload-offset': '0', 'upload-result': /attachments/ } })
  t.match((await ada.ask('GET', String(empty.headers['upload-result']))).json(), { size: 0, filename: 'empty.txt' })
  t.equal(await client.attachment.count(), 3)
})

test('what comes with a creation and cannot be of it begins nothing', async (t) => {
  const gateway = await open(t, { ATTACHMENT_MAX_BYTES: '20', QUOTA_BYTES: '15' })
  const { ada, rows, kept, client } = gateway
  for (const length of ['0', '1']) {
    const tooMuch = await ada.create({ 'upload-length': length, 'content-type': bodyType }, 'ab')
    t.match(tooMuch.json(), { code: 'UPLOAD_TOO_LARGE', status: 413 })
    t.notOk(tooMuch.headers.location)
  }
  const { socket, answer } = await connect(gateway)
  socket.write(`POST /api/resumable HTTP/1.1\r\nHost: x\r\n${Object.entries({ ...ada.own, 'upload-length': '0', 'content-type': bodyType, 'transfer-encoding': 'chunked', connection: 'close' }).map(([name, value]) => `${name}: ${value}\r\n`).join('')}\r\n2\r\nab\r\n0\r\n\r\n`)
  t.match(await answer, /^HTTP\/1\.1 413 [^]*UPLOAD_TOO_LARGE/)
  const deferred = await ada.create({ 'upload-defer-length': '1', 'content-type': bodyType }, 'x'.repeat(21))
  t.match(deferred.json(), { code: 'UPLOAD_TOO_LARGE', status: 413 })
  t.match((await ada.create({ 'upload-defer-length': '1', 'content-type': bodyType }, 'x'.repeat(16))).json(), { code: 'QUOTA_EXCEEDED' })
  t.strictSame([await rows(), await kept()], [[], []])

  const part = await ada.create({ 'upload-length': '5', 'upload-concat': 'partial', 'content-type': bodyType }, 'hello')
  const whole = { 'upload-concat': `final;${String(part.headers.location)}` }
  const final = await ada.create({ ...whole, 'content-type': bodyType }, 'and more')
  t.match(final.json(), { code: 'RESUMABLE_FINAL', status: 403 })
  t.notOk(final.headers.location)
  t.match(await rows(), [{ kind: 'part', state: 'finished' }])
  t.equal(await client.attachment.count(), 0)
  t.match(await ada.create(whole), { statusCode: 201, headers: { 'upload-result': /attachments/ } })
})

test('an empty file may come with a body that does not say that it is empty', async (t) => {
  const gateway = await open(t)
  const { socket, answer } = await connect(gateway)
  socket.write(`POST /api/resumable HTTP/1.1\r\nHost: x\r\n${Object.entries({ ...gateway.ada.own, 'upload-length': '0', 'content-type': bodyType, 'transfer-encoding': 'chunked', connection: 'close' }).map(([name, value]) => `${name}: ${value}\r\n`).join('')}\r\n0\r\n\r\n`)
  t.match(await answer, /^HTTP\/1\.1 201 [^]*upload-result: \/api\/attachments\//)
})

test('a length may come later, once, and not less than there is', async (t) => {
  const { ada, client } = await open(t, { ATTACHMENT_MAX_BYTES: '20', QUOTA_BYTES: '15' })
  const url = await ada.begin(undefined)
  t.match((await ada.send(url, 0, 'more than there is room for'.slice(0, 16))).json(), { code: 'QUOTA_EXCEEDED' })
  t.match(await ada.head(url), { headers: { 'upload-defer-length': '1', 'upload-length': undefined } })
  await ada.send(url, 0, 'hello')
  t.match((await ada.look(url)).json(), { length: null, offset: 5 })
  t.match((await ada.send(url, 5, '', { 'upload-length': '4' })).json(), { code: 'RESUMABLE_INVALID' })
  t.match((await ada.send(url, 5, '', { 'upload-length': '21' })).json(), { code: 'UPLOAD_TOO_LARGE' })
  t.match((await ada.send(url, 5, '', { 'upload-length': '16' })).json(), { code: 'QUOTA_EXCEEDED' })
  t.match(await ada.send(url, 5, 'wor', { 'upload-length': '10' }), { statusCode: 204, headers: { 'upload-offset': '8' } })
  t.match(await ada.head(url), { headers: { 'upload-defer-length': undefined, 'upload-length': '10' } })
  t.match((await ada.send(url, 8, 'ld', { 'upload-length': '11' })).json(), { code: 'RESUMABLE_INVALID' })
  t.match(await ada.send(url, 8, 'ld', { 'upload-length': '10' }), { statusCode: 204, headers: { 'upload-result': /attachments/ } })

  const ends = await ada.begin(undefined)
  await ada.send(ends, 0, 'abc')
  t.match(await ada.send(ends, 3, '', { 'upload-length': '3' }), { statusCode: 204, headers: { 'upload-offset': '3', 'upload-result': /attachments/ } }, 'that was all')
  const endless = await ada.begin(undefined)
  t.match((await ada.send(endless, 0, 'x'.repeat(21))).json(), { code: 'UPLOAD_TOO_LARGE' })
  t.equal(await client.attachment.count(), 2)
})

test('whose length is said to be what is there is complete, also when the request that said so comes to nothing', async (t) => {
  const { ada } = await open(t)
  const url = await ada.begin(undefined, { filename: 'a.txt' })
  await ada.send(url, 0, 'hello')
  t.match((await ada.send(url, 5, 'and more', { 'upload-length': '5' })), { statusCode: 413 })
  const { statusCode, headers } = await ada.head(url)
  t.match({ statusCode, headers }, { statusCode: 200, headers: { 'upload-offset': '5', 'upload-length': '5' } })
  t.match((await ada.look(url)).json(), { state: 'finished' })
  t.equal(await ada.content(headers['upload-result']), 'hello')
})

test('bytes for another place, too many of them, or of another type are not taken', async (t) => {
  const { ada } = await open(t)
  const url = await ada.begin(5)
  await ada.send(url, 0, 'he')
  const wrong = await ada.send(url, 0, 'hello')
  t.match(wrong, { statusCode: 409 })
  t.match(wrong.json(), { code: 'RESUMABLE_OFFSET_WRONG', detail: /byte 2/ })
  t.match((await ada.send(url, 2, 'llox')).json(), { code: 'UPLOAD_TOO_LARGE', status: 413 })
  t.match((await ada.ask('PATCH', url, { 'upload-offset': '2', 'content-type': 'text/plain' }, 'llo')).json(), { code: 'CONTENT_TYPE_UNSUPPORTED', status: 415 })
  t.match((await ada.ask('PATCH', url, { 'content-type': bodyType }, 'llo')).json(), { code: 'RESUMABLE_INVALID', status: 400 })
  t.match((await ada.send(url, 2, 'llo', { 'upload-offset': 'two' })).json(), { code: 'RESUMABLE_INVALID' })
  t.match(await ada.send(url, 2, ''), { statusCode: 204, headers: { 'upload-offset': '2' } }, 'nothing may come')
  t.match(await ada.send(url, 2, 'llo'), { statusCode: 204 })
  t.match(await ada.send(url, 5, ''), { statusCode: 204, headers: { 'upload-result': /attachments/ } }, 'a client whose answer was lost may ask so')
  t.match((await ada.send(url, 5, 'x')).json(), { code: 'UPLOAD_TOO_LARGE' })
})

test('bytes with a wrong checksum are not kept, those with a right one are', async (t) => {
  const { ada, kept } = await open(t)
  const url = await ada.begin(10)
  const sum = (algorithm: string, text: string) => `${algorithm} ${createHash(algorithm).update(text).digest('base64')}`
  const wrong = await ada.send(url, 0, 'hello', { 'upload-checksum': sum('sha1', 'hellO') })
  t.match(wrong, { statusCode: 460 })
  t.match(wrong.json(), { code: 'CHECKSUM_MISMATCH', title: 'Checksum Mismatch' })
  t.match((await ada.look(url)).json(), { offset: 0 })
  t.strictSame(await kept(), [])
  for (const bad of ['crc32 AAAA', 'sha1', 'sha256 AAAA', 'toString AAAA', sum('sha1', 'x').replace('=', '!')]) t.match((await ada.send(url, 0, 'hello', { 'upload-checksum': bad })).json(), { status: 400, code: 'RESUMABLE_INVALID' }, bad)
  t.match(await ada.send(url, 0, 'he', { 'upload-checksum': sum('sha1', 'he') }), { statusCode: 204 })
  t.match(await ada.send(url, 2, 'll', { 'upload-checksum': sum('sha512', 'll') }), { statusCode: 204 })
  t.match(await ada.send(url, 4, 'o', { 'upload-checksum': sum('md5', 'o') }), { statusCode: 204 })
  const last = await ada.send(url, 5, 'world', { 'upload-checksum': sum('sha256', 'world') })
  t.equal(await ada.content(last.headers['upload-result']), 'helloworld')
})

test('the Content-Digest of a request is held against its bytes: none of them is kept when they are others', async (t) => {
  const { ada, kept } = await open(t)
  const digest = (algorithm: 'sha-256' | 'sha-512', text: string) => `${algorithm}=:${createHash(algorithm.replace('-', '')).update(text).digest('base64')}:`
  const mismatch = (which: string) => ({ status: 422, code: 'UPLOAD_DIGEST_MISMATCH', detail: new RegExp(`Content-Digest \\(${which}\\)`) })
  const url = await ada.begin(10)
  const [right, wrong] = [digest('sha-256', 'hello'), digest('sha-512', 'hellO')]
  t.match((await ada.send(url, 0, 'hello', { 'content-digest': digest('sha-256', 'hellO') })).json(), mismatch('sha-256'))
  t.match((await ada.send(url, 0, 'hello', { 'content-digest': `${right}, ${wrong}` })).json(), mismatch('sha-512'), 'all of them')
  const checksum = (text: string) => ({ 'upload-checksum': `md5 ${createHash('md5').update(text).digest('base64')}` })
  t.match((await ada.send(url, 0, 'hello', { 'content-digest': wrong, ...checksum('hello') })).json(), mismatch('sha-512'), 'beside a checksum')
  t.match((await ada.send(url, 0, 'hello', { 'content-digest': right, ...checksum('hellO') })).json(), { code: 'CHECKSUM_MISMATCH' })
  for (const bad of ['sha-256=:AAAA:', 'hello=']) t.match((await ada.send(url, 0, 'hello', { 'content-digest': bad })).json(), { status: 400, code: 'DIGEST_INVALID' }, bad)
  t.match((await ada.send(url, 0, 'hello', { trailer: 'Content-Digest' })).json(), { status: 400, code: 'RESUMABLE_INVALID', detail: /header/ })
  t.match((await ada.send(url, 0, 'hello', { 'repr-digest': right })).json(), { status: 400, code: 'RESUMABLE_INVALID', detail: /Repr-Digest .* POST/ }, 'of the whole file, which it is too late to say')
  t.match((await ada.look(url)).json(), { offset: 0, state: 'receiving' })
  t.strictSame(await kept(), [])
  t.match(await ada.send(url, 0, 'hello', { 'content-digest': `${right}, md5=:AAAA:`, ...checksum('hello') }), { statusCode: 204, headers: { 'upload-offset': '5' } })
  t.match(await ada.send(url, 5, 'wor', { 'content-digest': 'md5=:AAAA:' }), { statusCode: 204 }, 'others are passed over')
  const last = await ada.send(url, 8, 'ld', { 'content-digest': digest('sha-512', 'ld') })
  t.equal(await ada.content(last.headers['upload-result']), 'helloworld')

  const begun = await ada.create({ 'upload-length': '5', 'content-type': bodyType, 'content-digest': wrong }, 'hello')
  t.match(begun.json(), mismatch('sha-512'))
  t.match((await ada.look(String(begun.headers.location))).json(), { offset: 0, state: 'receiving' }, 'what has begun can be gone on with')
  t.match(await ada.create({ 'upload-length': '5', 'content-type': bodyType, 'content-digest': right }, 'hello'), { statusCode: 201, headers: { 'upload-result': /attachments/ } })
})

test('the digest of the whole that was promised at the beginning must be that of what came', async (t) => {
  const { ada, kept, client, rows } = await open(t)
  const sha256 = createHash('sha256').update('hello').digest()
  const right = await ada.begin(5, { sha256: sha256.toString('hex') }, { 'repr-digest': `sha-256=:${sha256.toString('base64')}:, sha-512=:${createHash('sha512').update('hello').digest('base64')}:` })
  t.match(await ada.send(right, 0, 'hello'), { statusCode: 204 })
  for (const [fields, headers] of [[{ sha256: sha256.toString('hex') }, {}], [{}, { 'repr-digest': `sha-256=:${sha256.toString('base64')}:` }]] as const) {
    const url = await ada.begin(5, fields, headers)
    const failed = await ada.send(url, 0, 'hellO')
    t.match(failed.json(), { status: 422, code: 'UPLOAD_DIGEST_MISMATCH' })
    t.equal((await ada.head(url)).statusCode, 422, 'told again')
    t.match((await ada.send(url, 5, '')).json(), { code: 'UPLOAD_DIGEST_MISMATCH' })
    t.match((await ada.look(url)).json(), { state: 'failed', failure: { code: 'UPLOAD_DIGEST_MISMATCH', status: 422 } })
  }
  t.equal((await kept()).length, 2, 'blob and sidecar of the right one')
  t.equal(await client.attachment.count(), 1)
  t.strictSame((await rows()).map(({ state }) => state), ['finished', 'failed', 'failed'])
})

test('avatars too: the same checks as of one in one piece', async (t) => {
  const { ada, client, kept } = await open(t)
  const bytes = await picture('png', { width: 60, height: 40 })
  const url = await ada.begin(bytes.length, { kind: 'avatar', crop: '0,0,0.5,0.5', filename: 'me.png' })
  await ada.send(url, 0, bytes.subarray(0, 50))
  const last = await ada.send(url, 50, bytes.subarray(50))
  t.match(last, { statusCode: 204, headers: { 'upload-result': '/api/avatars/ada' } })
  const json = (await ada.look(url)).json()
  t.match(json, { state: 'finished', kind: 'avatar', avatar: { userId: 'ada', crop: '0,0,0.5,0.5', width: 60, height: 40, contentType: 'image/png' } })
  t.equal((await ada.ask('GET', '/api/avatars/ada')).rawPayload.length, bytes.length)

  const text = await ada.begin(5, { kind: 'avatar' })
  t.match((await ada.send(text, 0, 'hello')).json(), { code: 'UPLOAD_TYPE_REJECTED', status: 415 })
  t.equal((await ada.head(text)).statusCode, 415)
  t.equal((await kept()).length, 2)
  t.equal(await client.blob.count(), 1)
  await ada.ask('DELETE', '/api/avatars/me')
  await client.blob.deleteMany()
  t.strictSame((await ada.look(url)).json().avatar, undefined, 'purged since')
})

test('parts become one file, and are gone with it; asked for again, it is the same one', async (t) => {
  const gateway = await open(t, { QUOTA_BYTES: '10' })
  const { ada, kept, client } = gateway
  const part = async (text: string) => {
    const begun = await ada.create({ 'upload-length': String(text.length), 'upload-concat': 'partial', 'content-type': bodyType, 'upload-metadata': metadata({ visibility: 'is not said of parts' }) }, text)
    t.match(begun, { statusCode: 201, headers: { 'upload-offset': String(text.length), 'upload-result': undefined } })
    return String(begun.headers.location)
  }
  const parts = [await part('hello'), await part('world')]
  t.match(await ada.head(parts[0] ?? ''), { statusCode: 200, headers: { 'upload-concat': 'partial', 'upload-offset': '5' } })
  t.match((await ada.create({ 'upload-length': '1', 'upload-concat': 'partial' })).json(), { code: 'QUOTA_EXCEEDED' }, 'they count while they wait')
  t.equal(await client.attachment.count(), 0)

  const bob = await clientOf(gateway, 'bob')
  t.match((await bob.create({ 'upload-concat': `final;${parts.join(' ')}` })).json(), { code: 'RESUMABLE_NOT_FOUND' })
  const concat = `final;http://localhost${parts[0]} ${parts[1]}`
  const final = await ada.create({ 'upload-concat': concat, 'upload-metadata': metadata({ filename: 'both.txt' }) })
  t.match(final, { statusCode: 201, headers: { 'upload-offset': '10', 'upload-result': /attachments/ } })
  t.equal(await ada.content(final.headers['upload-result']), 'helloworld')
  const url = String(final.headers.location)
  t.match(await ada.head(url), { headers: { 'upload-concat': `final;${parts.join(' ')}`, 'upload-length': '10', 'upload-offset': '10' } })
  t.match((await ada.send(url, 10, '')).json(), { code: 'RESUMABLE_FINAL', status: 403 })
  t.match(await ada.create({ 'upload-concat': concat, 'upload-metadata': metadata({ filename: 'both.txt' }) }), { statusCode: 201, headers: { location: url, 'upload-result': final.headers['upload-result'] } }, 'as after a lost answer')
  t.equal((await ada.head(parts[0] ?? '')).statusCode, 404)
  t.strictSame([await client.attachment.count(), (await kept()).length, await client.segment.count()], [1, 2, 0])
  t.match((await ada.ask('GET', '/api/usage')).json(), { bytes: 10, reservedBytes: 0, reservedFiles: 0 })
})

test('what is not complete, or no part, is no part of anything; together they may not be too much', async (t) => {
  const { ada } = await open(t, { ATTACHMENT_MAX_BYTES: '8' })
  const half = await ada.begin(5, {}, { 'upload-concat': 'partial' })
  await ada.send(half, 0, 'hel')
  const refused = async (concat: string) => (await ada.create({ 'upload-concat': concat })).json().code
  t.equal(await refused(`final;${half}`), 'RESUMABLE_INVALID')
  t.equal(await refused(`final;${await ada.begin(5)}`), 'RESUMABLE_INVALID')
  await ada.send(half, 3, 'lo')
  t.equal(await refused(`final;${half} ${half}`), 'UPLOAD_TOO_LARGE')
  t.match((await ada.create({ 'upload-concat': `final;${half}`, 'upload-length': '5' })).json(), { code: 'RESUMABLE_INVALID' })
  t.match((await ada.create({ 'upload-concat': `final;${half}`, 'upload-metadata': metadata({ kind: 'avatar' }) })).json(), { code: 'UPLOAD_TYPE_REJECTED' })
  t.match(await ada.head(half), { statusCode: 200 }, 'what it was to be made of is there for something else')
  const empty = await ada.create({ 'upload-length': '0', 'upload-concat': 'partial' })
  const whole = await ada.create({ 'upload-concat': `final;${half} ${empty.headers.location}` })
  t.match(whole, { statusCode: 201, headers: { 'upload-offset': '5' } })
})

test('an upload that is ended is gone, with its bytes; what it has become stays', async (t) => {
  const { ada, kept, client } = await open(t, { QUOTA_BYTES: '10' })
  const url = await ada.begin(10)
  await ada.send(url, 0, 'hello')
  t.match(await ada.end(url), { statusCode: 204, body: '', headers: { 'tus-resumable': '1.0.0' } })
  t.strictSame([(await ada.head(url)).statusCode, (await ada.send(url, 5, 'world')).statusCode, (await ada.end(url)).statusCode], [404, 404, 404])
  t.strictSame([await kept(), await client.resumable.count(), await client.segment.count()], [[], 0, 0])
  const whole = await ada.create({ 'upload-length': '10', 'content-type': bodyType }, 'helloworld')
  t.equal((await ada.end(String(whole.headers.location))).statusCode, 204)
  t.equal(await ada.content(whole.headers['upload-result']), 'helloworld')
})

test('a client that may only POST says what it means in a header', async (t) => {
  const { ada } = await open(t)
  const url = await ada.begin(5)
  const meaning = (method: string) => ({ 'x-http-method-override': method })
  t.match(await ada.ask('POST', url, { ...meaning('PATCH'), 'upload-offset': '0', 'content-type': bodyType }, 'hel'), { statusCode: 204, headers: { 'upload-offset': '3' } })
  t.match(await ada.ask('POST', url, meaning('head')), { statusCode: 200, headers: { 'upload-offset': '3' } })
  t.match(await ada.ask('POST', url, meaning('DELETE')), { statusCode: 204 })
  t.match(await ada.ask('POST', url, meaning('PUT')), { statusCode: 405, headers: { allow: /PATCH/ } })
  t.equal((await ada.ask('POST', url)).statusCode, 405)
})

test('a creation that is sent again with its Idempotency-Key is the same upload, wherever it stands', async (t) => {
  const { ada, client, rows } = await open(t, { RATE_UPLOADS_PER_MINUTE: '3' })
  const headers = { 'idempotency-key': 'one', 'upload-length': '10', 'upload-metadata': metadata({ filename: 'a.txt' }) }
  const all = await Promise.all(Array.from({ length: 10 }, () => ada.create(headers)))
  t.strictSame(new Set(all.map(({ statusCode }) => statusCode)), new Set([201]))
  t.equal(new Set(all.map(({ headers }) => headers.location)).size, 1)
  t.equal((await rows()).length, 1)
  const url = String(all[0]?.headers.location)
  await ada.send(url, 0, 'hello')
  const again = await ada.create(headers)
  t.match(again, { statusCode: 201, headers: { location: url, 'upload-offset': '5', 'idempotency-replayed': 'true' } })
  await ada.send(url, 5, 'world')
  t.match(await ada.create(headers), { statusCode: 201, headers: { location: url, 'upload-offset': '10', 'upload-result': /attachments/ } })
  const withBytes = { 'idempotency-key': 'two', 'upload-length': '10', 'content-type': bodyType }
  const first = await ada.create(withBytes, 'hello')
  t.match(await ada.create(withBytes, 'hello'), { statusCode: 201, headers: { location: first.headers.location, 'upload-offset': '5', 'idempotency-replayed': 'true' } }, 'its bytes are not taken twice')
  t.match((await ada.create({ ...headers, 'upload-length': '11' })).json(), { code: 'IDEMPOTENCY_KEY_REUSED', status: 422 })
  t.match((await ada.create({ ...headers, 'upload-metadata': metadata({ filename: 'b.txt' }) })).json(), { code: 'IDEMPOTENCY_KEY_REUSED' })
  t.match(await ada.create({ 'upload-length': '1' }), { statusCode: 201 }, 'those that were answered again did not count')
  t.match(await ada.create({ 'upload-length': '1' }), { statusCode: 429 })
  t.equal(await client.attachment.count(), 1)
})

test('one upload counts once for its caller\'s rate, its bytes as they come', async (t) => {
  const { ada } = await open(t, { RATE_UPLOADS_PER_MINUTE: '1', RATE_BYTES_PER_MINUTE: '10' })
  const url = await ada.begin(20)
  for (const at of [0, 4]) t.equal((await ada.send(url, at, 'four')).statusCode, 204)
  const limited = await ada.send(url, 8, 'four')
  t.match(limited, { statusCode: 429, headers: { 'retry-after': /^\d+$/ } })
  t.match((await ada.look(url)).json(), { offset: 8 })
  t.equal((await ada.head(url)).statusCode, 200, 'who asks where it stands is not held up')
})
