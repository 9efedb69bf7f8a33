import { Readable } from 'node:stream'
import { buffer } from 'node:stream/consumers'
import t from 'tap'
import { exactLength } from '../../src/transfer/exact-length.ts'

const through = (chunks: string[], length: number) => buffer(Readable.from(chunks.map((chunk) => Buffer.from(chunk))).pipe(exactLength(length)))

t.test('bytes of the announced length pass unchanged', async (t) => {
  t.equal((await through(['ab', 'c', 'def'], 6)).toString(), 'abcdef')
  t.equal((await through([], 0)).length, 0)
})

t.test('too few and too many bytes are a failure of the storage', async (t) => {
  await t.rejects(through(['ab'], 3), { code: 'STORAGE_UNAVAILABLE', cause: { message: /3/ } })
  await t.rejects(through([], 1), { code: 'STORAGE_UNAVAILABLE' })
  await t.rejects(through(['ab', 'cd'], 3), { code: 'STORAGE_UNAVAILABLE' })
  await t.rejects(through(['a'], 0), { code: 'STORAGE_UNAVAILABLE' })
})

t.test('not a byte too many is passed on', async (t) => {
  const stream = exactLength(3)
  const seen: Buffer[] = []
  stream.on('data', (chunk: Buffer) => seen.push(chunk)).on('error', () => {})
  stream.write(Buffer.from('ab'))
  stream.write(Buffer.from('cdef'))
  await new Promise((resolve) => stream.once('close', resolve))
  t.equal(Buffer.concat(seen).toString(), 'ab')
})
