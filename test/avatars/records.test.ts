import { test } from 'tap'
import { createAvatarRecords } from '../../src/avatars/records.ts'
import type { UserId } from '../../src/callers/caller.ts'
import { nothing } from '../../src/records/commits.ts'
import type { PrismaClient } from '../../src/records/database.ts'
import { createOwners } from '../../src/records/owners.ts'
import { createKeyedHash } from '../../src/storage/keyed-hash.ts'
import { newBlobId, timeOf } from '../../src/storage/ids.ts'
import { unseen, type Sidecar } from '../../src/storage/sidecar.ts'
import { build } from '../helper.ts'
import { Prisma } from '../../src/generated/prisma/client.ts'

const ada = 'ada' as UserId
const now = () => new Date()
const hash = createKeyedHash('a volume')
const recordsOn = (client: PrismaClient) => createAvatarRecords({ client, now, owners: createOwners({ client, hash }) })

function sidecar (): Sidecar {
  const id = newBlobId()
  const at = timeOf(id).toISOString()
  return { version: 1, kind: 'avatar', id, extension: 'png', state: 'live', stateAt: at, createdAt: at, revision: 1, recordId: null, ownerId: ada, creatorId: ada, contentType: 'image/png', size: 1, sha256: 'x', width: 1, height: 1, filename: null, visibility: null, contextType: null, contextId: null, alt: null, aliases: [], epoch: 0, source: null, sourceSha256: null, ...unseen }
}

async function records (t: Parameters<typeof build>[0]) {
  const { client } = (await build(t)).app.database
  return { client, records: recordsOn(client) }
}

test('a commit that comes after the sweep took its id is refused', async (t) => {
  const { client, records: avatars } = await records(t)
  const late = sidecar()
  await client.blob.create({ data: { id: late.id, kind: 'avatar', extension: 'png', state: 'swept', contentType: '', size: 0n, sha256: '', stateAt: now(), createdAt: now() } })
  await t.rejects(avatars.set(ada, late), { code: 'UPLOAD_CONFLICT' })
  t.equal(await avatars.current(ada), null)
})

test('who always comes second is told so in the end, and has changed nothing', async (t) => {
  const { client } = await records(t)
  const first = sidecar()
  await recordsOn(client).set(ada, first)
  const stale = new Proxy(client, {
    get: (target, name, receiver) => name === 'avatar'
      ? new Proxy(target.avatar, { get: (avatar, method) => method === 'findUnique' ? async () => ({ blobId: newBlobId() }) : Reflect.get(avatar, method) })
      : Reflect.get(target, name, receiver),
  }) as PrismaClient
  await t.rejects(recordsOn(stale).set(ada, sidecar()), { code: 'UPLOAD_CONFLICT' })
  t.match(await recordsOn(client).current(ada), { id: first.id, state: 'live', revision: 1 })
  t.equal(await client.blob.count(), 1)
})

test('a failing database is no reason to try again', async (t) => {
  const { client, records: avatars } = await records(t)
  await client.$executeRaw`ALTER TABLE "Blob" RENAME TO "Elsewhere"`
  await t.rejects(avatars.set(ada, sidecar()), { code: 'DATABASE_UNAVAILABLE' })
})

test('a delete that was answered with an error is found again until its sidecar says so', async (t) => {
  const { client, records: avatars } = await records(t)
  const { id } = sidecar()
  await avatars.set(ada, { ...sidecar(), id })
  t.equal(await avatars.halfDeleted(ada), undefined)
  t.equal(await avatars.remove(ada), id)
  t.equal(await avatars.halfDeleted(ada), id)
  await client.blob.update({ where: { id }, data: { sidecarDueAt: null } })
  t.equal(await avatars.halfDeleted(ada), undefined)
  t.equal(await avatars.remove(ada), undefined)
})

test('a picture is adopted only from the state it was seen in', async (t) => {
  const { records: avatars } = await records(t)
  const pending = { ...sidecar(), state: 'pending' as const, ownerId: null }
  await avatars.keepPending(pending)
  t.equal(await avatars.adopt(ada, pending.id, ['superseded', 'deleted'], 3), undefined)
  t.strictSame(await avatars.adopt(ada, pending.id, ['pending'], 3), { replaced: undefined })
  t.equal(await avatars.adopt('bob' as UserId, pending.id, ['pending'], 3), undefined)
  t.match(await avatars.current(ada), { id: pending.id, ownerId: 'ada', revision: 2, epoch: 3 })
})

test('one that is current already can be made so anew, unless another replaced it meanwhile: then it replaces that', async (t) => {
  const { client } = await records(t)
  const [first, second] = [sidecar(), sidecar()]
  await recordsOn(client).set(ada, first)
  t.strictSame(await recordsOn(client).adopt(ada, first.id, ['live'], 0), { replaced: undefined })
  t.match(await recordsOn(client).current(ada), { id: first.id, revision: 2, sidecarDueAt: Date })

  let looked = 0
  const late = new Proxy(client, {
    get: (target, name, receiver) => name === 'avatar'
      ? new Proxy(target.avatar, {
        get: (avatar, method) => method === 'findUnique'
          ? async (query: never) => {
            const found = await target.avatar.findUnique(query)
            looked += 1
            if (looked === 1) await recordsOn(client).set(ada, second)
            return found
          }
          : Reflect.get(avatar, method),
      })
      : Reflect.get(target, name, receiver),
  }) as PrismaClient
  t.strictSame(await recordsOn(late).adopt(ada, first.id, ['live', 'superseded'], 0), { replaced: second.id })
  t.equal(looked, 2)
  t.match(await recordsOn(client).current(ada), { id: first.id, state: 'live' })
  t.match(await client.blob.findUnique({ where: { id: second.id } }), { state: 'superseded' })
})

test('a picture that is kept as an earlier one must still be in the trash as it was', async (t) => {
  const { client, records: avatars } = await records(t)
  const first = sidecar()
  await avatars.set(ada, first)
  t.equal(await avatars.retain(ada, first.id, 'deleted'), false, 'it is live')
  await avatars.remove(ada)
  t.equal(await avatars.retain(ada, first.id, 'superseded'), false)
  t.equal(await avatars.retain(ada, first.id, 'deleted'), true)
  t.match(await client.blob.findUnique({ where: { id: first.id } }), { state: 'superseded', revision: 3, sidecarDueAt: Date })
  t.equal(await avatars.current(ada), null)
})

test('of two who adopt one picture at once, one has it and the other comes too late', async (t) => {
  const { records: avatars } = await records(t)
  const pending = { ...sidecar(), state: 'pending' as const, ownerId: null }
  await avatars.keepPending(pending)
  const adopted = await Promise.all([ada, 'bob' as UserId].map((user) => avatars.adopt(user, pending.id, ['pending'], 0)))
  t.equal(adopted.filter((one) => one !== undefined).length, 1)
})

test('each change by the user is a choice of theirs, after which no earlier one takes effect', async (t) => {
  const { client, records: avatars } = await records(t)
  const owner = async () => {
    const { choices, choice } = await client.owner.findFirstOrThrow()
    return [choices, choice]
  }
  const [first, second] = [sidecar(), sidecar()]
  await avatars.set(ada, first)
  t.strictSame(await owner(), [1, 1])
  await avatars.set(ada, second, { expected: first.id })
  t.strictSame(await owner(), [2, 2])
  await avatars.adopt(ada, first.id, ['superseded'], 0)
  t.strictSame(await owner(), [3, 3])
  await avatars.remove(ada)
  t.strictSame(await owner(), [4, 4])
  await avatars.retain(ada, first.id, 'deleted')
  await avatars.remove(ada)
  t.strictSame(await owner(), [4, 4], 'nothing else became current')

  await client.owner.updateMany({ data: { choices: 7 } })
  await avatars.set(ada, sidecar(), { chosenAs: 6 })
  t.strictSame(await owner(), [7, 6])
  const late = sidecar()
  await t.rejects(avatars.set(ada, late, { chosenAs: 5 }), { code: 'PICTURE_REPLACED' })
  t.equal(await client.blob.findUnique({ where: { id: late.id } }), null)
  await avatars.set(ada, sidecar(), { chosenAs: 7 })
  t.strictSame(await owner(), [7, 7])
})

test('a picture that a later choice came before is kept as an earlier one, with what is committed beside it, or not at all', async (t) => {
  const { client, records: avatars } = await records(t)
  const state = async ({ id }: Sidecar) => (await client.blob.findUnique({ where: { id } }))?.state
  const [current, late, removed, refused, erased] = [sidecar(), sidecar(), sidecar(), sidecar(), sidecar()]
  await avatars.set(ada, current)
  await avatars.keepEarlier(ada, late, nothing)
  t.equal(await state(late), 'superseded')
  t.match(await avatars.current(ada), { id: current.id })
  await avatars.remove(ada)
  await avatars.keepEarlier(ada, removed, nothing)
  t.equal(await state(removed), 'deleted')

  const reason = Object.assign(new Error('no room'), { code: 'QUOTA_EXCEEDED' })
  const breaking = { statements: () => [Prisma.sql`UPDATE "Owner" SET "epoch" = NULL`], refuse: () => Promise.reject(reason) }
  await t.rejects(avatars.keepEarlier(ada, refused, breaking), reason)
  await client.owner.updateMany({ data: { epoch: 1 } })
  await t.rejects(avatars.keepEarlier(ada, erased, nothing), { code: 'OWNER_ERASED' })
  t.strictSame([await state(refused), await state(erased)], [undefined, undefined])
})
