import { test } from 'tap'
import { avatar, home } from '../operations/import/fixtures/import.ts'
import { heif } from '../fixtures/heif.ts'
import { personal, tells } from '../fixtures/picture-client.ts'
import { build, multipart, picture, type Gateway } from '../helper.ts'
import { quarters } from '../images/made.ts'

const settings = { PUBLIC_URL: 'https://media.example/' }

async function upload ({ app }: Gateway, headers: Record<string, string>, bytes: Buffer | string) {
  const body = await multipart([['file', { bytes, filename: 'me.png', type: 'image/png' }]])
  return app.inject({ method: 'POST', url: '/api/upload/avatar', headers: { ...body.headers, ...headers }, payload: body.payload })
}

async function claim ({ app }: Gateway, headers: Record<string, string>, avatar: string) {
  return app.inject({ method: 'PATCH', url: '/api/users/me/avatar', headers, payload: { avatar } })
}

test('System M\'s frontend uploads for a URL, shows it and makes it the avatar', async (t) => {
  const gateway = await build(t, settings)
  const { app, as } = gateway
  const ada = await as('ada')
  const bytes = await picture('png')
  const answer = await upload(gateway, ada, bytes)
  t.equal(answer.statusCode, 200)
  const { success, url, data } = answer.json()
  t.equal(success, true)
  t.match(url, /^https:\/\/media\.example\/i\/p\/\d{4}\/\d{2}\/avatar_\d+_[0-9a-z]+\.png$/)
  t.strictSame(data, { url, path: url.slice('https://media.example'.length), filename: url.slice(url.lastIndexOf('/') + 1) })
  t.ok((await app.inject({ url: data.path })).rawPayload.equals(bytes))
  t.equal((await app.inject({ method: 'HEAD', url: data.path })).headers['content-length'], String(bytes.length))
  t.ok((await app.inject({ url: '/api/avatars/ada' })).rawPayload.equals(bytes), 'it is the avatar already')
  const claimed = await claim(gateway, ada, url)
  t.equal(claimed.statusCode, 200)
  t.match(claimed.json(), { success: true, user: { id: 'ada', avatar: url, avatarUrl: '/api/auth/avatar/ada' } })
})

test('an old picture of one\'s own can be taken again; one of somebody else\'s, or a deleted one, cannot', async (t) => {
  const gateway = await build(t, settings)
  const { app, as } = gateway
  const [ada, bob] = [await as('ada'), await as('bob')]
  const [one, two] = [await picture('png', { seed: 1 }), await picture('png', { seed: 2 })]
  const first = (await upload(gateway, ada, one)).json()
  const second = (await upload(gateway, ada, two)).json()
  t.ok((await app.inject({ url: first.data.path })).rawPayload.equals(one), 'the replaced picture is still behind its URL')
  t.match((await claim(gateway, bob, first.url)).json(), { success: false, code: 'AVATAR_URL_REJECTED', error: String })
  t.equal((await claim(gateway, ada, `https://older.example${first.data.path}`)).statusCode, 200)
  t.ok((await app.inject({ url: '/api/avatars/ada' })).rawPayload.equals(one))
  t.match(await app.storage.store.readSidecar({ kind: 'avatar', id: await currentOf(gateway), extension: 'png' }), { state: 'live', revision: 3, aliases: [first.data.path] })

  await app.inject({ method: 'DELETE', url: '/api/avatars/me', headers: ada })
  t.equal((await app.inject({ url: first.data.path })).statusCode, 404)
  t.equal((await app.inject({ url: second.data.path })).statusCode, 404, 'who removes their picture means the replaced ones too')
  t.match((await claim(gateway, ada, first.url)).json(), { code: 'AVATAR_URL_REJECTED' })
  t.equal((await claim(gateway, ada, second.data.path)).statusCode, 200)
  for (const wrong of ['/i/p/none.png', 'http://[', 'https://media.example/']) t.equal((await claim(gateway, ada, wrong)).statusCode, 403, wrong)
})

async function currentOf ({ app }: Gateway) {
  return (await app.database.client.avatar.findUniqueOrThrow({ where: { userId: 'ada' } })).blobId as never
}

test('failures have the shape its clients know, with the true status', async (t) => {
  const gateway = await build(t, settings)
  const ada = await gateway.as('ada')
  const cases = [
    [await upload(gateway, {}, await picture('png')), 401, 'TOKEN_MISSING'],
    [await upload(gateway, ada, 'no picture'), 415, 'UPLOAD_TYPE_REJECTED'],
    [await upload(gateway, ada, await picture('gif')), 415, 'UPLOAD_TYPE_REJECTED'],
    [await upload(gateway, ada, Buffer.alloc(5 * 1024 ** 2 + 1)), 413, 'UPLOAD_TOO_LARGE'],
    [await claim(gateway, {}, '/i/x.png'), 401, 'TOKEN_MISSING'],
  ] as const
  for (const [answer, status, code] of cases) {
    t.equal(answer.statusCode, status, code)
    t.match(answer.json(), { success: false, code, error: String })
    t.match(answer.headers['content-type'], /^application\/json/)
  }
})

test('a picture without a token waits for the one who claims it; the first does', async (t) => {
  const gateway = await build(t, { ...settings, COMPAT_ANONYMOUS_AVATARS: 'true' })
  const { app, as } = gateway
  const bytes = await picture('webp')
  const { data, url } = (await upload(gateway, {}, bytes)).json()
  t.ok((await app.inject({ url: data.path })).rawPayload.equals(bytes))
  const claims = await Promise.all([claim(gateway, await as('ada'), url), claim(gateway, await as('bob'), url)])
  t.strictSame(claims.map(({ statusCode }) => statusCode).sort(), [200, 403])
  const winner = claims[0].statusCode === 200 ? 'ada' : 'bob'
  t.ok((await app.inject({ url: `/api/avatars/${winner}` })).rawPayload.equals(bytes))
  t.equal((await app.inject({ url: `/api/avatars/${winner === 'ada' ? 'bob' : 'ada'}` })).statusCode, 404)
  t.equal((await claim(gateway, await as(winner), url)).statusCode, 200, 'claiming again changes nothing')
})

test('pictures without a token are limited by address', async (t) => {
  const gateway = await build(t, { ...settings, COMPAT_ANONYMOUS_AVATARS: 'true' })
  const bytes = await picture('png')
  const answers = []
  for (let n = 0; n < 11; n += 1) answers.push(await upload(gateway, {}, bytes))
  t.strictSame(answers.map(({ statusCode }) => statusCode), [...Array<number>(10).fill(200), 429])
  const retryAfter = Number(answers[10]?.headers['retry-after'])
  t.ok(retryAfter > 0 && retryAfter <= 600)
  t.equal((await upload(gateway, await gateway.as('ada'), bytes)).statusCode, 200, 'a token is not limited')
})

test('an old URL is taken as its percent-encoding says', async (t) => {
  const { app, as, importing } = await home(t, settings)
  const [one, two] = [await picture('png', { seed: 1 }), await picture('png', { seed: 2 })]
  await importing([avatar('ada', one, { paths: ['/i/p/ü %41.png'] })])
  await importing([avatar('ada', two, { source: 'other', paths: ['/i/other.png'], createdAt: new Date('2025-01-01') })])
  const url = 'https://old.example/i/p/%C3%BC%20%2541.png'
  const claimed = await app.inject({ method: 'PATCH', url: '/api/users/me/avatar', headers: await as('ada'), payload: { avatar: url } })
  t.match(claimed.json(), { success: true, user: { avatar: 'https://media.example/i/p/%C3%BC%20%2541.png' } })
  t.ok((await app.inject({ url: '/api/avatars/ada' })).rawPayload.equals(one))
  t.match((await app.inject({ method: 'PATCH', url: '/api/users/me/avatar', headers: await as('ada'), payload: { avatar: '/i/%ff' } })).json(), { code: 'AVATAR_URL_REJECTED' })
})

test('nobody learns from what its clients send where it was taken; what cannot be shown is refused in words they know', async (t) => {
  const gateway = await build(t, settings)
  const { app, as, files } = gateway
  const { data } = (await upload(gateway, await as('ada'), await personal(quarters(80, 60)).png().toBuffer())).json()
  t.strictSame(tells((await app.inject({ url: data.path })).rawPayload), [])
  const before = await files()
  const jpeg = await quarters(80, 60).jpeg().toBuffer()
  t.match(await upload(gateway, await as('ada'), jpeg.subarray(0, 500)), { statusCode: 422, body: /"success":false,.*"code":"IMAGE_INVALID"/ })
  t.match((await upload(gateway, await as('ada'), heif('quad'))).json(), { success: false, code: 'UPLOAD_TYPE_REJECTED' }, 'as its older clients show it as it is')
  t.strictSame(await files(), before)
})
