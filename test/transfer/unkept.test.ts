import { createHash } from 'node:crypto'
import { test } from 'tap'
import { unkept } from '../../src/transfer/unkept.ts'

test('sizes and hashes are told as of a file that is kept, and nothing is set aside', async (t) => {
  const staged = await unkept.stage()
  for (const chunk of ['a body ', 'in two chunks']) await staged.write(Buffer.from(chunk))
  t.equal(staged.size, 20)
  t.strictSame(await staged.finish(), { size: 20, sha256: createHash('sha256').update('a body in two chunks').digest('hex') })
  t.equal((await staged.head(10)).length, 0)
  await staged.discard()
  const reservation = await unkept.reserve(2 ** 50)
  reservation.consume(1)
  reservation.release()
})
