import { test } from 'tap'
import { createClient } from '../../src/client/client.ts'
import { serve, type Asked } from './fixtures/serve.ts'
import { HttpXhr } from './fixtures/xhr.ts'

test('limits are asked for once, and again only after a failure', async (t) => {
  const { client } = await serve(t)
  let asked = 0
  const { limits } = await client({
    retries: 0,
    fetch: (...request) => {
      asked += 1
      return asked === 1 ? Promise.reject(new TypeError('fetch failed')) : fetch(...request)
    },
  })
  await t.rejects(limits(), { code: 'NETWORK_FAILED' })
  const [first, second] = await Promise.all([limits(), limits()])
  t.match(first, { avatar: { maxBytes: 5 * 1024 ** 2 }, attachment: { maxBytes: 100 * 1024 ** 2 }, resumable: { chunkBytes: 16 * 1024 ** 2 } })
  t.equal(first, second)
  t.equal(asked, 2)
})

test('usage is the caller\'s, or for services another\'s', async (t) => {
  const { client, tokenOf } = await serve(t)
  const ada = await client()
  await ada.attachments.upload(new Blob(['12345']))
  t.match(await ada.usage(), { bytes: 5, files: 1 })
  t.match(await (await client({ token: await tokenOf('ops', 'uploads:admin') })).usage({ owner: 'ada' }), { bytes: 5, files: 1 })
  await t.rejects(ada.usage({ owner: 'grace' }), { code: 'OWNER_FORBIDDEN' })
})

test('a media session opens what is private by its plain address, until it ends', async (t) => {
  const { client } = await serve(t)
  let cookie = ''
  const { attachments, mediaSession } = await client({
    fetch: async (url, init) => {
      const response = await fetch(url, init)
      cookie = response.headers.getSetCookie()[0]?.split(';')[0] ?? cookie
      return response
    },
  })
  const { id } = await attachments.upload(new Blob(['private']))
  t.equal((await fetch(attachments.url(id))).status, 404)
  t.ok(Date.parse((await mediaSession.start()).expiresAt) > Date.now())
  t.equal(await (await fetch(attachments.url(id), { headers: { cookie } })).text(), 'private')
  await mediaSession.end()
  t.equal((await fetch(attachments.url(id), { headers: { cookie } })).status, 404)
})

test('in pages, progress is told on the way, and only who asks for it goes by XMLHttpRequest', async (t) => {
  const { client, baseUrl, tokenOf } = await serve(t)
  let requests = 0
  t.intercept(globalThis, 'XMLHttpRequest' as keyof typeof globalThis, { value: class extends HttpXhr { constructor () { super(); requests += 1 } } })
  const { attachments } = createClient({ baseUrl, token: await tokenOf('ada') })
  const file = new Blob([new Uint8Array(1_000_000)])
  const told: number[] = []
  const kept = await attachments.upload(file, { onProgress: ({ sentBytes }) => told.push(sentBytes) })
  t.equal(kept.size, 1_000_000)
  t.ok(told.length > 3 && told.every((bytes, i) => bytes >= (told[i - 1] ?? 0)), 'on the way')
  t.equal(told.at(-1), 1_000_000)
  t.equal(requests, 1)
  await attachments.list()
  await attachments.upload(file)
  await (await client({ fetch })).attachments.upload(file, { onProgress: () => {} })
  t.equal(requests, 1, 'fetch for the rest, and where the program gave its own')
})

test('XMLHttpRequest that is cut is sent again with the same key', async (t) => {
  const { baseUrl, tokenOf } = await serve(t)
  const keys: unknown[] = []
  class Cut extends HttpXhr {
    override setRequestHeader (name: string, value: string): void {
      super.setRequestHeader(name, value)
      if (name === 'Idempotency-Key') keys.push(value)
    }

    override send (body?: FormData): void {
      if (keys.length === 1) queueMicrotask(() => this.onerror?.())
      else super.send(body)
    }
  }
  t.intercept(globalThis, 'XMLHttpRequest' as keyof typeof globalThis, { value: Cut })
  const { attachments } = createClient({ baseUrl, token: await tokenOf('ada'), retryDelayMs: 1 })
  await attachments.upload(new Blob(['x']), { onProgress: () => {} })
  t.equal(keys.length, 2)
  t.equal(keys[0], keys[1])
  t.equal((await attachments.list()).attachments.length, 1)
})

test('a client without a token sees what is public, at the origin of its page unless told otherwise', async (t) => {
  const seen: Asked[] = []
  const { baseUrl } = await serve(t)
  t.intercept(globalThis, 'fetch', { value: async (url: string, init: RequestInit) => { seen.push({ method: '', path: url, headers: init.headers as Record<string, string> }); return new Response('{}') } })
  await createClient({ baseUrl, storage: null }).limits()
  t.strictSame(seen, [{ method: '', path: `${baseUrl}/api/limits`, headers: {} }])
  t.intercept(globalThis, 'location' as keyof typeof globalThis, { value: { href: 'https://app.example/' } })
  t.equal(createClient().avatars.url('ada'), '/api/avatars/ada')
  t.equal(createClient({ baseUrl: '/uploads/' }).avatars.url('ada'), '/uploads/api/avatars/ada')
})

test('where there is no page, an address that is none is told at once, and not blamed on the network', (t) => {
  t.throws(() => createClient(), { name: 'TypeError', message: /^baseUrl must be .* not ""/ })
  for (const baseUrl of ['uploads.example', 'localhost:3000', '/uploads', 'ftp://uploads.example', 'https:///', 'https://']) t.throws(() => createClient({ baseUrl }), TypeError, baseUrl)
  for (const baseUrl of ['https://uploads.example', 'HTTP://localhost:3000/', 'http://[::1]:3000/uploads']) t.doesNotThrow(() => createClient({ baseUrl }), baseUrl)
  t.end()
})
