import { createHash } from 'node:crypto'
import { test } from 'tap'
import { StorageUnavailable } from '../../src/errors.ts'
import { build, multipart, picture } from '../helper.ts'
import { avatar, home } from '../operations/import/fixtures/import.ts'

const sha256 = (bytes: Buffer) => createHash('sha256').update(bytes).digest('hex')
const form = async (bytes: Buffer, type = 'image/jpeg') => multipart([['avatar', { bytes, filename: 'me.jpg', type }]])

test('an avatar comes back byte for byte, under an address that never changes', async (t) => {
  const { app, as, files } = await build(t)
  const bytes = await picture()
  const { payload, headers } = await form(bytes)
  const set = await app.inject({ method: 'PUT', url: '/api/avatars/me', headers: { ...headers, ...await as('ada') }, payload })
  t.equal(set.statusCode, 201)
  t.equal(set.headers.location, '/api/avatars/ada')
  const avatar = set.json()
  t.match(avatar, {
    userId: 'ada', avatarUrl: '/api/avatars/ada', versionedUrl: `/api/avatars/ada/${avatar.version}`, contentType: 'image/jpeg',
    size: bytes.length, width: 40, height: 30, sha256: sha256(bytes), thumbhash: /^[A-Za-z0-9+/]{20,40}={0,2}$/, metadataRemoved: { length: 0 }, crop: null,
  })

  const current = await app.inject({ url: '/api/avatars/ada' })
  t.equal(current.statusCode, 200)
  t.ok(current.rawPayload.equals(bytes))
  t.equal(current.headers['cache-control'], 'public, no-cache')
  t.equal(current.headers['cross-origin-resource-policy'], 'cross-origin')
  const versioned = await app.inject({ url: avatar.versionedUrl })
  t.ok(versioned.rawPayload.equals(bytes))
  t.equal(versioned.headers['cache-control'], 'public, max-age=31536000, immutable')
  const again = await app.inject({ url: '/api/avatars/ada', headers: { 'if-none-match': String(current.headers.etag) } })
  t.equal(again.statusCode, 304)
  t.equal(again.rawPayload.length, 0)
  const head = await app.inject({ method: 'HEAD', url: '/api/avatars/ada' })
  t.match(head, { statusCode: 200, headers: { 'content-length': String(bytes.length) } })
  t.strictSame((await files()).filter((path) => path.startsWith('avatars/')).map((path) => path.replace(/.*\//, '')),
    [`${avatar.version}.jpg`, `${avatar.version}.sidecar.json`])
})

test('a replacement is a new blob; the old version stays served, the old file stays', async (t) => {
  const { app, as, files } = await build(t)
  const put = async (seed: number) => app.inject({ method: 'PUT', url: '/api/avatars/me', headers: { 'content-type': 'image/png', ...await as('ada') }, payload: await picture('png', { seed }) })
  const first = await put(1)
  const second = await put(2)
  t.equal(first.statusCode, 201)
  t.equal(second.statusCode, 200)
  t.not(first.json().version, second.json().version)
  t.ok((await app.inject({ url: '/api/avatars/ada' })).rawPayload.equals(await picture('png', { seed: 2 })))
  t.ok((await app.inject({ url: first.json().versionedUrl })).rawPayload.equals(await picture('png', { seed: 1 })))
  t.equal((await files()).filter((path) => path.endsWith('.png')).length, 2)
  const old = await app.storage.store.readSidecar({ kind: 'avatar', id: first.json().version, extension: 'png' })
  t.match(old, { state: 'superseded', revision: 2, ownerId: 'ada' })
  t.equal((await app.database.client.blob.count({ where: { sidecarDueAt: { not: null } } })), 0)
})

test('fifty changes at once leave one current avatar, and the others in its history', async (t) => {
  const { app, as } = await build(t)
  const headers = { 'content-type': 'image/png', ...await as('ada') }
  const answers = await Promise.all(Array.from({ length: 50 }, async (_, seed) => app.inject({ method: 'PUT', url: '/api/avatars/me', headers, payload: await picture('png', { seed }) })))
  t.strictSame(new Set(answers.map(({ statusCode }) => statusCode)), new Set([200, 201]))
  t.equal(answers.filter(({ statusCode }) => statusCode === 201).length, 1)
  const blobs = await app.database.client.blob.groupBy({ by: ['state'], _count: true, orderBy: { state: 'asc' } })
  t.strictSame(blobs, [{ state: 'live', _count: 1 }, { state: 'superseded', _count: 49 }])
  t.equal((await app.inject({ url: '/api/avatars/ada' })).statusCode, 200)
})

test('a deleted avatar is gone for everyone, while its file waits in the trash', async (t) => {
  const { app, as, files } = await build(t)
  const headers = await as('ada')
  const earlier = await app.inject({ method: 'PUT', url: '/api/avatars/me', headers: { 'content-type': 'image/png', ...headers }, payload: await picture('png') })
  const set = await app.inject({ method: 'PUT', url: '/api/avatars/me', headers: { 'content-type': 'image/webp', ...headers }, payload: await picture('webp') })
  t.equal((await app.inject({ url: earlier.json().versionedUrl })).statusCode, 200)
  t.equal((await app.inject({ method: 'DELETE', url: '/api/avatars/me', headers })).statusCode, 204)
  for (const url of ['/api/avatars/ada', set.json().versionedUrl]) {
    t.match((await app.inject({ url })).json(), { status: 404, code: 'AVATAR_NOT_FOUND' })
  }
  t.match((await app.inject({ method: 'DELETE', url: '/api/avatars/me', headers })).json(), { code: 'AVATAR_NOT_FOUND' })
  t.equal((await app.inject({ url: earlier.json().versionedUrl })).statusCode, 404, 'what it had replaced is gone too')
  t.equal((await files()).filter((path) => path.endsWith('.webp')).length, 1)
  t.match(await app.storage.store.readSidecar({ kind: 'avatar', id: set.json().version, extension: 'webp' }), { state: 'deleted' })
  t.equal((await app.inject({ method: 'PUT', url: '/api/avatars/me', headers: { 'content-type': 'image/webp', ...headers }, payload: await picture('webp') })).statusCode, 201)
  t.equal((await app.inject({ url: earlier.json().versionedUrl })).statusCode, 404, 'and does not come back with a new picture')
})

test('a clock that is set back does not turn the order of changes round', async (t) => {
  const clock = { minutes: 0 }
  const { app, as } = await build(t, {}, { now: () => new Date(Date.now() + clock.minutes * 60_000) })
  const headers = await as('ada')
  const put = async () => (await app.inject({ method: 'PUT', url: '/api/avatars/me', headers: { 'content-type': 'image/png', ...headers }, payload: await picture('png') })).json()
  const first = await put()
  clock.minutes = -10
  const second = await put()
  clock.minutes = -20
  await app.inject({ method: 'DELETE', url: '/api/avatars/me', headers })
  t.equal((await app.inject({ url: first.versionedUrl })).statusCode, 404, 'what was replaced before the removal')
  clock.minutes = -30
  const third = await put()
  const rows = await app.database.client.blob.findMany({ orderBy: { stateAt: 'asc' } })
  t.strictSame(rows.map(({ id }) => id), [first, second, third].map(({ version }) => version))
  clock.minutes = -40
  t.equal((await app.inject({ method: 'POST', url: `/api/avatars/me/versions/${first.version}/restore`, headers })).statusCode, 200)
  const restored = await app.database.client.blob.findUniqueOrThrow({ where: { id: first.version } })
  t.ok(restored.stateAt > (rows.at(-1)?.stateAt ?? restored.stateAt), 'since after all that was before')
})

test('only services and admins act for another user', async (t) => {
  const { app, as } = await build(t)
  const payload = await picture()
  const headers = { 'content-type': 'image/jpeg' }
  const put = async (url: string, extra: Record<string, string>) => app.inject({ method: 'PUT', url, headers: { ...headers, ...extra }, payload })
  t.match((await put('/api/avatars/ada', await as('eve'))).json(), { status: 403, code: 'OWNER_FORBIDDEN' })
  t.match((await put('/api/avatars/me', { ...await as('eve'), 'x-owner-id': 'ada' })).json(), { code: 'OWNER_FORBIDDEN' })
  t.match((await put('/api/avatars/me', {})).json(), { status: 401, code: 'TOKEN_MISSING' })
  t.equal((await put('/api/avatars/ada', await as('ada'))).statusCode, 201)
  t.match((await put('/api/avatars/ada', await as('chat', 'uploads:service'))).json(), { userId: 'ada' })
  t.match((await put('/api/avatars/me', { ...await as('root', 'uploads:admin'), 'x-owner-id': 'bob' })).json(), { userId: 'bob' })
  t.match((await put('/api/avatars/no%20one', await as('chat', 'uploads:service'))).json(), { status: 400, code: 'REQUEST_INVALID' })
  t.match((await app.inject({ method: 'DELETE', url: '/api/avatars/ada', headers: await as('eve') })).json(), { code: 'OWNER_FORBIDDEN' })
  t.equal((await app.inject({ url: '/api/avatars/ada' })).statusCode, 200)
  t.equal((await app.inject({ method: 'DELETE', url: '/api/avatars/ada', headers: await as('chat', 'uploads:service') })).statusCode, 204)
})

test('what is no picture, or too much of one, is refused and leaves nothing', async (t) => {
  const { app, as, files } = await build(t, { AVATAR_MAX_BYTES: '20000' })
  const headers = await as('ada')
  const put = async (payload: Buffer, type: string) => (await app.inject({ method: 'PUT', url: '/api/avatars/me', headers: { 'content-type': type, ...headers }, payload })).json()
  t.match(await put(Buffer.from('<svg xmlns="http://www.w3.org/2000/svg"/>'), 'image/svg+xml'), { status: 415, code: 'UPLOAD_TYPE_REJECTED' })
  t.match(await put(Buffer.from('%PDF-1.7 not a picture'), 'image/png'), { code: 'UPLOAD_TYPE_REJECTED' })
  t.match(await put((await picture('png')).subarray(0, 20), 'image/png'), { status: 422, code: 'IMAGE_INVALID' })
  t.match(await put(Buffer.alloc(20_001), 'image/png'), { status: 413, code: 'UPLOAD_TOO_LARGE' })
  const tall = await picture('png', { width: 1, height: 10_001 })
  t.match(await put(tall, 'image/png'), { status: 422, code: 'IMAGE_TOO_LARGE' })
  const fields = await multipart([['name', 'no file here']])
  t.match((await app.inject({ method: 'PUT', url: '/api/avatars/me', headers: { ...fields.headers, ...headers }, payload: fields.payload })).json(), { status: 400, code: 'UPLOAD_MISSING' })
  t.strictSame((await files()).filter((path) => !path.endsWith('heartbeat.json')), ['database.json', 'upload-gateway.json'])
})

test('addresses that can be nobody\'s answer like those of users without a picture', async (t) => {
  const { app } = await build(t)
  for (const url of ['/api/avatars/nobody', '/api/avatars/me', '/api/avatars/%00', '/api/avatars/nobody/not-a-version', '/api/avatars/nobody/019ab111-1111-7111-8111-111111111111']) {
    t.match((await app.inject({ url })).json(), { status: 404, code: 'AVATAR_NOT_FOUND' }, url)
  }
})

test('the first file of a multipart body is taken, whatever its name, and further ones are ignored', async (t) => {
  const { app, as } = await build(t)
  const [one, two] = [await picture('gif', { seed: 1 }), await picture('gif', { seed: 2 })]
  const { payload, headers } = await multipart([['x', 'y'], ['anything', { bytes: one, filename: 'a.gif' }], ['avatar', { bytes: two, filename: 'b.gif' }]])
  const set = await app.inject({ method: 'PUT', url: '/api/avatars/me', headers: { ...headers, ...await as('ada') }, payload })
  t.equal(set.statusCode, 201)
  t.ok((await app.inject({ url: '/api/avatars/ada' })).rawPayload.equals(one))
})

test('an earlier picture, replaced or deleted, can be gone back to, for as long as the trash keeps it', async (t) => {
  const { app, as } = await build(t)
  const ada = await as('ada')
  const put = async (seed: number) => (await app.inject({ method: 'PUT', url: '/api/avatars/me', headers: { 'content-type': 'image/png', ...ada }, payload: await picture('png', { seed }) })).json()
  const sent = []
  for (let seed = 0; seed < 8; seed += 1) sent.push(await put(seed))
  const list = async (headers = ada) => (await app.inject({ url: '/api/avatars/me/versions', headers })).json().versions.map(({ version, isCurrent }: { version: string, isCurrent: boolean }) => ({ version, isCurrent }))
  t.strictSame(await list(), sent.toReversed().slice(0, 6).map(({ version }, index) => ({ version, isCurrent: index === 0 })))

  const restore = (version: string, headers = ada) => app.inject({ method: 'POST', url: `/api/avatars/me/versions/${version}/restore`, headers })
  t.match((await restore(sent[5].version, await as('bob'))).json(), { status: 404, code: 'AVATAR_NOT_FOUND' })
  t.equal((await restore('nonsense')).statusCode, 404)
  t.match((await restore(sent[5].version)).json(), { version: sent[5].version, sha256: sent[5].sha256, width: 40, height: 30 })
  t.ok((await app.inject({ url: '/api/avatars/ada' })).rawPayload.equals(await picture('png', { seed: 5 })))
  t.strictSame((await list()).slice(0, 2), [{ version: sent[5].version, isCurrent: true }, { version: sent[7].version, isCurrent: false }])

  await app.inject({ method: 'DELETE', url: '/api/avatars/me', headers: ada })
  t.strictSame((await list())[0], { version: sent[5].version, isCurrent: false })
  t.equal((await restore(sent[5].version)).statusCode, 200)
  t.equal((await restore(sent[5].version)).statusCode, 200, 'again changes nothing')
  t.ok((await app.inject({ url: '/api/avatars/ada' })).rawPayload.equals(await picture('png', { seed: 5 })))
  t.match(await app.storage.store.readSidecar({ kind: 'avatar', id: sent[5].version, extension: 'png' }), { state: 'live' })
  t.strictSame(await list(await as('bob')), [])
})

test('who chooses the picture that an import brought keeps it, whatever the source has later', async (t) => {
  const { app, as, importing } = await home(t)
  const [old, changed] = [await picture('png', { seed: 1 }), await picture('png', { seed: 2 })]
  const users = ['ada', 'bob', 'eve']
  await importing(users.map((user) => avatar(user, old)))
  const blobOf = async (user: string) => (await app.database.client.avatar.findUniqueOrThrow({ where: { userId: user }, include: { blob: true } })).blob
  const choices = [
    async () => app.inject({ method: 'PATCH', url: '/api/users/me/avatar', headers: await as('ada'), payload: { avatar: '/i/ada.png' } }),
    async () => app.inject({ method: 'POST', url: `/api/avatars/me/versions/${(await blobOf('bob')).id}/restore`, headers: await as('bob') }),
  ]
  const commits = async () => (await app.database.client.owner.findMany()).reduce((sum, owner) => sum + owner.commits, 0)
  const before = await commits()
  for (const choose of choices) t.equal((await choose()).statusCode, 200)
  t.equal(await commits(), before + 2, 'an import that was asked what to do before it comes to nothing')
  for (const user of ['ada', 'bob']) {
    const { id, state, stateAt, createdAt, revision } = await blobOf(user)
    t.ok(stateAt > createdAt)
    t.match(await app.storage.store.readSidecar({ kind: 'avatar', id: id as never, extension: 'png' }), { state, stateAt: stateAt.toISOString(), revision, aliases: [`/i/${user}.png`] }, 'a rebuild knows it too')
  }
  const chosen = await blobOf('ada')
  for (const choose of choices) t.equal((await choose()).statusCode, 200)
  t.strictSame(await blobOf('ada'), chosen, 'again changes nothing')

  t.match(await importing(users.map((user) => avatar(user, changed))), { outcomes: { kept: { files: 2 }, changed: { files: 1 } } })
  const shown = (bytes: Buffer) => Promise.all(users.map(async (user) => (await app.inject({ url: `/api/avatars/${user}` })).rawPayload.equals(bytes)))
  t.strictSame([await shown(old), await shown(changed)], [[true, true, false], [false, false, true]])
})

test('a restore that another picture follows at once was one all the same', async (t) => {
  const { app, as } = await build(t)
  const ada = await as('ada')
  const put = async (seed: number) => (await app.inject({ method: 'PUT', url: '/api/avatars/me', headers: { 'content-type': 'image/png', ...ada }, payload: await picture('png', { seed }) })).json()
  const { version } = await put(1)
  await put(2)
  const { store } = app.storage
  const writeSidecar = store.writeSidecar
  store.writeSidecar = async (sidecar) => {
    if (sidecar.id !== version) {
      store.writeSidecar = writeSidecar
      await put(3)
    }
    return writeSidecar(sidecar)
  }
  t.match((await app.inject({ method: 'POST', url: `/api/avatars/me/versions/${version}/restore`, headers: ada })).json(), { version })
  t.not((await app.inject({ url: '/api/avatars/me/versions', headers: ada })).json().versions[0].version, version)
})

test('a restore whose sidecar could not be written is not acknowledged, and is finished by asking again', async (t) => {
  const { app, as } = await build(t)
  const ada = await as('ada')
  const put = async (seed: number) => (await app.inject({ method: 'PUT', url: '/api/avatars/me', headers: { 'content-type': 'image/png', ...ada }, payload: await picture('png', { seed }) })).json()
  const { version } = await put(1)
  await put(2)
  const restore = async () => (await app.inject({ method: 'POST', url: `/api/avatars/me/versions/${version}/restore`, headers: ada })).statusCode
  const { store } = app.storage
  const writeSidecar = store.writeSidecar
  store.writeSidecar = async () => { throw new StorageUnavailable() }
  t.equal(await restore(), 503)
  t.equal(await restore(), 503)
  store.writeSidecar = writeSidecar
  t.equal(await restore(), 200)
  t.match(await store.readSidecar({ kind: 'avatar', id: version, extension: 'png' }), { state: 'live' })
})

test('everything is there after a restart', async (t) => {
  const first = await build(t)
  const bytes = await picture('avif')
  await first.app.inject({ method: 'PUT', url: '/api/avatars/me', headers: { 'content-type': 'image/avif', ...await first.as('ada') }, payload: bytes })
  await first.app.close()
  const second = await build(t, { UPLOADS_DIR: first.folder })
  t.ok((await second.app.inject({ url: '/api/avatars/ada' })).rawPayload.equals(bytes))
})
