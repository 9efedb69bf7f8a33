import { randomUUID } from 'node:crypto'
import { test, type Test } from 'tap'
import { committing, together } from '../../src/records/commits.ts'
import { createOwners } from '../../src/records/owners.ts'
import { createQuota, type QuotaLimits } from '../../src/records/quota.ts'
import type { BlobId } from '../../src/storage/ids.ts'
import { build } from '../helper.ts'
import { inPrisma } from '../../src/records/statements.ts'

async function place (t: Test, limits: Record<string, QuotaLimits> = { ada: { quotaBytes: 100, quotaFiles: 0 } }, trashMaxBytes = 0) {
  const { app } = await build(t)
  const { database: { client }, storage: { hash } } = app
  const at = new Date('2026-11-23T10:00:00.000Z')
  const owners = createOwners({ client, hash })
  const quota = createQuota({ client, owners, trashMaxBytes, limitsFor: (_callerId, ownerId) => limits[ownerId] ?? { quotaBytes: 0, quotaFiles: 0 } })
  const blob = (ownerId: string, size: number, { kind = 'attachment', state = 'live', id = randomUUID() as string } = {}) =>
    client.blob.create({ data: { id, kind, extension: 'bin', state, ownerId, contentType: 'application/octet-stream', size: BigInt(size), sha256: '', stateAt: at, createdAt: at } })
  return {
    client, quota, owners, blob,
    resumable: (ownerId: string, row: { kind?: string, state?: string, length?: number | null, offset?: number, parts?: string }) =>
      client.resumable.create({ data: { id: randomUUID(), ownerId, creatorId: ownerId, scopes: '[]', kind: 'attachment', state: 'receiving', length: 10, blobId: randomUUID(), recordId: randomUUID(), erasureEpoch: 0, createdAt: at, expiresAt: at, ...row } }),
    avatar: async (ownerId: string, size: number) => {
      const { id } = await blob(ownerId, size, { kind: 'avatar' })
      await client.avatar.create({ data: { userId: ownerId, blobId: id } })
    },
    reserve: (bytes: number, { ownerId = 'ada', files = 1, isAvatar = false } = {}) => quota.reserve({ callerId: ownerId, ownerId, bytes, files, isAvatar }),
    /** As an upload commits. */
    async commit (ownerId: string, size: number) {
      const settling = quota.settling({ callerId: ownerId, ownerIds: [ownerId] })
      const blobId = randomUUID()
      await committing(client, [blobId as BlobId], () => client.$transaction([client.$executeRaw(owners.entering(ownerId, 0)), blob(ownerId, size, { id: blobId }), ...inPrisma(client, settling.statements())]), settling.refuse)
    },
  }
}

const exceeded = { code: 'QUOTA_EXCEEDED', statusCode: 413 }

test('what is kept and what is set aside never exceed the limit together, however many ask at once', async (t) => {
  const { reserve, quota, blob } = await place(t)
  await blob('ada', 45)
  await blob('ada', 1000, { state: 'deleted' })
  await blob('bob', 1000)
  const outcomes = await Promise.allSettled(Array.from({ length: 50 }, () => reserve(20)))
  t.equal(outcomes.filter(({ status }) => status === 'fulfilled').length, 2)
  t.match(outcomes.find(({ status }) => status === 'rejected'), { reason: { ...exceeded, message: /100 bytes .*delete something/ } })
  t.strictSame(await quota.usage('ada'), { bytes: 45, files: 1, trashBytes: 1000, reservedBytes: 40, reservedFiles: 2 })
  const release = await reserve(15)
  await t.rejects(reserve(1), exceeded)
  release()
  release()
  t.match(await quota.usage('ada'), { reservedBytes: 40, reservedFiles: 2 }, 'given back once')
  await reserve(15)
  await t.rejects(reserve(1), exceeded)
})

test('what became durable while the rows were counted counts all the same; what was given up does not', async (t) => {
  const { client, resumable } = await place(t)
  const { promise: isAsked, resolve: asked } = Promise.withResolvers<void>()
  const { promise: isLate, resolve: deliver } = Promise.withResolvers<void>()
  let isSlow = false
  const slow = new Proxy(client, {
    get: (target, name) => name !== '$queryRaw' || !isSlow
      ? Reflect.get(target, name)
      : async (...query: Parameters<typeof client.$queryRaw>) => {
        isSlow = false
        const answer = await client.$queryRaw(...query)
        asked()
        await isLate
        return answer
      },
  })
  const quota = createQuota({ client: slow, owners: { keyOf: (id) => id }, trashMaxBytes: 0, limitsFor: () => ({ quotaBytes: 100, quotaFiles: 0 }) })
  const reserve = (bytes: number) => quota.reserve({ callerId: 'ada', ownerId: 'ada', bytes, files: 0 })
  const kept = await reserve(50)
  const givenUp = await reserve(20)
  isSlow = true
  const late = reserve(60)
  await isAsked
  await t.rejects(reserve(50), exceeded, 'beside what both hold')
  await resumable('ada', { length: null, offset: 50 })
  kept()
  givenUp()
  deliver()
  await t.rejects(late, exceeded)
  t.ok(await reserve(50))
  await t.rejects(reserve(1), exceeded)
})

test('what is set aside may be given back little by little, and never more than it was', async (t) => {
  const { reserve, quota } = await place(t)
  await reserve(10)
  const giveBack = await reserve(50)
  giveBack(20)
  t.match(await quota.usage('ada'), { reservedBytes: 40, reservedFiles: 2 })
  giveBack(40)
  t.match(await quota.usage('ada'), { reservedBytes: 10, reservedFiles: 2 })
  giveBack()
  giveBack(1)
  t.match(await quota.usage('ada'), { reservedBytes: 10, reservedFiles: 1 })
})

test('files are counted like bytes', async (t) => {
  const { reserve, blob } = await place(t, { ada: { quotaBytes: 0, quotaFiles: 3 }, eve: { quotaBytes: 10, quotaFiles: 1 } })
  await blob('ada', 2 ** 40)
  await reserve(2 ** 50)
  await reserve(0)
  await t.rejects(reserve(0), { ...exceeded, message: /3 files/ })
  await blob('eve', 1)
  await t.rejects(reserve(1, { ownerId: 'eve' }), { ...exceeded, message: /10 bytes or 1 files/ })
})

test('who has no limit sets nothing aside', async (t) => {
  const { reserve, quota } = await place(t)
  const release = await reserve(2 ** 50, { ownerId: 'bob' })
  t.strictSame(await quota.usage('bob'), { bytes: 0, files: 0, trashBytes: 0, reservedBytes: 0, reservedFiles: 0 })
  release()
})

test('unfinished resumable uploads count for what they will be, parts until the whole is there', async (t) => {
  const { reserve, quota, resumable } = await place(t, { ada: { quotaBytes: 100, quotaFiles: 3 } })
  await resumable('ada', { length: 20, offset: 5 })
  await resumable('ada', { length: null, offset: 3 })
  await resumable('ada', { kind: 'avatar', length: 7, state: 'finishing' })
  await resumable('ada', { kind: 'part', length: 10, offset: 10, state: 'finished' })
  await resumable('ada', { kind: 'part', length: 10 })
  await resumable('ada', { length: 20, offset: 20, state: 'finishing', parts: '["x"]' })
  await resumable('ada', { length: 1000, offset: 1000, state: 'finished' })
  await resumable('ada', { length: 1000, state: 'failed' })
  await resumable('bob', { length: 1000 })
  t.strictSame(await quota.usage('ada'), { bytes: 0, files: 0, trashBytes: 0, reservedBytes: 50, reservedFiles: 3 })
  await t.rejects(reserve(1), exceeded, 'another file')
  await t.rejects(reserve(51, { files: 0 }), exceeded)
  await reserve(50, { files: 0 })
})

test('the picture that an avatar replaces does not count against it, nor against others meanwhile', async (t) => {
  const { reserve, blob, avatar, quota } = await place(t, { ada: { quotaBytes: 100, quotaFiles: 2 } })
  await avatar('ada', 90)
  await t.rejects(reserve(101, { isAvatar: true }), exceeded)
  const release = await reserve(94, { isAvatar: true })
  t.match(await quota.usage('ada'), { reservedBytes: 4, reservedFiles: 0 })
  const other = await reserve(6)
  await t.rejects(reserve(0), exceeded)
  await t.rejects(reserve(91, { isAvatar: true }), exceeded)
  release()
  other()
  await blob('ada', 10)
  await t.rejects(reserve(0), exceeded)
  await Promise.all([reserve(10, { isAvatar: true }), reserve(90, { isAvatar: true })])
  t.match(await quota.usage('ada'), { reservedBytes: 0, reservedFiles: 0 }, 'a smaller one makes no room before it is there')
})

test('what is in the trash beyond its own limit counts, as it is on the disk', async (t) => {
  const { reserve, commit, blob, avatar, client, quota } = await place(t, { ada: { quotaBytes: 100, quotaFiles: 0 } }, 50)
  await blob('ada', 40, { state: 'deleted', id: 'old' })
  await avatar('ada', 30)
  const trash = { ...exceeded, message: /100 bytes .*20 bytes of the trash are over its limit/ }
  await t.rejects(reserve(81, { isAvatar: true }), trash, 'what it replaces goes to the trash')
  ;(await reserve(80, { isAvatar: true }))()
  await reserve(70)
  await t.rejects(reserve(1), { ...exceeded, message: /delete something/ })
  await t.rejects(commit('ada', 71), { ...exceeded, message: /delete something/ })
  await commit('ada', 70)
  await client.blob.updateMany({ where: { size: 70n }, data: { state: 'deleted' } })
  t.match(await quota.usage('ada'), { bytes: 30, trashBytes: 110 })
  await t.rejects(commit('ada', 11), { ...exceeded, message: /60 bytes of the trash are over its limit: they count until/ })
  await commit('ada', 10)
  await client.blob.update({ where: { id: 'old' }, data: { state: 'purging' } })
  await commit('ada', 40)
  await t.rejects(commit('ada', 1), exceeded)
})

test('of those that commit at once the first win, and used never exceeds the limit', async (t) => {
  const { commit, quota, client } = await place(t)
  const outcomes = await Promise.allSettled(Array.from({ length: 30 }, () => commit('ada', 40)))
  t.equal(outcomes.filter(({ status }) => status === 'fulfilled').length, 2)
  for (const outcome of outcomes) if (outcome.status === 'rejected') t.match(outcome.reason, exceeded)
  t.match(await quota.usage('ada'), { bytes: 80, files: 2 })
  t.equal(await client.blob.count(), 2, 'nothing of the others is there')
  await t.rejects(commit('ada', 21), exceeded, 'what was measured counts, not what was declared')
  await commit('ada', 20)
  await commit('bob', 2 ** 45)
  t.match(await quota.usage('bob'), { bytes: 2 ** 45 })
})

test('a commit counts files, and without a limit it asks nothing', async (t) => {
  const { commit, quota } = await place(t, { ada: { quotaBytes: 0, quotaFiles: 1 } })
  await commit('ada', 2 ** 50)
  await t.rejects(commit('ada', 0), { ...exceeded, message: /1 files/ })
  t.strictSame(quota.settling({ callerId: 'bob', ownerIds: ['bob'] }).statements(), [])
})

test('a transaction that failed for something else is not taken for one over the limit', async (t) => {
  const { quota, client, owners, blob } = await place(t)
  await blob('ada', 500)
  const settling = together([quota.settling({ callerId: 'ada', ownerIds: ['ada'] })])
  const other = await client.$transaction([client.$executeRaw(owners.entering('ada', 0)), client.avatar.update({ where: { userId: 'none' }, data: { blobId: '' } })]).catch((error: unknown) => error)
  await t.resolves(settling.refuse(other))
  await t.resolves(settling.refuse())
  const erased = await client.$transaction([client.owner.create({ data: { key: owners.keyOf('ada'), epoch: 3 } }), ...inPrisma(client, [owners.entering('ada', 0), ...settling.statements()])]).catch((error: unknown) => error)
  await t.resolves(settling.refuse(erased), 'the line of the owner broke, which is another constraint')
  const over = await client.$transaction([...inPrisma(client, [owners.entering('ada', 0), ...settling.statements()])]).catch((error: unknown) => error)
  await t.rejects(settling.refuse(over), exceeded)
  await t.resolves(quota.settling({ callerId: 'bob', ownerIds: ['bob'] }).refuse(over), 'of an owner without a limit')
  await client.$executeRaw`DROP TABLE "Usage"`
  await t.rejects(settling.refuse(over), exceeded, 'also when nobody can say any more how much there is')
})

test('of several owners each must have room, the caller\'s limits may be other ones', async (t) => {
  const { client, owners, blob, quota } = await place(t, { ada: { quotaBytes: 100, quotaFiles: 0 }, eve: { quotaBytes: 10, quotaFiles: 0 } })
  const settling = quota.settling({ callerId: 'svc', ownerIds: ['eve', 'ada', 'eve'] })
  const commit = (size: number) => {
    const ids = [randomUUID() as BlobId, randomUUID() as BlobId] as const
    return committing(client, ids, () => client.$transaction([
      ...inPrisma(client, [owners.entering('ada', 0), owners.entering('eve', 0)]), blob('ada', 50, { id: ids[0] }), blob('eve', size, { id: ids[1] }), ...inPrisma(client, settling.statements()),
    ]), settling.refuse)
  }
  await t.rejects(commit(11), exceeded)
  t.equal(await client.blob.count(), 0)
  await commit(10)
  t.equal(await client.blob.count(), 2)
})
