import { PassThrough } from 'node:stream'
import { test, type Test } from 'tap'
import type { AppOptions } from '../../src/app.ts'
import { readConfig } from '../../src/config.ts'
import { silent } from '../../src/operations/progress.ts'
import { rebuild } from '../../src/operations/rebuild/rebuild.ts'
import { databaseUrlFor } from '../fixtures/database-server.ts'
import { storageFor } from '../fixtures/object-server.ts'
import { build, multipart, picture, type Gateway } from '../helper.ts'

type Fields = Array<[name: string, value: string]>

async function withFiles (t: Test, settings: Record<string, string> = {}, options: AppOptions = {}) {
  const gateway = await build(t, settings, options)
  return { ...gateway, ...clientOf(gateway) }
}

function clientOf ({ app, as }: Gateway) {
  async function post (user: string, parts: Parameters<typeof multipart>[0]) {
    const body = await multipart(parts)
    return app.inject({ method: 'POST', url: '/api/attachments', headers: { ...body.headers, ...await as(user) }, payload: body.payload })
  }

  return {
    post,
    async attach (user: string, fields: Fields = []) {
      const answer = await post(user, [...fields, ['file', { bytes: 'some text', filename: 'notes.txt', type: 'text/plain' }]])
      return answer.json().attachments[0]
    },
    patch: async (id: string, headers: Record<string, string>, payload: object) => app.inject({ method: 'PATCH', url: `/api/attachments/${id}`, headers, payload }),
    erase: async (user: string) => app.inject({ method: 'DELETE', url: `/api/users/${user}/uploads`, headers: await as('root', 'uploads:admin') }),
    async sidecar (id: string) {
      const { blob } = await app.database.client.attachment.findUniqueOrThrow({ where: { id }, include: { blob: true } })
      return app.storage.store.readSidecar({ kind: 'attachment', id: blob.id as never, extension: blob.extension })
    },
  }
}

const file = (filename: string): [string, { bytes: string, filename: string }] => ['file', { bytes: filename, filename }]

test('a reader reads, and does nothing else; everybody else is told that there is nothing', async (t) => {
  const { app, as, attach, patch } = await withFiles(t)
  const [ada, bob, eve] = [await as('ada'), await as('bob'), await as('eve')]
  const { id, url, readers } = await attach('ada')
  t.strictSame(readers, [])
  t.equal((await app.inject({ url, headers: bob })).statusCode, 404)
  t.match((await patch(id, ada, { readers: ['bob', 'carl', 'bob'] })).json(), { readers: ['bob', 'carl'] })

  const content = await app.inject({ url, headers: bob })
  t.equal(content.body, 'some text')
  t.match(content.headers, { 'cache-control': 'private, no-cache', 'cross-origin-resource-policy': 'same-site' })
  t.equal((await app.inject({ url: `/api/attachments/${id}`, headers: bob })).json().id, id)
  t.strictSame((await app.inject({ url: `/api/attachments?ids=${id}`, headers: bob })).json().attachments.map((one: { id: string }) => one.id), [id])
  for (const headers of [eve, {}, await as('bo'), await as('carl,bob'), await as('bob,carl')]) {
    for (const at of [url, `/api/attachments/${id}`, `/api/attachments/${id}/preview`]) t.match((await app.inject({ url: at, headers })).statusCode, /40[14]/, at)
  }
  t.match((await patch(id, bob, { readers: ['bob', 'eve'] })).json(), { status: 404, code: 'ATTACHMENT_NOT_FOUND' })
  t.match((await app.inject({ method: 'DELETE', url: `/api/attachments/${id}`, headers: bob })).json(), { status: 404, code: 'ATTACHMENT_NOT_FOUND' })
  t.strictSame((await app.inject({ url: '/api/attachments', headers: bob })).json().attachments, [], 'it is not among their own')

  t.strictSame((await patch(id, await as('chat', 'uploads:service'), { readers: ['eve'] })).json().readers, ['eve'], 'a service replaces them, all at once')
  t.equal((await app.inject({ url, headers: bob })).statusCode, 404)
  t.equal((await app.inject({ url, headers: eve })).statusCode, 200)
  t.strictSame((await patch(id, ada, { readers: [] })).json().readers, [])
  t.equal((await app.inject({ url, headers: eve })).statusCode, 404)
})

test('who the readers are, the owner and services are told and readers are not', async (t) => {
  const { app, as, attach } = await withFiles(t)
  const { id, readers } = await attach('ada', [['readers', 'bob'], ['visibility', 'public']])
  t.strictSame(readers, ['bob'])
  const seen = async (headers: Record<string, string>) => [
    (await app.inject({ url: `/api/attachments/${id}`, headers })).json(),
    ...(Object.keys(headers).length === 0 ? [] : (await app.inject({ url: `/api/attachments?ids=${id}`, headers })).json().attachments),
  ]
  for (const headers of [await as('ada'), await as('chat', 'uploads:service'), await as('root', 'uploads:admin')]) {
    for (const one of await seen(headers)) t.strictSame(one.readers, ['bob'])
  }
  for (const headers of [await as('bob'), await as('eve'), {}]) {
    for (const one of await seen(headers)) {
      t.equal(one.id, id)
      t.notOk('readers' in one)
    }
  }
  t.strictSame((await app.inject({ url: '/api/attachments', headers: await as('ada') })).json().attachments[0].readers, ['bob'])
})

test('readers are named before a file, comma separated, in several fields, or in the query', async (t) => {
  const { app, as, post } = await withFiles(t)
  const answer = await post('ada', [
    ['readers', 'bob,carl'], ['contextType', 'message'], ['readers', ''], ['readers', 'dora,bob'], file('one'),
    file('two'),
    ['readers', 'eve'], file('three'),
    ['readers', ''], file('four'),
  ])
  t.equal(answer.statusCode, 201)
  t.strictSame(answer.json().attachments.map(({ readers }: { readers: string[] }) => readers), [['bob', 'carl', 'dora'], ['bob', 'carl', 'dora'], ['eve'], []])
  const raw = await app.inject({ method: 'POST', url: '/api/attachments?readers=bob,carl:7@x', headers: { ...await as('ada'), 'content-type': 'text/plain' }, payload: 'x' })
  t.strictSame(raw.json().attachments[0].readers, ['bob', 'carl:7@x'])
})

test('of a name that can be no user\'s, of too many, or of readers that come too late, nothing is kept', async (t) => {
  const { app, as, attach, post, patch, files } = await withFiles(t)
  for (const readers of ['me', '..', 'bob,me', 'bob carl', 'a'.repeat(129), 'bob;carl', 'böb']) {
    t.match((await post('ada', [['readers', readers], file('x')])).json(), { status: 400, code: 'UPLOAD_FIELD_INVALID', detail: /readers/ }, readers)
  }
  const many = Array.from({ length: 501 }, (_, index) => `user-${index}-${'x'.repeat(118)}`.slice(0, 128))
  const fields = (ids: string[]): Fields => Array.from({ length: Math.ceil(ids.length / 30) }, (_, index) => ['readers', ids.slice(index * 30, index * 30 + 30).join()])
  t.match((await post('ada', [...fields(many), file('x')])).json(), { status: 400, code: 'UPLOAD_FIELD_INVALID', detail: /more than 500/ })
  t.match((await post('ada', [file('x'), ['readers', 'bob']])).json(), { status: 400, code: 'UPLOAD_FIELD_INVALID', detail: /after the last file/ })
  t.strictSame((await files()).filter((path) => path.startsWith('attachments')), [])
  t.equal(await app.database.client.blob.count(), 0)

  t.strictSame((await post('ada', [...fields(many.slice(1)), file('x')])).json().attachments[0].readers, many.slice(1), '500 of the longest are none too many')
  for (const fields of [[['readers', many.slice(1).join()]], many.slice(1).map((id) => ['readers', id])] as Fields[]) {
    t.strictSame((await post('ada', [...fields, file('x')])).json().attachments[0].readers, many.slice(1), `nor in ${fields.length} fields`)
  }
  const { id, url } = await attach('ada')
  t.equal((await patch(id, await as('ada'), { readers: many.slice(1) })).statusCode, 200)
  t.equal((await app.inject({ url, headers: await as(many[500] ?? '') })).statusCode, 200)
  for (const readers of [many, ['me'], ['a,b'], [''], 'bob', null, [5]]) {
    t.match((await patch(id, await as('ada'), { readers })).json(), { status: 400, code: 'REQUEST_INVALID' })
  }
  t.equal((await app.inject({ url: `/api/attachments/${id}`, headers: await as('ada') })).json().readers.length, 500, 'and nothing was changed by those')
})

test('the sidecar follows, and a picture keeps its readers with a preview for them', async (t) => {
  const { app, as, post, patch, sidecar } = await withFiles(t)
  const { id } = (await post('ada', [['readers', 'bob'], ['file', { bytes: await picture('png'), filename: 'a.png', type: 'image/png' }]])).json().attachments[0]
  t.match(await sidecar(id), { readers: ['bob'], readersEpoch: 0, revision: 1 })
  t.equal((await app.inject({ url: `/api/attachments/${id}/preview?size=320`, headers: await as('bob') })).statusCode, 200)
  t.equal((await app.inject({ url: `/api/attachments/${id}/preview?size=320`, headers: await as('eve') })).statusCode, 404)
  await patch(id, await as('ada'), { readers: ['eve', 'bob'] })
  t.match(await sidecar(id), { readers: ['eve', 'bob'], revision: 2 })
  await patch(id, await as('ada'), { filename: 'b.png' })
  t.match(await sidecar(id), { readers: ['eve', 'bob'], filename: 'b.png', revision: 3 })
})

test('who is erased is in no list any more, and a new user of that name inherits nothing', async (t) => {
  const { app, as, attach, patch, erase, sidecar } = await withFiles(t)
  const ada = await as('ada')
  const [shared, alone, deleted, others] = [await attach('ada', [['readers', 'bob,eve']]), await attach('ada', [['readers', 'eve']]), await attach('ada', [['readers', 'carl,eve']]), await attach('ada', [['readers', 'evelyn']])]
  await app.inject({ method: 'DELETE', url: `/api/attachments/${deleted.id}`, headers: ada })
  t.equal((await erase('eve')).statusCode, 200)
  for (const [{ id }, left] of [[shared, ['bob']], [alone, []], [deleted, ['carl']], [others, ['evelyn']]] as const) {
    t.strictSame((await sidecar(id))?.readers, left)
    t.equal((await app.database.client.attachment.findUniqueOrThrow({ where: { id } })).readers, left.length === 0 ? null : left.join())
  }
  for (const { url } of [shared, alone]) t.equal((await app.inject({ url, headers: await as('eve') })).statusCode, 404)
  t.equal((await app.inject({ url: shared.url, headers: await as('bob') })).statusCode, 200)

  await patch(shared.id, ada, { readers: ['bob', 'eve'] })
  t.equal((await app.inject({ url: shared.url, headers: await as('eve') })).statusCode, 200)
  t.equal((await erase('bob')).statusCode, 200)
  t.strictSame((await app.inject({ url: `/api/attachments/${shared.id}`, headers: ada })).json().readers, ['eve'], 'who was named after an erasure is not taken out by it')
})

test('a reader who is erased while the upload is under way is not let in by it', async (t) => {
  const { app, as, erase } = await withFiles(t)
  const body = new PassThrough()
  const sending = app.inject({ method: 'POST', url: '/api/attachments?readers=bob,eve', headers: { ...await as('ada'), 'content-type': 'text/plain' }, payload: body })
  body.write('some ')
  await app.ready()
  while (!(await app.storage.staging.usage()).files) await new Promise((resolve) => setTimeout(resolve, 10))
  t.equal((await erase('eve')).statusCode, 200)
  body.end('text')
  const [{ id, readers }] = (await sending).json().attachments
  t.strictSame(readers, ['bob'])
  t.equal((await app.inject({ url: `/api/attachments/${id}`, headers: await as('eve') })).statusCode, 404)
})

/** Once, `work` is done between the moment when blob and sidecar are on the volume and the commit. */
function beforeCommit ({ app: { storage: { store } } }: Pick<Gateway, 'app'>, work: () => Promise<unknown>): void {
  const { publish } = store
  Object.assign(store, {
    async publish (...published: Parameters<typeof publish>) {
      Object.assign(store, { publish })
      await publish(...published)
      await work()
    },
  })
}

test('who is erased right before the commit is in neither row, sidecar, event, answer nor what is answered to a retry', async (t) => {
  const gateway = await withFiles(t, { WEBHOOK_URL: 'http://127.0.0.1:9/', WEBHOOK_SECRET: `whsec_${Buffer.alloc(24, 7).toString('base64')}` })
  const { app, as, erase, sidecar } = gateway
  const { client } = app.database
  beforeCommit(gateway, () => erase('eve'))
  const form = await multipart([['readers', 'bob,eve'], file('one'), ['readers', 'carl'], file('two'), ['readers', 'eve'], file('three')])
  const post = async () => app.inject({ method: 'POST', url: '/api/attachments', headers: { ...form.headers, ...await as('ada'), 'idempotency-key': 'k' }, payload: form.payload })
  const answer = await post()
  t.equal(answer.statusCode, 201)
  const kept: Array<{ id: string, readers: string[], url: string }> = answer.json().attachments
  t.strictSame(kept.map(({ readers }) => readers), [['bob'], ['carl'], []])
  for (const { id, readers, url } of kept) {
    t.match(await client.attachment.findUniqueOrThrow({ where: { id } }), { readers: readers.length === 0 ? null : readers.join() })
    t.strictSame((await sidecar(id))?.readers, readers)
    t.equal((await app.inject({ url, headers: await as('eve') })).statusCode, 404, 'a later user of that id')
  }
  t.equal((await app.inject({ url: kept[0]?.url ?? '', headers: await as('bob') })).statusCode, 200)
  t.notMatch(JSON.stringify([await client.answer.findMany(), await client.event.findMany()]), /"eve"|eve\\/)
  t.equal(await client.event.count({ where: { type: 'attachment.created' } }), 3, 'each is told once')
  const again = await post()
  t.equal(again.body, answer.body)
  t.equal(again.headers['idempotency-replayed'], 'true')
  t.equal(await client.attachment.count(), 3)
})

test('a list that is set while one of its readers is erased is set without them', async (t) => {
  const { app, as, attach, patch, erase, sidecar } = await withFiles(t)
  const { id, url } = await attach('ada', [['readers', 'dora']])
  const { client } = app.database
  // The erasure has looked for its lists when the change goes on, which has read the row by then, or is about to commit.
  for (const [on, name] of [[client.attachment, 'findFirst'], [client, '$transaction']] as Array<[object, string]>) {
    const work = Reflect.get(on, name) as (...args: unknown[]) => Promise<unknown>
    let isErased = false
    Object.assign(on, {
      [name]: async (...args: unknown[]) => {
        Object.assign(on, { [name]: work })
        isErased = (await erase('eve')).statusCode === 200
        return Reflect.apply(work, on, args)
      },
    })
    t.match((await patch(id, await as('ada'), { readers: ['bob', 'eve'], alt: name })).json(), { readers: ['bob'], alt: name })
    t.ok(isErased)
    t.strictSame((await sidecar(id))?.readers, ['bob'], name)
    t.equal((await app.inject({ url, headers: await as('eve') })).statusCode, 404, name)
  }
  t.match((await patch(id, await as('ada'), { readers: ['eve'] })).json(), { readers: ['eve'] }, 'who is named afterwards is another user')
  const { $transaction } = client
  Object.assign(client, { $transaction: async () => { throw new Error('gone') } })
  t.match((await patch(id, await as('ada'), { readers: ['bob'] })).json(), { status: 503, code: 'DATABASE_UNAVAILABLE' }, 'what fails for another reason is told')
  Object.assign(client, { $transaction })
})

test('readers are in what a rebuild brings back, but for who was erased since and was named on the volume still', async (t) => {
  const { app, as, folder, attach, erase, sidecar } = await withFiles(t)
  const { id } = await attach('ada', [['readers', 'bob,eve']])
  const before = await sidecar(id)
  if (before === undefined) throw new Error('there is no sidecar')
  await erase('eve')
  await app.storage.store.writeSidecar(before)
  await app.close()
  await rebuild(readConfig({ DISK_RESERVE: '0', DATABASE_URL: await databaseUrlFor(t, folder), ...storageFor(folder), UPLOADS_DIR: folder }), silent)
  const again = await withFiles(t, { UPLOADS_DIR: folder })
  t.strictSame((await again.app.inject({ url: `/api/attachments/${id}`, headers: await as('ada') })).json().readers, ['bob'])
  t.match(await again.sidecar(id), { readers: ['bob'] })
})
