// Digests as clients of the whole gateway meet them. How they are read and compared is in test/transfer.
import { createHash } from 'node:crypto'
import { test, type Test } from 'tap'
import { build, multipart, picture } from '../helper.ts'

const base64 = (bytes: Buffer) => createHash('sha256').update(bytes).digest('base64')
const hex = (bytes: Buffer | string) => createHash('sha256').update(bytes).digest('hex')
const sha256 = (bytes: Buffer) => `sha-256=:${base64(bytes)}:`

async function setUp (t: Test) {
  const gateway = await build(t, { COMPAT_ANONYMOUS_AVATARS: 'true' })
  const { app, files } = gateway
  const kept = async () => ({ files: (await files()).filter((path) => /^(avatars|attachments)\//.test(path)).length, rows: await app.database.client.blob.count() })
  return { ...gateway, ada: await gateway.as('ada'), kept }
}

/** Each way to upload `bytes`, with what is stated of them; `field` for the forms, `header` for the others. */
async function everyWay (ada: Record<string, string>, bytes: Buffer, stated: Buffer) {
  const form = await multipart([['sha256', hex(stated)], ['file', { bytes, filename: 'a.png' }]])
  const whole = await multipart([['file', { bytes, filename: 'a.png' }]])
  const isTrue = stated === bytes
  const ofForm = { ...whole.headers, 'content-digest': sha256(isTrue ? whole.payload : stated) }
  const raw = { 'content-type': 'image/png', 'repr-digest': sha256(stated) }
  const to = (method: 'POST' | 'PUT', url: string, status: number) => [
    { method, url, headers: { ...ada, ...form.headers }, payload: form.payload, status },
    { method, url, headers: { ...ada, ...ofForm }, payload: whole.payload, status },
    { method, url, headers: { ...ada, ...raw }, payload: bytes, status },
  ]
  return [...to('POST', '/api/attachments', 201), ...to('PUT', '/api/avatars/me', 200), ...to('PUT', '/api/auth/avatar', 200), ...to('POST', '/api/upload/avatar', 200)]
}

test('whichever way a file comes, nothing is kept of one that is not what was stated', async (t) => {
  const { app, ada, kept } = await setUp(t)
  const png = await picture('png')
  for (const { status, ...request } of await everyWay(ada, png, await picture('png', { seed: 1 }))) {
    const answer = await app.inject(request)
    t.equal(answer.statusCode, 422, `${request.method} ${request.url}`)
    t.equal(answer.json().code, 'UPLOAD_DIGEST_MISMATCH')
    t.notMatch(answer.headers, { 'cache-control': /public/ })
  }
  t.same(await kept(), { files: 0, rows: 0 })
  await app.inject({ method: 'PUT', url: '/api/avatars/me', headers: { ...ada, 'content-type': 'image/png' }, payload: png })
  for (const { status, ...request } of await everyWay(ada, png, png)) t.equal((await app.inject(request)).statusCode, status, `${request.method} ${request.url}`)
  t.equal((await kept()).rows, 13)
})

test('a digest that cannot be read is refused before the body is', async (t) => {
  const { app, ada, kept } = await setUp(t)
  const form = await multipart([['file', { bytes: 'x', filename: 'a' }]])
  for (const [url, method] of [['/api/attachments', 'POST'], ['/api/avatars/me', 'PUT'], ['/api/auth/avatar', 'PUT'], ['/api/upload/avatar', 'POST']] as const) {
    for (const headers of [{ 'content-digest': 'sha-256=abc' }, { 'repr-digest': sha256(form.payload) }]) {
      const answer = await app.inject({ method, url, headers: { ...ada, ...form.headers, ...headers }, payload: form.payload })
      t.equal(answer.statusCode, 400)
      t.equal(answer.json().code, 'DIGEST_INVALID')
    }
  }
  t.same(await kept(), { files: 0, rows: 0 })
})

test('of several files, the sha256 of each is its own, and one that differs keeps all out', async (t) => {
  const { app, ada, kept } = await setUp(t)
  const post = async (parts: Parameters<typeof multipart>[0]) => {
    const { payload, headers } = await multipart(parts)
    return app.inject({ method: 'POST', url: '/api/attachments', headers: { ...ada, ...headers }, payload })
  }
  const file = (name: string): [string, { bytes: string, filename: string }] => ['file', { bytes: name, filename: name }]
  const wrong = await post([['sha256', hex('a')], file('a'), ['visibility', 'public'], ['sha256', hex('a')], file('b')])
  t.match(wrong.json(), { status: 422, code: 'UPLOAD_DIGEST_MISMATCH', detail: /file 2/ })
  t.same(await kept(), { files: 0, rows: 0 })
  const right = await post([['sha256', hex('a')], file('a'), ['visibility', 'public'], file('b'), ['sha256', hex('c')], file('c')])
  t.match(right.json(), { attachments: [{ sha256: hex('a'), visibility: 'private' }, { sha256: hex('b'), visibility: 'public' }, { sha256: hex('c') }] })
})

test('every answer of bytes tells the digest of the whole of what it is of', async (t) => {
  const { app, ada } = await setUp(t)
  const photo = await picture('jpeg', { width: 400, height: 300 })
  const { attachments: [{ url, id }] } = (await app.inject({ method: 'POST', url: '/api/attachments', headers: { ...ada, 'content-type': 'image/jpeg' }, payload: photo })).json()
  const { avatarUrl, versionedUrl } = (await app.inject({ method: 'PUT', url: '/api/avatars/me', headers: { ...ada, 'content-type': 'image/jpeg' }, payload: photo })).json()
  const old = (await app.inject({ method: 'POST', url: '/api/upload/avatar', headers: { ...ada, 'content-type': 'image/jpeg' }, payload: photo })).json().data.path
  for (const path of [url, `/api/attachments/${id}/preview?size=320`, avatarUrl, `${avatarUrl}?size=64`, versionedUrl, '/api/auth/avatar/ada', old, '/api/avatars/nobody?fallback=initials']) {
    const whole = await app.inject({ url: path, headers: ada })
    t.equal(whole.statusCode, 200, path)
    const digest = sha256(whole.rawPayload)
    t.equal(whole.headers['repr-digest'], digest, path)
    t.match(await app.inject({ url: path, headers: { ...ada, range: 'bytes=1-5' } }), { statusCode: 206, headers: { 'repr-digest': digest } })
    t.match(await app.inject({ method: 'HEAD', url: path, headers: ada }), { statusCode: 200, headers: { 'repr-digest': digest } })
    const unchanged = await app.inject({ url: path, headers: { ...ada, 'if-none-match': whole.headers.etag } })
    t.equal(unchanged.statusCode, 304)
    t.notOk('repr-digest' in unchanged.headers)
    t.notOk('repr-digest' in (await app.inject({ url: path, headers: { ...ada, 'want-repr-digest': 'sha-256=0' } })).headers)
  }
})

test('the description of the API says so', async (t) => {
  const { app } = await setUp(t)
  const { paths } = (await app.inject('/openapi.json')).json()
  for (const route of [paths['/api/attachments'].post, paths['/api/avatars/me'].put, paths['/api/avatars/{userId}'].put]) {
    const names = route.parameters.map(({ name }: { name: string }) => name.toLowerCase())
    for (const name of ['x-owner-id', 'content-digest', 'repr-digest']) t.ok(names.includes(name), name)
    t.match(route.requestBody.content['multipart/form-data'].schema.properties.sha256, { pattern: String })
    t.match(route.responses[422].content['application/problem+json'], Object)
    t.match(route.responses[422].description, /UPLOAD_DIGEST_MISMATCH.*UPLOAD_INFECTED/s)
    t.match(route.responses[400].description, /DIGEST_INVALID/)
    t.match(route.responses[503].description, /SCANNER_UNAVAILABLE/)
  }
  for (const path of ['/api/attachments/{id}/content', '/api/attachments/{id}/preview', '/api/links/{token}', '/api/links/{token}/{filename}', '/api/avatars/{userId}', '/api/auth/avatar/{userId}']) {
    for (const status of [200, 206]) t.match(paths[path].get.responses[status].headers, { 'Repr-Digest': Object }, path)
  }
})
