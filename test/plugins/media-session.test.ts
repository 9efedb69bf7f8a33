import { createHmac } from 'node:crypto'
import { test, type Test } from 'tap'
import type { AppOptions } from '../../src/app.ts'
import { createMint } from '../../src/callers/mint.ts'
import type { UserId } from '../../src/callers/caller.ts'
import { build, multipart, picture, secret, type Gateway } from '../helper.ts'

const linkSecret = 'a secret for links that is long enough to be one'

async function withFiles (t: Test, settings: Record<string, string> = {}, options: AppOptions = {}) {
  const gateway = await build(t, { LINK_SECRET: linkSecret, ...settings }, options)
  const { app, as } = gateway
  const attach = async (user: string, fields: Array<[string, string]> = [], bytes: Buffer | string = 'some text') => {
    const body = await multipart([...fields, ['file', { bytes, filename: 'a' }]])
    return (await app.inject({ method: 'POST', url: '/api/attachments', headers: { ...body.headers, ...await as(user) }, payload: body.payload })).json().attachments[0] as { id: string, url: string }
  }
  return { ...gateway, attach, begin: (headers: Record<string, string>) => begin(gateway, headers) }
}

async function begin ({ app }: Pick<Gateway, 'app'>, headers: Record<string, string>) {
  const answer = await app.inject({ method: 'POST', url: '/api/media-session', headers })
  const said = String(answer.headers['set-cookie'])
  return { answer, said, headers: { cookie: said.split(';')[0] ?? '' } }
}

test('a media session opens the bytes that its user may read, in every way that bytes are read', async (t) => {
  const { app, as, attach, begin } = await withFiles(t)
  const photo = await picture('png')
  const [own, shared, foreign] = [await attach('ada', [], photo), await attach('bob', [['readers', 'ada']], photo), await attach('bob')]
  const { answer, said, headers } = await begin(await as('ada'))
  t.equal(answer.statusCode, 200)
  t.equal(answer.headers['cache-control'], 'no-store')
  t.ok(Math.abs(Date.parse(answer.json().expiresAt) - Date.now() - 3_600_000) < 10_000, 'no longer than the token')
  t.match(said, /^upload_gateway_media=[\w.-]+; Max-Age=3\d{3}; Path=\/api; HttpOnly; SameSite=Lax$/)

  for (const { id, url } of [own, shared]) {
    t.equal((await app.inject({ url, headers })).statusCode, 200)
    t.match(await app.inject({ method: 'HEAD', url, headers }), { statusCode: 200, body: '' })
    t.equal((await app.inject({ url, headers: { ...headers, range: 'bytes=0-3' } })).statusCode, 206)
    t.equal((await app.inject({ url: `/api/attachments/${id}/preview?size=320`, headers })).statusCode, 200)
    t.equal((await app.inject({ url, headers: { cookie: `theme=dark; ${headers.cookie}; lang=en` } })).statusCode, 200)
  }
  t.match((await app.inject({ url: own.url, headers })).headers['cache-control'], 'private, no-cache')
  t.match((await app.inject({ url: foreign.url, headers })).json(), { status: 404, code: 'ATTACHMENT_NOT_FOUND' })
  t.equal((await app.inject({ url: own.url })).statusCode, 404)
})

test('it opens nothing else: no JSON, no list, no change, no link, no avatar of theirs', async (t) => {
  const { app, as, attach, begin } = await withFiles(t)
  const { id } = await attach('ada')
  const { headers } = await begin(await as('ada'))
  t.match((await app.inject({ url: `/api/attachments/${id}`, headers })).json(), { status: 404, code: 'ATTACHMENT_NOT_FOUND' })
  const refused = [
    ['GET', '/api/attachments'], ['GET', `/api/attachments?ids=${id}`], ['GET', `/api/attachments/${id}/links`], ['GET', '/api/users/me/export'], ['GET', '/api/auth/profile'],
    ['GET', '/api/avatars/me/versions'], ['POST', '/api/attachments'], ['PATCH', `/api/attachments/${id}`], ['DELETE', `/api/attachments/${id}`], ['POST', `/api/attachments/${id}/links`],
    ['POST', '/api/attachments/links'], ['PUT', '/api/avatars/me'], ['DELETE', '/api/avatars/me'], ['POST', '/api/media-session'],
  ] as const
  for (const [method, url] of refused) {
    const answer = await app.inject({ method, url, headers: { ...headers, 'content-type': 'application/json' }, ...(method !== 'GET' && { payload: '{}' }) })
    t.match(answer.json(), { status: 401, code: 'TOKEN_MISSING' }, `${method} ${url}`)
  }
  t.equal(await app.database.client.attachment.count({ where: { id, deletedAt: null } }), 1)
})

test('where a token is sent, the cookie does not count', async (t) => {
  const { app, as, attach, begin } = await withFiles(t)
  const { url } = await attach('ada')
  const { headers } = await begin(await as('ada'))
  t.equal((await app.inject({ url, headers: { ...headers, ...await as('bob') } })).statusCode, 404)
  t.match((await app.inject({ url, headers: { ...headers, authorization: 'Bearer nonsense' } })).json(), { status: 401, code: 'TOKEN_INVALID' })
  t.equal((await app.inject({ url, headers: { ...headers, authorization: 'Basic YTpi' } })).statusCode, 404)
  t.equal((await app.inject({ url, headers: { ...headers, authorization: '' } })).statusCode, 404)
})

test('a service or an admin gets a session of their own reading, not of everybody\'s', async (t) => {
  const { app, as, attach, begin } = await withFiles(t)
  const [theirs, own] = [await attach('ada'), await attach('chat')]
  for (const scope of ['uploads:service', 'uploads:admin'] as const) {
    const token = await as('chat', scope)
    const { headers } = await begin(token)
    t.equal((await app.inject({ url: theirs.url, headers: token })).statusCode, 200)
    t.equal((await app.inject({ url: theirs.url, headers })).statusCode, 404)
    t.equal((await app.inject({ url: own.url, headers })).statusCode, 200)
  }
})

test('it ends in time, with its token or before; what is public shows all the same', async (t) => {
  const clock = { at: Date.now() }
  const { app, attach, begin } = await withFiles(t, { MEDIA_SESSION_SECONDS: '60' }, { now: () => new Date(clock.at) })
  const [{ url }, open] = [await attach('ada'), await attach('ada', [['visibility', 'public']])]
  const mint = createMint(secret, { jwtIssuer: '', jwtAudience: '', jwtUserClaim: 'sub' }, () => new Date(clock.at))
  const token = async (seconds: number) => ({ authorization: `bearer ${await mint('ada' as UserId, { seconds })}` })
  const [long, short] = [await begin(await token(3600)), await begin(await token(30))]
  t.match(long.said, /Max-Age=60;/)
  t.equal(Date.parse(long.answer.json().expiresAt), clock.at + 60_000)
  t.match(short.said, /Max-Age=(29|30);/)
  t.equal((await app.inject({ url, headers: short.headers })).statusCode, 200)
  clock.at += 31_000
  t.equal((await app.inject({ url, headers: short.headers })).statusCode, 404)
  t.equal((await app.inject({ url, headers: long.headers })).statusCode, 200)
  clock.at += 29_000
  t.equal((await app.inject({ url, headers: long.headers })).statusCode, 404)
  t.equal((await app.inject({ url: open.url, headers: long.headers })).statusCode, 200)
})

test('a token without an end makes a session that has one', async (t) => {
  const { app, attach, begin } = await withFiles(t)
  const { url } = await attach('ada')
  const part = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url')
  const content = `${part({ alg: 'HS256' })}.${part({ sub: 'ada' })}`
  const { answer, headers } = await begin({ authorization: `Bearer ${content}.${createHmac('sha256', secret).update(content).digest('base64url')}` })
  t.ok(Math.abs(Date.parse(answer.json().expiresAt) - Date.now() - 43_200_000) < 10_000)
  t.equal((await app.inject({ url, headers })).statusCode, 200)
})

test('a cookie that the gateway did not sign is as none', async (t) => {
  const { app, as, attach, begin } = await withFiles(t)
  const [{ url }, open] = [await attach('ada'), await attach('ada', [['visibility', 'public']])]
  const { headers: { cookie } } = await begin(await as('bob'))
  const [content = '', signature = ''] = cookie.replace('upload_gateway_media=', '').split('.')
  const ada = Buffer.from(JSON.stringify({ id: 'ada', expiresAt: Date.now() + 60_000 }))
  const values = [
    '', '.', 'x', `${content}`, `${content}.`, `.${signature}`, `${content}.${signature}x`, `${ada.toString('base64url')}.${signature}`,
    `${ada.toString('base64url')}.${createHmac('sha256', linkSecret).update(ada).digest('base64url')}`,
    `${ada.toString('base64url')}.${createHmac('sha256', linkSecret).update('link:').update(ada).digest('base64url')}`,
  ]
  for (const value of values) {
    t.equal((await app.inject({ url, headers: { cookie: `upload_gateway_media=${value}` } })).statusCode, 404, value)
    t.equal((await app.inject({ url: open.url, headers: { cookie: `upload_gateway_media=${value}` } })).statusCode, 200, value)
  }
  const right = createHmac('sha256', linkSecret).update('media-session:').update(ada).digest('base64url')
  t.equal((await app.inject({ url, headers: { cookie: `upload_gateway_media=${ada.toString('base64url')}.${right}` } })).statusCode, 200, 'as the gateway itself signs')
})

test('it ends when the account logs out, and with the account', async (t) => {
  const { app, begin, attach } = await withFiles(t)
  const { url } = await attach('someone')
  const session = (await app.inject({ method: 'POST', url: '/api/auth/register', payload: { email: 'ada@example.com', password: 'a password of some length' } })).json()
  const token = { authorization: `Bearer ${session.token}` }
  await app.database.client.attachment.updateMany({ data: { readers: session.user.id } })
  const read = async (headers: Record<string, string>) => (await app.inject({ url, headers })).statusCode
  const { headers } = await begin(token)
  t.equal(await read(headers), 200)
  t.equal((await app.inject({ method: 'POST', url: '/api/auth/logout', headers: token })).statusCode, 204)
  t.equal(await read(headers), 404)

  const again = (await app.inject({ method: 'POST', url: '/api/auth/login', payload: { email: 'ada@example.com', password: 'a password of some length' } })).json()
  const renewed = await begin({ authorization: `Bearer ${again.token}` })
  t.equal(await read(renewed.headers), 200)
  await app.database.client.account.deleteMany()
  t.equal(await read(renewed.headers), 404)
})

test('ending it takes the cookie back, whoever asks', async (t) => {
  const { app } = await withFiles(t)
  const answer = await app.inject({ method: 'DELETE', url: '/api/media-session' })
  t.equal(answer.statusCode, 204)
  t.match(answer.headers['set-cookie'], /^upload_gateway_media=; Max-Age=0; Path=\/api; HttpOnly; SameSite=Lax$/)
})

test('the cookie is for https alone where the gateway is reached by it', async (t) => {
  const byUrl = await withFiles(t, { PUBLIC_URL: 'https://files.example' })
  t.match((await byUrl.begin(await byUrl.as('ada'))).said, /; Secure/)
  const byProxy = await withFiles(t, { TRUST_PROXY: '1' })
  const ada = await byProxy.as('ada')
  t.match((await byProxy.begin({ ...ada, 'x-forwarded-proto': 'https' })).said, /; Secure/)
  t.notMatch((await byProxy.begin({ ...ada, 'x-forwarded-proto': 'http' })).said, /Secure/)
})

test('pages of listed origins may begin one; with * nobody of another origin keeps a cookie', async (t) => {
  const listed = await withFiles(t, { CORS_ORIGINS: 'https://app.example' })
  const origin = { origin: 'https://app.example' }
  t.match((await listed.begin({ ...await listed.as('ada'), ...origin })).answer.headers, { 'access-control-allow-origin': 'https://app.example', 'access-control-allow-credentials': 'true' })
  t.notOk((await listed.begin({ ...await listed.as('ada'), origin: 'https://evil.example' })).answer.headers['access-control-allow-origin'])
  const open = await withFiles(t, { CORS_ORIGINS: '*' })
  t.notOk((await open.begin({ ...await open.as('ada'), ...origin })).answer.headers['access-control-allow-credentials'])
})
