import { test } from 'tap'
import { DatabaseUnavailable, ImagesBusy } from '../../src/errors.ts'
import { withoutReader } from '../../src/records/row-reader.ts'
import { picture } from '../helper.ts'
import { accepts, look, pictureClient } from '../fixtures/picture-client.ts'

const initials = '/api/avatars/ada?fallback=initials&name=Ada%20Lovelace'

test('who has no picture is drawn, the same each time, as SVG that can do nothing', async (t) => {
  const { show, app } = await pictureClient(t)
  const drawn = await show(initials)
  t.match(drawn, { statusCode: 200, headers: { 'content-type': 'image/svg+xml', 'cache-control': 'public, no-cache', 'content-security-policy': /sandbox/, 'x-content-type-options': 'nosniff', vary: undefined } })
  t.match(drawn.body, /^<svg [^>]*viewBox="0 0 100 100"/)
  t.notMatch(drawn.body, /Lovelace|<text|<script|ada/i)
  t.equal((await show(initials)).body, drawn.body)
  t.match(await show(initials, undefined, { 'if-none-match': String(drawn.headers.etag) }), { statusCode: 304, payload: '' })
  t.match(await app.inject({ method: 'HEAD', url: initials }), { statusCode: 200, headers: { etag: drawn.headers.etag, 'content-length': String(drawn.rawPayload.length) } })
  const others = ['/api/avatars/bob?fallback=initials&name=Ada%20Lovelace', '/api/avatars/ada?fallback=initials&name=Bob', '/api/avatars/ada?fallback=identicon', '/api/avatars/bob?fallback=identicon']
  const bodies = await Promise.all(others.map(async (url) => (await show(url)).body))
  t.equal(new Set([drawn.body, ...bodies]).size, 5, 'another user or name, another picture')
  const identicon = bodies[2]
  for (const name of ['', '%F0%9F%98%80', '%E6%9D%8E']) t.equal((await show(`/api/avatars/ada?fallback=initials&name=${name}`)).body, identicon, 'a name without letters that can be drawn')
  t.equal((await show('/api/avatars/ada?fallback=initials')).body, identicon, 'nobody known here')
  t.equal((await show('/api/avatars/ada?fallback=identicon&name=Bob')).body, identicon)

  for (const url of ['/api/avatars/ada', '/api/avatars/ada?fallback=404', '/api/avatars/me?fallback=identicon']) t.match((await show(url)).json(), { status: 404, code: 'AVATAR_NOT_FOUND' }, url)
  t.match((await show('/api/avatars/ada?fallback=cat')).json(), { status: 400, code: 'REQUEST_INVALID' })
})

test('the letters are those of the name that the user has here, unless another is given', async (t) => {
  const { app, show } = await pictureClient(t)
  const registered = (await app.inject({ method: 'POST', url: '/api/auth/register', payload: { email: 'ada@example.com', password: 'a long enough password', displayName: 'Ada Lovelace' } })).json()
  const { id } = registered.user
  const at = `/api/avatars/${id}?fallback=initials`
  const known = (await show(at)).body
  t.equal(known, (await show(`${at}&name=Ada%20Lovelace`)).body)
  t.not(known, (await show(`${at}&name=Grace%20Hopper`)).body)
  await app.inject({ method: 'PUT', url: '/api/auth/profile', headers: { authorization: `Bearer ${registered.token}` }, payload: { displayName: 'Grace Hopper' } })
  t.equal((await show(at)).body, (await show(`${at}&name=Grace%20Hopper`)).body, 'as soon as it changes')
})

test('where accounts are kept elsewhere, names are too', async (t) => {
  const { show } = await pictureClient(t, { ACCOUNTS: 'off' })
  t.equal((await show('/api/avatars/ada?fallback=initials')).body, (await show('/api/avatars/ada?fallback=identicon')).body)
})

test('a drawing comes in every size and format too', async (t) => {
  const { show } = await pictureClient(t)
  for (const [accept, type, format] of [[accepts.chrome, 'image/avif', 'heif'], [accepts.olderSafari, 'image/webp', 'webp'], [accepts.curl, 'image/jpeg', 'jpeg']] as const) {
    const drawn = await show(`${initials}&size=100`, accept)
    t.match(drawn.headers, { 'content-type': type, vary: 'Accept', 'cache-control': 'public, no-cache' })
    t.match(await look(drawn.rawPayload), { format, width: 128, height: 128 }, 'a drawing is as large as it is wanted')
    t.match(await show(`${initials}&size=100`, accept, { 'if-none-match': String(drawn.headers.etag) }), { statusCode: 304, headers: { vary: 'Accept' } })
  }
  const png = await show('/api/avatars/ada?fallback=identicon&format=png&animated=true')
  t.match([png.headers.vary, await look(png.rawPayload)], [undefined, { format: 'png', width: 1024, height: 1024 }])
  t.match((await show('/api/avatars/ada?fallback=identicon&size=1&animated=true', accepts.chrome)).headers, { 'content-type': 'image/avif' }, 'a drawing does not move')
})

test('a real picture is there at once, and so is the drawing when it is removed', async (t) => {
  const { app, put, show, as } = await pictureClient(t)
  const url = '/api/avatars/ada?fallback=identicon&size=64&format=webp'
  const drawn = await show(url)
  await put(await picture('png'))
  const real = await show(url, undefined, { 'if-none-match': String(drawn.headers.etag) })
  t.match(real, { statusCode: 200, headers: { 'cache-control': 'public, no-cache' } })
  t.match(await look(real.rawPayload), { width: 30, height: 30 })
  await app.inject({ method: 'DELETE', url: '/api/avatars/me', headers: await as('ada') })
  const again = await show(url, undefined, { 'if-none-match': String(real.headers.etag) })
  t.ok(again.rawPayload.equals(drawn.rawPayload))
})

test('nothing is drawn because something failed', async (t) => {
  const { app, show } = await pictureClient(t)
  const { drawings } = app.images
  const draw = drawings.get
  drawings.get = async () => { throw new ImagesBusy() }
  const busy = await show(`${initials}&size=64`)
  t.match([busy.json(), busy.headers], [{ status: 503, code: 'IMAGES_BUSY' }, { vary: 'Accept', 'retry-after': /^\d+$/ }])
  drawings.get = draw
  const { client, changes } = app.database
  // What is read past Prisma is not read then either.
  const reader = { ...changes?.reader }
  Object.assign(changes?.reader ?? {}, withoutReader)
  const findUnique = client.avatar.findUnique
  client.avatar.findUnique = (() => { throw new DatabaseUnavailable() }) as never
  t.match((await show(initials)).json(), { status: 503, code: 'DATABASE_UNAVAILABLE' })
  client.avatar.findUnique = findUnique
  Object.assign(changes?.reader ?? {}, reader)
  t.equal((await show(initials)).statusCode, 200)
})
