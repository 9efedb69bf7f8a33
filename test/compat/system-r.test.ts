import { test } from 'tap'
import { heif } from '../fixtures/heif.ts'
import { accepts, look, personal, pictureClient, tells } from '../fixtures/picture-client.ts'
import { build, multipart, picture } from '../helper.ts'
import { quarters } from '../images/made.ts'

const account = { email: 'ada@example.com', password: 'a long enough password', displayName: 'Ada' }

test('System R\'s clients sign up, set an avatar and show it without a change', async (t) => {
  const { app } = await build(t)
  const registered = (await app.inject({ method: 'POST', url: '/api/auth/register', payload: account })).json()
  t.match(registered, { token: String, user: { id: String, email: 'ada@example.com', displayName: 'Ada', avatarUrl: null } })
  const { id } = registered.user
  const authorization = `Bearer ${registered.token}`

  const bytes = await picture()
  const { payload, headers } = await multipart([['avatar', { bytes, filename: 'me.jpg', type: 'image/jpeg' }]])
  const set = await app.inject({ method: 'PUT', url: '/api/auth/avatar', headers: { ...headers, authorization }, payload })
  t.equal(set.statusCode, 200)
  t.strictSame(set.json(), { avatarUrl: `/api/auth/avatar/${id}`, user: { id, email: 'ada@example.com', displayName: 'Ada', avatarUrl: `/api/auth/avatar/${id}` } })

  for (const url of [`/api/auth/avatar/${id}`, `/api/api/auth/avatar/${id}`, `/api/avatars/${id}`]) {
    const shown = await app.inject({ url })
    t.match(shown, { statusCode: 200, headers: { 'content-type': 'image/jpeg', 'content-length': String(bytes.length) } }, url)
    t.ok(shown.rawPayload.equals(bytes))
    t.match(await app.inject({ method: 'HEAD', url }), { statusCode: 200, headers: { 'content-length': String(bytes.length) } })
  }
  const loggedIn = (await app.inject({ method: 'POST', url: '/api/auth/login', payload: account })).json()
  t.equal(loggedIn.user.avatarUrl, `/api/auth/avatar/${id}`)
  t.equal((await app.inject({ url: '/api/auth/profile', headers: { authorization } })).json().user.avatarUrl, `/api/auth/avatar/${id}`)
})

test('a user without a picture, and one nobody can be, answer 404', async (t) => {
  const { app, as } = await build(t)
  for (const id of ['nobody', 'me', 'no%20one']) t.match((await app.inject({ url: `/api/auth/avatar/${id}` })).json(), { status: 404, code: 'AVATAR_NOT_FOUND' })
  t.match((await app.inject({ method: 'PUT', url: '/api/auth/avatar' })).json(), { status: 401, code: 'TOKEN_MISSING' })
  t.match((await app.inject({ method: 'PUT', url: '/api/auth/avatar', headers: { ...await as('ada'), 'content-type': 'image/png' }, payload: 'no picture' })).json(), { status: 415 })
})

test('with accounts elsewhere, the profile is what the token says', async (t) => {
  const { app, as } = await build(t, { ACCOUNTS: 'off' })
  t.match((await app.inject({ method: 'POST', url: '/api/auth/register', payload: account })).json(), { status: 404, code: 'ACCOUNTS_OFF' })
  const headers = { ...await as('ada'), 'content-type': 'image/png' }
  t.match((await app.inject({ method: 'PUT', url: '/api/auth/avatar', headers, payload: await picture('png') })).json(), { user: { id: 'ada', avatarUrl: '/api/auth/avatar/ada' } })
  t.strictSame((await app.inject({ url: '/api/auth/profile', headers: await as('ada') })).json(), { user: { id: 'ada', avatarUrl: '/api/auth/avatar/ada' } })
})

test('its clients show photos from iPhones, and nobody learns where they were taken', async (t) => {
  const { put, show } = await pictureClient(t)
  const bytes = heif('quad')
  t.equal((await put(bytes, { url: '/api/auth/avatar' })).statusCode, 200)
  t.match(await look((await show('/api/auth/avatar/ada', accepts.olderSafari)).rawPayload), { format: 'webp', width: 96, height: 64 })
  t.ok((await show('/api/auth/avatar/ada', accepts.curl)).rawPayload.equals(bytes))
  await put(await personal(quarters(80, 60)).jpeg().toBuffer(), { url: '/api/auth/avatar' })
  const shown = await show('/api/api/auth/avatar/ada', accepts.olderSafari)
  t.match([shown.headers['content-type'], tells(shown.rawPayload)], ['image/jpeg', { length: 0 }])
  t.match((await put(bytes.subarray(0, 300), { url: '/api/auth/avatar' })).json(), { status: 422, code: 'IMAGE_INVALID' })
})
