import { Readable } from 'node:stream'
import { text } from 'node:stream/consumers'
import { test } from 'tap'
import { createReadHandle } from '../../../src/storage/objects/read-handle.ts'
import { statsOf } from '../../../src/storage/objects/stats.ts'
import type { ByteRange } from '../../../src/storage/store.ts'

const mebibyte = 1024 ** 2

function opened (bytes: Buffer) {
  const ranges: ByteRange[] = []
  const read = async (range: ByteRange) => {
    ranges.push(range)
    return Readable.from([bytes.subarray(range.start, range.end + 1)], { objectMode: false })
  }
  return { ranges, handle: createReadHandle({ stats: statsOf({ is: 'file', size: bytes.length, modifiedAt: new Date(0), ino: 1 }), read }) }
}

test('who reads a large file in small pieces asks for few and ever larger ones', async (t) => {
  const bytes = Buffer.alloc(20 * mebibyte)
  for (let at = 0; at < bytes.length; at += 1000) bytes.writeUInt32BE(at, at)
  const { handle, ranges } = opened(bytes)
  const buffer = Buffer.alloc(100_000)
  const read: Buffer[] = []
  for (let at = 0; ;) {
    const { bytesRead } = await handle.read(buffer, 0, buffer.length, at)
    if (bytesRead === 0) break
    read.push(Buffer.from(buffer.subarray(0, bytesRead)))
    at += bytesRead
  }
  t.ok(Buffer.concat(read).equals(bytes))
  t.strictSame(ranges.map(({ start, end }) => (end - start + 1) / mebibyte), [1, 2, 4, 4, 4, 4, 1])
  await handle.read(buffer, 0, 10, 0)
  t.strictSame(ranges.at(-1), { start: 0, end: mebibyte - 1 }, 'from the start again, little at first')
  await handle.close()
})

test('a piece that is larger than that is one call, and nothing is asked behind the end', async (t) => {
  const { handle, ranges } = opened(Buffer.alloc(6 * mebibyte, 'x'))
  const { bytesRead, buffer } = await handle.read(Buffer.alloc(5 * mebibyte))
  t.strictSame([bytesRead, buffer.length, ranges.length], [5 * mebibyte, 5 * mebibyte, 1])
  t.equal((await handle.read(buffer, 0, 10)).bytesRead, 10, 'without a position it goes on')
  t.equal((await handle.read(buffer, 0, 10, 6 * mebibyte)).bytesRead, 0)
  t.equal((await handle.read(buffer, 0, 0, 0)).bytesRead, 0)
  t.equal(ranges.length, 2)
})

test('an empty file is read without a call', async (t) => {
  const { handle, ranges } = opened(Buffer.alloc(0))
  t.equal((await handle.read(Buffer.alloc(1), 0, 1, 0)).bytesRead, 0)
  t.equal(await handle.readFile('utf8'), '')
  t.equal(await text(handle.createReadStream()), '')
  t.strictSame(ranges, [])
})

test('a stream is one call, also of a part, and text is what is asked for', async (t) => {
  const { handle, ranges } = opened(Buffer.from('hello world'))
  t.equal(await text(handle.createReadStream({ start: 6 })), 'world')
  t.equal(await text(handle.createReadStream({ start: 6, end: 100 })), 'world')
  t.equal(await handle.readFile({ encoding: 'utf8' }), 'hello world')
  t.ok(Buffer.from('hello world').equals(await handle.readFile() as Buffer))
  t.equal(ranges.length, 4)
  await handle.sync()
  t.equal((await handle.stat()).size, 11)
})
