import { test } from 'tap'
import { createChunks } from '../../src/client/chunks.ts'

const KiB = 1024
const MiB = 1024 ** 2

test('chunks grow on a fast connection, up to what the gateway wants', (t) => {
  const chunks = createChunks(16 * MiB)
  t.equal(chunks.bytes, MiB)
  for (let i = 0; i < 10; i++) chunks.sent(100)
  t.equal(chunks.bytes, 16 * MiB)
  t.equal(createChunks(200 * KiB).bytes, 200 * KiB)
  t.end()
})

test('they shrink on a slow one, and when one is lost, down to what is worth a request', (t) => {
  const chunks = createChunks(16 * MiB)
  chunks.sent(9000)
  t.equal(chunks.bytes, MiB / 2)
  chunks.sent(4000)
  t.equal(chunks.bytes, MiB / 2, 'neither')
  for (let i = 0; i < 10; i++) chunks.lost()
  t.equal(chunks.bytes, 64 * KiB)
  t.end()
})

test('a gateway that wants small ones gets small ones', (t) => {
  const chunks = createChunks(1024)
  chunks.lost()
  chunks.sent(1)
  t.equal(chunks.bytes, 1024)
  t.end()
})
