import { closeSync, ftruncateSync, openSync, writeFileSync } from 'node:fs'
import { randomBytes } from 'node:crypto'
import { type Test, test } from 'tap'
import { afterZeros, type Bytes, bytesInMemory, bytesOfFile, isPadding, readExactly } from '../../../src/images/metadata/bytes.ts'

function open (t: Test, content: Buffer, flags = 'r'): number {
  const path = `${t.testdir({})}/file`
  writeFileSync(path, content)
  const fd = openSync(path, flags)
  t.teardown(() => closeSync(fd))
  return fd
}

test('any part of a file is read, forwards, backwards, and larger than what is kept of it', (t) => {
  const content = randomBytes(300_000)
  const both: readonly Bytes[] = [bytesOfFile(open(t, content)), bytesInMemory(content)]
  const parts = [[0, 10], [10, 10], [65_530, 20], [200_000, 10], [5, 10], [0, 300_000], [100, 150_000], [299_990, 10], [7, 0]] as const
  for (const bytes of both) {
    t.equal(bytes.size, content.length)
    for (const [start, length] of parts) t.ok(bytes.read(start, length).equals(content.subarray(start, start + length)), `${length} from ${start}`)
  }
  t.end()
})

test('what was read before stays what it was', (t) => {
  const content = randomBytes(300_000)
  const bytes = bytesOfFile(open(t, content))
  const first = bytes.read(0, 100)
  bytes.read(200_000, 100)
  t.ok(first.equals(content.subarray(0, 100)))
  t.end()
})

test('reading stops at the end of the file', (t) => {
  const content = randomBytes(1000)
  for (const bytes of [bytesOfFile(open(t, content)), bytesInMemory(content)]) {
    t.ok(bytes.read(990, 20).equals(content.subarray(990)))
    t.equal(bytes.read(1000, 20).length, 0)
    t.equal(bytes.read(2 ** 40, 20).length, 0)
    t.ok(readExactly(bytes, 990, 10).equals(content.subarray(990)))
    t.throws(() => readExactly(bytes, 990, 11), { code: 'METADATA_UNREADABLE' })
  }
  t.end()
})

test('a file that is cut off while it is read ends there', (t) => {
  const fd = open(t, randomBytes(1000), 'r+')
  const bytes = bytesOfFile(fd)
  ftruncateSync(fd, 500)
  t.equal(bytes.read(400, 300).length, 100)
  t.throws(() => readExactly(bytes, 600, 10), { code: 'METADATA_UNREADABLE' })
  t.end()
})

test('padding is zeros and 0xFF', (t) => {
  const content = Buffer.concat([Buffer.alloc(100_000), Buffer.alloc(10, 0xff), Buffer.from('a')])
  const bytes = bytesInMemory(content)
  t.equal(isPadding(bytes, 0, 100_010), true)
  t.equal(isPadding(bytes, 0, 100_011), false)
  t.equal(isPadding(bytes, 50, 50), true)
  t.end()
})

test('zeros are passed over, however many', (t) => {
  const bytes = bytesInMemory(Buffer.concat([Buffer.from('a'), Buffer.alloc(200_000), Buffer.from('b'), Buffer.alloc(3)]))
  t.strictSame([0, 1, 100_000, 200_001, 200_002, 200_005, 300_000].map((start) => afterZeros(bytes, start)), [0, 200_001, 200_001, 200_001, 200_005, 200_005, 200_005])
  t.end()
})
