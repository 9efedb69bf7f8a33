// What every home of the bytes promises, whatever it is made of: one suite for the volume and for each object store.
import { randomBytes } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { buffer } from 'node:stream/consumers'
import type { Test } from 'tap'
import type { FileSystem } from '../../src/storage/fs.ts'
import { newBlobId, newUploadId } from '../../src/storage/ids.ts'
import type { Storage } from '../../src/storage/open.ts'
import type { Segment } from '../../src/storage/segments.ts'
import type { BlobAddress } from '../../src/storage/store.ts'
import { scanVolume } from '../../src/storage/volume/scan.ts'
import { publish, sidecarFor, stage } from './fixtures/volume.ts'

export type OpenHome = Storage & { readonly fs: FileSystem, readonly root: string }

const mebibyte = 1024 ** 2

/** `open`: a fresh home, empty but for its identity. */
export function conforms (t: Test, open: (t: Test) => Promise<OpenHome>): void {
  const found = async ({ fs, root }: OpenHome) => {
    const blobs = []
    for await (const folder of scanVolume(fs, root)) blobs.push(...folder.blobs)
    return blobs
  }
  const bytesOf = async ({ store }: OpenHome, address: BlobAddress) => buffer(await store.read(address))

  t.test('what is published is whole, with its sidecar beside it, and found by a scan', async (t) => {
    const home = await open(t)
    const bytes = randomBytes(9 * mebibyte)
    const sidecar = await publish(home.store, bytes)
    t.ok((await bytesOf(home, sidecar)).equals(bytes))
    t.strictSame(await home.store.readSidecar(sidecar), sidecar)
    t.match(await found(home), [{ id: sidecar.id, kind: 'avatar', extension: 'png', extensions: ['png'], hasSidecar: true }])
    t.strictSame(await home.staging.usage(), { files: 0, bytes: 0 })
  })

  t.test('ranges are exactly what was asked; behind the end there is nothing; an empty blob is one', async (t) => {
    const home = await open(t)
    const bytes = randomBytes(3 * mebibyte)
    const sidecar = await publish(home.store, bytes)
    for (const [start, end] of [[0, 0], [0, 99], [mebibyte - 1, mebibyte], [bytes.length - 1, bytes.length - 1], [bytes.length - 1, bytes.length]] as const) {
      t.ok((await buffer(await home.store.read(sidecar, { start, end }))).equals(bytes.subarray(start, end + 1)), `${start}-${end}`)
    }
    t.equal((await buffer(await home.store.read(sidecar, { start: bytes.length, end: bytes.length }))).length, 0)
    const empty = await publish(home.store, '')
    t.equal((await bytesOf(home, empty)).length, 0)
    t.equal((await buffer(await home.store.read(empty, { start: 0, end: 0 }))).length, 0)
  })

  t.test('I3: a blob is never replaced, and the attempt leaves it as it was', async (t) => {
    const home = await open(t)
    const first = await publish(home.store, 'first')
    await t.rejects(publish(home.store, 'other', { id: first.id, ownerId: 'eve' }), { code: 'STORAGE_UNAVAILABLE' })
    t.equal((await bytesOf(home, first)).toString(), 'first')
    t.strictSame(await home.store.readSidecar(first), first)
    t.strictSame(await home.staging.usage(), { files: 0, bytes: 0 })
  })

  t.test('what is given up, and what says it is something else, leaves nothing', async (t) => {
    const home = await open(t)
    const staged = await stage(home.store, 'hello')
    t.equal((await staged.head(3)).toString(), 'hel')
    await staged.discard()
    await staged.discard()
    await t.rejects(home.store.publish(await stage(home.store, 'hello'), sidecarFor('other')), { code: 'STORAGE_UNAVAILABLE' })
    await t.rejects(home.store.publish({ ...staged }, sidecarFor('hello')), { code: 'STORAGE_UNAVAILABLE' })
    t.strictSame(await found(home), [])
    t.strictSame(await home.staging.usage(), { files: 0, bytes: 0 })
  })

  t.test('what is missing is told from what is there', async (t) => {
    const { store } = await open(t)
    const address = { kind: 'attachment', id: newBlobId(), extension: 'bin' } as const
    await t.rejects(store.read(address), { code: 'STORAGE_UNAVAILABLE', cause: { message: /is missing/ } })
    t.equal(await store.readSidecar(address), undefined)
    await store.remove(address)
    await store.removeForGood(address)
  })

  t.test('a sidecar is replaced whole', async (t) => {
    const { store } = await open(t)
    const sidecar = await publish(store, 'hello')
    const changed = { ...sidecar, revision: 2, state: 'deleted' } as const
    await store.writeSidecar(changed)
    t.strictSame(await store.readSidecar(sidecar), changed)
  })

  t.test('removing takes blob and sidecar; for good, also what an audit put aside of it', async (t) => {
    const home = await open(t)
    const [one, other, stays] = [await publish(home.store, 'one'), await publish(home.store, 'other'), await publish(home.store, 'stays')]
    await home.store.remove(one)
    const folder = join('avatars', other.createdAt.slice(0, 10).replaceAll('-', '/'))
    await home.fs.rename(join(home.root, folder, `${other.id}.sidecar.json`), join(home.root, folder, `${other.id}.sidecar.json.damaged`))
    await home.store.removeForGood(other)
    t.match(await found(home), [{ id: stays.id }])
    t.strictSame((await home.fs.readdir(join(home.root, folder))).sort(), [`${stays.id}.png`, `${stays.id}.sidecar.json`])
  })

  t.test('a file of this machine has the bytes of a blob until it is released', async (t) => {
    const home = await open(t)
    const bytes = randomBytes(2 * mebibyte)
    const sidecar = await publish(home.store, bytes)
    const { path, isThere, release } = await home.store.localFile(sidecar)
    t.ok((await readFile(path)).equals(bytes))
    t.equal((await buffer(createReadStream(path))).length, bytes.length)
    t.equal(await isThere(), true)
    await release()
    t.strictSame(await home.staging.usage(), { files: 0, bytes: 0 })
    await home.store.remove(sidecar)
    t.equal(await isThere(), false)
  })

  t.test('pieces of an upload are durable when they say so, and are read in their order, up to what counts', async (t) => {
    const { segments, staging } = await open(t)
    const uploadId = newUploadId()
    const [first, second, third, meanwhile] = [randomBytes(3 * mebibyte), randomBytes(mebibyte), randomBytes(10), randomBytes(2 * mebibyte)]
    const one = await segments.open({ uploadId, start: 0, epoch: 1 })
    await one.write(first)
    t.equal(await one.flush(), first.length)
    await one.write(second)
    t.equal(await one.flush(), first.length + second.length)
    t.equal(await one.flush(), first.length + second.length, 'nothing more came')
    const flushed = one.flush()
    await one.write(meanwhile)
    t.equal(await flushed, first.length + second.length, 'what comes meanwhile counts with the next')
    t.equal(await one.flush(), first.length + second.length + meanwhile.length)
    await one.close()
    const start = first.length + second.length + meanwhile.length
    const two = await segments.open({ uploadId, start, epoch: 2 })
    await two.write(third)
    await two.flush()
    await two.keep(5)
    const counted: Segment[] = [{ uploadId, start: 0, epoch: 1, bytes: start }, { uploadId, start, epoch: 2, bytes: 5 }]
    t.ok(await segments.areThere(counted))
    const read: Buffer[] = []
    for await (const chunk of segments.read(counted)) read.push(Buffer.from(chunk))
    t.ok(Buffer.concat(read).equals(Buffer.concat([first, second, meanwhile, third.subarray(0, 5)])))
    t.strictSame(await segments.uploads(), [uploadId])

    t.notOk(await segments.areThere([{ uploadId, start, epoch: 3, bytes: 1 }]))
    t.notOk(await segments.areThere([{ uploadId, start: 0, epoch: 1, bytes: start + 1 }]))
    await t.rejects(segments.read([{ uploadId, start, epoch: 3, bytes: 1 }]).next(), { code: 'RESUMABLE_GONE' })
    await segments.remove(uploadId)
    await segments.removeForGood(uploadId)
    t.strictSame(await segments.uploads(), [])
    t.notOk(await segments.areThere(counted))
    t.strictSame(await staging.usage(), { files: 0, bytes: 0 })
  })

  t.test('a piece of which nothing counts is gone', async (t) => {
    const { segments } = await open(t)
    const uploadId = newUploadId()
    const piece = await segments.open({ uploadId, start: 0, epoch: 1 })
    await piece.write(Buffer.from('hello'))
    await piece.flush()
    await piece.keep(0)
    t.notOk(await segments.areThere([{ uploadId, start: 0, epoch: 1, bytes: 1 }]))
    const other = await segments.open({ uploadId, start: 0, epoch: 2 })
    await other.close()
  })

  t.test('journals keep what is appended, whoever appends it', async (t) => {
    const { erasures, tombstones } = await open(t)
    await Promise.all([tombstones.add(['a', 'b'], new Date()), tombstones.add(['c'], new Date())])
    t.match(await tombstones.read(), { keys: new Set(['a', 'b', 'c']), damagedLines: 0 })
    t.strictSame(await erasures.reconcile(), [])
    t.match((await erasures.read()).places, [{ isThere: true, damagedLines: 0, count: 0 }])
  })

  t.test('it is ready, and leaves nothing when it is closed', async (t) => {
    const home = await open(t)
    await home.probe.check()
    await home.staging.close()
    t.strictSame((await home.fs.readdir(join(home.root, 'staging')).catch(() => [])), [])
    t.strictSame(await readdir(join(home.root, 'staging')), [])
  })
}
