import { request } from 'node:http'
import type { AddressInfo } from 'node:net'
import { text } from 'node:stream/consumers'
import { test } from 'tap'
import { attachment, home } from '../operations/import/fixtures/import.ts'
import { build } from '../helper.ts'
import { unseen } from '../../src/storage/sidecar.ts'

test('an old path that nothing is behind answers 404', async (t) => {
  const { app } = await build(t)
  for (const url of ['/i/p/2026/11/avatar_1_x.png', '/i/', '/uploads/a/b.pdf', '/uploads/avatars/x.png', '/api/uploads/avatars/x.png', '/i/..%2f..%2fetc%2fpasswd', '/i/%00']) {
    t.match((await app.inject({ url })).json(), { status: 404, code: 'FILE_NOT_FOUND' }, url)
  }
})

test('System R\'s path with one /api too many is the path without it', async (t) => {
  const { app } = await build(t)
  const bytes = Buffer.from('GIF89a')
  const at = new Date()
  const id = '019ab111-1111-7111-8111-111111111111'
  const staged = await app.storage.store.stage()
  await staged.write(bytes)
  const { size, sha256 } = await staged.finish()
  const said = { id, kind: 'avatar', extension: 'gif', state: 'live', ownerId: 'ada', creatorId: null, contentType: 'image/gif', sha256, width: 1, height: 1, revision: 1 } as const
  await app.storage.store.publish(staged, { ...said, id: id as never, version: 1, size, stateAt: at.toISOString(), createdAt: at.toISOString(), recordId: null, filename: null, visibility: null, contextType: null, contextId: null, alt: null, aliases: ['/uploads/avatars/x.gif'], epoch: 0, source: null, sourceSha256: null, ...unseen })
  await app.database.client.blob.create({ data: { ...said, size: BigInt(size), stateAt: at, createdAt: at, aliases: { create: { path: '/uploads/avatars/x.gif' } } } })
  for (const url of ['/uploads/avatars/x.gif', '/api/uploads/avatars/x.gif']) t.ok((await app.inject({ url })).rawPayload.equals(bytes), url)
})

test('a private attachment answers under its old path to its owner and to services; what is open needs no token that holds', async (t) => {
  const { app, as, importing } = await home(t)
  await importing([attachment('/uploads/private', Buffer.from('mine'), { ownerId: 'ada', visibility: 'private' }), attachment('/uploads/public', Buffer.from('ours'), { ownerId: 'ada' })])
  const stale = { authorization: 'Bearer stale' }
  t.match(await app.inject({ url: '/uploads/public', headers: stale }), { statusCode: 200, payload: 'ours', headers: { 'cache-control': 'public, no-cache' } })
  for (const headers of [await as('ada'), await as('billing', 'uploads:service')]) t.match(await app.inject({ url: '/uploads/private', headers }), { statusCode: 200, payload: 'mine', headers: { 'cache-control': 'private, no-cache' } })
  for (const url of ['/uploads/private', '/uploads/none']) {
    t.match((await app.inject({ url })).json(), { status: 404, code: 'FILE_NOT_FOUND' }, url)
    t.match((await app.inject({ url, headers: await as('eve') })).json(), { status: 404, code: 'FILE_NOT_FOUND' }, url)
    t.match((await app.inject({ url, headers: stale })).json(), { status: 401, code: 'TOKEN_INVALID' }, url)
  }
})

test('an attachment under /i is nobody\'s avatar', async (t) => {
  const { app, as, importing } = await home(t)
  await importing([attachment('/i/logo.png', Buffer.from('mine'), { ownerId: 'ada', visibility: 'private' })])
  t.equal((await app.inject({ url: '/i/logo.png' })).statusCode, 404, 'nor shown as one')
  t.match((await app.inject({ method: 'PATCH', url: '/api/users/me/avatar', headers: await as('ada'), payload: { avatar: '/i/logo.png' } })).json(), { code: 'AVATAR_URL_REJECTED' })
})

test('over the wire, a path is what its percent-encoding says, whatever is in it', async (t) => {
  const { app, importing } = await home(t)
  const names = ['a b', 'ü', 'u\u0308', '100%', '%41', 'A', 'a#b', 'a?b', 'a\\b', 'a+b', 'a;b', 'new\nline', '.hidden', '..x', 'x'.repeat(2000), 'a%2Fb', '\u0001', '"', '😀']
  await importing(names.map((name) => attachment(`/uploads/odd/${name}`, Buffer.from(`the file ${name}`))))
  await app.listen({ port: 0 })
  const { port } = app.server.address() as AddressInfo
  const get = async (path: string) => {
    const answer = Promise.withResolvers<string>()
    request({ port, path }, (response) => { text(response).then(answer.resolve, answer.reject) }).on('error', answer.reject).end()
    return answer.promise
  }
  for (const name of names) t.equal(await get(`/uploads/odd/${encodeURIComponent(name)}`), `the file ${name}`, JSON.stringify(name.slice(0, 20)))
})
