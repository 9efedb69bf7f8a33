import { test } from 'tap'
import { ImagesBusy, ImageTooSlow, withHeaders } from '../../src/errors.ts'
import { previewSizes } from '../../src/images/spec.ts'
import { heif } from '../fixtures/heif.ts'
import { accepts, look, pictureClient } from '../fixtures/picture-client.ts'
import { animation, corners, plain, quarters } from '../images/made.ts'
import { attachment, home } from '../operations/import/fixtures/import.ts'

const shared = '?visibility=public'

/** Whole by its chunks, but not by its pixels. */
const damaged = (png: Buffer) => Buffer.concat([png.subarray(0, 41), Buffer.alloc(20), png.subarray(61)])

test('a picture comes in the size of a screen and in every format, whole, upright and never larger than it is', async (t) => {
  const { attach, show } = await pictureClient(t)
  const [sent] = (await attach(await quarters(600, 900).withMetadata({ orientation: 8 }).jpeg({ quality: 95 }).toBuffer(), { query: shared, filename: 'am Meer.jpeg' })).json().attachments
  t.match(sent, { width: 900, height: 600, contentType: 'image/jpeg' })
  const preview = `/api/attachments/${sent.id}/preview`
  for (const size of previewSizes) {
    const shown = await show(`${preview}?size=${size}&format=webp`)
    const width = Math.min(size, 900)
    t.match(await look(shown.rawPayload), { format: 'webp', width, height: Math.round(width / 1.5), hasExif: false }, String(size))
  }
  for (const [format, name, extension] of [['jpeg', 'jpeg', 'jpg'], ['png', 'png', 'png'], ['webp', 'webp', 'webp'], ['avif', 'heif', 'avif']] as const) {
    const shown = await show(`${preview}?size=1&format=${format}`)
    t.match(shown.headers, { 'content-type': `image/${format}`, vary: undefined, 'content-disposition': `inline; filename="am Meer.${extension}"` })
    t.match(await look(shown.rawPayload), { format: name, width: 320 })
  }
  t.strictSame(await corners((await show(`${preview}?format=png`)).rawPayload), ['green', 'white', 'red', 'blue'], 'turned as EXIF says')
  t.equal((await show(`${preview}?format=png`)).headers.etag, (await show(`${preview}?format=png&size=9000`)).headers.etag)
  t.match((await show(`${preview}?size=0`)).json(), { status: 400, code: 'REQUEST_INVALID' })
})

test('the format is the best that the Accept header names, and every answer says that it was chosen so', async (t) => {
  const { app, attach, show } = await pictureClient(t)
  const [{ id }] = (await attach(heif('quad'), { query: shared, filename: 'IMG_1.HEIC' })).json().attachments
  const preview = `/api/attachments/${id}/preview`
  for (const [accept, type] of [[accepts.chrome, 'image/avif'], [accepts.olderSafari, 'image/webp'], [accepts.ancient, 'image/jpeg'], [accepts.curl, 'image/jpeg']] as const) {
    const shown = await show(preview, accept)
    t.match(shown.headers, { 'content-type': type, vary: 'Accept', 'cache-control': 'public, no-cache', 'content-disposition': /^inline; filename=IMG_1\.(avif|webp|jpg)$/ })
    t.match(await look(shown.rawPayload), { width: 96, height: 64 })
    for (const [status, headers] of [[304, { 'if-none-match': String(shown.headers.etag) }], [206, { range: 'bytes=0-9' }], [412, { 'if-match': '"x"' }]] as const) {
      t.match(await show(preview, accept, headers), { statusCode: status, headers: { vary: 'Accept' } })
    }
    t.match(await app.inject({ method: 'HEAD', url: preview, headers: { accept } }), { statusCode: 200, headers: { vary: 'Accept', etag: shown.headers.etag } })
  }
  t.match((await show(preview)).headers, { 'content-type': 'image/jpeg', vary: 'Accept' })
  t.strictSame(await corners((await show(`${preview}?format=png`)).rawPayload), ['red', 'green', 'blue', 'white'])
  t.ok((await show(`/api/attachments/${id}/content`, accepts.chrome)).rawPayload.equals(heif('quad')), 'its content is what was sent')

  const [{ id: moving }] = (await attach(await animation('gif', [plain(50, 40, 'red'), plain(50, 40, 'blue')]), { query: shared })).json().attachments
  t.match(await look((await show(`/api/attachments/${moving}/preview?animated=true`, accepts.chrome)).rawPayload), { format: 'webp', frames: 2, width: 50, height: 40 })
  t.match(await look((await show(`/api/attachments/${moving}/preview`, accepts.chrome)).rawPayload), { format: 'heif', frames: 1 })
})

test('whoever may not read an attachment gets no preview of it, and cannot tell it from what is not there', async (t) => {
  const { app, as, attach, show } = await pictureClient(t)
  const ada = await as('ada')
  const [{ id }] = (await attach(await quarters(50, 40).png().toBuffer())).json().attachments
  const preview = (of = id) => `/api/attachments/${of}/preview`
  t.match(await show(preview(), undefined, ada), { statusCode: 200, headers: { 'cache-control': 'private, no-cache', 'cross-origin-resource-policy': 'same-site' } })
  t.equal((await show(preview(), undefined, await as('chat', 'uploads:service'))).statusCode, 200)
  const told = await Promise.all([id, '019ab111-1111-7111-8111-111111111111', 'x'].map(async (of) => {
    const { statusCode, body, headers } = await show(preview(of), undefined, await as('bob'))
    return [statusCode, body.replace(/"requestId":"[^"]*"/, ''), headers.vary]
  }))
  t.match(told[0], [404, /ATTACHMENT_NOT_FOUND/, 'Accept'])
  for (const one of told) t.strictSame(one, told[0])
  t.match((await show(preview())).json(), { status: 404, code: 'ATTACHMENT_NOT_FOUND' })

  await app.inject({ method: 'PATCH', url: `/api/attachments/${id}`, headers: ada, payload: { visibility: 'public' } })
  t.match(await show(preview()), { statusCode: 200, headers: { 'cache-control': 'public, no-cache' } })
  await app.inject({ method: 'DELETE', url: `/api/attachments/${id}`, headers: ada })
  t.match((await show(preview(), undefined, ada)).json(), { code: 'ATTACHMENT_NOT_FOUND' })
})

test('what is no picture, or one that cannot be shown, has no preview', async (t) => {
  const { app, attach, show } = await pictureClient(t)
  const png = await quarters(80, 60).png().toBuffer()
  const jpeg = await quarters(100, 100).jpeg().toBuffer()
  const cases: Array<[what: string, bytes: Buffer]> = [
    ['text', Buffer.from('text')], ['SVG', Buffer.from('<svg xmlns="http://www.w3.org/2000/svg"/>')], ['damaged pixels', damaged(png)], ['a cut JPEG', jpeg.subarray(0, jpeg.length - 50)],
  ]
  for (const [what, bytes] of cases) {
    for (const query of [`${shared}&metadata=keep`, ...(what === 'a cut JPEG' ? [] : [shared])]) {
      const { attachments: [kept] } = (await attach(bytes, { query })).json()
      t.equal(kept.thumbhash, null, what)
      t.ok((await show(kept.url)).rawPayload.equals(bytes))
      t.match((await show(`/api/attachments/${kept.id}/preview`)).json(), { status: 404, code: 'PREVIEW_UNAVAILABLE' }, what)
    }
  }
  const [{ id }] = (await attach(png, { query: shared })).json().attachments
  const preview = `/api/attachments/${id}/preview`
  const { variants } = app.images
  const get = variants.get
  variants.get = async () => { throw new ImageTooSlow() }
  t.match((await show(preview)).json(), { status: 404, code: 'PREVIEW_UNAVAILABLE' })
  variants.get = async () => { throw withHeaders(new ImagesBusy(), { 'Retry-After': '1' }) }
  const busy = await show(preview)
  t.match([busy.json(), busy.headers], [{ status: 503, code: 'IMAGES_BUSY' }, { 'retry-after': '1', vary: 'Accept' }])
  variants.get = get
  t.equal((await show(preview)).statusCode, 200)
})

test('a picture that came in before pictures were looked at is shown if it can be', async (t) => {
  const { app, importing } = await home(t)
  const whole = await quarters(100, 100).png().toBuffer()
  await importing([attachment('/i/whole.png', whole), attachment('/i/broken.png', damaged(whole))])
  const rows = await app.database.client.attachment.findMany({ orderBy: { filename: 'asc' } })
  const [broken, shown] = await Promise.all(rows.map(({ id }) => app.inject(`/api/attachments/${id}/preview?format=webp`)))
  t.match(broken?.json(), { status: 404, code: 'PREVIEW_UNAVAILABLE' })
  t.match(await look(shown?.rawPayload ?? Buffer.alloc(0)), { format: 'webp', width: 100 })
})
