import { test } from 'tap'
import { free } from '../../src/storage/free.ts'

test('memory that nobody shares is given back; what is a part of something is left alone', async (t) => {
  const whole = Buffer.alloc(100_000)
  const part = Buffer.alloc(100_000).subarray(1)
  const shared = new Uint8Array(new SharedArrayBuffer(10))
  for (const bytes of [whole, part, shared]) free(bytes)
  t.equal(whole.length, 0)
  t.equal(part.length, 99_999)
  t.equal(shared.length, 10)
})
