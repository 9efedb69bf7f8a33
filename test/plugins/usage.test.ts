import { test } from 'tap'
import { build, multipart, picture } from '../helper.ts'

test('a user sees what they have and may have, of both kinds, without the trash', async (t) => {
  const { app, as } = await build(t, { QUOTA_BYTES: '1000000', RATE_UPLOADS_PER_MINUTE: '30', CALLER_OVERRIDES: 'bob quotaBytes=5 quotaFiles=2' })
  const headers = await as('ada')
  const bytes = await picture()
  const form = await multipart([['avatar', { bytes, filename: 'a.jpg', type: 'image/jpeg' }]])
  const avatar = (await app.inject({ method: 'PUT', url: '/api/avatars/me', ...form, headers: { ...form.headers, ...headers } })).json()
  const attach = () => app.inject({ method: 'POST', url: '/api/attachments', payload: 'hello', headers: { ...headers, 'content-type': 'text/plain' } })
  const { headers: { location = '' } } = await attach()
  await attach()
  await app.inject({ method: 'DELETE', url: location, headers })
  const response = await app.inject({ url: '/api/usage', headers })
  t.equal(response.headers['cache-control'], 'no-store')
  t.match(response.json(), { ownerId: 'ada', bytes: avatar.size + 5, files: 2, trashBytes: 5 })
  t.strictSame(response.json().limits, { bytes: 1_000_000, files: 100_000, uploadsPerMinute: 30, bytesPerMinute: null })
  t.match((await app.inject({ url: '/api/usage', headers: await as('bob') })).json(), { bytes: 0, files: 0, trashBytes: 0, reservedBytes: 0, reservedFiles: 0, limits: { bytes: 5, files: 2 } })
})

test('services and admins see it of anyone, others only of themselves', async (t) => {
  const { app, as } = await build(t)
  await app.quota.reserve({ callerId: 'ada', ownerId: 'ada', bytes: 7, files: 1 })
  for (const scope of ['uploads:service', 'uploads:admin'] as const) {
    const headers = await as('ops', scope)
    t.match((await app.inject({ url: '/api/usage?owner=ada', headers })).json(), { ownerId: 'ada', reservedBytes: 7, reservedFiles: 1 })
    t.match((await app.inject({ url: '/api/usage', headers: { ...headers, 'x-owner-id': 'ada' } })).json(), { ownerId: 'ada' })
    t.match((await app.inject({ url: '/api/usage', headers })).json(), { ownerId: 'ops' })
    t.equal((await app.inject({ url: '/api/usage?owner=me', headers })).json().code, 'REQUEST_INVALID')
  }
  const bob = await as('bob')
  t.equal((await app.inject({ url: '/api/usage?owner=ada', headers: bob })).json().code, 'OWNER_FORBIDDEN')
  t.equal((await app.inject({ url: '/api/usage', headers: { ...bob, 'x-owner-id': 'ada' } })).json().code, 'OWNER_FORBIDDEN')
  t.equal((await app.inject('/api/usage')).json().code, 'TOKEN_MISSING')
})
