import { test } from 'tap'
import { bytesInMemory } from '../../src/images/metadata/bytes.ts'
import { chunk, chunksOf, contentAt, declaredInPng, frame, placesBeforePixels, placesOf, pngSignature } from '../../src/images/png-chunks.ts'
import { plain, withChunk } from './made.ts'

const typesBefore = (file: Buffer) => [...placesBeforePixels(bytesInMemory(file))].map(({ type }) => type)

test('the chunks of a file, and those before its pixels', async (t) => {
  const png = withChunk(await plain(5, 5).png().toBuffer(), 'cICP', [12, 13, 0, 1])
  t.strictSame(typesBefore(png), ['IHDR', 'cICP', 'pHYs'])
  t.strictSame([...chunksOf(png)].map(({ type }) => type), ['IHDR', 'cICP', 'pHYs', 'IDAT', 'IEND'])
  t.strictSame([...placesOf(bytesInMemory(png))].slice(0, 2), [{ type: 'IHDR', start: 8, end: 33 }, { type: 'cICP', start: 33, end: 49 }])
  t.strictSame([...contentAt(bytesInMemory(png), { type: 'cICP', start: 33, end: 49 })], [12, 13, 0, 1])
  t.strictSame([...contentAt(bytesInMemory(png), { type: 'cICP', start: 33, end: 49 }, 2)], [12, 13])
})

test('nothing comes after the end, and nothing out of another file', async (t) => {
  const png = await plain(5, 5).png().toBuffer()
  t.strictSame([...chunksOf(Buffer.concat([png, chunk('tEXt', Buffer.alloc(1))]))].at(-1)?.type, 'IEND')
  t.strictSame([...placesOf(bytesInMemory(await plain(5, 5).gif().toBuffer()))], [])
})

test('chunks are written as they are read', async (t) => {
  const png = await plain(5, 5).png().toBuffer()
  t.strictSame(Buffer.concat([pngSignature, ...[...chunksOf(png)].map(({ type, content }) => chunk(type, content))]), png)
  const [start, end] = [8, 33]
  t.strictSame(frame(Buffer.from(png.subarray(start, end)).fill(0, 0, 8).fill(0, 21), 'IHDR'), png.subarray(start, end))
})

test('a file that is cut off has the chunks before the cut', async (t) => {
  const png = await plain(5, 5).png().toBuffer()
  for (let end = 0; end < png.length; end++) {
    const whole = [...chunksOf(png.subarray(0, end))]
    t.ok(whole.every(({ content }, index) => content.equals([...chunksOf(png)][index]?.content ?? Buffer.alloc(0))), `at ${end}`)
    t.ok(whole.length < 4, `at ${end}`)
  }
  t.strictSame(typesBefore(png.subarray(0, 33)), ['IHDR'])
  t.strictSame([...chunksOf(Buffer.concat([pngSignature, Buffer.from('ffffffff74455874', 'hex')]))], [], 'a length beyond the file')
})

test('what is declared before the pixels is the first of its type, and no more than is needed of it', async (t) => {
  const png = await plain(5, 5).png().toBuffer()
  const declared = (file: Buffer, type: string) => declaredInPng(bytesInMemory(file), type)
  t.strictSame([...declared(withChunk(withChunk(png, 'gAMA', [2]), 'gAMA', [1]), 'gAMA') ?? []], [1])
  t.equal(declared(withChunk(png, 'gAMA', Buffer.alloc(1000)), 'gAMA')?.length, 32)
  t.equal(declared(png, 'gAMA'), undefined)
  t.equal(declared(Buffer.concat([png.subarray(0, -12), chunk('gAMA', Buffer.alloc(4))]), 'gAMA'), undefined, 'behind the pixels')
})

test('a file with too many chunks before its pixels is refused; behind them there may be more', async (t) => {
  const [empty, pixels] = [chunk('tEXt', Buffer.alloc(0)), chunk('IDAT', Buffer.alloc(0))]
  const file = (before: number, behind: number) => Buffer.concat([pngSignature, ...Array<Buffer>(before).fill(empty), pixels, ...Array<Buffer>(behind).fill(empty)])
  t.equal(typesBefore(file(2000, 5000)).length, 2000)
  t.throws(() => typesBefore(file(2001, 0)), { code: 'IMAGE_INVALID' })
})
