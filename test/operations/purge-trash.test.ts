import { existsSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { test } from 'tap'
import { silent } from '../../src/operations/progress.ts'
import { purgeTrash } from '../../src/operations/purge-trash.ts'
import type { BlobId } from '../../src/storage/ids.ts'
import { blobPath, sidecarPath } from '../../src/storage/volume/layout.ts'
import { usedGateway } from './fixtures/used-gateway.ts'

const yes = { confirm: async () => true, progress: silent }

async function setUp (t: Parameters<typeof usedGateway>[0]) {
  const used = await usedGateway(t)
  const { client } = used.app.database
  const addressOf = async (id: string) => {
    const blob = await client.blob.findFirstOrThrow({ where: { OR: [{ id }, { attachment: { id } }] } })
    return { kind: blob.kind as 'avatar' | 'attachment', id: blob.id as BlobId, extension: blob.extension }
  }
  const dropped = async (user: string, bytes = 'hello') => {
    const { id } = await used.post(user, bytes)
    await used.drop(user, id)
    return id
  }
  return { ...used, client, addressOf, dropped }
}

test('all of the trash goes for good, and nothing else', async (t) => {
  const { folder, files, client, working, post, put, dropped, addressOf, statusOf } = await setUp(t)
  const live = await post('ada')
  const current = (await put('ada', 1), await put('ada', 2))
  const gone = await addressOf(await dropped('ada', 'hello world'))
  await dropped('bob')
  const asked: unknown[] = []
  const confirm = async (total: { count: number, bytes: number }) => { asked.push(total); return true }
  const advanced: number[] = []
  const progress = { ...silent, advance: (count = 1) => { advanced.push(count) } }
  const report = await working((place) => purgeTrash(place, { filter: {} }, { confirm, progress }))
  t.strictSame(asked, [{ count: 3, bytes: report.bytes }])
  t.match(report, { purged: 3, left: { length: 0 } })
  t.strictSame(advanced, [3])
  t.notOk(existsSync(blobPath(folder, gone)) || existsSync(sidecarPath(folder, gone)))
  t.strictSame([await statusOf('ada', live.url), await statusOf('ada', '/api/avatars/ada')], [200, 200])
  t.strictSame((await client.blob.findMany()).map(({ state }) => state), ['live', 'live'])
  t.equal((await files()).filter((path) => path.startsWith('a')).length, 4)
  t.equal(await client.tombstone.count(), 0, 'ada has a picture, and nothing that was purged had an old path')
  t.ok(current)
})

test('of one owner, of the oldest, or what is named; what went to the trash after the question stays', async (t) => {
  const { client, working, dropped, put } = await setUp(t)
  const [ada, bob, old] = [await dropped('ada'), await dropped('bob'), await dropped('eve')]
  await client.blob.updateMany({ where: { ownerId: 'eve' }, data: { stateAt: new Date(0) } })
  t.match(await working((place) => purgeTrash(place, { filter: { before: new Date(1) } }, yes)), { purged: 1 })
  t.equal(await client.attachment.count({ where: { id: old } }), 0)
  t.match(await working((place) => purgeTrash(place, { filter: { ownerId: 'bob' } }, yes)), { purged: 1, bytes: 5 })
  t.strictSame((await client.attachment.findMany()).map(({ id }) => id), [ada])
  const version = await put('ada', 1)
  await put('ada', 2)
  t.match(await working((place) => purgeTrash(place, { ids: [ada, version, version] }, yes)), { purged: 2, left: { length: 0 } })
  t.notOk(bob === ada)

  const confirm = async () => {
    await new Promise((resolve) => { setTimeout(resolve, 2) })
    await dropped('ada')
    return true
  }
  await dropped('ada')
  await new Promise((resolve) => { setTimeout(resolve, 2) })
  t.match(await working((place) => purgeTrash(place, { filter: {} }, { ...yes, confirm })), { purged: 1 })
  t.equal(await client.blob.count({ where: { state: 'deleted' } }), 1)
})

test('what its user removed stays removed when the picture they removed last is purged, also after a kill and a rebuild, and can be gone back to', async (t) => {
  const { app, client, working, put, removeAvatar, statusOf, addressOf, as } = await setUp(t)
  const [first, second] = [await put('ada', 1), await put('ada', 2)]
  const path = '/i/p/2024/01/avatar_1.png'
  await client.alias.create({ data: { path, blobId: first } })
  await removeAvatar('ada')
  const third = await put('ada', 3)
  const shown = async () => [await statusOf('ada', `/api/avatars/ada/${first}`), await statusOf('ada', path), await statusOf('ada', `/api/avatars/ada/${third}`)]
  t.strictSame(await shown(), [404, 404, 200])

  const killed = working((place) => purgeTrash({ ...place, ledger: { ...place.ledger, settleHidden: () => Promise.reject(new Error('killed')) } }, { ids: [second] }, yes))
  t.match(await killed, { purged: 0, left: [{ id: second, reason: 'killed' }] })
  t.strictSame(await shown(), [404, 404, 200], 'before its files went')
  t.match(await app.storage.store.readSidecar(await addressOf(second)), { state: 'deleted' }, 'which a rebuild would see')
  t.match(await app.storage.store.readSidecar(await addressOf(first)), { state: 'superseded', revision: 2 })

  t.match(await working((place) => purgeTrash(place, { ids: [second] }, yes)), { finished: 1, left: { length: 0 } })
  t.equal(await client.blob.count({ where: { id: second } }), 0)
  t.strictSame(await shown(), [404, 404, 200])
  t.match(await app.storage.store.readSidecar(await addressOf(first)), { state: 'deleted', revision: 3, aliases: [path] })
  const headers = await as('ada')
  t.match((await app.inject({ url: '/api/avatars/me/versions', headers })).json(), { versions: [{ version: third, isCurrent: true }, { version: first, isCurrent: false }] })
  t.equal((await app.inject({ method: 'POST', url: `/api/avatars/me/versions/${first}/restore`, headers })).statusCode, 200)
  t.strictSame(await shown(), [200, 200, 200])
})

test('what was replaced and what was deleted go together, in whatever order they are named', async (t) => {
  const { client, working, put, removeAvatar } = await setUp(t)
  const [first, second] = [await put('ada', 1), await put('ada', 2)]
  await removeAvatar('ada')
  t.match(await working((place) => purgeTrash(place, { ids: [second, first] }, yes)), { purged: 2, left: { length: 0 } })
  t.equal(await client.blob.count(), 0)
})

test('a live file is never purged by naming it', async (t) => {
  const { client, working, post, put, statusOf } = await setUp(t)
  const live = await post('ada')
  const version = await put('ada', 1)
  const { blobId } = await client.attachment.findFirstOrThrow()
  const report = await working((place) => purgeTrash(place, { ids: [live.id, blobId, version, 'nonsense'] }, { ...yes, confirm: () => t.fail('nothing to ask') as never }))
  t.match(report, { purged: 0, bytes: 0, left: [{ id: live.id, reason: /it is live/ }, { id: blobId }, { id: version }, { id: 'nonsense', reason: /no file/ }] })
  t.strictSame([await statusOf('ada', live.url), await statusOf('ada', '/api/avatars/ada')], [200, 200])
})

test('nothing goes unless it is confirmed', async (t) => {
  const { client, working, dropped } = await setUp(t)
  const id = await dropped('ada')
  await t.rejects(working((place) => purgeTrash(place, { ids: [id] }, { ...yes, confirm: async () => false })), { name: 'Refusal', message: 'Nothing was removed.' })
  t.match(await client.blob.findFirst(), { state: 'deleted' })
})

test('a sidecar that lags behind its row, or is damaged, is written anew, and then the blob goes', async (t) => {
  const { app, folder, working, dropped, addressOf, client } = await setUp(t)
  const [lagging, damaged] = [await addressOf(await dropped('ada')), await addressOf(await dropped('ada'))]
  const { store } = app.storage
  const sidecar = await store.readSidecar(lagging)
  if (sidecar === undefined) throw new Error('there is a sidecar')
  await store.writeSidecar({ ...sidecar, state: 'live', revision: 1 })
  await writeFile(sidecarPath(folder, damaged), 'damaged')
  t.match(await working((place) => purgeTrash(place, { filter: {} }, yes)), { purged: 2, left: { length: 0 } })
  t.equal(await client.blob.count(), 0)
})

test('a sidecar that says live, and is newer than its row, keeps its blob: the database is older than the volume', async (t) => {
  const { app, folder, working, dropped, addressOf, client } = await setUp(t)
  const [id, other] = [await dropped('ada'), await dropped('ada')]
  const address = await addressOf(id)
  const { store } = app.storage
  const sidecar = await store.readSidecar(address)
  if (sidecar === undefined) throw new Error('there is a sidecar')
  const newer = { ...sidecar, state: 'live' as const, revision: 9 }
  await store.writeSidecar(newer)
  const report = await working((place) => purgeTrash(place, { ids: [id, other] }, yes))
  t.match(report, { purged: 1, left: [{ id, reason: /newer than its record.*older than the volume/ }] })
  t.ok(existsSync(blobPath(folder, address)))
  t.strictSame(await store.readSidecar(address), newer, 'and is not written over')
  t.match(await client.blob.findUnique({ where: { id: address.id } }), { state: 'deleted' })
})

test('one that is restored while the purge is at it stays whole', async (t) => {
  const { app, working, dropped, addressOf, as, statusOf } = await setUp(t)
  const [id, other] = [await dropped('ada'), await dropped('ada')]
  const admin = await as('root', 'uploads:admin')
  const restore = async () => (await app.inject({ method: 'POST', url: `/api/attachments/${id}/restore`, headers: admin })).statusCode
  const report = await working((place) => purgeTrash(place, { ids: [id, other] }, { ...yes, confirm: async () => await restore() === 200 }))
  t.match(report, { purged: 1, left: [{ id, reason: /restored meanwhile/ }] })
  t.equal(await statusOf('ada', `/api/attachments/${id}/content`), 200)
  t.match(await app.storage.store.readSidecar(await addressOf(id)), { state: 'live' })
})

test('one that cannot be removed is told, keeps no other, and goes the next time', async (t) => {
  const { working, dropped, addressOf, client } = await setUp(t)
  const [id, other] = [await dropped('ada'), await dropped('ada')]
  const stuck = await addressOf(id)
  const report = await working((place) => {
    const { store } = place.storage
    const remove: typeof store.remove = (address) => address.id === stuck.id ? Promise.reject(new Error(`no way to remove ${stuck.id}`)) : store.remove(address)
    return purgeTrash({ ...place, storage: { ...place.storage, store: { ...store, remove } } }, { ids: [id, other] }, yes)
  })
  t.match(report, { purged: 1, left: [{ id, reason: /no way to remove/ }] })
  t.match(await client.blob.findMany(), [{ id: stuck.id, state: 'purging' }])
  const confirm = () => t.fail('it was confirmed when it was begun') as never
  t.match(await working((place) => purgeTrash({ ...place, storage: { ...place.storage, store: { ...place.storage.store, remove: () => Promise.reject(new Error('still no way')) } } }, { filter: {} }, { ...yes, confirm })), { purged: 0, finished: 0, left: [{ id: stuck.id, reason: /being removed for good, which failed: still no way/ }] })
  t.match(await working((place) => purgeTrash(place, { ids: [id] }, { ...yes, confirm })), { purged: 0, finished: 1, left: { length: 0 } })
  t.equal(await client.blob.count(), 0)
})

test('a database that is gone ends it', async (t) => {
  const { working, dropped } = await setUp(t)
  await dropped('ada')
  await t.rejects(working((place) => purgeTrash({ ...place, ledger: { ...place.ledger, purging: () => Promise.reject(Object.assign(new Error('no database'), { code: 'DATABASE_UNAVAILABLE' })) } }, { filter: {} }, yes)), { code: 'DATABASE_UNAVAILABLE' })
})

test('two purges at once remove everything once, and neither fails', async (t) => {
  const { working, dropped, client, files } = await setUp(t)
  for (let n = 0; n < 12; n += 1) await dropped('ada')
  const reports = await Promise.all([1, 2].map(() => working((place) => purgeTrash(place, { filter: {} }, yes))))
  for (const { left } of reports) t.strictSame(left, [])
  t.equal(await client.blob.count(), 0)
  t.strictSame((await files()).filter((path) => path.startsWith('attachments')), [])
})
