import { test } from 'tap'
import { OwnerErased, StorageUnavailable, UploadConflict } from '../../../src/errors.ts'
import { picture } from '../../helper.ts'
import { attachment, avatar, home, type Home } from './fixtures/import.ts'

const blobs = ({ files }: Home) => files().then((all) => all.filter((path) => path.startsWith('a')))

test('what is read back with other bytes is not kept', async (t) => {
  const gateway = await home(t)
  const { tools } = gateway
  const read = async () => (await import('node:stream')).Readable.from([Buffer.from('rotten')])
  const report = await gateway.importing([attachment('/uploads/a', Buffer.from('fresh'))], { tools: { store: { ...tools.store, read } } })
  t.match(report.listed, [{ outcome: 'refused', code: 'read-back', reason: /read back/ }])
  t.strictSame(await blobs(gateway), [])
})

test('who is erased while it goes on keeps nothing of it', async (t) => {
  const gateway = await home(t)
  const { tools } = gateway
  const place = async () => { throw new OwnerErased() }
  const report = await gateway.importing([attachment('/uploads/a', Buffer.from('a'))], { tools: { records: { ...tools.records, place } } })
  t.match(report.listed, [{ outcome: 'kept', code: 'erased' }])
  t.strictSame(await blobs(gateway), [])
})

test('a commit that stays unknown leaves the blob to the sweep', async (t) => {
  const gateway = await home(t)
  const { tools } = gateway
  const place = async () => { throw new StorageUnavailable() }
  await t.rejects(gateway.importing([attachment('/uploads/a', Buffer.from('a'))], { tools: { records: { ...tools.records, place } } }), { code: 'STORAGE_UNAVAILABLE' })
  t.equal((await blobs(gateway)).length, 2)
})

test('when something comes between, the rules are asked again', async (t) => {
  const gateway = await home(t)
  const { app, as, tools } = gateway
  const [own, older, old] = [await picture('png', { seed: 1 }), await picture('png', { seed: 2 }), await picture('png', { seed: 3 })]
  let isFirst = true
  const before = (work: () => Promise<unknown>) => ({
    records: {
      ...tools.records,
      place: async (...args: Parameters<typeof tools.records.place>) => {
        if (isFirst) await work()
        isFirst = false
        return tools.records.place(...args)
      },
    },
  })
  const put = async () => app.inject({ method: 'PUT', url: '/api/avatars/me', headers: { ...await as('ada'), 'content-type': 'image/png' }, payload: own })
  t.match((await gateway.importing([avatar('ada', old, { paths: [], notes: ['odd'] })], { tools: before(put) })), { listed: [{ outcome: 'kept', code: 'own-picture' }], withNotes: 1 })
  t.ok((await app.inject({ url: '/api/avatars/ada' })).rawPayload.equals(own))
  t.equal((await blobs(gateway)).length, 2)

  isFirst = true
  t.match(await gateway.importing([avatar('ada', old)], { tools: before(put) }), { outcomes: { imported: { files: 1 } }, withNotes: 1 })
  t.ok((await app.inject({ url: '/api/avatars/ada' })).rawPayload.equals(own))
  t.ok((await app.inject({ url: '/i/ada.png' })).rawPayload.equals(old))

  isFirst = true
  const other = () => gateway.importing([avatar('bob', old, { source: 'other', paths: ['/i/other'], createdAt: new Date('2025-01-01') })])
  t.match(await gateway.importing([avatar('bob', older)], { tools: before(other) }), { outcomes: { imported: { files: 1 } } })
  t.ok((await app.inject({ url: '/api/avatars/bob' })).rawPayload.equals(old), 'the newer one is the current one')
  const { id } = await app.database.client.blob.findFirstOrThrow({ where: { source: 'test:users/bob' } })
  t.match(await app.storage.store.readSidecar({ kind: 'avatar', id: id as never, extension: 'png' }), { state: 'superseded', aliases: ['/i/bob.png'] }, 'its sidecar says so as well')
  t.equal((await blobs(gateway)).length, 10)
})

test('it is given up when something comes between again and again', async (t) => {
  const gateway = await home(t)
  const { importing, tools } = gateway
  await t.rejects(importing([attachment('/uploads/a', Buffer.from('a'))], { tools: { records: { ...tools.records, place: async () => false } } }), { code: 'UPLOAD_CONFLICT' })
  t.strictSame(await blobs(gateway), [], 'and nothing is left that looks as if it lived')
})

test('of what was certainly not committed nothing is left, whatever fails then', async (t) => {
  const gateway = await home(t)
  const { importing, tools } = gateway
  const found = [attachment('/uploads/a', Buffer.from('a'))]
  const failing = async () => { throw new StorageUnavailable() }
  const place = async () => false
  const swept = async () => { throw new UploadConflict() }
  await t.rejects(importing(found, { tools: { records: { ...tools.records, place: swept } } }), { code: 'UPLOAD_CONFLICT' })
  await t.rejects(importing(found, { tools: { records: { ...tools.records, place }, store: { ...tools.store, writeSidecar: failing } } }), { code: 'STORAGE_UNAVAILABLE' })
  await t.rejects(importing(found, { tools: { store: { ...tools.store, read: failing } } }), { code: 'STORAGE_UNAVAILABLE' })
  t.strictSame(await blobs(gateway), [])
  await t.rejects(importing(found, { tools: { store: { ...tools.store, read: failing, remove: async () => { throw new Error('another') } } } }), { code: 'STORAGE_UNAVAILABLE' }, 'what failed first is told')
})

test('an attachment that is deleted while its new bytes come stays deleted', async (t) => {
  const gateway = await home(t)
  const { app, as, tools } = gateway
  await gateway.importing([attachment('/uploads/a', Buffer.from('old'))])
  const { id } = await app.database.client.attachment.findFirstOrThrow()
  const place = async (...args: Parameters<typeof tools.records.place>) => {
    await app.inject({ method: 'DELETE', url: `/api/attachments/${id}`, headers: await as('archive') })
    return tools.records.place(...args)
  }
  t.match((await gateway.importing([attachment('/uploads/a', Buffer.from('new'))], { tools: { records: { ...tools.records, place } } })).listed, [{ outcome: 'kept', code: 'deleted' }])
  t.equal(await app.database.client.blob.count(), 1)
})

test('a source that changes between two readings is refused', async (t) => {
  const gateway = await home(t)
  await gateway.importing([attachment('/uploads/a', Buffer.from('old'))])
  let reads = 0
  const read = async function * () { yield Buffer.from(`new ${reads += 1}`) }
  t.match((await gateway.importing([attachment('/uploads/a', Buffer.from(''), { read })])).listed, [{ outcome: 'refused', code: 'changing' }])
  t.equal((await gateway.app.inject({ url: '/uploads/a' })).payload, 'old')
})
