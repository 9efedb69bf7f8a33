import { createHash, randomBytes } from 'node:crypto'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import sharp from 'sharp'
import { test } from 'tap'
import { ImagesBusy } from '../../../src/errors.ts'
import { mistyped, natureOf, readSource } from '../../../src/operations/import/reading.ts'
import { sniffedBytes } from '../../../src/transfer/sniff.ts'
import { heif } from '../../fixtures/heif.ts'
import { picture, temporaryFolder } from '../../helper.ts'
import { openVolume } from '../../storage/fixtures/volume.ts'
import { inProcess } from '../fixtures/old-pictures.ts'

const limits = { avatarMaxBytes: 10, attachmentMaxBytes: 3 * 1024 ** 2 }
const from = (...chunks: Buffer[]) => async function * () { yield * chunks }

test('bytes are counted, hashed and handed on; of what has no file of its own the head is kept', async (t) => {
  const chunks = [Buffer.alloc(1024 ** 2 - 1, 1), Buffer.alloc(1024 ** 2, 2)]
  const whole = Buffer.concat(chunks)
  const sha256 = createHash('sha256').update(whole).digest('hex')
  const { head, ...read } = await readSource({ kind: 'attachment', read: from(...chunks) }, limits)
  t.match([read, head.length], [{ size: 2 * 1024 ** 2 - 1, sha256, path: undefined }, 1024 ** 2])
  t.match(await readSource({ kind: 'attachment', read: from() }, limits), { size: 0 })

  const { store } = await openVolume(t)
  const staged = await store.stage()
  const written = await readSource({ kind: 'attachment', read: from(...chunks) }, limits, staged)
  t.match(written, { size: whole.length, sha256, path: staged.path })
  t.ok(written.head.length < 1024 ** 2)
  t.ok((await readFile(staged.path)).equals(whole), 'which is there to be looked into')
  await staged.discard()
})

test('what is larger than an upload may be is refused', async (t) => {
  await t.rejects(readSource({ kind: 'avatar', read: from(Buffer.alloc(6), Buffer.alloc(5)) }, limits), { code: 'too-large', message: /larger than 10 bytes/ })
  t.match(await readSource({ kind: 'avatar', read: from(Buffer.alloc(10)) }, limits), { size: 10 })
})

const nature = (kind: 'avatar' | 'attachment', head: Buffer, declaredType?: string, processes = inProcess) => natureOf({ kind, declaredType }, { head }, processes)
const failing = (error: unknown) => ({ run: async () => { throw error } }) as unknown as typeof inProcess

test('an avatar must be a picture that an upload could be; an attachment may be anything', async (t) => {
  const png = await picture('png')
  t.strictSame(await nature('avatar', png, 'text/plain'), { contentType: 'image/png', extension: 'png', width: 40, height: 30 })
  t.match(await nature('attachment', png), { width: 40, height: 30 })
  t.match(await nature('attachment', Buffer.from('a,b'), 'text/csv'), { contentType: 'text/csv', extension: 'csv', width: null, height: null })
  t.match(await nature('attachment', png.subarray(0, 12)), { width: null })
  t.match(await nature('attachment', huge(png)), { width: 20_000, height: 20_000 })
  for (const [bytes, code] of [[Buffer.from('<svg xmlns="http://www.w3.org/2000/svg"/>'), 'wrong-type'], [Buffer.alloc(0), 'wrong-type'], [png.subarray(0, 20), 'damaged-picture'], [huge(png), 'picture-too-large']] as const) {
    await t.rejects(nature('avatar', bytes, 'image/png'), { name: 'Unimportable', code }, code)
  }
})

test('pictures of every type are measured, upright, of a file or of its head', async (t) => {
  const folder = await temporaryFolder(t)
  for (const format of ['jpeg', 'png', 'webp', 'gif', 'avif'] as const) {
    const whole = await picture(format, { width: 400, height: 300 })
    t.match(await nature('avatar', whole), { width: 400, height: 300 }, format)
    const path = join(folder, format)
    await writeFile(path, whole)
    t.match(await natureOf({ kind: 'attachment', declaredType: undefined }, { head: whole.subarray(0, sniffedBytes), path }, inProcess), { width: 400, height: 300 }, format)
  }
  const turns: unknown[] = []
  const watched: typeof inProcess = { run: (name, input, turn) => { turns.push(turn); return inProcess.run(name, input, turn) } }
  t.match(await nature('avatar', heif('quad'), undefined, watched), { contentType: 'image/heic', width: 96, height: 64 })
  t.strictSame(turns, [{ weight: 2 * heif('quad').length, line: 'variant' }])
  const lying = await sharp(await picture('jpeg')).withMetadata({ orientation: 6 }).jpeg().toBuffer()
  t.match(await nature('attachment', lying), { width: 30, height: 40 })
  const long = await sharp(randomBytes(400 * 300 * 3), { raw: { width: 400, height: 300, channels: 3 } }).jpeg().toBuffer()
  t.match(await nature('attachment', long.subarray(0, 4096)), { width: 400, height: 300 }, 'its pixels are not asked for')
})

test('a picture that ends the process, or finds it too busy, is no avatar, and an attachment of no known size', async (t) => {
  const png = await picture('png')
  const coded = (code: string) => Object.assign(new Error(code), { code })
  for (const [error, code] of [[coded('JOB_CRASHED'), 'damaged-picture'], [coded('JOB_TIMED_OUT'), 'damaged-picture'], [new ImagesBusy(), 'not-looked-at']] as const) {
    await t.rejects(nature('avatar', png, undefined, failing(error)), { name: 'Unimportable', code })
    t.match(await nature('attachment', png, undefined, failing(error)), { contentType: 'image/png', width: null, height: null }, code)
  }
  for (const kind of ['avatar', 'attachment'] as const) {
    for (const error of [coded('EIO'), coded('SERVICE_STOPPING'), new TypeError('a mistake')]) await t.rejects(nature(kind, png, undefined, failing(error)), error)
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
