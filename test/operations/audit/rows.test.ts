import { existsSync } from 'node:fs'
import { rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test, type Test } from 'tap'
import { mendInconsistency, mendRow } from '../../../src/operations/audit/rows.ts'
import { encodeSidecar } from '../../../src/storage/sidecar.ts'
import { publish } from '../../storage/fixtures/volume.ts'
import { placeFor } from '../fixtures/place.ts'
import { toolsOn } from '../fixtures/tools.ts'

async function setUp (t: Test) {
  const place = await placeFor(t)
  const plan = (id: string, strays: string[] = []) => mendRow(toolsOn(place, { strays }), 'avatar', id)
  return { ...place, store: place.storage.store, plan }
}

test('the current avatar and what it replaces are told by the sidecars too', async (t) => {
  const { avatar, plan, store, client } = await setUp(t)
  const old = await avatar('old')
  const lost = await publish(store, 'new', { stateAt: new Date(Date.now() + 1000).toISOString() })
  const mending = await plan(lost.id)
  t.match(mending, { action: 'Make its record from the sidecar.', done: 'Its record was made from the sidecar.' })
  if ('mend' in mending) await mending.mend()
  t.match(await client.avatar.findMany(), [{ blobId: lost.id }])
  t.match(await store.readSidecar(lost), { state: 'live' })
  t.match(await client.blob.findUnique({ where: { id: old.id } }), { state: 'superseded' })
  t.match(await plan(lost.id), { isRight: true })
})

test('an owner who was erased meanwhile gets nothing back', async (t) => {
  const { plan, store, client, storage, blobPath } = await setUp(t)
  const lost = await publish(store, 'a')
  const mending = await plan(lost.id)
  await client.owner.create({ data: { key: storage.hash('owner', 'ada'), epoch: 1 } })
  if (!('mend' in mending)) throw new Error('there is nothing to do')
  await t.rejects(mending.mend(), { code: 'OWNER_ERASED' })
  t.notOk(existsSync(blobPath(lost)))
  t.equal(await client.blob.count(), 0)
})

test('a database that fails is told as that', async (t) => {
  const { plan, store, client } = await setUp(t)
  const mending = await plan((await publish(store, 'a')).id)
  // What is counted is there still; what is read is not.
  await client.$executeRaw`ALTER TABLE "Blob" RENAME COLUMN "thumbhash" TO "elsewhere"`
  if (!('mend' in mending)) throw new Error('there is nothing to do')
  await t.rejects(mending.mend(), { code: 'DATABASE_UNAVAILABLE' })
})

test('without a sidecar of its own, or its bytes, nothing is made of it', async (t) => {
  const { plan, store, blobPath, sidecarPath, root } = await setUp(t)
  const [bare, strange, empty] = [await publish(store, 'a'), await publish(store, 'b'), await publish(store, 'c')]
  await rm(sidecarPath(bare))
  await writeFile(sidecarPath(strange), encodeSidecar(bare))
  await rm(blobPath(empty))
  t.match(await plan(bare.id), { left: /no sidecar/ })
  t.match(await plan(strange.id), { left: /no sidecar/ })
  t.match(await plan(empty.id), { left: /found nowhere/ })
  await writeFile(join(root, `${empty.id}.rescued`), 'c')
  t.match(await plan(empty.id, [`${empty.id}.rescued`]), { action: /^Rename .* to its place, and make its record/, done: /^.* was renamed to its place, and its record made/ })
  t.match(await plan('x'), { isRight: true })
})

test('what contradicts itself is set right, or left', async (t) => {
  const place = await setUp(t)
  const { avatar, attachment, client, store } = place
  const face = await avatar('a')
  await client.avatar.deleteMany()
  const mending = await mendInconsistency(toolsOn(place), face.id)
  if ('mend' in mending) await mending.mend()
  t.match(await client.avatar.findMany(), [{ blobId: face.id }])
  t.match(await store.readSidecar(face), { revision: 2 })
  const torn = await attachment('b')
  await client.attachment.updateMany({ data: { ownerId: 'eve' } })
  t.match(await mendInconsistency(toolsOn(place), torn.id), { left: /do not say which/ })
})

test('what an interrupted import left beside what it imported again stays without a record', async (t) => {
  const { avatar, plan, store, client } = await setUp(t)
  const left = await publish(store, 'a', { source: 'system-m:/i/1.png' })
  t.match(await plan(left.id), { action: /Make its record/ })
  await avatar('a', { source: 'system-m:/i/1.png' })
  t.match(await plan(left.id), { left: /same source.*interrupted import.*sweep/ })
  t.equal(await client.blob.count(), 1)
})

test('what it replaced was recorded too: then its own record is lost, and comes back', async (t) => {
  const { avatar, plan, store, client } = await setUp(t)
  await avatar('a', { source: 'system-m:/i/1.png', state: 'superseded', revision: 2 })
  const lost = await publish(store, 'b', { source: 'system-m:/i/1.png' })
  const mending = await plan(lost.id)
  if ('mend' in mending) await mending.mend()
  t.match(await client.avatar.findMany(), [{ blobId: lost.id }])
})

test('what was imported and changed here was recorded: its lost record comes back whatever else is of its source', async (t) => {
  const { avatar, plan, store } = await setUp(t)
  const lost = await publish(store, 'a', { source: 'system-m:/i/1.png', state: 'superseded', revision: 2 })
  await avatar('b', { source: 'system-m:/i/1.png' })
  t.match(await plan(lost.id), { action: /Make its record/ })
})

test('no imported picture comes back to who removed theirs for good', async (t) => {
  const { plan, store, storage, tombstones } = await setUp(t)
  await storage.tombstones.add([storage.hash('avatar', 'ada')], new Date())
  await tombstones.readIn()
  t.match(await plan((await publish(store, 'a', { source: 'system-m:/i/1.png' })).id), { left: /removed their picture for good/ })
  t.match(await plan((await publish(store, 'a')).id), { action: /Make its record/ }, 'what they uploaded here since does')
})

test('of a picture and its copy without metadata there is never a second one', async (t) => {
  const { plan, store, avatar } = await setUp(t)
  const draft = await publish(store, 'draft', { originalId: 'x' })
  t.match(await plan(draft.id), { left: /never came to the place of its original/ })
  const original = await publish(store, 'with')
  await avatar('without', { originalId: original.id, metadataRemoved: ['exif'] })
  t.match(await plan(original.id), { left: /without its metadata, in its place/ })
})
