import { createHash } from 'node:crypto'
import { test } from 'tap'
import { StorageFull, StorageUnavailable } from '../../src/errors.ts'
import { build, multipart, picture, type Gateway } from '../helper.ts'

const sha256 = (bytes: Buffer | string) => createHash('sha256').update(bytes).digest('hex')

async function post ({ app }: Gateway, headers: Record<string, string>, parts: Parameters<typeof multipart>[0]) {
  const body = await multipart(parts)
  return app.inject({ method: 'POST', url: '/api/attachments', headers: { ...body.headers, ...headers }, payload: body.payload })
}

async function postOne (gateway: Gateway, headers: Record<string, string>, fields: Record<string, string> = {}, bytes: Buffer | string = 'some text') {
  const answer = await post(gateway, headers, [...Object.entries(fields), ['file', { bytes, filename: 'notes.txt', type: 'text/plain' }]])
  return answer.json().attachments[0]
}

test('files come back byte for byte, with the name and fields they were sent with', async (t) => {
  const gateway = await build(t)
  const { app, as } = gateway
  const ada = await as('ada')
  const photo = await picture('png')
  const answer = await post(gateway, ada, [
    ['visibility', 'public'],
    ['contextType', 'message'],
    ['contextId', 'm-1'],
    ['photo', { bytes: photo, filename: 'пляж/../Отчёт 2026.png', type: 'image/png' }],
    ['visibility', 'private'],
    ['contextId', 'm-2'],
    ['text', { bytes: 'a,b\n1,2\n', filename: 'table.csv', type: 'text/csv' }],
  ])
  t.equal(answer.statusCode, 201)
  const [first, second] = answer.json().attachments
  t.match(first, { ownerId: 'ada', filename: 'Отчёт 2026.png', contentType: 'image/png', size: photo.length, sha256: sha256(photo), width: 40, height: 30, visibility: 'public', contextType: 'message', contextId: 'm-1', alt: null, thumbhash: /^[A-Za-z0-9+/]{20,40}={0,2}$/, metadataRemoved: { length: 0 } })
  t.match(second, { filename: 'table.csv', contentType: 'text/csv', width: null, height: null, visibility: 'private', contextId: 'm-2' })
  t.equal(first.url, `/api/attachments/${first.id}/content`)

  const content = await app.inject({ url: first.url })
  t.ok(content.rawPayload.equals(photo))
  t.match(content.headers['content-disposition'], /^inline; filename=".*"; filename\*=UTF-8''%D0%9E%D1%82%D1%87%D1%91%D1%82%202026\.png$/)
  t.match(content.headers['cache-control'], /^public/)
  t.match((await app.inject({ url: `${first.url}?download=1` })).headers['content-disposition'], /^attachment/)
  for (const [query, type] of [['download', 'attachment'], ['download=true', 'attachment'], ['download=yes', 'attachment'], ['download=0', 'inline'], ['download=false', 'inline']] as const) {
    t.ok(String((await app.inject({ url: `${first.url}?${query}` })).headers['content-disposition']).startsWith(`${type};`), query)
  }
  t.match((await app.inject({ url: `${first.url}?download=maybe` })).json(), { status: 400, code: 'REQUEST_INVALID' })
  const own = await app.inject({ url: second.url, headers: ada })
  t.equal(own.body, 'a,b\n1,2\n')
  t.match(own.headers, { 'cache-control': 'private, no-cache', 'content-disposition': /^attachment/ })
  t.match((await app.inject({ url: `/api/attachments/${second.id}`, headers: ada })).json(), second)
})

test('a raw body is one file, named in Content-Disposition, with the fields in the query', async (t) => {
  const { app, as } = await build(t)
  const answer = await app.inject({
    method: 'POST',
    url: '/api/attachments?visibility=public&contextType=ticket&contextId=7',
    headers: { ...await as('ada'), 'content-type': 'application/json', 'content-disposition': "attachment; filename*=UTF-8''%E2%82%AC.json" },
    payload: '{"a":1}',
  })
  t.equal(answer.statusCode, 201)
  const [attachment] = answer.json().attachments
  t.match(attachment, { filename: '€.json', contentType: 'application/json', visibility: 'public', contextType: 'ticket', contextId: '7' })
  t.equal(answer.headers.location, `/api/attachments/${attachment.id}`)
  t.equal((await app.inject({ url: attachment.url })).body, '{"a":1}')
})

test('all files of a request are kept, or none', async (t) => {
  const gateway = await build(t, { ATTACHMENT_MAX_BYTES: '1000' })
  const ada = await gateway.as('ada')
  const file = (bytes: string) => ['file', { bytes, filename: 'x.txt' }] as [string, { bytes: string, filename: string }]
  t.match((await post(gateway, ada, [file('one'), file('x'.repeat(1001))])).json(), { status: 413, code: 'UPLOAD_TOO_LARGE' })
  t.match((await post(gateway, ada, [file('one'), ['visibility', 'everyone'], file('two')])).json(), { status: 400, code: 'UPLOAD_FIELD_INVALID', detail: /visibility/ })
  t.match((await post(gateway, ada, [file('one'), ['ownerId', 'bob'], file('two')])).json(), { status: 403, code: 'OWNER_FORBIDDEN' })
  t.match((await post(gateway, ada, Array.from({ length: 11 }, () => file('x')))).json(), { status: 413, code: 'UPLOAD_FILES_EXCEEDED' })
  t.strictSame((await gateway.files()).filter((path) => !path.endsWith('heartbeat.json')), ['database.json', 'upload-gateway.json'])
  t.equal(await gateway.app.database.client.blob.count(), 0)
  t.equal((await post(gateway, ada, Array.from({ length: 10 }, () => file('x')))).json().attachments.length, 10)
})

test('when one file of a request cannot be published, none is kept', async (t) => {
  const gateway = await build(t)
  const { store } = gateway.app.storage
  const publish = store.publish
  let calls = 0
  store.publish = async (...args) => {
    calls += 1
    if (calls === 2) throw new StorageFull()
    return publish(...args)
  }
  const answer = await post(gateway, await gateway.as('ada'), [['a', { bytes: 'one', filename: 'a' }], ['b', { bytes: 'two', filename: 'b' }]])
  t.match(answer.json(), { status: 507, code: 'STORAGE_FULL' })
  t.strictSame((await gateway.files()).filter((path) => path.startsWith('attachments')), [])
  t.equal(await gateway.app.database.client.attachment.count(), 0)
})

test('lists are newest first, in pages, by owner and context', async (t) => {
  const gateway = await build(t)
  const { app, as } = gateway
  const ada = await as('ada')
  const ids: string[] = []
  for (let n = 0; n < 5; n += 1) ids.unshift((await postOne(gateway, ada, { contextType: 'message', contextId: n < 2 ? 'a' : 'b' })).id)
  await postOne(gateway, await as('bob'))

  const page = async (query: string, headers: Record<string, string> = ada) => (await app.inject({ url: `/api/attachments?${query}`, headers })).json()
  const idsOf = ({ attachments }: { attachments: Array<{ id: string }> }) => attachments.map(({ id }) => id)
  const first = await page('limit=2')
  const second = await page(`limit=2&cursor=${first.nextCursor}`)
  const third = await page(`limit=2&cursor=${second.nextCursor}`)
  t.strictSame([...idsOf(first), ...idsOf(second), ...idsOf(third)], ids)
  t.equal(third.nextCursor, null)
  t.strictSame(idsOf(await page('contextType=message&contextId=a')), ids.slice(3))
  t.strictSame(idsOf(await page('owner=ada', await as('chat', 'uploads:service'))), ids)
  t.strictSame(idsOf(await page(`ids=${ids[0]},${ids[4]},nonsense`)), [ids[0], ids[4]])
  t.strictSame(idsOf(await page('', { ...await as('chat', 'uploads:service'), 'x-owner-id': 'ada' })), ids)
  t.strictSame(idsOf(await page('owner=ada', { ...await as('chat', 'uploads:service'), 'x-owner-id': 'bob' })), ids, 'the query counts for more')
  t.match(await page('', { ...await as('bob'), 'x-owner-id': 'ada' }), { status: 403, code: 'OWNER_FORBIDDEN' })
  t.match(await page('owner=ada', await as('bob')), { status: 403, code: 'OWNER_FORBIDDEN' })
  t.match(await page('cursor=bm9uc2Vuc2U'), { status: 400, code: 'REQUEST_INVALID' })
  t.match(await page('limit=201'), { status: 400, code: 'REQUEST_INVALID' })
  t.match(await page(`ids=${Array.from({ length: 201 }, (_, n) => n).join(',')}`), { status: 400, code: 'REQUEST_INVALID' })
})

test('what is said of an attachment can be changed, by its owner and by services, and the sidecar follows', async (t) => {
  const gateway = await build(t)
  const { app, as } = gateway
  const ada = await as('ada')
  const { id, url } = await postOne(gateway, ada, { contextType: 'message', contextId: 'a' })
  const patch = async (payload: object, headers: Record<string, string> = ada) => (await app.inject({ method: 'PATCH', url: `/api/attachments/${id}`, headers, payload })).json()
  t.match(await patch({ filename: 'b\u202e\u0000/новое имя.txt', visibility: 'public', contextType: null, contextId: null, alt: 'a note' }),
    { filename: 'новое имя.txt', visibility: 'public', contextType: null, contextId: null, alt: 'a note' })
  t.equal((await app.inject({ url })).statusCode, 200)
  t.match(await patch({ visibility: 'private' }, await as('chat', 'uploads:service')), { visibility: 'private', alt: 'a note' })
  t.equal((await app.inject({ url })).statusCode, 404)
  for (const wrong of [{}, { owner: 'bob' }, { visibility: 'all' }, { filename: '\u0000' }, { alt: 5 }]) {
    t.match(await patch(wrong), { status: 400, code: 'REQUEST_INVALID' }, JSON.stringify(wrong))
  }
  const { blobId } = await app.database.client.attachment.findUniqueOrThrow({ where: { id } })
  t.match(await app.storage.store.readSidecar({ kind: 'attachment', id: blobId as never, extension: 'txt' }), { revision: 3, filename: 'новое имя.txt', visibility: 'private', alt: 'a note' })
})

test('a character NUL names nothing, and is in no text that is kept, whatever the database', async (t) => {
  const gateway = await build(t)
  const { app, as } = gateway
  const ada = await as('ada')
  const { id } = await postOne(gateway, ada)
  for (const url of ['/api/attachments/%00', `/api/attachments/${id}%00`, '/api/attachments/a%00b/content', '/api/avatars/%00', '/api/resumable/%00']) {
    t.equal((await app.inject({ url, headers: { ...ada, 'tus-resumable': '1.0.0' } })).statusCode, 404, url)
  }
  const page = async (query: string) => (await app.inject({ url: `/api/attachments?${query}`, headers: ada })).json()
  t.match(await page(`ids=${id},a%00b`), { attachments: { length: 1 } })
  for (const query of ['contextType=a%00&contextId=b', 'cursor=%00']) t.match(await page(query), { status: 400, code: 'REQUEST_INVALID' }, query)
  const patch = async (payload: object) => (await app.inject({ method: 'PATCH', url: `/api/attachments/${id}`, headers: ada, payload })).json()
  t.match(await patch({ alt: 'a\u0000b' }), { alt: 'ab' })
  t.match(await patch({ alt: null }), { alt: null })
  for (const wrong of [{ contextId: 'a\u0000' }, { readers: ['a\u0000b'] }]) t.match(await patch(wrong), { status: 400, code: 'REQUEST_INVALID' }, JSON.stringify(wrong))
})

test('a deleted attachment is gone for everyone, while its file waits in the trash', async (t) => {
  const gateway = await build(t)
  const { app, as, files } = gateway
  const ada = await as('ada')
  const { id, url } = await postOne(gateway, ada, { visibility: 'public' })
  t.equal((await app.inject({ method: 'DELETE', url: `/api/attachments/${id}`, headers: ada })).statusCode, 204)
  for (const [method, at] of [['GET', url], ['GET', `/api/attachments/${id}`], ['DELETE', `/api/attachments/${id}`]] as const) {
    t.match((await app.inject({ method, url: at, headers: ada })).json(), { status: 404, code: 'ATTACHMENT_NOT_FOUND' })
  }
  t.strictSame((await app.inject({ url: '/api/attachments', headers: ada })).json().attachments, [])
  t.equal((await files()).filter((path) => path.startsWith('attachments')).length, 2)
})

test('a delete whose sidecar could not be written is not acknowledged, and is finished by asking again', async (t) => {
  const gateway = await build(t)
  const { app, as } = gateway
  const ada = await as('ada')
  const { id } = await postOne(gateway, ada)
  const { store } = app.storage
  const writeSidecar = store.writeSidecar
  store.writeSidecar = async () => { throw new StorageUnavailable() }
  const remove = async (headers = ada) => (await app.inject({ method: 'DELETE', url: `/api/attachments/${id}`, headers })).statusCode
  t.equal(await remove(), 503)
  store.writeSidecar = writeSidecar
  t.equal(await remove(await as('bob')), 404)
  t.equal(await remove(), 204)
  t.equal(await remove(), 404)
})

test('nobody reads or changes what is not theirs, and cannot tell it from what is not there', async (t) => {
  const gateway = await build(t)
  const { app, as } = gateway
  const [ada, bob] = [await as('ada'), await as('bob')]
  const theirs = await postOne(gateway, ada)
  const deleted = await postOne(gateway, bob)
  await app.inject({ method: 'DELETE', url: `/api/attachments/${deleted.id}`, headers: bob })
  const random = '019ab111-1111-7111-8111-111111111111'
  const routes = [
    ['GET', (id: string) => `/api/attachments/${id}`],
    ['GET', (id: string) => `/api/attachments/${id}/content`],
    ['HEAD', (id: string) => `/api/attachments/${id}/content`],
    ['PATCH', (id: string) => `/api/attachments/${id}`],
    ['DELETE', (id: string) => `/api/attachments/${id}`],
  ] as const
  for (const [method, url] of routes) {
    const answers = await Promise.all([theirs.id, deleted.id, random, 'x'].map(async (id) => {
      const { statusCode, body } = await app.inject({ method, url: url(id), headers: bob, ...(method === 'PATCH' && { payload: { alt: 'mine' } }) })
      return { statusCode, body: body.replace(/"requestId":"[^"]*"/, '') }
    }))
    t.equal(answers[0]?.statusCode, 404, method)
    for (const answer of answers) t.strictSame(answer, answers[0])
  }
  t.strictSame((await app.inject({ url: `/api/attachments?ids=${theirs.id}`, headers: bob })).json().attachments, [])
  t.match((await app.inject({ url: theirs.url })).json(), { status: 404, code: 'ATTACHMENT_NOT_FOUND' })
  t.match((await app.inject({ url: theirs.url, headers: { authorization: 'Bearer wrong' } })).json(), { status: 401, code: 'TOKEN_INVALID' })
  t.equal((await app.inject({ url: theirs.url, headers: await as('chat', 'uploads:service') })).body, 'some text')
  t.equal((await app.inject({ url: theirs.url, headers: ada })).body, 'some text')
})

test('services post for users; users only for themselves', async (t) => {
  const gateway = await build(t)
  const { as } = gateway
  const service = await as('chat', 'uploads:service')
  t.match(await postOne(gateway, service, { ownerId: 'ada' }), { ownerId: 'ada' })
  t.match(await postOne(gateway, { ...service, 'x-owner-id': 'bob' }), { ownerId: 'bob' })
  t.match(await postOne(gateway, service), { ownerId: 'chat' })
  t.match((await post(gateway, { ...await as('eve'), 'x-owner-id': 'bob' }, [['file', { bytes: 'x', filename: 'x' }]])).json(), { code: 'OWNER_FORBIDDEN' })
  t.match((await post(gateway, {}, [['file', { bytes: 'x', filename: 'x' }]])).json(), { status: 401, code: 'TOKEN_MISSING' })
  const row = await gateway.app.database.client.blob.findFirstOrThrow({ where: { ownerId: 'ada' } })
  t.equal(row.creatorId, 'chat')
})

test('everything is there after a restart, and an empty file is a file', async (t) => {
  const first = await build(t)
  const ada = await first.as('ada')
  const { url } = await postOne(first, ada)
  const empty = await postOne(first, ada, {}, '')
  t.match(empty, { size: 0, sha256: sha256('') })
  await first.app.close()
  const { app } = await build(t, { UPLOADS_DIR: first.folder })
  t.equal((await app.inject({ url, headers: ada })).body, 'some text')
  t.equal((await app.inject({ url: empty.url, headers: ada })).statusCode, 200)
})

test('a parameter nobody knows is refused, and a field that does not fit is told what would', async (t) => {
  const gateway = await build(t)
  const { app, as } = gateway
  const ada = await as('ada')
  const file = ['file', { bytes: 'x', filename: 'x' }] as [string, { bytes: string, filename: string }]
  for (const method of ['GET', 'POST'] as const) {
    const answer = await app.inject({ method, url: '/api/attachments?visiblity=public', headers: { ...ada, ...(method === 'POST' && { 'content-type': 'text/plain' }) }, ...(method === 'POST' && { payload: 'x' }) })
    t.match(answer.json(), { status: 400, code: 'REQUEST_INVALID', errors: [{ in: 'query', name: 'visiblity', detail: /^is not known; known are / }] }, method)
  }
  t.match((await post(gateway, ada, [['visibility', 'everyone'], ['contextType', 'a b'], file])).json(), {
    status: 400,
    code: 'UPLOAD_FIELD_INVALID',
    detail: 'A form field is not valid: visibility must be one of private, public, contextType must be 1 to 64 of A-Z a-z 0-9 . _ -.',
    errors: [{ in: 'form', name: 'visibility', detail: 'must be one of private, public' }, { in: 'form', name: 'contextType' }],
  })
  const { id } = await postOne(gateway, ada)
  const patch = async (payload: object) => (await app.inject({ method: 'PATCH', url: `/api/attachments/${id}`, headers: ada, payload })).json().detail
  t.equal(await patch({ contextId: 'a b' }), 'The request is not valid: body /contextId must be 1 to 128 ASCII characters without spaces or null.')
  t.equal(await patch({ alt: 5 }), 'The request is not valid: body /alt must be text or null.')
  t.match(await patch({ owner: 'bob' }), /body \/owner is not known; known are filename, visibility, /)
})

test('an admin brings a deleted attachment back, under its id and URL, with all that was said of it', async (t) => {
  const gateway = await build(t)
  const { app, as } = gateway
  const ada = await as('ada')
  const admin = await as('root', 'uploads:admin')
  const { id, url } = await postOne(gateway, ada, { visibility: 'public', contextType: 'ticket', contextId: '7' })
  const before = (await app.inject({ url: `/api/attachments/${id}`, headers: ada })).json()
  await app.inject({ method: 'DELETE', url: `/api/attachments/${id}`, headers: ada })
  t.equal((await app.inject({ url })).statusCode, 404)
  const restore = (headers: Record<string, string>, of = id) => app.inject({ method: 'POST', url: `/api/attachments/${of}/restore`, headers })

  t.match((await restore({})).json(), { status: 401, code: 'TOKEN_MISSING' })
  t.match((await restore(ada)).json(), { status: 403, code: 'SCOPE_MISSING' }, 'not even the owner')
  t.match((await restore(await as('bot', 'uploads:service'))).json(), { status: 403, code: 'SCOPE_MISSING' })
  t.match((await restore(admin, 'nonsense')).json(), { status: 404, code: 'ATTACHMENT_NOT_FOUND' })
  t.equal((await app.inject({ url })).statusCode, 404)

  const restored = await restore(admin)
  t.strictSame([restored.statusCode, restored.json()], [200, before])
  t.equal((await app.inject({ url })).body, 'some text')
  const { blobId } = await app.database.client.attachment.findUniqueOrThrow({ where: { id } })
  const address = { kind: 'attachment' as const, id: blobId as never, extension: 'txt' }
  t.match(await app.storage.store.readSidecar(address), { state: 'live', revision: 3, recordId: id })
  t.equal((await restore(admin)).statusCode, 200, 'again changes nothing')
  t.match(await app.storage.store.readSidecar(address), { revision: 3 })
})

test('a restore whose sidecar could not be written is not acknowledged, and is finished by asking again', async (t) => {
  const gateway = await build(t)
  const { app, as } = gateway
  const { id } = await postOne(gateway, await as('ada'))
  await app.inject({ method: 'DELETE', url: `/api/attachments/${id}`, headers: await as('ada') })
  const admin = await as('root', 'uploads:admin')
  const restore = async () => (await app.inject({ method: 'POST', url: `/api/attachments/${id}/restore`, headers: admin })).statusCode
  const { store } = app.storage
  const writeSidecar = store.writeSidecar
  store.writeSidecar = async () => { throw new StorageUnavailable() }
  t.equal(await restore(), 503)
  t.equal(await restore(), 503)
  store.writeSidecar = writeSidecar
  t.equal(await restore(), 200)
  t.match(await app.database.client.blob.findFirst(), { state: 'live', sidecarDueAt: null })
})

test('the description of a restore says who may, and what comes of it', async (t) => {
  const { app } = await build(t)
  const { description, responses } = (await app.inject('/openapi.json')).json().paths['/api/attachments/{id}/restore'].post
  t.match(description, /with the scope uploads:admin/)
  t.match(responses, { 200: { description: /^The attachment/ }, 403: { description: /with the scope uploads:admin\./ } })
})
