import { test } from 'tap'
import { silent } from '../../src/operations/progress.ts'
import { listTrash, restoreTrash, whyNotTrash } from '../../src/operations/trash.ts'
import { sidecarFor } from '../storage/fixtures/volume.ts'
import { usedGateway } from './fixtures/used-gateway.ts'

const day = 86_400_000

test('the list says what it is, whose, since when, and until when it is kept', async (t) => {
  const { app, working, post, drop, put } = await usedGateway(t)
  const { id } = await post('ada')
  const { blobId } = await app.database.client.attachment.findUniqueOrThrow({ where: { id } })
  await drop('ada', id)
  const first = await put('bob', 1)
  await put('bob', 2)
  const { count, bytes, items } = await working((place) => listTrash(place, { filter: {}, limit: 10, retentionMs: 30 * day }))
  t.equal(count, 2)
  t.equal(bytes, items.reduce((sum, item) => sum + item.bytes, 0))
  t.match(items, [
    { id: first, blobId: first, kind: 'avatar', ownerId: 'bob', state: 'superseded', filename: null },
    { id, blobId, kind: 'attachment', ownerId: 'ada', state: 'deleted', filename: 'notes.txt', bytes: 5 },
  ])
  for (const { stateAt, keptUntil } of items) t.equal(new Date(keptUntil).getTime() - new Date(stateAt).getTime(), 30 * day)
  t.match(await working((place) => listTrash(place, { filter: { ownerId: 'bob', kind: 'attachment' }, limit: 10, retentionMs: 0 })), { count: 0, bytes: 0, items: { length: 0 } })
  t.match(await working((place) => listTrash(place, { filter: {}, limit: 1, retentionMs: 0 })), { count: 2, items: { length: 1 } })
})

test('an attachment comes back under its id and URL, named by that id or its blob\'s', async (t) => {
  const { app, working, post, drop, statusOf } = await usedGateway(t)
  const [one, two] = [await post('ada', 'one'), await post('ada', 'two')]
  await drop('ada', one.id)
  await drop('ada', two.id)
  t.equal(await statusOf('ada', one.url), 404)
  const { blobId } = await app.database.client.attachment.findUniqueOrThrow({ where: { id: two.id } })
  t.strictSame(await working((place) => restoreTrash(place, [one.id, blobId], { retentionMs: 30 * day, progress: silent })), {
    restored: [one, two].map(({ id, url }) => ({ id, kind: 'attachment', ownerId: 'ada', as: 'attachment', url })),
    left: [],
  })
  t.strictSame([await statusOf('ada', one.url), await statusOf('ada', two.url)], [200, 200])
  t.equal(await app.database.client.blob.count({ where: { sidecarDueAt: { not: null } } }), 0)
})

test('a picture becomes its user\'s again when they have none', async (t) => {
  const { working, put, removeAvatar, statusOf } = await usedGateway(t)
  const version = await put('ada', 1)
  await removeAvatar('ada')
  t.match(await working((place) => restoreTrash(place, [version], { retentionMs: 30 * day, progress: silent })), { restored: [{ id: version, as: 'current picture', url: `/api/avatars/ada/${version}` }] })
  t.equal(await statusOf('ada', '/api/avatars/ada'), 200)
})

test('a picture of a user who has another now comes back as an earlier one, unless it is to be the current one', async (t) => {
  const { app, working, put, removeAvatar, statusOf } = await usedGateway(t)
  const [deleted, superseded] = [await put('ada', 1), await put('ada', 2)]
  await removeAvatar('ada')
  const current = await put('ada', 3)
  t.equal(await statusOf('ada', `/api/avatars/ada/${deleted}`), 404, 'who removes their picture means all of them')
  const before = await app.database.client.blob.findUniqueOrThrow({ where: { id: deleted } })
  t.match(await working((place) => restoreTrash(place, [deleted, superseded], { retentionMs: 30 * day, progress: silent })), { restored: [{ as: 'earlier picture' }, { as: 'earlier picture' }], left: { length: 0 } })
  t.equal(await statusOf('ada', `/api/avatars/ada/${deleted}`), 200)
  t.match(await app.database.client.blob.findUnique({ where: { id: deleted } }), { state: 'superseded', revision: before.revision + 1, sidecarDueAt: null }, 'and is kept anew from now on')
  t.match(await app.database.client.avatar.findMany(), [{ userId: 'ada', blobId: current }])

  t.match(await working((place) => restoreTrash(place, [deleted], { isCurrent: true, retentionMs: 30 * day, progress: silent })), { restored: [{ as: 'current picture' }] })
  t.match(await app.database.client.avatar.findMany(), [{ userId: 'ada', blobId: deleted }])
  t.match(await app.database.client.blob.findUnique({ where: { id: current } }), { state: 'superseded' })
})

test('a picture that is an earlier one already is left alone, and keeps its time', async (t) => {
  const { app, working, put, removeAvatar } = await usedGateway(t)
  const { client } = app.database
  const versions = [await put('ada', 1), await put('ada', 2)]
  const [earlier = ''] = versions
  const { stateAt } = await client.blob.findUniqueOrThrow({ where: { id: earlier } })
  const until = new Date(stateAt.getTime() + 30 * day).toISOString().slice(0, 16).replace('T', ' ')
  const left = [{ id: earlier, reason: `It is an earlier picture of ada already, kept until ${until} UTC; --current makes it the current one.` }]
  t.strictSame(await working((place) => restoreTrash(place, [earlier], { retentionMs: 30 * day, progress: silent })), { restored: [], left })
  t.match(await client.blob.findUnique({ where: { id: earlier } }), { state: 'superseded', stateAt, revision: 2 })

  await removeAvatar('ada')
  await put('ada', 3)
  const failing = working((place) => restoreTrash({ ...place, settling: { ...place.settling, settle: () => Promise.reject(new Error('no space')) } }, [earlier], { retentionMs: 30 * day, progress: silent }))
  await t.rejects(failing, { message: 'no space' })
  t.match(await client.blob.findUnique({ where: { id: earlier } }), { state: 'superseded', sidecarDueAt: Date })
  t.match(await working((place) => restoreTrash(place, [earlier], { retentionMs: 30 * day, progress: silent })), { restored: { length: 0 }, left: [{ id: earlier }] }, 'it was back before')
  t.match(await client.blob.findUnique({ where: { id: earlier } }), { sidecarDueAt: null }, 'and asking again finishes it')
})

test('what is not in the trash is left alone, with the reason, and keeps no other', async (t) => {
  const { app, working, post, drop } = await usedGateway(t)
  const [live, purging, deleted] = [await post('ada'), await post('ada'), await post('ada')]
  await drop('ada', purging.id)
  await drop('ada', deleted.id)
  await app.database.client.blob.updateMany({ where: { attachment: { id: purging.id } }, data: { state: 'purging' } })
  const steps: unknown[] = []
  const progress = { step: (...said: unknown[]) => { steps.push(said) }, advance: () => { steps.push('one') }, say () {} }
  t.match(await working((place) => restoreTrash(place, [live.id, 'nonsense', purging.id, deleted.id], { retentionMs: 30 * day, progress })), {
    restored: [{ id: deleted.id }],
    left: [{ id: live.id, reason: /it is live/ }, { id: 'nonsense', reason: /no file with this id/ }, { id: purging.id, reason: /removed for good/ }],
  })
  t.strictSame(steps, [['Restoring', 4], 'one', 'one', 'one', 'one'])
})

test('one that is purged between the look and the restore is told, and nothing is half back', async (t) => {
  const { app, working, post, drop, put, removeAvatar } = await usedGateway(t)
  const { client } = app.database
  const { id } = await post('ada')
  await drop('ada', id)
  const version = await put('ada', 1)
  await removeAvatar('ada')
  const report = await working((place) => {
    // As if the row had been read before the purge began.
    const racing = new Proxy(place.client, {
      get: (target, name) => name === 'blob'
        ? new Proxy(target.blob, {
          get: (blob, method) => {
            const does = Reflect.get(blob, method)
            if (method !== 'findUnique' && method !== 'findFirst') return does
            return async (query: { include?: unknown }) => {
              const row = await (does as (query: unknown) => Promise<{ state: string } | null>).call(blob, query)
              if (query.include !== undefined && row !== null) await client.blob.updateMany({ where: { state: 'deleted' }, data: { state: 'purging' } })
              return row
            }
          },
        })
        : Reflect.get(target, name),
    }) as typeof place.client
    return restoreTrash({ ...place, client: racing }, [id], { retentionMs: 30 * day, progress: silent })
  })
  t.match(report, { restored: { length: 0 }, left: [{ id, reason: /purged or changed/ }] })
  t.match(await client.blob.findUnique({ where: { id: version } }), { state: 'purging' })
})

test('a volume that does not take the sidecar ends it with that error', async (t) => {
  const { working, post, drop } = await usedGateway(t)
  const { id } = await post('ada')
  await drop('ada', id)
  await t.rejects(working((place) => {
    const failing = { ...place, settling: { ...place.settling, settle: () => Promise.reject(new Error('no space')) } }
    return restoreTrash(failing, [id], { retentionMs: 30 * day, progress: silent })
  }), { message: 'no space' })
})

test('a picture whose owner can be no user is a fault, not a restore', async (t) => {
  const { app, working, put, removeAvatar } = await usedGateway(t)
  const version = await put('ada', 1)
  await removeAvatar('ada')
  await app.database.client.blob.update({ where: { id: version }, data: { ownerId: 'me' } })
  await t.rejects(working((place) => restoreTrash(place, [version], { retentionMs: 30 * day, progress: silent })), /can be no user/)
})

test('why something is not in the trash', (t) => {
  const named = (state: Parameters<typeof whyNotTrash>[0] extends infer N ? N extends { state: infer S } ? S : never : never) => whyNotTrash({ state, sidecar: sidecarFor('') })
  t.strictSame([named('deleted'), named('superseded')], [undefined, undefined])
  t.match([named('live'), named('pending'), named('purging'), named('swept'), whyNotTrash(undefined)], [/live/, /claimed/, /removed/, /no file/, /no file/])
  t.end()
})
