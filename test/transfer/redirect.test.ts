import { createHash } from 'node:crypto'
import { test } from 'tap'
import { gatewayOn, homeFor } from '../fixtures/object-home.ts'
import { picture } from '../helper.ts'

const redirecting = { DELIVERY: 'redirect', STORAGE_URL: 's3://bucket' }

test('stored bytes are answered with the way to the store, for a minute, with what the gateway would have said of them', async (t) => {
  const { attach, get } = await gatewayOn(t, await homeFor(t, redirecting), redirecting)
  const [{ url, id }] = (await attach('ada', '<p>hello</p>')).json().attachments
  const { statusCode, headers, body } = await get('ada', `${url}?download=true`, { range: 'bytes=0-1' })
  t.equal(statusCode, 302)
  t.equal(body, '')
  t.match(headers, { 'cache-control': 'private, no-store', 'referrer-policy': 'no-referrer', 'content-length': '0' })
  t.notOk(headers.etag ?? headers['content-disposition'])
  const { pathname, searchParams } = new URL(String(headers.location))
  t.match(pathname, /^\/attachments\/.*\.txt$/)
  t.match(Object.fromEntries(searchParams), { contentType: 'text/plain; charset=utf-8', contentDisposition: 'attachment; filename=a.txt', cacheControl: 'private, no-cache' })
  const left = new Date(searchParams.get('expires') ?? 0).getTime() - Date.now()
  t.ok(left > 50_000 && left <= 60_000)
  t.equal((await get('eve', url)).statusCode, 404, 'only for who may read it')
  t.ok(id)
})

test('what is asked conditionally, or with HEAD, is answered here', async (t) => {
  const { app, attach, get, as } = await gatewayOn(t, await homeFor(t, redirecting), redirecting)
  const [{ url }] = (await attach('ada', 'hello')).json().attachments
  const head = await app.inject({ method: 'HEAD', url, headers: await as('ada') })
  t.match(head, { statusCode: 200, headers: { 'content-length': '5', etag: String } })
  t.equal((await get('ada', url, { 'if-none-match': String(head.headers.etag) })).statusCode, 304)
  t.equal((await get('ada', url, { 'if-match': '"x"' })).statusCode, 412)
})

test('what the store would judge by validators of its own, or not at all, is answered here', async (t) => {
  const { attach, get } = await gatewayOn(t, await homeFor(t, redirecting), redirecting)
  const [{ url }] = (await attach('ada', 'hello')).json().attachments
  const { headers: { etag, 'last-modified': lastModified } } = await get('ada', url, { 'if-match': '*' })
  t.match(await get('ada', url, { 'if-match': String(etag) }), { statusCode: 200, body: 'hello' })
  t.match(await get('ada', url, { 'if-unmodified-since': String(lastModified) }), { statusCode: 200, body: 'hello' })
  t.match(await get('ada', url, { range: 'bytes=2-', 'if-range': String(etag) }), { statusCode: 206, body: 'llo' })
  t.match(await get('ada', url, { range: 'bytes=2-', 'if-range': '"of another version"' }), { statusCode: 200, body: 'hello' })
  const [empty] = (await attach('ada', '')).json().attachments
  t.match(await get('ada', empty.url, { range: 'bytes=0-' }), { statusCode: 200, body: '' })
})

test('links and pictures are redirected, variants and previews are not', async (t) => {
  const { app, attach, as, put, get } = await gatewayOn(t, await homeFor(t, redirecting), redirecting)
  const { versionUrl, version } = (await put('ada')).json()
  t.match(await app.inject('/api/avatars/ada'), { statusCode: 302, headers: { 'cache-control': 'private, no-store', 'cross-origin-resource-policy': 'cross-origin' } })
  t.match(await app.inject(versionUrl ?? `/api/avatars/ada/${version}`), { statusCode: 302, headers: { 'cache-control': 'public, max-age=20' } })
  t.equal((await app.inject('/api/avatars/ada?size=32')).statusCode, 200)
  const [{ id }] = (await attach('ada', await picture('png', { width: 3000, height: 2000 }))).json().attachments
  t.equal((await get('ada', `/api/attachments/${id}/preview?format=webp`)).statusCode, 200)
  const { url } = (await app.inject({ method: 'POST', url: `/api/attachments/${id}/links`, headers: await as('ada'), payload: { expiresIn: 60 } })).json()
  t.match(await app.inject(new URL(url).pathname), { statusCode: 302, headers: { location: /^http:\/\/objects\.invalid\/attachments/ } })
})

test('with DELIVERY=stream the bytes come through the gateway', async (t) => {
  const { attach, get } = await gatewayOn(t, await homeFor(t))
  const [{ url, sha256 }] = (await attach('ada', 'hello')).json().attachments
  const { statusCode, rawPayload } = await get('ada', url)
  t.equal(statusCode, 200)
  t.equal(createHash('sha256').update(rawPayload).digest('hex'), sha256)
})
