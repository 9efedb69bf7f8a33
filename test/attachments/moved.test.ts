// Changes of an attachment while its bytes go over to another blob, as when their metadata is taken out.
import { test, type Test } from 'tap'
import { createAttachmentRecords, type AttachmentRecords } from '../../src/attachments/records.ts'
import { createAttachments } from '../../src/attachments/service.ts'
import type { Caller } from '../../src/callers/caller.ts'
import { createOwners } from '../../src/records/owners.ts'
import { createPictureCopies } from '../../src/records/picture-copies.ts'
import { newBlobId, type BlobId } from '../../src/storage/ids.ts'
import { placeFor } from '../operations/fixtures/place.ts'

const ada = { id: 'ada', scopes: new Set() } as unknown as Caller

/** The bytes go over after the row was read, each time in `times`. */
async function setUp (t: Test, times = 1) {
  const place = await placeFor(t)
  const { client, storage: { hash, store }, settling, now } = place
  const owners = createOwners({ client, hash })
  const first = await place.attachment('hello')
  const id = first.recordId ?? ''
  const records = createAttachmentRecords({ client, owners, now })
  const copies = createPictureCopies({ client, owners, now })
  let [left, last] = [times, first]
  async function move (): Promise<void> {
    if (left-- <= 0) return
    const copy = { ...last, id: newBlobId(), originalId: last.id, metadataRemoved: [], revision: last.revision + 1 }
    t.ok(await copies.replace(last, copy))
    // As one that nobody has looked into, so that it can go over once more.
    await client.blob.update({ where: { id: copy.id }, data: { metadataRemoved: null } })
    last = copy
  }
  const meddled: AttachmentRecords = {
    ...records,
    change: async (...args) => { await move(); return records.change(...args) },
    remove: async (...args) => { await move(); return records.remove(...args) },
  }
  const { change, remove } = createAttachments({ store, records: meddled, settling, now })
  const blob = () => client.blob.findUnique({ where: { id: last.id }, include: { attachment: true } })
  return { client, store, id, change, remove, blob, sidecar: () => store.readSidecar({ ...last, id: last.id as BlobId }) }
}

test('a change is made where the bytes are now', async (t) => {
  const { id, change, blob, sidecar } = await setUp(t, 2)
  t.match(await change(ada, id, { alt: 'a face' }), { id, alt: 'a face' })
  t.match(await blob(), { revision: 4, sidecarDueAt: null, attachment: { id, alt: 'a face' } })
  t.match(await sidecar(), { alt: 'a face', revision: 4 })
})

test('a delete is, too', async (t) => {
  const { id, remove, change, blob, sidecar } = await setUp(t)
  await remove(ada, id)
  t.match(await blob(), { state: 'deleted', sidecarDueAt: null, attachment: { id, deletedAt: Date } })
  t.match(await sidecar(), { state: 'deleted' })
  await t.rejects(change(ada, id, { alt: 'late' }), { code: 'ATTACHMENT_NOT_FOUND' })
})

test('one that was deleted meanwhile is not there', async (t) => {
  const { client, settling, storage: { hash, store }, now, attachment } = await placeFor(t)
  const id = (await attachment('hello')).recordId ?? ''
  const records = createAttachmentRecords({ client, owners: createOwners({ client, hash }), now })
  const meddled: AttachmentRecords = {
    ...records, find: async (one) => {
      const row = await records.find(one)
      await client.attachment.update({ where: { id }, data: { deletedAt: new Date() } })
      return row
    }
  }
  const { change, remove } = createAttachments({ store, records: meddled, settling, now })
  await t.rejects(change(ada, id, { alt: 'late' }), { code: 'ATTACHMENT_NOT_FOUND' })
  await client.attachment.update({ where: { id }, data: { deletedAt: null } })
  await t.rejects(remove(ada, id), { code: 'ATTACHMENT_NOT_FOUND' })
})
