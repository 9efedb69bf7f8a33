import { test } from 'tap'
import { build } from '../helper.ts'

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
  await app.storage.store.publish(staged, { ...said, id: id as never, version: 1, size, stateAt: at.toISOString(), createdAt: at.toISOString(), recordId: null, filename: null, visibility: null, contextType: null, contextId: null, alt: null, aliases: ['/uploads/avatars/x.gif'], epoch: 0, source: null, sourceSha256: null })
  await app.database.client.blob.create({ data: { ...said, size: BigInt(size), stateAt: at, createdAt: at, aliases: { create: { path: '/uploads/avatars/x.gif' } } } })
  for (const url of ['/uploads/avatars/x.gif', '/api/uploads/avatars/x.gif']) t.ok((await app.inject({ url })).rawPayload.equals(bytes), url)
})
