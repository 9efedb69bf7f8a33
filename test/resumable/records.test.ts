import { test, type Test } from 'tap'
import type { UserId } from '../../src/callers/caller.ts'
import { nothing, type Alongside } from '../../src/records/commits.ts'
import { createOwners } from '../../src/records/owners.ts'
import { createResumableRecords, type Upload } from '../../src/resumable/records.ts'
import { newBlobId, newRecordId, newUploadId, type UploadId } from '../../src/storage/ids.ts'
import { createKeyedHash } from '../../src/storage/keyed-hash.ts'
import { hide } from '../records/fixtures/by-hand.ts'
import { databaseFor } from '../records/fixtures/database.ts'
import { inserting, throughPrisma } from '../../src/records/statements.ts'
import { isTaken } from '../../src/records/failures.ts'

async function setUp (t: Test) {
  const { client } = await databaseFor(t)
  const owners = createOwners({ client, hash: createKeyedHash('volume') })
  const records = createResumableRecords({ client, owners, now: () => new Date(1000) })
  const upload = (others: Partial<Upload> = {}): Upload => ({
    id: newUploadId(), ownerId: 'ada' as UserId, creator: { id: 'bot' as UserId, scopes: new Set(['uploads:service']) }, kind: 'attachment', length: 10, offset: 0, epoch: 0, state: 'receiving',
    metadata: undefined, parts: undefined, blobId: newBlobId(), recordId: newRecordId(), digests: [], erasureEpoch: 3, failure: undefined, createdAt: new Date(0), completeAt: undefined, choice: undefined, expiresAt: new Date(2000), ...others,
  })
  const begin = async (others?: Partial<Upload>) => {
    const one = upload(others)
    await records.create(one, nothing)
    return one
  }
  return { client, owners, records, upload, begin }
}

test('a row says what the upload is, in full', async (t) => {
  const { records, begin } = await setUp(t)
  const plain = await begin()
  t.strictSame(await records.find(plain.id), plain)
  const full = await begin({ length: undefined, metadata: 'filename YQ==', parts: [plain.id], digests: [{ where: 'sha256', digests: { 'sha-256': 'ab' } }], state: 'finishing', completeAt: new Date(0) })
  t.strictSame(await records.find(full.id), full)
  t.match(await records.due({ isEarly: false, limit: 9 }), [{ id: full.id }])
  t.equal(await records.find(newUploadId()), undefined)
})

test('nothing begins of a user who was erased since, nor what something else forbids', async (t) => {
  const { client, owners, records, upload } = await setUp(t)
  await client.owner.create({ data: { key: owners.keyOf('ada'), epoch: 4 } })
  await t.rejects(records.create(upload(), nothing), { code: 'OWNER_ERASED' })
  const forbidding: Alongside = { statements: () => [inserting('Owner', { key: owners.keyOf('bob') })], refuse: async () => { throw new Error('forbidden') } }
  await t.rejects(records.create(upload({ ownerId: 'bob' as UserId }), forbidding), /forbidden/)
  t.ok(await records.create(upload({ ownerId: 'bob' as UserId }), { ...forbidding, refuse: async () => {} }).catch(isTaken))
  t.equal(await client.resumable.count(), 0)
  await hide(client, 'Resumable')
  await t.rejects(records.hold(newUploadId()), { code: 'DATABASE_UNAVAILABLE' }, 'is not taken for a change by somebody else')
})

test('who was overtaken changes nothing any more', async (t) => {
  const { client, records, begin } = await setUp(t)
  const { id } = await begin({ length: undefined })
  const before = await records.hold(id)
  const now = await records.hold(id)
  if (before === undefined || now === undefined) throw new Error('it is there')
  const advance = (upload: Upload, from: number, to: number) => records.advance(upload, { segment: { uploadId: id, start: from, epoch: upload.epoch, bytes: to - from }, from, to, ends: undefined, expiresAt: new Date(9), finishAt: null })
  t.equal(await advance(before, 0, 5), undefined)
  t.equal(await records.setLength(before, 5), undefined)
  t.equal(await records.complete(before, 'finishing', null), undefined)
  t.equal(await records.fail(before, { code: 'X', status: 400, detail: '' }, new Date(9)), undefined)
  t.equal(await client.segment.count(), 0, 'nor is there a segment of it')
  t.match(await advance(now, 0, 5), { offset: 5, expiresAt: new Date(9) })
  t.equal(await advance(now, 0, 6), undefined, 'nor who begins elsewhere')
  t.match(await advance({ ...now }, 5, 8), { offset: 8 })
  t.match(await records.segments(id), [{ start: 0, bytes: 5, epoch: 2 }, { start: 5, bytes: 3, epoch: 2 }])
  t.match(await records.setLength(now, 8), { length: 8 })
  t.match(await records.complete(now, 'finishing', new Date(7)), { state: 'finishing', completeAt: new Date(1000) })
  t.equal(await records.hold(id), undefined, 'it takes no more bytes')
  const claimed = await records.claim(now, newBlobId(), new Date(8)) ?? now
  t.equal(claimed.epoch, 3)
  t.equal(await records.claim(now, newBlobId(), new Date(8)), undefined)
  await records.postpone(now, new Date(99))
  await records.keepHeld(now, new Date(99))
  t.match(await client.resumable.findUnique({ where: { id } }), { finishAt: new Date(7), heldUntil: new Date(8) })
  await t.rejects(records.finishing(now, new Date(9)).refuse(undefined), { code: 'RESUMABLE_GONE' })
  await records.finishing(claimed, new Date(9)).refuse(undefined)
})

test('what somebody is at is claimed by nobody, and due for nobody, until they let go or are heard of no more', async (t) => {
  const { client, records, begin } = await setUp(t)
  const upload = await begin({ state: 'finishing' })
  const due = async (isEarly = false) => (await records.due({ isEarly, limit: 9 })).length
  const first = await records.claim(upload, newBlobId(), new Date(1001))
  if (first === undefined) throw new Error('nobody is at it')
  t.strictSame([await due(), await due(true), await records.claim(first, newBlobId(), new Date(1001))], [0, 0, undefined])
  await records.keepHeld(first, new Date(1000))
  t.equal(await due(), 1, 'it is over')
  const second = await records.claim(first, newBlobId(), new Date(2000))
  await records.keepHeld(first, new Date(1000))
  t.equal(await due(), 0, 'who was overtaken does not end what another holds')
  await records.postpone(second ?? first, new Date(1001))
  t.strictSame([await due(), await due(true)], [0, 1], 'later, or when it is asked for')
  t.match(await records.claim(second ?? first, newBlobId(), new Date(2000)), { epoch: 3 })
  t.equal((await client.resumable.findMany())[0]?.epoch, 3)
})

test('what is of no more use, and what only waits to be finished', async (t) => {
  const { records, begin } = await setUp(t)
  const past = new Date(999)
  const [left, done, waits, lasts] = [await begin({ expiresAt: past }), await begin({ expiresAt: past, state: 'finished' }), await begin({ expiresAt: past, state: 'finishing' }), await begin()]
  const ids = async (patienceMs: number) => (await records.expired(patienceMs, 9)).map(({ id }) => id).sort()
  t.strictSame(await ids(1000), [left.id, done.id])
  t.strictSame(await ids(0), [left.id, done.id, waits.id])
  t.strictSame([...await records.inUse([left.id, done.id, waits.id, lasts.id, newUploadId()])].sort(), [left.id, waits.id, lasts.id])
  t.strictSame([await records.removeExpired(lasts.id, 0), await records.removeExpired(waits.id, 1000), await records.removeExpired(done.id, 1000)], [false, false, true])
  await records.hold(left.id, new Date(2000))
  t.notOk(await records.removeExpired(left.id, 0), 'whom somebody has begun to send')
  t.match(await records.hold(left.id), { expiresAt: new Date(2000) }, 'who only asks changes nothing of that')
  t.ok(await records.remove(left.id))
  t.notOk(await records.remove(left.id))
})

test('what is made of a thousand parts is finished in one transaction, unless one of them is gone', async (t) => {
  const { client, records, begin } = await setUp(t)
  const template = await begin({ kind: 'part', state: 'finished' })
  const row = await client.resumable.findUniqueOrThrow({ where: { id: template.id } })
  const parts = Array.from({ length: 1000 }, () => newUploadId())
  const make = (ids: UploadId[]) => client.resumable.createMany({ data: ids.map((id) => ({ ...row, id, blobId: newBlobId(), recordId: newRecordId() })) })
  await make(parts.slice(1))
  const { id } = await begin({ parts, length: 10_000, offset: 10_000, state: 'finishing' })
  const finish = async () => {
    const upload = await records.find(id)
    if (upload === undefined) throw new Error('it is there')
    const { statements, refuse } = records.finishing(upload, new Date(9))
    await throughPrisma(client).commit(statements()).catch(async (error: unknown) => {
      await refuse(error)
      throw error
    })
  }
  await t.rejects(finish(), { code: 'RESUMABLE_GONE' })
  t.equal(await client.resumable.count({ where: { kind: 'part' } }), 1000, 'and nothing is used up')
  await make(parts.slice(0, 1))
  await finish()
  t.match(await records.find(id), { state: 'finished' })
  t.match(await client.resumable.findMany({ where: { kind: 'part' } }), [{ id: template.id }])
})
