import { test } from 'tap'
import { createFallbackSegments } from '../../../src/storage/fallback/segments.ts'
import { newUploadId } from '../../../src/storage/ids.ts'
import { openStorage } from '../../../src/storage/open.ts'
import type { Segment, Segments } from '../../../src/storage/segments.ts'
import { openVolume } from '../fixtures/volume.ts'
import { storeFor } from '../objects/fixture.ts'

async function write (segments: Segments, segment: Segment, text: string): Promise<void> {
  const file = await segments.open(segment)
  await file.write(Buffer.from(text))
  await file.flush()
  await file.close()
}

async function textOf (segments: Segments, all: readonly Segment[]): Promise<string> {
  const chunks: Buffer[] = []
  for await (const chunk of segments.read(all)) chunks.push(Buffer.from(chunk))
  return Buffer.concat(chunks).toString()
}

test('an upload begun in the one home goes on in the other, is read from both, and goes from both', async (t) => {
  const volume = await openVolume(t)
  const { fs, root, objects } = await storeFor(t)
  const remote = await openStorage({ fs, root, reserveBytes: 0, known: { volumeId: undefined, knowsFiles: false } })
  t.teardown(() => remote.staging.close())
  const isSegment = (path: string) => path.startsWith('resumable/')
  for (const [own, other] of [[remote.segments, volume.segments], [volume.segments, remote.segments]] as const) {
    const segments = createFallbackSegments(own, other)
    const uploadId = newUploadId()
    const [first, second] = [{ uploadId, start: 0, epoch: 1, bytes: 6 }, { uploadId, start: 6, epoch: 2, bytes: 5 }]
    await write(other, first, 'begun here, of which six count')
    t.equal(await textOf(segments, [first]), 'begun ')
    await write(segments, second, 'there')
    t.equal(await textOf(segments, [first, second]), 'begun there')
    t.equal(await own.areThere([first]), false)
    t.equal(await segments.areThere([first, second]), true)
    t.equal(await segments.areThere([second]), true)
    t.equal(await textOf(segments, [second]), 'there')
    const nowhere = { ...first, epoch: 7 }
    t.equal(await segments.areThere([first, nowhere]), false)
    await t.rejects(textOf(segments, [first, nowhere]), { code: 'RESUMABLE_GONE' })
    t.strictSame(await segments.uploads(), [uploadId], 'what is only in the other home is its own to clean up')
    await segments.remove(uploadId)
    t.strictSame([objects.keys().filter(isSegment), (await volume.files()).filter(isSegment)], [[], []])
    await write(other, first, 'begun again')
    await write(own, first, 'begun again')
    await segments.removeForGood(uploadId)
    t.strictSame([objects.keys().filter(isSegment), (await volume.files()).filter(isSegment)], [[], []])
  }
})
