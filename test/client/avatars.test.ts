import { test } from 'tap'
import { picture } from '../helper.ts'
import { serve, unsteady } from './fixtures/serve.ts'

const jpeg = async (seed = 0) => new File([new Uint8Array(await picture('jpeg', { seed, width: 200, height: 100 }))], 'me.jpg', { type: 'image/jpeg' })

test('a picture is set, shown by an address that never changes, cropped and removed', async (t) => {
  const { client, baseUrl } = await serve(t)
  const { avatars } = await client()
  const told: number[] = []
  const first = await avatars.set(await jpeg(), { crop: { x: 0.5, y: 0, width: 1 / 3, height: 1 }, metadata: 'keep', onProgress: ({ sentBytes, totalBytes }) => told.push(sentBytes / totalBytes) })
  t.match(first, { userId: 'ada', crop: '0.5,0,0.3333,1', width: 200 })
  t.equal(told.at(-1), 1)

  const url = avatars.url('ada', { size: 64, format: 'png' })
  t.equal(url, `${baseUrl}/api/avatars/ada?size=64&format=png`)
  t.equal((await fetch(url)).headers.get('content-type'), 'image/png')
  t.equal(avatars.url('ada'), `${baseUrl}/api/avatars/ada`)
  t.match((await fetch(avatars.url('grace', { fallback: 'identicon' }))).status, 200)
  t.equal((await fetch(avatars.url('ada', { version: first.version }))).status, 200)
  t.equal(avatars.url('a:b@c/d'), `${baseUrl}/api/avatars/a%3Ab%40c%2Fd`)

  const cropped = await avatars.crop({ x: 0, y: 0, width: 0.25, height: 0.5 })
  t.match(cropped, { crop: '0,0,0.25,0.5' })
  t.match(await avatars.crop(null), { crop: null })
  t.equal((await avatars.versions()).length, 3)
  t.match(await avatars.restore(first.version), { version: first.version })
  await avatars.remove()
  t.equal((await fetch(avatars.url('ada'))).status, 404)
  await t.rejects(avatars.remove(), { code: 'AVATAR_NOT_FOUND', status: 404 })
})

test('an answer that is lost is asked for again, and the picture is set once', async (t) => {
  const { client, app, as } = await serve(t)
  const { fetch, asked } = unsteady((_, count) => count === 1 ? 'lost' : undefined)
  const { avatars } = await client({ fetch })
  const file = await jpeg()
  await avatars.set(file)
  t.equal(asked.length, 2)
  const versions = await app.inject({ url: '/api/avatars/me/versions', headers: await as('ada') })
  t.equal(versions.json<{ versions: object[] }>().versions.length, 1)
})

test('services act for others; users are told that they may not', async (t) => {
  const { client, tokenOf, baseUrl } = await serve(t)
  const service = await client({ token: await tokenOf('billing', 'uploads:service') })
  t.match(await service.avatars.set(await jpeg(), { ownerId: 'grace' }), { userId: 'grace' })
  await t.rejects((await client()).avatars.set(await jpeg(), { ownerId: 'grace' }), { code: 'OWNER_FORBIDDEN', status: 403 })
  await service.avatars.remove({ ownerId: 'grace' })
  t.equal((await fetch(`${baseUrl}/api/avatars/grace`)).status, 404)
})

test('what is no picture is refused with its code, and bytes that changed on the way are noticed', async (t) => {
  const { client } = await serve(t)
  await t.rejects((await client()).avatars.set(new File(['text'], 'me.jpg')), { code: 'UPLOAD_TYPE_REJECTED', status: 415 })
  const other = await jpeg(7)
  const { avatars } = await client({
    fetch: (url, init) => {
      (init?.body as FormData).set('avatar', other)
      return fetch(url, init)
    },
  })
  await t.rejects(avatars.set(await jpeg()), { code: 'UPLOAD_DIGEST_MISMATCH', status: 422 })
})
