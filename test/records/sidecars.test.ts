import { test, type Test } from 'tap'
import { createSettling, toSidecar, withRecord } from '../../src/records/sidecars.ts'
import { newBlobId, type BlobId } from '../../src/storage/ids.ts'
import type { Sidecar } from '../../src/storage/sidecar.ts'
import { openVolume, publish, sidecarFor } from '../storage/fixtures/volume.ts'
import { databaseFor, keep } from './fixtures/database.ts'

async function setUp (t: Test) {
  const { client } = await databaseFor(t)
  const volume = await openVolume(t)
  const clock = { date: new Date() }
  const settling = createSettling({ client, store: volume.store, now: () => clock.date })
  const kept = async (others: Partial<Sidecar> = {}) => {
    const sidecar = await publish(volume.store, 'hello', { kind: 'attachment', recordId: newBlobId(), filename: 'a.pdf', visibility: 'private', ...others })
    await keep(client, sidecar)
    return sidecar
  }
  /** As a feature changes a record: the sidecar is due from now on. */
  const rename = (blob: Sidecar, filename: string) => client.$transaction([
    client.blob.update({ where: { id: blob.id }, data: { revision: { increment: 1 }, sidecarDueAt: clock.date } }),
    client.attachment.update({ where: { blobId: blob.id }, data: { filename } }),
  ])
  const onVolume = (blob: Sidecar) => volume.store.readSidecar(blob)
  const due = (id: BlobId) => client.blob.findUniqueOrThrow({ where: { id } }).then(({ sidecarDueAt }) => sidecarDueAt)
  return { ...volume, client, clock, ...settling, kept, rename, onVolume, due }
}

test('I9: a row and its record say what the sidecar said, member for member', async (t) => {
  const { client } = await databaseFor(t)
  const attachment = sidecarFor('hello', { kind: 'attachment', recordId: newBlobId(), filename: 'Grüße.pdf', visibility: 'public', contextType: 'ticket', contextId: '7', alt: 'x', creatorId: 'bot', size: 2 ** 40, width: null, height: null })
  const avatar = sidecarFor('hello', { aliases: ['/i/a.png', '/i/b.png'], width: 3, height: 4 })
  const pending = sidecarFor('hello', { state: 'pending', ownerId: null, creatorId: null, revision: 7 })
  for (const sidecar of [attachment, avatar, pending]) {
    await keep(client, sidecar)
    t.strictSame(toSidecar(await client.blob.findUniqueOrThrow({ where: { id: sidecar.id }, include: withRecord })), sidecar)
  }
})

test('I4: a change is settled when the sidecar on the volume says it, durably', async (t) => {
  const { kept, rename, settle, onVolume, due, faults } = await setUp(t)
  const blob = await kept()
  await rename(blob, 'b.pdf')
  faults.heal()
  await settle(blob.id)
  t.strictSame(await onVolume(blob), { ...blob, filename: 'b.pdf', revision: 2 })
  t.equal(await due(blob.id), null)
  t.equal(faults.count('sync'), 2)
  await settle(blob.id)
  t.equal(faults.count('sync'), 2, 'what is not due is not written again')
})

test('I4: a change whose sidecar fails is told, stays due, and is settled later', async (t) => {
  const { kept, rename, settle, settleDue, onVolume, due, faults, clock } = await setUp(t)
  const blob = await kept()
  await rename(blob, 'b.pdf')
  faults.inject({ on: 'sync', errno: 'ENOSPC' })
  await t.rejects(settle(blob.id), { code: 'STORAGE_FULL' })
  t.strictSame(await onVolume(blob), blob)
  t.not(await due(blob.id), null)
  clock.date = new Date(clock.date.getTime() + 60_000)
  t.equal(await settleDue(), 1)
  t.match(await onVolume(blob), { filename: 'b.pdf' })
  t.equal(await settleDue(), 0)
})

test('of changes at once the last word on the volume is the newest, and each waits for it', async (t) => {
  const { kept, rename, settle, onVolume, client, due } = await setUp(t)
  const blob = await kept()
  await Promise.all(Array.from({ length: 30 }, async (_, index) => {
    await rename(blob, `${index}.pdf`)
    const { revision } = await client.blob.findUniqueOrThrow({ where: { id: blob.id } })
    await settle(blob.id)
    t.ok(((await onVolume(blob))?.revision ?? 0) >= revision)
  }))
  const row = await client.blob.findUniqueOrThrow({ where: { id: blob.id }, include: withRecord })
  t.equal(row.revision, 31)
  t.strictSame(await onVolume(blob), toSidecar(row))
  t.equal(await due(blob.id), null)
})

test('a change that comes while a sidecar is written is written too, before the first is taken for settled', async (t) => {
  const { kept, rename, settle, onVolume, due, faults } = await setUp(t)
  const blob = await kept()
  await rename(blob, 'b.pdf')
  let second: Promise<void> | undefined
  faults.inject({
    on: 'rename',
    before: async () => {
      await rename(blob, 'c.pdf')
      second = settle(blob.id)
    },
  })
  await settle(blob.id)
  t.match(await onVolume(blob), { filename: 'c.pdf', revision: 3 })
  await second
  t.match(await onVolume(blob), { filename: 'c.pdf', revision: 3 })
  t.equal(await due(blob.id), null)
})

test('of two processes that settle at once, the one that writes the older sidecar last writes the newer one after it', async (t) => {
  const { client, store, kept, rename, onVolume, due } = await setUp(t)
  const blob = await kept()
  const other = createSettling({ client, store, now: () => new Date() })
  const slow = createSettling({
    client,
    store: {
      async writeSidecar (sidecar) {
        if (sidecar.revision === 2) {
          await rename(blob, 'c.pdf')
          await other.settle(blob.id)
          t.equal(await due(blob.id), null, 'the other process has settled it')
        }
        await store.writeSidecar(sidecar)
      },
      readSidecar: store.readSidecar,
      remove: store.remove,
    },
    now: () => new Date(),
  })
  await rename(blob, 'b.pdf')
  await slow.settle(blob.id)
  t.match(await onVolume(blob), { filename: 'c.pdf', revision: 3 })
  t.equal(await due(blob.id), null)
})

test('one that fails does not keep the next of the same blob from its turn', async (t) => {
  const { kept, rename, settle, onVolume, faults } = await setUp(t)
  const blob = await kept()
  await rename(blob, 'b.pdf')
  faults.inject({ on: 'rename', errno: 'EIO' })
  const results = await Promise.allSettled([settle(blob.id), settle(blob.id)])
  t.strictSame(results.map(({ status }) => status), ['rejected', 'fulfilled'])
  t.match(await onVolume(blob), { filename: 'b.pdf' })
})

test('what is on its way out, or gone, gets no sidecar again', async (t) => {
  const { kept, client, settle, store, files, clock } = await setUp(t)
  for (const state of ['purging', 'swept']) {
    const blob = await kept()
    await client.blob.update({ where: { id: blob.id }, data: { state, sidecarDueAt: clock.date } })
    await store.remove(blob)
    await settle(blob.id)
  }
  await settle(newBlobId())
  t.strictSame(await files(), [])
})

test('settling what is due leaves fresh changes to their requests, but not at a start', async (t) => {
  const { kept, rename, settleDue, onVolume, clock } = await setUp(t)
  const blob = await kept()
  await rename(blob, 'b.pdf')
  clock.date = new Date(clock.date.getTime() + 59_999)
  t.equal(await settleDue(), 0)
  t.strictSame(await onVolume(blob), blob)
  t.equal(await settleDue({ isStart: true }), 1)
  t.match(await onVolume(blob), { filename: 'b.pdf' })
})

test('a sidecar that can never be written keeps no other from being settled', async (t) => {
  const { kept, rename, settleDue, onVolume, faults } = await setUp(t)
  const [lost, other] = [await kept(), await kept()]
  await rename(lost, 'b.pdf')
  await rename(other, 'c.pdf')
  faults.inject({ on: 'rename', path: new RegExp(lost.id), errno: 'ENOENT', forever: true })
  await t.rejects(settleDue({ isStart: true }), /1 failed/)
  t.match(await onVolume(other), { filename: 'c.pdf' })
})

test('a sidecar that is written while its blob is purged does not stay', async (t) => {
  for (const isRowGone of [true, false]) {
    const { kept, rename, settle, client, store, files, faults } = await setUp(t)
    const blob = await kept()
    await rename(blob, 'b.pdf')
    faults.inject({
      on: 'rename',
      before: async () => {
        await client.blob.update({ where: { id: blob.id }, data: { state: 'purging' } })
        await store.remove(blob)
        if (isRowGone) await client.blob.delete({ where: { id: blob.id } })
      },
    })
    await settle(blob.id)
    t.strictSame(await files(), [])
  }
})

test('a sidecar that is newer than its row is not written over: the database is older than the volume', async (t) => {
  const { kept, rename, settle, settleDue, store, onVolume, due } = await setUp(t)
  const [blob, other] = [await kept(), await kept()]
  const newer = { ...blob, state: 'deleted', revision: 3 } as const
  await store.writeSidecar(newer)
  for (const one of [blob, other]) await rename(one, 'b.pdf')
  await t.rejects(settle(blob.id), { code: 'STORAGE_UNAVAILABLE', cause: { message: /database is older than the volume.*upload-gateway rebuild/ } })
  await t.rejects(settleDue({ isStart: true }), /1 failed/)
  t.same(await onVolume(blob), newer)
  t.not(await due(blob.id), null)
  t.match(await onVolume(other), { filename: 'b.pdf' })
})

test('a sidecar that another process wrote since the row was read is no such sign', async (t) => {
  const { client, store, kept, rename, onVolume, due } = await setUp(t)
  const blob = await kept()
  const other = createSettling({ client, store, now: () => new Date() })
  let isFirst = true
  const slow = createSettling({
    client,
    store: {
      ...store,
      async readSidecar (address) {
        if (isFirst) {
          isFirst = false
          await rename(blob, 'c.pdf')
          await other.settle(blob.id)
        }
        return store.readSidecar(address)
      },
    },
    now: () => new Date(),
  })
  await rename(blob, 'b.pdf')
  await slow.settle(blob.id)
  t.match(await onVolume(blob), { filename: 'c.pdf', revision: 3 })
  t.equal(await due(blob.id), null)
})

test('what is in a sidecar\'s place and cannot be read is written over', async (t) => {
  const { kept, rename, settle, onVolume, faults } = await setUp(t)
  const blob = await kept()
  await rename(blob, 'b.pdf')
  faults.inject({ on: 'readFile', errno: 'EIO' })
  await settle(blob.id)
  t.match(await onVolume(blob), { filename: 'b.pdf' })
})
