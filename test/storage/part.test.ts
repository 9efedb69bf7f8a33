import { test } from 'tap'
import type { OpenFile } from '../../src/storage/fs.ts'
import { readPart } from '../../src/storage/part.ts'
import { fileOf } from '../transfer/fixtures/open-file.ts'

const bytes = Buffer.from('0123456789')

test('a part is read at once, and the file closed', async (t) => {
  const file = fileOf(bytes)
  t.equal(String(await readPart(file, { start: 2, end: 5 })), '2345')
  t.equal(file.closed, 1)
})

test('a part that is not there, or cannot be read, is no answer', async (t) => {
  const file = fileOf(bytes)
  await t.rejects(readPart(file, { start: 8, end: 12 }), { code: 'STORAGE_UNAVAILABLE', cause: { message: 'the file ends 3 bytes too early' } })
  t.equal(file.closed, 1)
  const failing: OpenFile = { size: 10, read: (_into, _length, _position, done) => done(new Error('EIO'), 0), close () {} }
  await t.rejects(readPart(failing, { start: 8, end: 9 }), { code: 'STORAGE_UNAVAILABLE', cause: { message: 'EIO' } })
})
