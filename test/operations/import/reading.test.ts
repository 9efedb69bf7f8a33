import { createHash } from 'node:crypto'
import { test } from 'tap'
import { mistyped, natureOf, readSource } from '../../../src/operations/import/reading.ts'
import { picture } from '../../helper.ts'

const limits = { avatarMaxBytes: 10, attachmentMaxBytes: 3 * 1024 ** 2 }
const from = (...chunks: Buffer[]) => async function * () { yield * chunks }

test('bytes are counted, hashed and handed on; the head is all that is judged', async (t) => {
  const chunks = [Buffer.alloc(1024 ** 2 - 1, 1), Buffer.alloc(1024 ** 2, 2)]
  const written: Buffer[] = []
  const { size, sha256, head } = await readSource({ kind: 'attachment', read: from(...chunks) }, limits, { write: async (chunk) => { written.push(chunk) } })
  t.equal(size, 2 * 1024 ** 2 - 1)
  t.equal(sha256, createHash('sha256').update(Buffer.concat(chunks)).digest('hex'))
  t.ok(Buffer.concat(written).equals(Buffer.concat(chunks)))
  t.equal(head.length, 1024 ** 2)
  t.match(await readSource({ kind: 'attachment', read: from() }, limits), { size: 0 })
})

test('what is larger than an upload may be is refused', async (t) => {
  await t.rejects(readSource({ kind: 'avatar', read: from(Buffer.alloc(6), Buffer.alloc(5)) }, limits), { code: 'too-large', message: /larger than 10 bytes/ })
  t.match(await readSource({ kind: 'avatar', read: from(Buffer.alloc(10)) }, limits), { size: 10 })
})

test('an avatar must be a picture that an upload could be; an attachment may be anything', async (t) => {
  const png = await picture('png')
  t.strictSame(await natureOf({ kind: 'avatar', declaredType: 'text/plain' }, png), { contentType: 'image/png', extension: 'png', width: 40, height: 30 })
  t.match(await natureOf({ kind: 'attachment', declaredType: undefined }, png), { width: 40, height: 30 })
  t.match(await natureOf({ kind: 'attachment', declaredType: 'text/csv' }, Buffer.from('a,b')), { contentType: 'text/csv', extension: 'csv', width: null, height: null })
  t.match(await natureOf({ kind: 'attachment', declaredType: undefined }, png.subarray(0, 12)), { width: null })
  for (const [bytes, code] of [[Buffer.from('<svg xmlns="http://www.w3.org/2000/svg"/>'), 'wrong-type'], [Buffer.alloc(0), 'wrong-type'], [png.subarray(0, 20), 'damaged-picture'], [huge(png), 'picture-too-large']] as const) {
    await t.rejects(natureOf({ kind: 'avatar', declaredType: 'image/png' }, bytes), { name: 'Unimportable', code }, code)
  }
})

/** Says it is 20 000 pixels wide and high. */
function huge (png: Buffer): Buffer {
  const bytes = Buffer.from(png)
  bytes.writeUInt32BE(20_000, 16)
  bytes.writeUInt32BE(20_000, 20)
  bytes.writeInt32BE(crc(bytes.subarray(12, 29)), 29)
  return bytes
}

function crc (bytes: Buffer): number {
  let value = -1
  for (const byte of bytes) {
    value ^= byte
    for (let bit = 0; bit < 8; bit += 1) value = (value >>> 1) ^ (value & 1 ? 0xedb88320 : 0)
  }
  return ~value
}

test('a type that is not true is worth a note', (t) => {
  const png = { contentType: 'image/png', extension: 'png', width: 1, height: 1 }
  t.strictSame(mistyped(png, undefined), [])
  t.strictSame(mistyped(png, 'IMAGE/PNG; x=y'), [])
  t.match(mistyped(png, 'image/jpeg'), [/said to be "image\/jpeg".*image\/png/])
  t.end()
})
