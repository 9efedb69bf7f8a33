import { test } from 'tap'
import { UploadConflict } from '../../src/errors.ts'
import { createImportRecords, type Placing } from '../../src/records/imports.ts'
import { createOwners } from '../../src/records/owners.ts'
import { newBlobId, newRecordId } from '../../src/storage/ids.ts'
import { unseen, type Sidecar } from '../../src/storage/sidecar.ts'
import { build, type Gateway } from '../helper.ts'
import { Prisma } from '../../src/generated/prisma/client.ts'

const at = '2024-01-01T00:00:00.000Z'

function sidecar (kind: 'avatar' | 'attachment', more: Partial<Sidecar> = {}): Sidecar {
  return {
    version: 1, kind, id: newBlobId(), extension: 'png', state: 'live', stateAt: at, createdAt: at, revision: 1, recordId: kind === 'avatar' ? null : newRecordId(), ownerId: 'ada', creatorId: null,
    contentType: 'image/png', size: 1, sha256: 'a', width: null, height: null, filename: kind === 'avatar' ? null : 'a.png', visibility: kind === 'avatar' ? null : 'public', contextType: null, contextId: null, alt: null, aliases: [], epoch: 0, source: 's', sourceSha256: 'a', ...unseen, ...more,
  }
}

const plain = (sidecar: Sidecar, more: Partial<Placing> = {}): Placing => ({ sidecar, movedPaths: [], ...more })

function recordsOf ({ app: { database: { client }, storage: { hash } } }: Gateway) {
  const owners = createOwners({ client, hash })
  return { client, hash, owners, records: createImportRecords({ client, owners, hash, now: () => new Date() }) }
}

const asked = { kind: 'avatar', source: 's', ownerId: 'ada', paths: ['/i/a'] } as const

test('what is here is told for many at once, each its own', async (t) => {
  const { records } = recordsOf(await build(t))
  const first = sidecar('avatar', { aliases: ['/i/a'] })
  const other = sidecar('attachment', { ownerId: 'bob', source: 't', aliases: ['/uploads/b'] })
  t.strictSame(await Promise.all([records.place('ada', plain(first)), records.place('bob', plain(other))]), [true, true])
  const [ada, bob, none] = await records.presentOf([asked, { kind: 'attachment', source: 't', ownerId: 'bob', paths: ['/uploads/b', '/i/a'] }, { ...asked, source: 'u', ownerId: 'eve', paths: [] }])
  t.match(ada, { latest: { id: first.id }, avatars: [{ id: first.id }], ownerCommits: 1, isErased: false, isEntombed: false, removedAvatar: false })
  t.match(bob, { latest: { id: other.id }, avatars: { length: 0 }, ownerCommits: 1 })
  t.strictSame([...bob?.takers ?? []].map(([path, { id }]) => [path, id]), [['/uploads/b', other.id], ['/i/a', first.id]])
  t.match(none, { latest: undefined, avatars: { length: 0 }, ownerCommits: undefined })
  t.match(await records.recordOf(other.id), { recordId: other.recordId, filename: 'a.png', ownerId: 'bob' })
  t.equal(await records.recordOf(first.id), undefined)
  t.strictSame(await records.presentOf([]), [])
})

test('of a group, those that nothing stands in the way of are committed, and the others are not', async (t) => {
  const { records, client } = recordsOf(await build(t))
  const [one, same, taken, fine] = [sidecar('attachment', { aliases: ['/uploads/a'] }), sidecar('avatar'), sidecar('attachment', { aliases: ['/uploads/a'] }), sidecar('avatar', { ownerId: 'bob' })]
  t.strictSame(await Promise.all([records.place('ada', plain(one)), records.place('ada', plain(same)), records.place('ada', plain(taken)), records.place('bob', plain(fine))]), [true, false, false, true],
    'the avatar of ada fails too: her first commit came between')
  t.equal(await client.blob.count(), 2)
  t.match(await records.presentOf([asked]), [{ ownerCommits: 1, avatars: { length: 0 } }])
})

test('an owner who is erased meanwhile keeps nothing of it, alone and in a group', async (t) => {
  const { records, client, hash } = recordsOf(await build(t))
  await client.owner.create({ data: { key: hash('owner', 'ada'), epoch: 1, commits: 4 } })
  const results = await Promise.allSettled([records.place('ada', plain(sidecar('attachment'))), records.place('bob', plain(sidecar('attachment', { ownerId: 'bob' }))), records.place('ada', plain(sidecar('avatar'), { ownerCommits: 4 }))])
  t.match(results, [{ reason: { code: 'OWNER_ERASED' } }, { value: true }, { reason: { code: 'OWNER_ERASED' } }])
  t.equal(await client.blob.count({ where: { ownerId: 'ada' } }), 0)
})

test('in a group, each is judged by the erasures there had been when it began', async (t) => {
  const { records, client, hash } = recordsOf(await build(t))
  for (const ownerId of ['ada', 'bob']) await client.owner.create({ data: { key: hash('owner', ownerId), epoch: 1 } })
  // The first goes alone; the others are one group.
  const placing = [['eve', 2], ['eve', 1], ['ada', 1], ['bob', 0], ['eve', 0]] as const
  const results = await Promise.allSettled(placing.map(([ownerId, epoch]) => records.place(ownerId, plain(sidecar('attachment', { ownerId, epoch })))))
  t.match(results, [{ value: true }, { value: true }, { value: true }, { reason: { code: 'OWNER_ERASED' } }, { value: true }])
})

test('an avatar is placed only while no other commit of its owner comes between', async (t) => {
  const { records, client, owners } = recordsOf(await build(t))
  const first = sidecar('avatar', { aliases: ['/i/a'] })
  await records.place('ada', plain(first))
  const [present] = await records.presentOf([asked])
  await client.$executeRaw(owners.entering('ada', 0))
  const next = sidecar('avatar', { aliases: ['/i/a'] })
  const placing = plain(next, { movedPaths: ['/i/a'], replaces: present?.latest, current: first.id, ownerCommits: present?.ownerCommits })
  t.equal(await records.place('ada', placing), false)
  t.equal(await client.blob.count(), 1)
  t.equal(await records.place('ada', { ...placing, ownerCommits: 2 }), true)
  t.match(await client.avatar.findUnique({ where: { userId: 'ada' } }), { blobId: next.id })
  t.match(await client.alias.findUnique({ where: { path: '/i/a' } }), { blobId: next.id })
  t.match(await client.blob.findUnique({ where: { id: first.id } }), { state: 'superseded', revision: 2, sidecarDueAt: Date })
})

test('a blob whose id the sweep took is not committed, and other failures are told as they are', async (t) => {
  const { records, client } = recordsOf(await build(t))
  const swept = sidecar('attachment')
  await client.blob.create({ data: { id: swept.id, kind: 'attachment', extension: 'png', state: 'swept', contentType: '', size: 0n, sha256: '', stateAt: new Date(), createdAt: new Date() } })
  await t.rejects(records.place('ada', plain(swept)), UploadConflict)
  await t.rejects(records.place('ada', plain(sidecar('attachment', { ownerId: null as never, state: 'superseded', recordId: null, createdAt: 'never' }))))
})

test('attachments hand their old paths over all at once, or nothing changes', async (t) => {
  const { records, client, hash, owners } = recordsOf(await build(t))
  const [one, two, heir] = [sidecar('attachment', { ownerId: 'archive', aliases: ['/i/a'] }), sidecar('attachment', { ownerId: 'archive', aliases: ['/i/b', '/i/c'], source: 't' }), sidecar('avatar')]
  await records.place('ada', plain(heir))
  for (const placed of [one, two]) await records.place('archive', plain(placed))
  const paths = async () => (await client.alias.findMany({ orderBy: { path: 'asc' } })).map(({ blobId }) => blobId)
  const to = (id: typeof heir.id) => ({ id, ownerId: 'ada', epoch: 0 })
  t.equal(await records.handOver([one.id, newBlobId()], to(heir.id)), false)
  t.equal(await records.handOver([one.id], to(newBlobId())), false)
  t.strictSame(await paths(), [one.id, two.id, two.id])
  t.equal(await client.attachment.count({ where: { deletedAt: null } }), 2)
  t.equal(await records.handOver([one.id, two.id], to(heir.id)), true)
  t.strictSame(await paths(), [heir.id, heir.id, heir.id])
  t.match(await client.blob.findMany({ orderBy: { id: 'asc' } }), [{ ownerId: 'ada', state: 'deleted', revision: 2, sidecarDueAt: Date }, { ownerId: 'ada', state: 'deleted' }, { state: 'live', revision: 2, sidecarDueAt: Date }])
  t.equal(await client.attachment.count({ where: { ownerId: 'ada', deletedAt: { not: null } } }), 2)
  t.equal(await records.handOver([one.id], undefined), false, 'it is in the trash already')
  const failing = createImportRecords({ client, hash, now: () => new Date(), owners: { ...owners, entering: () => Prisma.sql`no SQL` } })
  await t.rejects(failing.handOver([], to(heir.id)), { code: 'DATABASE_UNAVAILABLE' })
  await client.owner.update({ where: { key: hash('owner', 'ada') }, data: { epoch: 1 } })
  await t.rejects(records.handOver([], to(heir.id)), { code: 'OWNER_ERASED' })
})
