import t, { type Test } from 'tap'
import { createImportLeftovers, isDoubtful } from '../../src/records/import-leftovers.ts'
import { newBlobId, newRecordId, timeOf } from '../../src/storage/ids.ts'
import type { Sidecar } from '../../src/storage/sidecar.ts'
import { sidecarFor } from '../storage/fixtures/volume.ts'
import { databaseFor, keep } from './fixtures/database.ts'

const source = 'system-m:/uploads/a'
const avatar = (others: Partial<Sidecar> = {}) => sidecarFor('x', { source, sourceSha256: 'a', ...others })
const attachment = (others: Partial<Sidecar> = {}) => avatar({ kind: 'attachment', id: newBlobId(), recordId: newRecordId(), filename: 'a', visibility: 'public', aliases: ['/uploads/a'], ...others })

async function setUp (t: Test) {
  const { client } = await databaseFor(t)
  const { accepted } = createImportLeftovers(client)
  return {
    client,
    record: async (sidecar: Sidecar) => keep(client, sidecar),
    accepted: async (...doubtful: Sidecar[]) => (await accepted(doubtful)).map(({ id }) => id),
  }
}

t.test('only what an import wrote and nobody changed is doubtful', async (t) => {
  t.ok(isDoubtful(avatar()))
  t.ok(isDoubtful(avatar({ state: 'superseded' })), 'an earlier picture comes in so')
  t.notOk(isDoubtful(avatar({ revision: 2 })), 'it has, or had, a row that was changed')
  t.notOk(isDoubtful(avatar({ source: null })))
})

t.test('alone it is taken for accepted', async (t) => {
  const { accepted, record } = await setUp(t)
  await record(avatar({ source: 'another', revision: 2, aliases: ['/i/b'] }))
  const [one, other] = [avatar(), attachment({ source: 'third' })]
  t.strictSame(await accepted(one, other), [one.id, other.id])
  t.strictSame(await accepted(), [])
})

t.test('of equal ones, which several imports left, the last is the one that was accepted', async (t) => {
  const { accepted } = await setUp(t)
  for (const make of [avatar, attachment]) {
    const all = [make(), make(), make()]
    t.strictSame(await accepted(...all), [all[2]?.id])
  }
})

for (const state of ['live', 'superseded', 'deleted'] as const) {
  t.test(`what was imported again and is ${state} was accepted later than what is older`, async (t) => {
    const { accepted, record } = await setUp(t)
    const left = [avatar(), avatar({ state: 'superseded' }), avatar({ sourceSha256: 'b' })]
    await record(avatar({ state, revision: 2 }))
    t.strictSame(await accepted(...left), [])
  })
}

t.test('what changed at the source replaced an older picture, and so may be accepted', async (t) => {
  const { accepted, record } = await setUp(t)
  await record(avatar({ state: 'superseded', revision: 2 }))
  const changed = avatar({ sourceSha256: 'b', aliases: ['/i/a'] })
  t.strictSame(await accepted(changed), [changed.id])
})

t.test('no import follows a picture that its user deleted', async (t) => {
  const { accepted, record, client } = await setUp(t)
  const deleted = avatar({ state: 'deleted', revision: 2 })
  await record(deleted)
  t.strictSame(await accepted(avatar({ sourceSha256: 'b' })), [])
  await client.blob.update({ where: { id: deleted.id }, data: { state: 'purging' } })
  t.strictSame(await accepted(avatar({ sourceSha256: 'b' })), [])
})

t.test('beside one that is live, only an earlier picture can have come in', async (t) => {
  const { accepted, record } = await setUp(t)
  await record(avatar({ revision: 3 }))
  const earlier = avatar({ sourceSha256: 'b', state: 'superseded', aliases: ['/i/b'] })
  t.strictSame(await accepted(avatar({ sourceSha256: 'b' }), earlier), [earlier.id])
})

t.test('an attachment that was replaced is deleted under another id, and hands its own over', async (t) => {
  const { accepted, record } = await setUp(t)
  await record(attachment({ state: 'deleted', revision: 2, aliases: [] }))
  const changed = attachment({ sourceSha256: 'b' })
  t.strictSame(await accepted(changed), [changed.id])
})

t.test('an attachment that still has its id, or its old URL, was deleted by its user, and what was to replace it never did', async (t) => {
  const { accepted, record, client } = await setUp(t)
  const deleted = attachment({ state: 'deleted', revision: 2, aliases: [] })
  await record(deleted)
  t.strictSame(await accepted(attachment({ sourceSha256: 'b', recordId: deleted.recordId })), [])
  await client.alias.create({ data: { path: '/uploads/a', blobId: deleted.id } })
  t.strictSame(await accepted(attachment({ sourceSha256: 'b' })), [])
})

t.test('an attachment that is live was not replaced', async (t) => {
  const { accepted, record } = await setUp(t)
  await record(attachment({ revision: 2, aliases: [] }))
  t.strictSame(await accepted(attachment({ sourceSha256: 'b' })), [])
})

t.test('of attachments with one id the first was accepted, and not replaced: imports that were not finished were to replace it', async (t) => {
  const { accepted } = await setUp(t)
  const [left, first] = [attachment(), attachment({ sourceSha256: 'b' })]
  const replacing = [1, 2].map((index) => attachment({ sourceSha256: `c${index}`, recordId: first.recordId }))
  t.strictSame(await accepted(left, first, ...replacing), [first.id])
})

t.test('where the first was replaced, the last that had begun by then did it', async (t) => {
  const { accepted, record, client } = await setUp(t)
  const first = attachment({ id: '0192a1b0-0000-7000-8000-000000000000' as Sidecar['id'], state: 'deleted', revision: 2, aliases: [] })
  const day = (index: number) => attachment({ id: `0192a1b${index}-0000-7000-8000-000000000001` as Sidecar['id'], recordId: '0192a1b0-0000-7000-8000-000000000001', sourceSha256: `c${index}` })
  const [left, replacement, unfinished] = [day(2), day(3), day(4)]
  const replacedAt = (at: string) => client.blob.update({ where: { id: first.id }, data: { stateAt: at } })
  await record(first)
  await replacedAt(timeOf(replacement.id).toISOString())
  t.strictSame(await accepted(left, replacement, unfinished), [replacement.id])
  await replacedAt('2020-01-01T00:00:00.000Z')
  t.strictSame(await accepted(left, replacement, unfinished), [unfinished.id], 'where clocks differ, the last')
  await client.blob.deleteMany()
  t.strictSame(await accepted(left, replacement, unfinished), [unfinished.id], 'and where it is purged')
})

t.test('of two attachments with different bytes and ids the later was accepted: it replaced nothing', async (t) => {
  const { accepted } = await setUp(t)
  const [left, again] = [attachment(), attachment({ sourceSha256: 'b' })]
  t.strictSame(await accepted(left, again), [again.id])
})

t.test('of different pictures nobody knows which was accepted: none is lost', async (t) => {
  const { accepted } = await setUp(t)
  const all = [avatar(), avatar(), avatar({ sourceSha256: 'b' })]
  t.strictSame(await accepted(...all), [all[1]?.id, all[2]?.id])
})

t.test('a picture that is current was not followed by one that came in as an earlier version', async (t) => {
  const { accepted } = await setUp(t)
  const [left, earlier, current] = [avatar(), avatar({ sourceSha256: 'b', state: 'superseded' }), avatar({ sourceSha256: 'c' })]
  t.strictSame(await accepted(left, earlier), [earlier.id])
  t.strictSame(await accepted(earlier, current), [earlier.id, current.id])
})

t.test('an old URL that something else certainly has was not given to it', async (t) => {
  const { accepted, record } = await setUp(t)
  // Imported with a list of users, after an import without one was killed.
  await record(avatar({ source: 'system-m:users/ada/i/a', state: 'deleted', revision: 2, aliases: ['/i/a'] }))
  await record(avatar({ source: 'system-m:users/bob/i/b', ownerId: 'bob', aliases: ['/i/b'] }))
  await record(sidecarFor('x', { aliases: ['/i/c'], ownerId: 'eve' }))
  t.strictSame(await accepted(attachment({ source: 'system-m:/i/a', aliases: ['/i/a'] })), [])
  t.strictSame(await accepted(attachment({ source: 'system-m:/i/c', aliases: ['/i/z', '/i/c'] })), [])
  const doubtful = attachment({ source: 'system-m:/i/b', aliases: ['/i/b'] })
  t.strictSame(await accepted(doubtful), [doubtful.id], 'what is doubtful itself takes none away')
})

t.test('a database that fails is told as that', async (t) => {
  const { accepted, client } = await setUp(t)
  await client.$executeRaw`DROP TABLE "Alias"`
  await t.rejects(accepted(avatar()), { code: 'DATABASE_UNAVAILABLE' })
})

t.test('a copy without metadata came when its original did: what replaced that was accepted, and the original itself does not come back', async (t) => {
  for (const [make, before] of [[avatar, 'superseded'], [attachment, 'deleted']] as const) {
    const { accepted, record } = await setUp(t)
    const original = make({ state: before })
    const changed = make({ sourceSha256: 'b', aliases: [] })
    await record(make({ state: before, originalId: original.id, metadataRemoved: ['exif'], revision: 4, aliases: [] }))
    t.strictSame(await accepted(changed), [changed.id])
    t.strictSame(await accepted({ ...original, aliases: [] }), [])
  }
})
