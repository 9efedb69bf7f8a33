import { createHash } from 'node:crypto'
import { setTimeout } from 'node:timers/promises'
import { test } from 'tap'
import { UploadGatewayError } from '../../src/client/client.ts'
import { serve, unsteady } from './fixtures/serve.ts'

const report = (text = 'the report', name = 'report ä.txt') => new File([text], name, { type: 'text/plain', lastModified: 1 })
const sha256 = (text: string) => createHash('sha256').update(text).digest('hex')

test('a file is uploaded with what is said of it, and found, changed and removed', async (t) => {
  const { client, baseUrl } = await serve(t)
  const { attachments } = await client()
  const told: Array<[number, number]> = []
  const expiresAt = new Date(Date.now() + 86_400_000)
  const kept = await attachments.upload(report(), { contextType: 'message', contextId: '7', readers: ['grace', 'b.b'], expiresAt, onProgress: ({ sentBytes, totalBytes }) => told.push([sentBytes, totalBytes]) })
  t.match(kept, { ownerId: 'ada', filename: 'report ä.txt', size: 10, sha256: sha256('the report'), visibility: 'private', contextType: 'message', contextId: '7', readers: ['grace', 'b.b'], expiresAt: expiresAt.toISOString() })
  t.strictSame(told.at(-1), [10, 10])

  t.strictSame(await attachments.get(kept.id), kept)
  t.strictSame((await attachments.list({ contextType: 'message', contextId: '7' })).attachments, [kept])
  t.strictSame((await attachments.list({ contextType: 'ticket', contextId: '7' })).attachments, [])
  t.match(await attachments.change(kept.id, { filename: 'other.txt', alt: 'words', readers: [] }), { filename: 'other.txt', alt: 'words', readers: { length: 0 } })
  t.equal(await (await attachments.content(kept.id)).text(), 'the report')
  t.match(await attachments.content(kept.id, { range: 'bytes=4-' }), { status: 206 })

  await attachments.remove(kept.id)
  await t.rejects(attachments.get(kept.id), { code: 'ATTACHMENT_NOT_FOUND', status: 404 })
  t.equal(attachments.url(kept.id), `${baseUrl}/api/attachments/${kept.id}/content`)
  t.equal(attachments.url(kept.id, { download: true }), `${baseUrl}/api/attachments/${kept.id}/content?download=true`)
  t.equal(attachments.previewUrl(kept.id, { size: 640 }), `${baseUrl}/api/attachments/${kept.id}/preview?size=640`)
})

test('as many readers as may be named are named with the upload', async (t) => {
  const { client } = await serve(t)
  const { attachments } = await client()
  const readers = Array.from({ length: 500 }, (_, index) => `0199a1b2-0000-7000-8000-${String(index).padStart(12, '0')}`)
  t.strictSame((await attachments.upload(report(), { readers })).readers, readers)
})

test('each goes through all pages, and asks for none that nobody looks at', async (t) => {
  const { client } = await serve(t)
  const { fetch, asked } = unsteady(() => undefined)
  const { attachments } = await client({ fetch })
  for (const name of ['1', '2', '3', '4', '5']) await attachments.upload(report(name, name), { visibility: 'public' })
  asked.length = 0
  const names: string[] = []
  for await (const { filename } of attachments.each({ limit: 2 })) names.push(filename)
  t.strictSame(names, ['5', '4', '3', '2', '1'])
  t.equal(asked.length, 3)
  t.match(await attachments.each({ limit: 2 }).next(), { done: false, value: { filename: '5' } })
  t.equal(asked.length, 4)
})

test('an upload whose answer is lost is there once', async (t) => {
  const { client, files } = await serve(t)
  const { fetch, asked } = unsteady((_, count) => count <= 2 ? 'lost' : undefined)
  const { attachments } = await client({ fetch })
  const kept = await attachments.upload(report())
  t.equal(new Set(asked.map(({ headers }) => headers['Idempotency-Key'])).size, 1)
  t.strictSame((await attachments.list()).attachments.map(({ id }) => id), [kept.id])
  t.equal((await files()).filter((path) => path.startsWith('attachments/') && !path.endsWith('.json')).length, 1)
})

test('two calls are two uploads, unless the program gives them one key', async (t) => {
  const { client } = await serve(t)
  const { attachments } = await client()
  const [first, second] = [await attachments.upload(report()), await attachments.upload(report())]
  t.not(first.id, second.id)
  const [third, fourth] = await Promise.all([1, 2].map(() => attachments.upload(report(), { idempotencyKey: 'message-17' })))
  t.equal(third?.id, fourth?.id)
  await t.rejects(attachments.upload(report('other'), { idempotencyKey: 'message-17' }), { code: 'IDEMPOTENCY_KEY_REUSED', status: 422 })
})

test('what is refused is an error with its code, its request and its fields', async (t) => {
  const { client } = await serve(t, { ATTACHMENT_MAX_BYTES: '5' })
  const { attachments } = await client()
  const error = await attachments.upload(report()).catch((error: unknown) => error)
  t.ok(error instanceof UploadGatewayError)
  t.match(error, { code: 'UPLOAD_TOO_LARGE', status: 413, requestId: /./ })
  await t.rejects(attachments.upload(new Blob(['x']), { contextType: 'no spaces' }), { code: 'UPLOAD_FIELD_INVALID', fields: [{ name: /contextType/ }] })
  await t.rejects((await client({ token: 'wrong' })).attachments.list(), { code: 'TOKEN_INVALID', status: 401 })
})

test('bytes that changed on the way are noticed, and not kept', async (t) => {
  const { client, files } = await serve(t)
  const { attachments } = await client({
    fetch: (url, init) => {
      if (init?.body instanceof FormData) init.body.set('file', new Blob(['the repo\u0000t']))
      return fetch(url, init)
    },
  })
  await t.rejects(attachments.upload(report()), { code: 'UPLOAD_DIGEST_MISMATCH', status: 422 })
  t.strictSame((await files()).filter((path) => path.startsWith('attachments/')), [])
})

test('an upload is ended by its signal', async (t) => {
  const { client } = await serve(t)
  const controller = new AbortController()
  const { fetch } = unsteady(() => { controller.abort(new Error('enough')); return 'cut' })
  await t.rejects((await client({ fetch })).attachments.upload(report(), { signal: controller.signal }), { message: 'enough' })
})

test('an upload is ended by its signal also while the gateway is away, and others go on waiting', async (t) => {
  const { client } = await serve(t)
  let isAway = true
  const { attachments } = await client({ retryDelayMs: 100, fetch: (...request) => isAway ? Promise.reject(new TypeError('fetch failed')) : fetch(...request) })
  const controller = new AbortController()
  const other = attachments.upload(report())
  const ended = t.rejects(attachments.upload(report(), { signal: controller.signal }), { message: 'enough' })
  await setTimeout(150)
  controller.abort(new Error('enough'))
  await ended
  await t.rejects(attachments.upload(report(), { signal: AbortSignal.abort(new Error('before')) }), { message: 'before' })
  isAway = false
  t.match(await other, { filename: 'report ä.txt' })
})

test('when it expires is a Date or a string, and readers are a list', async (t) => {
  const { client } = await serve(t)
  const { attachments } = await client()
  const at = new Date(Date.now() + 86_400_000)
  const kept = await attachments.upload(report(), { expiresAt: at.toISOString() })
  t.equal(kept.expiresAt, at.toISOString())
  t.equal((await attachments.change(kept.id, { alt: 'words' })).expiresAt, at.toISOString())
  t.equal((await attachments.change(kept.id, { expiresAt: null })).expiresAt, null)
  t.equal((await attachments.change(kept.id, { expiresAt: at })).expiresAt, at.toISOString())
  for (const expiresAt of [at.getTime(), new Date('soon'), {}]) {
    const wrong = { name: 'TypeError', message: /^expiresAt must be a Date or a string/ }
    await t.rejects(attachments.upload(report(), { expiresAt: expiresAt as Date }), wrong)
    await t.rejects(attachments.change(kept.id, { expiresAt: expiresAt as Date }), wrong)
  }
  for (const readers of ['kim', [1]]) {
    const wrong = { name: 'TypeError', message: /^readers must be an array of user ids/ }
    await t.rejects(attachments.upload(report(), { readers: readers as unknown as string[] }), wrong)
    await t.rejects(attachments.change(kept.id, { readers: readers as unknown as string[] }), wrong)
  }
  await t.rejects(attachments.upload(report(), { expiresAt: 'soon' }), { code: 'UPLOAD_FIELD_INVALID' })
})

test('a blob without a name gets one; a service says whose it is', async (t) => {
  const { client, tokenOf } = await serve(t)
  const service = await client({ token: await tokenOf('chat', 'uploads:service') })
  t.match(await service.attachments.upload(new Blob(['x']), { ownerId: 'grace', metadata: 'keep' }), { ownerId: 'grace', filename: 'file' })
  t.match(await service.attachments.upload(new Blob(['x']), { ownerId: 'grace', filename: 'named' }), { filename: 'named' })
  t.equal((await service.attachments.list({ owner: 'grace' })).attachments.length, 2)
})

test('links open an attachment without a token, until they are revoked', async (t) => {
  const { client, baseUrl } = await serve(t)
  const { attachments } = await client()
  const { id } = await attachments.upload(report())
  const link = await attachments.link(id, { expiresIn: 60 })
  const here = (url: string) => baseUrl + new URL(url).pathname
  t.equal(await (await fetch(here(link.url))).text(), 'the report')
  const { links, missing } = await attachments.linkAll([id, '00000000-0000-7000-8000-000000000000'], { download: true })
  t.match([links.length, missing.length], [1, 1])
  t.strictSame(new Set((await attachments.links(id)).map(({ id }) => id)), new Set([link.id, links[0]?.id]))
  await attachments.revoke(id, link.id)
  t.equal((await fetch(here(link.url))).status, 404)
  t.equal((await fetch(here(links[0]?.url ?? ''))).status, 200)
  t.equal((await attachments.links(id)).length, 1)
})
