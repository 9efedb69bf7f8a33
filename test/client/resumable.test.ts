import { createHash } from 'node:crypto'
import t, { test, type Test } from 'tap'
import type { Client, ClientOptions, Progress, UploadOptions, UploadStorage } from '../../src/client/client.ts'
import { clock, until } from '../resumable/fixture.ts'
import { createClamdServer } from '../resumable/clamd-server.ts'
import { problem, serve, unsteady, type Asked } from './fixtures/serve.ts'

const KiB = 1024
/** Half a MiB in chunks of 64 KiB. */
const settings = { RESUMABLE_CHUNK_BYTES: String(64 * KiB), ATTACHMENT_MAX_BYTES: String(1024 * KiB) }
const bytes = Uint8Array.from({ length: 500 * KiB }, (_, i) => (i * 31) % 251)
const sha256 = createHash('sha256').update(bytes).digest('hex')
const film = (lastModified = 1, content = bytes) => new File([content], 'film ä.bin', { type: 'application/x-film', lastModified })

const methods = (asked: Asked[]) => asked.map(({ method }) => method)
const offsets = (asked: Asked[]) => asked.filter(({ method }) => method === 'PATCH').map(({ headers }) => Number(headers['Upload-Offset']) / KiB)

const gateway = await serve(t, settings)
let users = 0

/** A user who has nothing yet. */
async function user () {
  const id = `user-${++users}`
  const token = await gateway.tokenOf(id)
  return { id, token, client: (options?: ClientOptions) => gateway.client({ token, ...options }) }
}

function memory (): UploadStorage & { text: () => string } {
  const texts = new Map<string, string>()
  return { getItem: (key) => texts.get(key) ?? null, setItem: (key, value) => { texts.set(key, value) }, text: () => [...texts.values()].join() }
}

test('what is larger than a request should be goes in chunks, and becomes what a plain upload would', async (t) => {
  const { id, client } = await user()
  const { fetch, asked } = unsteady(() => undefined)
  const { attachments } = await client({ fetch })
  const told: Progress[] = []
  const expiresAt = new Date(Date.now() + 86_400_000)
  const kept = await attachments.upload(film(), { visibility: 'public', contextType: 'message', contextId: '7', readers: ['grace'], expiresAt, onProgress: (progress) => told.push(progress) })
  t.match(kept, { ownerId: id, filename: 'film ä.bin', size: bytes.length, sha256, visibility: 'public', contextType: 'message', contextId: '7', readers: ['grace'], expiresAt: expiresAt.toISOString() })
  t.strictSame(methods(asked), ['POST', ...Array<string>(8).fill('PATCH'), 'GET'])
  t.ok(asked.every(({ method, headers }) => method !== 'PATCH' || /^sha256 \S{44}$/.test(headers['Upload-Checksum'] ?? '')))
  t.strictSame([told[0]?.sentBytes, told.at(-1)?.sentBytes], [0, bytes.length])
  t.ok(told.every(({ sentBytes, totalBytes }, i) => totalBytes === bytes.length && sentBytes >= (told[i - 1]?.sentBytes ?? 0)))
  t.strictSame((await gateway.files()).filter((path) => path.startsWith('resumable/')), [])
  const back = await attachments.content(kept.id)
  t.equal(createHash('sha256').update(new Uint8Array(await back.arrayBuffer())).digest('hex'), sha256)
})

test('a cut costs one chunk at most, wherever it is, and the file is there once', async (t) => {
  const { client } = await user()
  let requests = 0
  // Every third request is cut before it arrives, every fifth after.
  const { fetch, asked } = unsteady(() => {
    requests += 1
    return requests % 3 === 0 ? 'cut' : requests % 5 === 0 ? 'lost' : undefined
  })
  const { attachments } = await client({ fetch })
  const kept = await attachments.upload(film())
  t.equal(kept.sha256, sha256)
  const sent = offsets(asked)
  t.ok(sent.every((offset, i) => offset >= (sent[i - 1] ?? 0)), `never back: ${sent}`)
  const plain = await client()
  t.strictSame((await plain.attachments.list()).attachments.map(({ id }) => id), [kept.id])
})

test('a page that is loaded again goes on where it was, with the same file only', async (t) => {
  const { client } = await user()
  const storage = memory()
  const controller = new AbortController()
  const before = unsteady((_, count) => { if (count === 5) controller.abort(new Error('reload')); return undefined })
  await t.rejects((await client({ fetch: before.fetch, storage })).attachments.upload(film(), { signal: controller.signal }), { message: 'reload' })
  t.match(storage.text(), '/api/resumable/')

  const other = unsteady(() => undefined)
  await (await client({ fetch: other.fetch, storage })).attachments.upload(film(2))
  t.equal(methods(other.asked)[0], 'POST', 'another file is another upload')

  const after = unsteady(() => undefined)
  const kept = await (await client({ fetch: after.fetch, storage })).attachments.upload(film())
  t.equal(kept.sha256, sha256)
  t.equal(methods(after.asked)[0], 'HEAD')
  t.ok((offsets(after.asked)[0] ?? 0) >= 128, 'not from the beginning')
  t.notMatch(storage.text(), '/api/resumable/', 'and it is forgotten then')
})

test('another user of the same browser does not go on with it', async (t) => {
  const { client } = await user()
  const storage = memory()
  const controller = new AbortController()
  const { fetch } = unsteady((_, count) => { if (count === 4) controller.abort(); return undefined })
  await t.rejects((await client({ fetch, storage })).attachments.upload(film(), { signal: controller.signal }))
  const grace = unsteady(() => undefined)
  const kept = await (await client({ fetch: grace.fetch, storage, token: await gateway.tokenOf('grace') })).attachments.upload(film())
  t.match(kept, { ownerId: 'grace', sha256 })
  t.strictSame(methods(grace.asked).slice(0, 3), ['HEAD', 'GET', 'POST'])
})

test('an upload that is gone begins anew, under another key', async (t) => {
  const { client, token } = await user()
  let first: string | undefined
  const { fetch: unsteadily, asked } = unsteady(async ({ method, path }) => {
    if (method === 'PATCH' && first === undefined) {
      first = path
      await fetch(gateway.baseUrl + path, { method: 'DELETE', headers: { Authorization: `Bearer ${token}`, 'Tus-Resumable': '1.0.0' } })
    }
    return undefined
  })
  const kept = await (await client({ fetch: unsteadily })).attachments.upload(film(), { idempotencyKey: 'k' })
  t.equal(kept.sha256, sha256)
  t.strictSame(asked.filter(({ method }) => method === 'POST').map(({ headers }) => headers['Idempotency-Key']), ['k', 'k.1'])
})

test('the same key is the same upload, also from a service that was started again and remembers nothing', async (t) => {
  const { client } = await user()
  const controller = new AbortController()
  const before = unsteady((_, count) => { if (count === 5) controller.abort(); return undefined })
  const blob = new Blob([bytes])
  await t.rejects((await client({ fetch: before.fetch })).attachments.upload(blob, { idempotencyKey: 'message-17', signal: controller.signal }))
  const after = unsteady(() => undefined)
  const again = await client({ fetch: after.fetch })
  const kept = await again.attachments.upload(blob, { idempotencyKey: 'message-17' })
  t.ok((offsets(after.asked)[0] ?? 0) > 0)
  const both = await Promise.all([1, 2].map(() => again.attachments.upload(blob, { idempotencyKey: 'message-17' })))
  t.strictSame(both.map(({ id }) => id), [kept.id, kept.id])
  t.equal((await again.attachments.list()).attachments.length, 1)
})

test('the same file twice at once is two uploads; the same key twice at once is one', async (t) => {
  const { client } = await user()
  const { attachments } = await client({ storage: memory() })
  const [a, b] = await Promise.all([attachments.upload(film()), attachments.upload(film())])
  t.not(a.id, b.id)
  const [c, d] = await Promise.all([attachments.upload(film(), { idempotencyKey: 'k' }), attachments.upload(film(), { idempotencyKey: 'k' })])
  t.equal(c.id, d.id)
})

test('two pages that send the same file both get it there', async (t) => {
  const { client, token } = await user()
  const storage = memory()
  let stolen = 0
  const { fetch: one, asked } = unsteady(async ({ method, path }, count) => {
    if (method !== 'PATCH' || count !== 4) return undefined
    stolen += 1
    // As the gateway answers whose upload another page has taken over.
    await fetch(gateway.baseUrl + path, { method: 'HEAD', headers: { Authorization: `Bearer ${token}`, 'Tus-Resumable': '1.0.0' } })
    return problem(409, 'RESUMABLE_TAKEN_OVER')
  })
  const first = await (await client({ fetch: one, storage })).attachments.upload(film())
  t.match([first.sha256, stolen], [sha256, 1])
  t.equal(asked.filter(({ method }) => method === 'POST').length, 2, 'the one that lost it begins its own')
  t.match(storage.text(), '/api/resumable/', 'and leaves the other what is remembered')
  const second = await (await client({ storage })).attachments.upload(film())
  t.equal(second.sha256, sha256)
  t.not(second.id, first.id)
})

test('a chunk that changed on the way is sent again', async (t) => {
  const { client } = await user()
  let patches = 0
  const { attachments } = await client({
    fetch: (url, init) => {
      if (init?.method === 'PATCH' && ++patches === 2) return fetch(url, { ...init, body: new Blob([bytes.slice(0, 64 * KiB)]) })
      return fetch(url, init)
    },
  })
  t.equal((await attachments.upload(film())).sha256, sha256)
  t.equal(patches, 9)
})

test('where nothing can be hashed, chunks go without a checksum', async (t) => {
  const { client } = await user()
  const { fetch, asked } = unsteady(() => undefined)
  const { attachments } = await client({ fetch })
  t.intercept(globalThis.crypto, 'subtle', { value: undefined })
  t.equal((await attachments.upload(film())).sha256, sha256)
  t.ok(asked.every(({ headers }) => headers['Upload-Checksum'] === undefined))
})

test('what is refused is told with its code, and not tried again: at the beginning, and at the end', async (t) => {
  const { client } = await serve(t, { ...settings, QUOTA_BYTES: String(100 * KiB) })
  const storage = memory()
  const { attachments } = await client({ storage })
  await t.rejects(attachments.upload(film()), { code: 'QUOTA_EXCEEDED', status: 413 })
  await t.rejects(attachments.upload(new Blob([new Uint8Array(1025 * KiB)])), { code: 'UPLOAD_TOO_LARGE', status: 413 })

  const { fetch: lying, asked } = unsteady(({ method }, count) => method === 'PATCH' && count === 9 ? 'lost' : undefined)
  const { attachments: mistaken } = await (await user()).client({ fetch: (url, init) => lying(url, withOtherDigest(init)), storage })
  await t.rejects(mistaken.upload(film()), { code: 'UPLOAD_DIGEST_MISMATCH', status: 422 })
  t.equal(methods(asked).at(-1), 'GET', 'HEAD says no code')
  t.notMatch(storage.text(), '/api/resumable/', 'it would be refused again')
  t.strictSame((await mistaken.list()).attachments, [])
})

test('what the gateway cannot finish right now is asked for until it has', async (t) => {
  const { client } = await user()
  const finishing = () => new Response(JSON.stringify({ state: 'finishing' }))
  const { fetch, asked } = unsteady((_, count) => [finishing(), undefined, finishing(), problem(503, 'SCANNER_UNAVAILABLE')][count - 10])
  t.equal((await (await client({ fetch })).attachments.upload(film())).sha256, sha256)
  t.strictSame(methods(asked).slice(9), ['GET', 'HEAD', 'GET', 'HEAD', 'HEAD', 'GET'])
  const never = unsteady(({ method }) => method === 'GET' ? finishing() : undefined)
  await t.rejects((await client({ fetch: never.fetch, retries: 1 })).attachments.upload(film()), { code: 'RESUMABLE_FINISHING', status: 423 })
})

test('while the scanner is away the bytes are kept: it is waited for, and the same key goes on when patience is over', async (t) => {
  const scanner = await createClamdServer(t)
  const { client } = await serve(t, { ...settings, CLAMD_URL: scanner.url })
  const storage = memory()
  const told: number[] = []
  const upload = async (retries: number, plan: Parameters<typeof unsteady>[0]) => {
    const { fetch: unsteadily, asked } = unsteady(plan)
    // The gateway asks for half a minute, which a test has not.
    const hurried: typeof fetch = async (...request) => {
      const { status, headers, body } = await unsteadily(...request)
      const quick = new Headers(headers)
      if (status === 423) quick.set('Retry-After', '0')
      return new Response(status === 204 ? null : body, { status, headers: quick })
    }
    const { attachments } = await client({ fetch: hurried, retries, storage })
    const kept = attachments.upload(film(), { idempotencyKey: 'film', onProgress: ({ sentBytes }) => told.push(sentBytes) })
    return { asked, kept: await kept.catch((error: unknown) => error), list: attachments.list }
  }

  scanner.answer = 'down'
  const first = await upload(2, () => undefined)
  t.match(first.kept, { name: 'UploadGatewayError', code: 'RESUMABLE_FINISHING', status: 423, message: /keeps all bytes .* same idempotencyKey/, requestId: /./, retryAfterSeconds: 0 })
  t.strictSame(methods(first.asked).slice(-3), ['PATCH', 'HEAD', 'HEAD'])
  t.match(storage.text(), '/api/resumable/', 'where it goes on')
  t.equal(told.at(-1), 448 * KiB, 'the last chunk was not acknowledged')
  t.strictSame(methods((await upload(0, () => undefined)).asked), ['HEAD'], 'no byte is sent again')

  const last = await upload(2, (_, count) => {
    if (count === 2) scanner.answer = 'clean'
    return undefined
  })
  t.match(last.kept, { sha256 })
  t.strictSame(methods(last.asked), ['HEAD', 'HEAD', 'GET'])
  t.ok(told.every((sentBytes, i) => sentBytes >= (told[i - 1] ?? 0)), `never back: ${told}`)
  t.equal(told.at(-1), bytes.length)
  t.strictSame((await last.list()).attachments.length, 1)
})

test('an answer to HEAD that says nothing is no word that all bytes are there', async (t) => {
  const { client } = await user()
  const answering = (status: number) => unsteady(({ method }, count) => count === 3 ? 'cut' : method === 'HEAD' && count < 6 ? new Response(null, { status }) : undefined)
  await t.rejects((await client({ fetch: answering(400).fetch })).attachments.upload(film()), { code: 'ANSWER_UNKNOWN', status: 400 })
  t.equal((await (await client({ fetch: answering(409).fetch })).attachments.upload(film())).sha256, sha256, 'somebody else was at it')
})

test('what is begun again with its key while it cannot be finished is waited for as well', async (t) => {
  const { client } = await user()
  const { fetch, asked } = unsteady((_, count) => count === 1 ? problem(423, 'RESUMABLE_FINISHING') : undefined)
  t.equal((await (await client({ fetch })).attachments.upload(film(), { idempotencyKey: 'k' })).sha256, sha256)
  t.strictSame(asked.filter(({ method }) => method === 'POST').map(({ headers }) => headers['Idempotency-Key']), ['k', 'k'])
})

test('an upload that was finished and deleted since says so', async (t) => {
  const { client } = await user()
  const { attachments } = await client()
  const kept = await attachments.upload(film(), { idempotencyKey: 'k' })
  await attachments.remove(kept.id)
  await t.rejects(attachments.upload(film(), { idempotencyKey: 'k' }), { code: 'ATTACHMENT_NOT_FOUND', status: 404 })
})

test('more readers than a header holds are named all the same', async (t) => {
  const { client } = await user()
  const readers = Array.from({ length: 400 }, (_, i) => `user-${String(i).padStart(30, '0')}`)
  const kept = await (await client()).attachments.upload(film(), { readers })
  t.strictSame(kept.readers?.length, 400)
})

test('another file under a key that was used is refused, however alike the two are, and the first one goes on', { timeout: 60_000 }, async (t) => {
  const served = await serve(t)
  const content = new Uint8Array(33 * KiB ** 2)
  const other = content.slice()
  other[other.length - 1] = 1
  const report = (bytes: Uint8Array<ArrayBuffer>) => new File([bytes], 'report.bin', { lastModified: 1 })
  const storage = memory()
  const controller = new AbortController()
  const { fetch: stopping } = unsteady((_, count) => { if (count === 3) controller.abort(new Error('closed')); return undefined })
  const options = { idempotencyKey: 'draft-1' }
  await t.rejects((await served.client({ fetch: stopping, storage })).attachments.upload(report(content), { ...options, signal: controller.signal }), { message: 'closed' })
  for (const kept of [storage, null]) await t.rejects((await served.client({ storage: kept })).attachments.upload(report(other), options), { code: 'IDEMPOTENCY_KEY_REUSED', status: 422 })

  const { fetch: steady, asked } = unsteady(() => undefined)
  const kept = await (await served.client({ fetch: steady, storage })).attachments.upload(report(content), options)
  t.equal(kept.sha256, createHash('sha256').update(content).digest('hex'))
  t.ok((offsets(asked)[0] ?? 0) > 0)
})

test('what was remembered and has expired since begins again with its key, which stays that of one upload', async (t) => {
  const time = clock()
  const served = await serve(t, settings, { now: time.now })
  const storage = memory()
  const controller = new AbortController()
  const { fetch: stopping } = unsteady((_, count) => { if (count === 4) controller.abort(new Error('closed')); return undefined })
  const upload = async (options: ClientOptions, signal?: AbortSignal) => (await served.client({ storage, ...options })).attachments.upload(film(), { idempotencyKey: 'job-1', signal })
  await t.rejects(upload({ fetch: stopping }, controller.signal), { message: 'closed' })
  time.forward(25 * 3_600_000)
  const { fetch: steady, asked } = unsteady(() => undefined)
  const first = await upload({ fetch: steady })
  t.strictSame(asked.filter(({ method }) => method === 'POST').map(({ headers }) => headers['Idempotency-Key']), ['job-1'])
  t.equal((await upload({})).id, first.id)
})

/** How many of a user's are begun and not finished. */
const unfinished = (ownerId: string) => gateway.app.database.client.resumable.count({ where: { ownerId, state: { not: 'finished' } } })

test('an upload that is aborted and that nobody can go on with is ended in the gateway as well', async (t) => {
  const { id, client } = await user()
  const upload = async (options: ClientOptions, controller: AbortController) => t.rejects((await client(options)).attachments.upload(film(), { signal: controller.signal }), { message: 'enough' })
  const stop = () => {
    const controller = new AbortController()
    return { controller, abort: () => { controller.abort(new Error('enough')) } }
  }

  const sending = stop()
  const { fetch: cut, asked } = unsteady((_, count) => { if (count === 4) sending.abort(); return undefined })
  await upload({ fetch: cut }, sending.controller)
  t.equal(methods(asked).at(-1), 'DELETE')
  t.equal(await unfinished(id), 0)

  const forgetful: UploadStorage = { getItem: () => null, setItem: () => { throw new Error('full') } }
  const forgotten = stop()
  await upload({ fetch: unsteady((_, count) => { if (count === 4) forgotten.abort(); return undefined }).fetch, storage: forgetful }, forgotten.controller)
  t.equal(await unfinished(id), 0, 'a storage that keeps nothing remembers nothing')

  const beginning = stop()
  const { fetch: begin, asked: begun } = unsteady(() => undefined)
  const unheard: typeof fetch = async (url, init = {}) => {
    if (init.method !== 'POST' || beginning.controller.signal.aborted) return begin(url, init)
    const { signal, ...rest } = init
    await begin(url, rest)
    beginning.abort()
    throw signal?.reason
  }
  await upload({ fetch: unheard }, beginning.controller)
  t.strictSame(methods(begun), ['POST', 'POST', 'GET', 'DELETE'])
  t.equal(await unfinished(id), 0, 'also when the answer that says where it is did not come')

  const refused = stop()
  const { fetch: full, asked: refusals } = unsteady(() => { refused.abort(); return problem(413, 'QUOTA_EXCEEDED') })
  await upload({ fetch: async (url, init) => { const answer = await full(url, init); init?.signal?.throwIfAborted(); return answer } }, refused.controller)
  t.strictSame(methods(refusals), ['POST', 'POST'])
})

test('whoever aborts an upload does not wait for a gateway that is away', async (t) => {
  const { client } = await user()
  const silence = Promise.withResolvers<never>()
  for (const away of [() => silence.promise, () => Promise.reject(new TypeError('fetch failed'))]) {
    const controller = new AbortController()
    const { fetch: steady } = unsteady((_, count) => { if (count === 4) controller.abort(new Error('enough')); return undefined })
    const { attachments } = await client({ retries: 0, fetch: (url, init) => controller.signal.aborted && init?.signal !== controller.signal && init?.method === 'GET' ? away() : steady(url, init) })
    await t.rejects(attachments.upload(film(), { signal: controller.signal }), { message: 'enough' })
  }
  silence.reject(new TypeError('fetch failed'))
})

/** Begins an upload and leaves it in the middle. */
async function leave (t: Test, client: (options?: ClientOptions) => Promise<Client>, storage: UploadStorage | null, options: UploadOptions = {}, file: Blob = film()) {
  const controller = new AbortController()
  let patches = 0
  const { fetch: stopping } = unsteady(({ method }) => { if (method === 'PATCH' && ++patches === 3) controller.abort(new Error('closed')); return undefined })
  const given = { ...options, signal: controller.signal }
  const { attachments } = await client({ fetch: stopping, storage })
  const left = attachments.upload(file, given)
  return { attachments, given, left, rejected: t.rejects(left, { message: 'closed' }) }
}

test('an upload that could go on is given up, and begins anew when it is wanted after all', async (t) => {
  const { id, client } = await user()
  const storage = memory()
  for (const [kept, options] of [[storage, {}], [storage, { idempotencyKey: 'a' }], [null, { idempotencyKey: 'b' }]] as const) {
    const { attachments, given, rejected } = await leave(t, client, kept, options)
    await rejected
    t.equal(await unfinished(id), 1)
    await attachments.abandon(film(), given)
    t.equal(await unfinished(id), 0)
    t.notMatch(storage.text(), '/api/resumable/')
    await attachments.abandon(film(), given)
    t.equal(await unfinished(id), 0, 'and once more')
    const { fetch: steady, asked } = unsteady(() => undefined)
    t.equal((await (await client({ fetch: steady, storage: kept })).attachments.upload(film(), options)).sha256, sha256)
    t.equal(offsets(asked)[0], 0)
  }
})

test('giving up waits until the call has ended', async (t) => {
  const { id, client } = await user()
  const { attachments, given, rejected } = await leave(t, client, memory())
  await until('it is begun', async () => await unfinished(id) === 1)
  await attachments.abandon(film(), given)
  t.equal(await unfinished(id), 0)
  await rejected
})

test('giving up finds what was begun with a key after another was lost', async (t) => {
  const { id, client, token } = await user()
  const options = { idempotencyKey: 'k' }
  await (await leave(t, client, null, options)).rejected
  const [first] = await gateway.app.database.client.resumable.findMany({ where: { ownerId: id } })
  await fetch(`${gateway.baseUrl}/api/resumable/${first?.id}`, { method: 'DELETE', headers: { Authorization: `Bearer ${token}`, 'Tus-Resumable': '1.0.0' } })
  const { attachments, rejected } = await leave(t, client, null, options)
  await rejected
  t.equal(await unfinished(id), 1)
  await attachments.abandon(film(), options)
  t.equal(await unfinished(id), 0)
})

test('giving up ends what waits for a scanner that is away, also where nothing is remembered', async (t) => {
  const scanner = await createClamdServer(t)
  const { app, client } = await serve(t, { ...settings, CLAMD_URL: scanner.url })
  scanner.answer = 'down'
  const options = { idempotencyKey: 'film' }
  const { attachments } = await client({ storage: null, retries: 0 })
  await t.rejects(attachments.upload(film(), options), { code: 'RESUMABLE_FINISHING', status: 423 })
  await attachments.abandon(film(), options)
  t.equal(await app.database.client.resumable.count(), 0)
})

test('giving up leaves what has become an attachment, and its key', async (t) => {
  const { client } = await user()
  const { attachments } = await client()
  const options = { idempotencyKey: 'k' }
  const kept = await attachments.upload(film(), options)
  await attachments.abandon(film(), options)
  t.equal((await attachments.upload(film(), options)).id, kept.id)
})

test('giving up asks nothing where nothing can have been begun, and forgets what is gone already', async (t) => {
  const { id, client } = await user()
  const { fetch: steady, asked } = unsteady(() => undefined)
  const { attachments } = await client({ fetch: steady })
  await attachments.abandon(new Blob(['small']), { idempotencyKey: 'small' })
  await attachments.abandon(new Blob([bytes]))
  await attachments.abandon(film())
  t.strictSame(asked, [])

  const storage = memory()
  await (await leave(t, client, storage)).rejected
  await gateway.app.database.client.resumable.deleteMany({ where: { ownerId: id } })
  await (await client({ storage })).attachments.abandon(film())
  t.notMatch(storage.text(), '/api/resumable/')
})

test('giving up says when it failed, but for a key that is another file\'s', async (t) => {
  const { id, client } = await user()
  const options = { idempotencyKey: 'k' }
  await (await leave(t, client, null, options)).rejected
  const { fetch: away } = unsteady(() => 'cut')
  await t.rejects((await client({ fetch: away, retries: 1 })).attachments.abandon(film(), options), { code: 'NETWORK_FAILED' })
  const { fetch: forbidding } = unsteady(({ method }) => method === 'DELETE' ? problem(403, 'OWNER_FORBIDDEN') : undefined)
  await t.rejects((await client({ fetch: forbidding })).attachments.abandon(film(), options), { code: 'OWNER_FORBIDDEN' })
  await (await client()).attachments.abandon(film(1, bytes.slice(1)), options)
  t.equal(await unfinished(id), 1)
})

/** As if it were the digest of other bytes. */
function withOtherDigest (init: RequestInit = {}): RequestInit {
  const headers = { ...init.headers as Record<string, string> }
  const said = headers['Upload-Metadata']
  if (said === undefined) return init
  return { ...init, headers: { ...headers, 'Upload-Metadata': said.replace(/sha256 \S+?(,|$)/, `sha256 ${Buffer.from('0'.repeat(64)).toString('base64')}$1`) } }
}
