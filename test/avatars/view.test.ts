import { test } from 'tap'
import { ImageInvalid, ImagesBusy, StorageUnavailable } from '../../src/errors.ts'
import { heif } from '../fixtures/heif.ts'
import { accepts, look } from '../fixtures/picture-client.ts'
import { attachment, avatar, home } from '../operations/import/fixtures/import.ts'

const origin = 'https://app.example'
const photo = heif('quad')

/** An imported HEIC, under its plain addresses, new and old. */
async function imported (t: Parameters<typeof home>[0]) {
  const { app, importing, entries } = await home(t, { CORS_ORIGINS: origin })
  await importing([avatar('ada', photo, { paths: ['/i/p/ada.heic', '/uploads/avatars/ada.heic'] })])
  const [{ id } = {}] = entries
  const plain = ['/api/avatars/ada', `/api/avatars/ada/${id}`, '/api/auth/avatar/ada', '/i/p/ada.heic', '/uploads/avatars/ada.heic', '/api/uploads/avatars/ada.heic']
  return { app, importing, plain, show: (url: string, accept?: string, headers = {}) => app.inject({ url, headers: { ...headers, ...(accept !== undefined && { accept }) } }) }
}

test('under its old paths too a HEIC is shown to browsers as what they know', async (t) => {
  const { app, importing, plain, show } = await imported(t)
  for (const url of plain) {
    const shown = await show(url, accepts.olderSafari)
    t.match(shown.headers, { 'content-type': 'image/webp', vary: 'Origin, Accept' }, url)
    t.match(await look(shown.rawPayload), { format: 'webp', width: 96, height: 64 })
    for (const accept of [undefined, accepts.curl, accepts.safari]) t.ok((await show(url, accept)).rawPayload.equals(photo), `${accept}`)
  }
  await importing([attachment('/uploads/a.heic', photo)])
  const { rawPayload, headers } = await show('/uploads/a.heic', accepts.chrome)
  t.match(headers, { 'content-type': 'image/heic', vary: 'Origin' }, 'an attachment is what it is')
  t.ok(rawPayload.equals(photo))
  t.equal((await app.inject('/i/nothing.heic')).headers.vary, 'Origin')
})

test('whatever is answered where Accept chooses says so', async (t) => {
  const { app, plain, show } = await imported(t)
  const vary = 'Origin, Accept'
  for (const url of [...plain, `${plain[0]}?size=64`, `${plain[1]}?size=64`]) {
    for (const accept of [accepts.chrome, accepts.curl]) {
      const { headers: { etag } } = await show(url, accept)
      const asked: Array<[status: number, headers: Record<string, string>]> = [
        [200, {}], [304, { 'if-none-match': String(etag) }], [206, { range: 'bytes=0-9' }], [416, { range: 'bytes=999999-' }], [412, { 'if-match': '"other"' }],
      ]
      for (const [statusCode, headers] of asked) t.match(await show(url, accept, headers), { statusCode, headers: { vary } }, `${statusCode} of ${url}`)
      t.match(await app.inject({ method: 'HEAD', url, headers: { accept } }), { statusCode: 200, headers: { vary, etag } })
    }
  }
  const { images } = app
  for (const [error, statusCode] of [[new ImagesBusy(), 503], [new StorageUnavailable(), 503], [new ImageInvalid(), 422]] as const) {
    images.variants.get = async () => { throw error }
    for (const url of [...plain, `${plain[0]}?size=64`]) t.match(await show(url, accepts.chrome), { statusCode, headers: { vary } }, `${error.code} of ${url}`)
  }
  t.match(await show(`${plain[0]}?size=64&format=png`), { statusCode: 422, headers: { vary: 'Origin' } }, 'who names a format chooses it')
})

test('a picture or drawing that is not there, too', async (t) => {
  const { app, show } = await imported(t)
  const vary = 'Origin, Accept'
  for (const url of ['/api/avatars/bob?size=64', '/api/avatars/not%20one?size=64', '/api/avatars/bob/0?animated=true', '/api/avatars/bob/019ab111-1111-7111-8111-111111111111?size=64']) t.match(await show(url), { statusCode: 404, headers: { vary } }, url)
  t.match(await show('/api/avatars/bob'), { statusCode: 404, headers: { vary: 'Origin' } })
  t.match(await show('/api/avatars/bob?fallback=identicon&size=64'), { statusCode: 200, headers: { vary } })
  t.match(await show('/api/avatars/bob?fallback=identicon'), { statusCode: 200, headers: { vary: 'Origin', 'content-type': 'image/svg+xml' } })
  app.images.drawings.get = async () => { throw new ImagesBusy() }
  t.match(await show('/api/avatars/bob?fallback=identicon&size=64'), { statusCode: 503, headers: { vary } })
})
