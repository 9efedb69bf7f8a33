import { readdir } from 'node:fs/promises'
import { test, type Test } from 'tap'
import { newUploadId } from '../../../src/storage/ids.ts'
import { openStorage } from '../../../src/storage/open.ts'
import { ObjectsUnavailable } from '../../../src/storage/objects/objects.ts'
import type { Segment } from '../../../src/storage/segments.ts'
import { storeFor } from './fixture.ts'

async function setUp (t: Test) {
  const home = await storeFor(t)
  const { segments, staging } = await openStorage({ fs: home.fs, root: home.root, reserveBytes: 0, known: { volumeId: undefined, knowsFiles: false } })
  t.teardown(() => staging.close())
  const uploadId = newUploadId()
  const read = async (bytes: number) => {
    const chunks: Buffer[] = []
    for await (const chunk of segments.read([{ uploadId, start: 0, epoch: 1, bytes }])) chunks.push(chunk)
    return Buffer.concat(chunks).toString()
  }
  return { ...home, segments, uploadId, read, spooled: () => readdir(staging.folder), pieces: () => home.objects.keys().filter((key) => key.startsWith('resumable/')).map((key) => key.replace(uploadId, 'ID')) }
}

test('each flush puts what came since the one before, and nothing twice', async (t) => {
  const { segments, uploadId, objects, pieces, spooled, read } = await setUp(t)
  const segment = await segments.open({ uploadId, start: 0, epoch: 1 })
  await segment.write(Buffer.from('hello'))
  t.strictSame([pieces().length, (await spooled()).length], [0, 1], 'not yet in the store')
  await segment.flush()
  await segment.write(Buffer.from(' '))
  await segment.write(Buffer.from('world'))
  t.equal(await segment.flush(), 11)
  t.strictSame(pieces(), ['resumable/ID/0-1.parts/0000000000000000', 'resumable/ID/0-1.parts/0000000000000005'])
  t.equal(objects.bytes(`resumable/${uploadId}/0-1.parts/0000000000000005`)?.toString(), ' world')
  await segment.write(Buffer.from('never flushed'))
  await segment.close()
  await segment.close()
  t.strictSame(await spooled(), [])
  t.equal(await read(11), 'hello world')
  t.equal(await read(7), 'hello w')
})

test('a flush that failed may be tried again, with what came since', async (t) => {
  const { segments, uploadId, objects, read } = await setUp(t)
  const segment = await segments.open({ uploadId, start: 0, epoch: 1 })
  await segment.write(Buffer.from('hello'))
  objects.after = () => { throw new ObjectsUnavailable('no answer') }
  await t.rejects(segment.flush(), { code: 'STORAGE_UNAVAILABLE' })
  objects.after = () => {}
  await segment.write(Buffer.from(' world'))
  t.equal(await segment.flush(), 11)
  await segment.close()
  t.equal(await read(11), 'hello world')
})

test('what is not to be kept of a segment leaves the store, also what may have been put', async (t) => {
  const { segments, uploadId, objects, pieces, spooled, read } = await setUp(t)
  const segment = await segments.open({ uploadId, start: 0, epoch: 1 })
  for (const text of ['hello', ' ', 'world']) {
    await segment.write(Buffer.from(text))
    await segment.flush()
  }
  await segment.write(Buffer.from('!'))
  objects.after = () => { throw new ObjectsUnavailable('no answer') }
  await t.rejects(segment.flush(), { code: 'STORAGE_UNAVAILABLE' })
  t.equal(pieces().length, 4)
  objects.after = () => {}
  await segment.keep(5)
  t.strictSame([pieces(), await spooled()], [['resumable/ID/0-1.parts/0000000000000000'], []])
  t.equal(await read(5), 'hello')

  const refused = await segments.open({ uploadId, start: 5, epoch: 2 })
  await refused.write(Buffer.from('never'))
  await refused.flush()
  await refused.keep(0)
  t.equal(pieces().length, 1, 'nor anything of one of which nothing counts')
})

test('to ask for the pieces of an upload is one listing, however many there are', async (t) => {
  const { segments, uploadId, asked } = await setUp(t)
  const counted: Segment[] = []
  for (let start = 0; start < 20; start += 1) {
    const segment = await segments.open({ uploadId, start, epoch: start })
    await segment.write(Buffer.from('x'))
    counted.push({ uploadId, start, epoch: start, bytes: await segment.flush() })
    await segment.close()
  }
  t.strictSame(await asked(() => segments.areThere(counted)), [`list resumable/${uploadId}/`])
  t.strictSame(await asked(() => segments.uploads()), ['level resumable/'])
})

test('the file system shows a segment as the one file that it is', async (t) => {
  const { segments, uploadId, fs, at } = await setUp(t)
  const segment = await segments.open({ uploadId, start: 0, epoch: 1 })
  for (const text of ['hello', ' world']) {
    await segment.write(Buffer.from(text))
    await segment.flush()
  }
  await segment.close()
  t.strictSame(await fs.readdir(at(`resumable/${uploadId}`)), ['0-1'])
  t.equal((await fs.stat(at(`resumable/${uploadId}/0-1`))).size, 11)
  const handle = await fs.open(at(`resumable/${uploadId}/0-1`), 'r')
  t.equal((await handle.read(Buffer.alloc(3), 0, 3, 4)).buffer.toString(), 'o w')
  await handle.close()
  t.equal(await fs.readFile(at(`resumable/${uploadId}/0-1`), 'utf8'), 'hello world')
})

test('a store that does not answer says nothing of what is in it', async (t) => {
  const { segments, uploadId, objects, read } = await setUp(t)
  const segment = await segments.open({ uploadId, start: 0, epoch: 1 })
  await segment.write(Buffer.from('hello'))
  await segment.flush()
  await segment.close()
  objects.beforeChunk = () => { throw new ObjectsUnavailable('cut off') }
  await t.rejects(read(5), { code: 'STORAGE_UNAVAILABLE' })
  objects.before = () => { throw new ObjectsUnavailable('away') }
  for (const work of [() => segments.areThere([{ uploadId, start: 0, epoch: 1, bytes: 5 }]), () => segments.uploads(), () => segments.remove(uploadId), () => read(5)]) await t.rejects(work() as Promise<unknown>, { code: 'STORAGE_UNAVAILABLE' })
})
