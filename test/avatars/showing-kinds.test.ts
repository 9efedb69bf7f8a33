import sharp from 'sharp'
import { test } from 'tap'
import { ImagesBusy, withHeaders } from '../../src/errors.ts'
import { blobPath } from '../../src/storage/volume/layout.ts'
import { heif } from '../fixtures/heif.ts'
import { accepts, look, pictureClient } from '../fixtures/picture-client.ts'
import { animation, apng, corners, plain, quarters } from '../images/made.ts'
import { avatar, home } from '../operations/import/fixtures/import.ts'

test('a photo from an iPhone is stored as it was sent, and shown to browsers as what they know', async (t) => {
  const { put, show } = await pictureClient(t)
  const photo = heif('quad')
  const set = await put(photo)
  t.match(set.json(), { contentType: 'image/heic', size: photo.length, width: 96, height: 64, metadataRemoved: { length: 0 }, thumbhash: /.{20,}/ })
  const { versionedUrl } = set.json()
  for (const url of ['/api/avatars/ada', versionedUrl, '/api/auth/avatar/ada', '/api/api/auth/avatar/ada']) {
    for (const [name, accept, format] of [['chrome', accepts.chrome, 'heif'], ['older Safari', accepts.olderSafari, 'webp'], ['ancient', accepts.ancient, 'jpeg']] as const) {
      const shown = await show(url, accept)
      t.match(shown.headers, { 'content-type': `image/${format === 'heif' ? 'avif' : format}`, vary: 'Accept' }, `${name} of ${url}`)
      t.match(await look(shown.rawPayload), { format, width: 96, height: 64 })
    }
    for (const accept of [accepts.curl, accepts.safari, undefined]) {
      const shown = await show(url, accept)
      t.match(shown.headers, { 'content-type': 'image/heic', vary: 'Accept' })
      t.ok(shown.rawPayload.equals(photo), `${accept}`)
    }
  }
  const shown = await show('/api/avatars/ada?size=64&format=png')
  t.match(await look(shown.rawPayload), { width: 64, height: 64 })
  t.strictSame(await corners((await show('/api/avatars/ada', accepts.ancient)).rawPayload), ['red', 'green', 'blue', 'white'])
})

test('animations stand still, unless motion is asked for', async (t) => {
  const { put, show } = await pictureClient(t)
  const frames = () => [plain(80, 60, 'red'), plain(80, 60, 'green'), plain(80, 60, 'blue')]
  const delay = [100, 200, 300]
  const moving = {
    gif: await animation('gif', frames(), { delay }),
    webp: await animation('webp', frames(), { delay }),
    apng: await apng(frames().map((picture, index) => ({ picture, delay: [delay[index] ?? 0, 1000] }))),
  }
  for (const sent of Object.values(moving)) {
    await put(sent)
    const still = await show('/api/avatars/ada?size=64', accepts.chrome)
    t.match([still.headers['content-type'], await look(still.rawPayload)], ['image/avif', { frames: 1, width: 60, height: 60 }])
    const shown = await show('/api/avatars/ada?size=32&animated=true', accepts.chrome)
    t.match(shown.headers, { 'content-type': 'image/webp', vary: 'Accept' }, 'as AVIF nothing moves')
    t.match(await look(shown.rawPayload), { format: 'webp', frames: 3, width: 32, height: 32 })
    t.strictSame((await sharp(shown.rawPayload, { animated: true }).metadata()).delay, delay)
    t.match(await look((await show('/api/avatars/ada?animated=true', accepts.curl)).rawPayload), { format: 'jpeg', frames: 1 }, 'who knows no WebP sees no motion')
    t.match(await look((await show('/api/avatars/ada?animated=true&format=webp')).rawPayload), { frames: 3, width: 60 })
  }
})

test('a picture that cannot be read is a failure of the storage, whatever is asked for', async (t) => {
  const { app, folder, put, show } = await pictureClient(t)
  const { version, versionedUrl } = (await put(await quarters(100, 100).png().toBuffer())).json()
  t.equal((await show('/api/avatars/ada?size=32&format=webp')).statusCode, 200)
  const path = blobPath(folder, { kind: 'avatar', id: version, extension: 'png' })
  const { fs } = app.home
  await fs.rename(path, `${path}.away`)
  for (const url of ['/api/avatars/ada?', '/api/avatars/ada?size=64&', '/api/avatars/ada?fallback=identicon&', '/api/avatars/ada?fallback=initials&size=64&', `${versionedUrl}?size=64&`]) {
    t.match((await show(`${url}x=1`)).json(), { status: 503, code: 'STORAGE_UNAVAILABLE' }, url)
  }
  await fs.rename(`${path}.away`, path)
  t.equal((await show('/api/avatars/ada?size=64')).statusCode, 200, 'and is asked for again')

  app.images.variants.get = async () => { throw withHeaders(new ImagesBusy(), { 'Retry-After': '1' }) }
  for (const url of ['/api/avatars/ada?size=64', `${versionedUrl}?size=64`, '/api/avatars/ada?size=64&fallback=identicon']) {
    const busy = await show(url)
    t.match(busy.json(), { status: 503, code: 'IMAGES_BUSY' })
    t.match(busy.headers, { 'retry-after': '1', vary: 'Accept', 'cache-control': 'no-store' })
  }
})

test('of an imported picture that nobody has decoded it is told when it cannot be', async (t) => {
  const { app, importing } = await home(t)
  const whole = await quarters(100, 100).jpeg().toBuffer()
  const broken = whole.subarray(0, whole.length / 2)
  await importing([avatar('ada', whole), avatar('bob', broken)])
  t.match(await look((await app.inject('/api/avatars/ada?size=64&format=webp')).rawPayload), { width: 64, height: 64 })
  t.equal((await app.inject('/api/avatars/bob')).statusCode, 200, 'its bytes are what they are')
  t.match((await app.inject('/api/avatars/bob?size=64&fallback=identicon')).json(), { status: 422, code: 'IMAGE_INVALID' })
})
