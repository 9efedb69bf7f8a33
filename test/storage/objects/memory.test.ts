// The store in memory keeps the contract, or tests that use it would prove nothing.
import { randomBytes } from 'node:crypto'
import { buffer } from 'node:stream/consumers'
import { test } from 'tap'
import { conforms } from './conformance.ts'
import { createMemoryObjects } from './memory.ts'

test('a store in memory', async (t) => {
  const objects = createMemoryObjects()
  conforms(t, { open: async () => objects, hasUrls: false })
})

test('a call that is made to fail does nothing, or has done all', async (t) => {
  const objects = createMemoryObjects()
  objects.before = (operation, key) => { if (operation === 'putBytes' && key === 'before') throw new Error('not now') }
  objects.after = (operation, key) => { if (operation === 'putBytes' && key === 'after') throw new Error('the answer is lost') }
  await t.rejects(objects.putBytes('before', Buffer.from('bytes')), { message: 'not now' })
  await t.rejects(objects.putBytes('after', Buffer.from('bytes')), { message: 'the answer is lost' })
  t.strictSame(objects.keys(), ['after'])
  t.equal(objects.bytes('after')?.toString(), 'bytes')
})

test('a stream that is made to fail breaks off', async (t) => {
  const objects = createMemoryObjects()
  await objects.putBytes('long', randomBytes(300_000))
  objects.beforeChunk = (_key, offset) => { if (offset > 100_000) throw new Error('cut') }
  await t.rejects(buffer(await objects.read('long')), { message: 'cut' })
})

test('what is spoilt is read as it is, and a presigned URL says what was asked for', async (t) => {
  const objects = createMemoryObjects({ now: () => new Date('2026-11-01T00:00:00Z') })
  await objects.putBytes('key', Buffer.from('right'))
  objects.spoil('key', Buffer.from('wrong'))
  t.equal((await buffer(await objects.read('key'))).toString(), 'wrong')
  const url = new URL(await objects.presign('a/key', 60, { contentType: 'text/plain', contentDisposition: 'inline', cacheControl: 'no-store' }))
  t.equal(url.pathname, '/a/key')
  t.strictSame(Object.fromEntries(url.searchParams), { expires: '2026-11-01T00:01:00.000Z', contentType: 'text/plain', contentDisposition: 'inline', cacheControl: 'no-store' })
})
