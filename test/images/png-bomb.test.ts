import { deflateSync } from 'node:zlib'
import realSharp from 'sharp'
import { test } from 'tap'
import { inspect } from '../../src/images/inspect.ts'
import { bytesInMemory } from '../../src/images/metadata/bytes.ts'
import { headerOf, open } from '../../src/images/open.ts'
import { plan } from '../../src/images/plan.ts'
import { refuseBomb } from '../../src/images/png-bomb.ts'
import { chunk } from '../../src/images/png-chunks.ts'
import { file, plain } from './made.ts'

const mebibyte = 1024 * 1024
const png = await plain(16, 16).png().toBuffer()

const before = (...chunks: Buffer[]) => Buffer.concat([png.subarray(0, 33), ...chunks, png.subarray(33)])
const behind = (...chunks: Buffer[]) => Buffer.concat([png.subarray(0, -12), ...chunks, png.subarray(-12)])
const times = (count: number, one: Buffer) => Array<Buffer>(count).fill(one)

const letters = (length: number) => Buffer.alloc(length, 'A')
const text = (length: number) => chunk('tEXt', Buffer.concat([Buffer.from('Comment\0'), letters(length)]))
const packed = (length: number, type = 'zTXt', start = 'Comment\0\0') => chunk(type, Buffer.concat([Buffer.from(start), deflateSync(letters(length))]))
const international = (length: number) => packed(length, 'iTXt', 'Comment\0\x01\0en\0Kommentar\0')
const damaged = (length: number) => chunk('zTXt', Buffer.concat([Buffer.from('Comment\0\0'), deflateSync(letters(length)).subarray(0, -9)]))

const bombs = {
  'compressed texts': before(...times(5, packed(4 * mebibyte))),
  'international texts': before(...times(5, international(4 * mebibyte))),
  'one long text': before(packed(17 * mebibyte)),
  'a profile': before(packed(17 * mebibyte, 'iCCP', 'icc\0\0')),
  'plain texts': before(...times(5, text(4 * mebibyte))),
  'international texts in plain': before(...times(5, chunk('iTXt', Buffer.concat([Buffer.from('Comment\0\0\0\0\0'), letters(4 * mebibyte)])))),
  'texts that break off': before(...times(5, damaged(4 * mebibyte))),
  'many texts': before(...times(2000, text(1))),
  'packed texts behind plain ones that leave no room': before(text(16 * mebibyte - 100), packed(mebibyte)),
}

test('a file that holds much more than it seems is refused before the library sees it', async (t) => {
  for (const [name, bytes] of Object.entries(bombs)) {
    t.throws(() => refuseBomb(bytesInMemory(bytes)), { code: 'IMAGE_INVALID' }, name)
  }
  const picture = await file(t, bombs['compressed texts'], 'image/png')
  for (const job of [headerOf, open, inspect]) await t.rejects(async () => { await job(picture) }, { code: 'IMAGE_INVALID' }, job.name)
  await t.rejects(headerOf({ ...picture, contentType: 'image/jpeg' }), { code: 'IMAGE_INVALID', message: /texts/ }, 'of whatever type it is said to be')
})

test('to refuse takes little time and memory', async (t) => {
  const worst = [before(...times(1900, packed(mebibyte))), before(...times(1900, damaged(100))), before(...times(1900, packed(1)))]
  for (const [index, bytes] of worst.entries()) {
    const start = process.cpuUsage()
    try { refuseBomb(bytesInMemory(bytes)) } catch {}
    const { user, system } = process.cpuUsage(start)
    t.ok(user + system < 1_000_000, `${index} takes ${user + system} microseconds`)
  }
})

test('what is taken out of it is known all the same', async (t) => {
  const { removed, edits } = plan(await file(t, bombs['compressed texts'], 'image/png'))
  t.strictSame([removed, edits.length], [['comment'], 1])
})

test('honest files are opened', async (t) => {
  const files = {
    'with nothing': png,
    'with a long workflow': before(text(8 * mebibyte)),
    'with a drawing and XMP': before(packed(6 * mebibyte), packed(mebibyte, 'iTXt', 'XML:com.adobe.xmp\0\x01\0\0\0')),
    'with XMP in plain': before(chunk('iTXt', Buffer.concat([Buffer.from('XML:com.adobe.xmp\0\0\0\0\0'), letters(mebibyte)]))),
    'with many texts': before(...times(200, text(50)), ...times(200, packed(50))),
    'with a text that is damaged': before(damaged(1000)),
    'with a keyword alone': before(chunk('zTXt', Buffer.from('Comment'))),
    'with large chunks of some program': before(chunk('mkBS', letters(20 * mebibyte))),
    'with a profile': await plain(16, 16).withIccProfile('p3').png().toBuffer(),
  }
  for (const [name, bytes] of Object.entries(files)) t.match(await headerOf(await file(t, bytes, 'image/png')), { width: 16, height: 16 }, name)
  t.doesNotThrow(() => refuseBomb(bytesInMemory(Buffer.from('no PNG'))))
})

test('the library does not read what stands behind the pixels', async (t) => {
  const bytes = behind(...times(100, packed(4 * mebibyte)))
  const picture = await file(t, bytes, 'image/png')
  const start = process.cpuUsage()
  await inspect(picture)
  const { user, system } = process.cpuUsage(start)
  t.ok(user + system < 1_000_000, `${user + system} microseconds`)
  t.equal((await realSharp(behind(text(5))).metadata()).comments, undefined)
  t.equal((await realSharp(before(text(5))).metadata()).comments?.length, 1)
})
