import t from 'tap'
import { createKnown } from '../../src/records/known.ts'
import { newBlobId } from '../../src/storage/ids.ts'
import { sidecarFor } from '../storage/fixtures/volume.ts'
import { databaseFor, keep } from './fixtures/database.ts'

t.test('a blob is found by its id, its attachment, its content and its old URL', async (t) => {
  const { client } = await databaseFor(t)
  const known = createKnown(client)
  const sidecar = sidecarFor('x', { kind: 'attachment', recordId: newBlobId(), filename: 'a', visibility: 'private', aliases: ['/uploads/a'] })
  await keep(client, sidecar)
  const found = [{ sidecar, state: 'live', isSidecarDue: false, isCurrentAvatar: false }]
  t.strictSame(await known.byId(sidecar.id), found)
  t.strictSame(await known.byId(sidecar.recordId ?? ''), found)
  t.strictSame(await known.bySha256(sidecar.sha256), found)
  t.strictSame(await known.byAlias('/uploads/a'), found)
  t.strictSame(await known.byAlias('/uploads/b'), [])
  for (let index = 0; index < 30; index += 1) await keep(client, sidecarFor('x'))
  t.equal((await known.bySha256(sidecar.sha256)).length, 20, 'not more than anyone reads')
})

t.test('an owner is known by their uploads', async (t) => {
  const { client } = await databaseFor(t)
  const known = createKnown(client)
  t.strictSame(await known.owner('ada'), { currentAvatar: null, deletedAvatar: null, uploads: 0 })
  const [live, gone, earlier] = [sidecarFor('x'), sidecarFor('x', { state: 'deleted', stateAt: '2026-11-22T10:00:00.000Z' }), sidecarFor('x', { state: 'deleted', stateAt: '2026-11-21T10:00:00.000Z' })]
  for (const sidecar of [gone, earlier, live]) await keep(client, sidecar)
  await client.avatar.create({ data: { userId: 'ada', blobId: live.id } })
  await client.blob.update({ where: { id: live.id }, data: { sidecarDueAt: new Date() } })
  t.strictSame(await known.owner('ada'), { currentAvatar: live.id, deletedAvatar: { id: gone.id, at: gone.stateAt }, uploads: 3 })
  t.match(await known.byId(live.id), [{ isCurrentAvatar: true, isSidecarDue: true }])
})
