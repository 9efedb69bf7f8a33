import { test } from 'tap'
import { avatarSizes } from '../../src/images/spec.ts'
import { accepts, look, pictureClient } from '../fixtures/picture-client.ts'
import { corners, plain, quarters } from '../images/made.ts'

const upright = ['red', 'green', 'blue', 'white']

test('a picture comes in every size and format, square, upright and never larger than it is', async (t) => {
  const { put, show } = await pictureClient(t)
  const picture = await quarters(400, 600).withMetadata({ orientation: 6 }).jpeg({ quality: 95 }).toBuffer()
  const { width, height, versionedUrl } = (await put(picture)).json()
  t.strictSame([width, height], [600, 400], 'upright')
  for (const size of avatarSizes) {
    const shown = await show(`/api/avatars/ada?size=${size}&format=webp`)
    t.match(shown, { statusCode: 200, headers: { 'content-type': 'image/webp' } })
    const side = Math.min(size, 400)
    t.match(await look(shown.rawPayload), { format: 'webp', width: side, height: side, hasExif: false, hasProfile: false }, String(size))
  }
  for (const [format, name] of [['jpeg', 'jpeg'], ['png', 'png'], ['webp', 'webp'], ['avif', 'heif']] as const) {
    const shown = await show(`${versionedUrl}?size=128&format=${format}`)
    t.match(shown.headers, { 'content-type': `image/${format}`, 'content-length': String(shown.rawPayload.length), vary: undefined })
    t.match(await look(shown.rawPayload), { format: name, width: 128, height: 128 })
  }
  const etag = async (query: string) => (await show(`/api/avatars/ada?format=webp${query}`)).headers.etag
  for (const [asked, size] of [[1, 32], [33, 64], [65, 96], [97, 128], [129, 256], [257, 512], [513, 512], [99_999, 512]] as const) {
    t.equal(await etag(`&size=${asked}`), await etag(`&size=${size}`), `${asked} is ${size}`)
  }
  t.equal(await etag(''), await etag('&size=1024'), 'of no size the largest')

  t.strictSame(await corners((await show('/api/avatars/ada?size=256&format=png')).rawPayload), ['blue', 'red', 'white', 'green'], 'turned as EXIF says')
  const stored = await show('/api/avatars/ada', accepts.chrome)
  t.equal(stored.headers.vary, undefined)
  t.strictSame(await corners(stored.rawPayload), upright, 'without parameters the stored bytes, lying as they lie')
})

test('the format is the best that the Accept header names, and every answer says that it was chosen so', async (t) => {
  const { app, put, show } = await pictureClient(t, { CORS_ORIGINS: 'https://app.example' })
  const { versionedUrl } = (await put(await quarters(100, 100).png().toBuffer())).json()
  const types: Array<[accept: string | undefined, type: string]> = [
    [accepts.chrome, 'image/avif'], [accepts.safari, 'image/avif'], [accepts.olderSafari, 'image/webp'], [accepts.ancient, 'image/jpeg'], [accepts.curl, 'image/jpeg'],
    [undefined, 'image/jpeg'], ['', 'image/jpeg'], ['image/avif;q=0, image/webp', 'image/webp'], ['text/html;q=1, garbage,,,/', 'image/jpeg'], ['image/jpeg;q=0', 'image/jpeg'],
  ]
  for (const url of [`${versionedUrl}?size=64`, '/api/avatars/ada?size=64']) {
    for (const [accept, type] of types) t.match((await show(url, accept)).headers, { 'content-type': type, vary: 'Accept' }, `${accept}`)
  }
  const url = '/api/avatars/ada?size=64'
  const { headers: { etag } } = await show(url, accepts.chrome)
  const asked: Array<[status: number, headers: Record<string, string>]> = [
    [304, { 'if-none-match': String(etag) }], [206, { range: 'bytes=0-9' }], [416, { range: 'bytes=999999-' }], [412, { 'if-match': '"other"' }],
  ]
  for (const [status, headers] of asked) t.match(await show(url, accepts.chrome, headers), { statusCode: status, headers: { vary: 'Accept' } })
  t.match(await app.inject({ method: 'HEAD', url, headers: { accept: accepts.chrome } }), { statusCode: 200, headers: { vary: 'Accept', 'content-type': 'image/avif', etag } })
  t.match(await show(url, accepts.olderSafari, { 'if-none-match': String(etag) }), { statusCode: 200 }, 'the tag of another format')
  t.equal((await show(url, accepts.chrome, { origin: 'https://app.example' })).headers.vary, 'Origin, Accept')
  t.match((await show('/api/avatars/nobody?size=64')), { statusCode: 404, headers: { vary: 'Accept' } })
  t.equal((await show('/api/avatars/nobody?size=64&format=png')).headers.vary, 'Origin')
  t.equal((await show(`${url}&format=png`, accepts.chrome)).headers['content-type'], 'image/png')

  await put(await plain(50, 50, { r: 255, g: 0, b: 0, alpha: 0.5 }).png().toBuffer())
  t.match(await look((await show(url, accepts.curl)).rawPayload), { format: 'png', hasAlpha: true }, 'JPEG knows no transparency')
})

test('what is asked for with no sense in it is refused with words', async (t) => {
  const { put, show } = await pictureClient(t)
  const { versionedUrl } = (await put(await quarters(100, 100).png().toBuffer())).json()
  for (const query of ['size=big', 'size=0', 'format=gif', 'animated=maybe', 'size=1&size=2']) {
    for (const url of ['/api/avatars/ada', versionedUrl]) t.match((await show(`${url}?${query}`)).json(), { status: 400, code: 'REQUEST_INVALID', errors: [{ in: 'query' }] }, query)
  }
  t.equal((await show('/api/avatars/ada?v=7')).statusCode, 200, 'names that clients made up to get past caches')
})

test('a version is kept for ever, the current picture asked for again each time; both have strong tags and ranges', async (t) => {
  const { put, show } = await pictureClient(t)
  const { versionedUrl } = (await put(await quarters(100, 100).png().toBuffer())).json()
  const query = '?size=64&format=webp'
  const versioned = await show(versionedUrl + query)
  const current = await show(`/api/avatars/ada${query}`)
  t.equal(versioned.headers['cache-control'], 'public, max-age=31536000, immutable')
  t.equal(current.headers['cache-control'], 'public, no-cache')
  t.match(current.headers.etag, /^"[^"]+"$/)
  t.equal(versioned.headers.etag, current.headers.etag)
  t.match(current.headers, { 'x-content-type-options': 'nosniff', 'cross-origin-resource-policy': 'cross-origin', 'accept-ranges': 'bytes', 'content-disposition': 'inline' })
  for (const url of [versionedUrl, '/api/avatars/ada']) {
    const again = await show(url + query, undefined, { 'if-none-match': String(current.headers.etag) })
    t.match(again, { statusCode: 304, payload: '' })
    t.match((await show(url + query, undefined, { range: 'bytes=4-7' })).rawPayload, current.rawPayload.subarray(4, 8))
  }

  await put(await plain(100, 100, 'blue').png().toBuffer())
  const replaced = await show(`/api/avatars/ada${query}`, undefined, { 'if-none-match': String(current.headers.etag) })
  t.equal(replaced.statusCode, 200, 'a picture that was changed a moment ago')
  t.ok((await show(versionedUrl + query)).rawPayload.equals(current.rawPayload), 'while its old version is what it was')
})
