// What every object store must do, whatever keeps the bytes: run on each of them.
import { createHash, randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { open as openFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Readable } from 'node:stream'
import { buffer } from 'node:stream/consumers'
import pLimit from 'p-limit'
import type { Test } from 'tap'
import type { Found, Key, Level, Objects, SourceFile } from '../../../src/storage/objects/objects.ts'
import { temporaryFolder } from '../../helper.ts'
import { until } from '../../system/machine.ts'

export type Conforming = {
  /** On an empty store, or a prefix that nothing is below of. */
  open: () => Promise<Objects>
  /** Its URLs lead to somewhere. */
  hasUrls?: boolean
}

const mebibyte = 1024 ** 2
const sizes = [0, 1, 5 * mebibyte - 1, 5 * mebibyte, 5 * mebibyte + 1, 8 * mebibyte, 8 * mebibyte + 1, 64 * mebibyte]
const largestBytes = Number(process.env['OBJECT_MEBIBYTES'] ?? 0) * mebibyte

const listed = 2_500
const racers = 20

export function conforms (t: Test, { open, hasUrls = true }: Conforming): void {
  type Body = (t: Test, objects: Objects) => Promise<void>

  const law = (name: string, body: Body) => t.test(name, async (t) => {
    const objects = await open()
    t.teardown(() => objects.close())
    await body(t, objects)
  })

  law('says where it is, and that it is there', async (t, objects) => {
    t.not(objects.name, '')
    await objects.check()
  })

  law('what is put is there, whole, with its size and time', async (t, objects) => {
    const before = Date.now()
    await objects.putBytes('put/small', Buffer.from('bytes'))
    t.equal(await text(objects, 'put/small'), 'bytes')
    const found = await objects.head('put/small')
    t.match(found, { key: 'put/small', size: 5 })
    // Stores tell whole seconds, by their own clock.
    t.ok(Math.abs((found?.modifiedAt.getTime() ?? 0) - before) < 60_000, `${found?.modifiedAt.toISOString()}`)
  })

  for (const size of largestBytes > 0 ? [...sizes, largestBytes] : sizes) {
    law(`a file of ${size} bytes comes back as it was`, async (t, objects) => {
      const file = await sourceFile(t, size)
      await objects.putFile('sizes/file', file, { ifAbsent: true })
      t.match(await objects.head('sizes/file'), { size })
      t.equal(await sha256(await objects.read('sizes/file')), file.sha256)
      await objects.remove('sizes/file')
    })
  }

  law('what is there is not replaced by a put that must find nothing', async (t, objects) => {
    const [small, large] = [await sourceFile(t, 100), await sourceFile(t, 9 * mebibyte)]
    await objects.putBytes('taken', Buffer.from('first'), { ifAbsent: true })
    await t.rejects(objects.putBytes('taken', Buffer.from('second'), { ifAbsent: true }), { code: 'EEXIST' })
    await t.rejects(objects.putFile('taken', small, { ifAbsent: true }), { code: 'EEXIST' })
    await t.rejects(objects.putFile('taken', large, { ifAbsent: true }), { code: 'EEXIST' })
    t.equal(await text(objects, 'taken'), 'first')
  })

  law('what is there is replaced by any other put', async (t, objects) => {
    const [small, large] = [await sourceFile(t, 100), await sourceFile(t, 9 * mebibyte)]
    await objects.putBytes('replaced', Buffer.from('first'))
    await objects.putBytes('replaced', Buffer.from('second'))
    t.equal(await text(objects, 'replaced'), 'second')
    await objects.putFile('replaced', large)
    t.equal(await sha256(await objects.read('replaced')), large.sha256)
    await objects.putFile('replaced', small)
    t.equal(await sha256(await objects.read('replaced')), small.sha256)
  })

  law(`of ${racers} that put the same name at once and must find nothing, one wins`, async (t, objects) => {
    const puts = await Promise.allSettled(Array.from({ length: racers }, (_, index) => objects.putBytes('raced', Buffer.from(`racer ${index}`), { ifAbsent: true })))
    const winners = puts.flatMap(({ status }, index) => status === 'fulfilled' ? [index] : [])
    t.equal(winners.length, 1)
    t.strictSame(new Set(puts.flatMap((put) => put.status === 'rejected' ? [put.reason.code] : [])), new Set(['EEXIST']))
    t.equal(await text(objects, 'raced'), `racer ${winners[0]}`)
  })

  law('of readers while it is replaced, each gets one whole version', async (t, objects) => {
    const versions = [await sourceFile(t, 3 * mebibyte), await sourceFile(t, 2 * mebibyte)] as const
    await Promise.all(versions.map((version) => objects.putFile('versions', version)))
    const writing = (async () => { for (let i = 0; i < 10; i += 1) await objects.putFile('versions', versions[i % 2 === 0 ? 0 : 1]) })()
    const read = await Promise.all(Array.from({ length: 20 }, async () => sha256(await objects.read('versions'))))
    await writing
    const known = new Set(versions.map((version) => version.sha256))
    t.ok(read.every((hash) => known.has(hash)))
  })

  law('a range brings its bytes and no other', async (t, objects) => {
    const bytes = randomBytes(200_000)
    await objects.putBytes('range', bytes)
    const ranges = [[0, 0], [199_999, 199_999], [0, 199_999], [65_535, 131_072], [199_000, 199_999], [100_000, 900_000]] as const
    for (const [start, end] of ranges) {
      t.ok((await buffer(await objects.read('range', { start, end }))).equals(bytes.subarray(start, end + 1)), `${start}-${end}`)
    }
  })

  law('a range that begins behind the end is a RangeError', async (t, objects) => {
    await objects.putBytes('short', Buffer.from('bytes'))
    await objects.putBytes('empty', Buffer.alloc(0))
    await t.rejects(objects.read('short', { start: 5, end: 9 }), RangeError)
    await t.rejects(objects.read('empty', { start: 0, end: 0 }), RangeError)
    t.equal(await text(objects, 'empty'), '')
  })

  law('what is not there is missing', async (t, objects) => {
    await t.rejects(objects.read('nothing'), { code: 'ENOENT' })
    await t.rejects(objects.read('nothing', { start: 0, end: 1 }), { code: 'ENOENT' })
    t.equal(await objects.head('nothing'), undefined)
    await objects.remove('nothing')
    t.strictSame(await all(objects.list('nothing')), [])
    t.strictSame(await levels(objects.level('nothing/')), { objects: [], prefixes: [] })
  })

  law('what is removed is gone, and its name is free', async (t, objects) => {
    await objects.putBytes('gone', Buffer.from('bytes'))
    await objects.remove('gone')
    t.equal(await objects.head('gone'), undefined)
    t.strictSame(await all(objects.list('gone')), [])
    await objects.putBytes('gone', Buffer.from('again'), { ifAbsent: true })
    t.equal(await text(objects, 'gone'), 'again')
  })

  law('a file that is shorter than was said, or not there, leaves nothing', async (t, objects) => {
    const file = await sourceFile(t, 9 * mebibyte)
    await t.rejects(objects.putFile('short-source', { path: file.path, size: file.size + 1 }))
    await t.rejects(objects.putFile('short-source', { path: `${file.path}-missing`, size: 3 }), { code: 'ENOENT' })
    t.equal(await objects.head('short-source'), undefined)
    await objects.sweepUnfinished(new Date(Date.now() + 60_000))
    t.equal(await objects.sweepUnfinished(new Date(Date.now() + 60_000)), 0)
  })

  law('a put that is aborted leaves nothing', async (t, objects) => {
    const file = await sourceFile(t, 40 * mebibyte)
    const reason = new Error('no longer wanted')
    await t.rejects(objects.putFile('aborted', file, { signal: AbortSignal.abort(reason) }), reason)
    await t.rejects(objects.putBytes('aborted', Buffer.from('bytes'), { signal: AbortSignal.abort(reason) }), reason)
    t.equal(await objects.head('aborted'), undefined)
    t.equal(await objects.sweepUnfinished(new Date(Date.now() + 60_000)), 0)
  })

  law('keys are listed in order, over pages, with their sizes', async (t, objects) => {
    const keys = Array.from({ length: listed }, (_, index) => `list/${String(index).padStart(4, '0')}.bin`)
    await inTurns(keys, (key) => objects.putBytes(key, Buffer.from(key.slice(0, 6))))
    await objects.putBytes('lisu', Buffer.from('after'))
    const found = await all(objects.list('list/'))
    t.strictSame(found.map(({ key }) => key), keys)
    t.ok(found.every(({ size }) => size === 6))
    t.strictSame((await all(objects.list('list/24'))).map(({ key }) => key), keys.filter((key) => key.startsWith('list/24')))
    t.strictSame((await levels(objects.level('list/'))).objects.map(({ key }) => key), keys)
    await inTurns(keys, (key) => objects.remove(key))
    t.strictSame(await all(objects.list('list/')), [])
  })

  law('a level has what lies directly below, and the prefixes of the rest', async (t, objects) => {
    const keys = ['tree/b', 'tree/a/1', 'tree/a/2', 'tree/a/deep/er', 'tree/c/1', 'tree.json', 'treetop/1']
    for (const key of keys) await objects.putBytes(key, Buffer.from(key))
    t.match(await levels(objects.level('tree/')), { objects: [{ key: 'tree/b', size: 6 }], prefixes: ['tree/a/', 'tree/c/'] })
    t.match(await levels(objects.level('tree/a/')), { objects: [{ key: 'tree/a/1' }, { key: 'tree/a/2' }], prefixes: ['tree/a/deep/'] })
    t.strictSame((await levels(objects.level('tree/b'))).prefixes, [])
    t.strictSame((await all(objects.list('tree/'))).map(({ key }) => key), keys.filter((key) => key.startsWith('tree/')).sort())
    const top = await levels(objects.level(''))
    t.ok(['tree/', 'treetop/'].every((prefix) => top.prefixes.includes(prefix)))
    t.ok(top.objects.some(({ key }) => key === 'tree.json'))
  })

  law('names are kept as they are', async (t, objects) => {
    const keys = ['upload-gateway.json', 'attachments/01/9c/019c3a5e-7f5b-7d3e-8f5a-0123456789ab.pdf.json', 'resumable/a_b-c/00000000000000000000', 'tombstones.ndjson.parts/019c3a5e', 'with space+plus%25&=?#.txt', 'ünïcode/文件~!(1).txt']
    for (const key of keys) {
      await objects.putBytes(`names/${key}`, Buffer.from(key), { ifAbsent: true })
      t.equal(await text(objects, `names/${key}`), key)
    }
    t.strictSame((await all(objects.list('names/'))).map(({ key }) => key).sort(), keys.map((key) => `names/${key}`).sort())
  })

  law('50 at once are all put and read whole', async (t, objects) => {
    const files = await Promise.all(Array.from({ length: 50 }, (_, index) => sourceFile(t, index * 20_011)))
    await Promise.all(files.map((file, index) => objects.putFile(`many/${index}`, file, { ifAbsent: true })))
    const hashes = await Promise.all(files.map(async (_, index) => sha256(await objects.read(`many/${index}`))))
    t.strictSame(hashes, files.map(({ sha256 }) => sha256))
  })

  law('a reader that leaves takes nothing with it', async (t, objects) => {
    const bytes = randomBytes(4 * mebibyte)
    await objects.putBytes('left', bytes)
    for (let i = 0; i < 5; i += 1) {
      const stream = await objects.read('left')
      await once(stream, 'readable')
      stream.destroy()
      await once(stream, 'close')
    }
    t.ok((await buffer(await objects.read('left'))).equals(bytes))
  })

  if (!hasUrls) return
  law('a presigned URL opens the object for its time, with the headers asked for', async (t, objects) => {
    await objects.putBytes('presigned/a b.txt', Buffer.from('bytes'))
    const headers = { contentType: 'text/plain; charset=utf-8', contentDisposition: 'attachment; filename="a b.txt"', cacheControl: 'private, max-age=60' }
    const url = await objects.presign('presigned/a b.txt', 2, headers)
    const answer = await fetch(url)
    t.equal(answer.status, 200)
    t.equal(await answer.text(), 'bytes')
    t.equal(answer.headers.get('content-type'), headers.contentType)
    t.equal(answer.headers.get('content-disposition'), headers.contentDisposition)
    t.equal(answer.headers.get('cache-control'), headers.cacheControl)
    const range = await fetch(url, { headers: { range: 'bytes=1-2' } })
    t.match({ status: range.status, body: await range.text() }, { status: 206, body: 'yt' })
    t.equal((await fetch(url.replace('a%20b', 'other'))).status, 403)
    await until('the URL works no more', async () => (await fetch(url)).status === 403)
  })
}

async function sourceFile (t: Test, size: number): Promise<Required<SourceFile>> {
  const path = join(await temporaryFolder(t), 'source')
  // Large ones repeat themselves, with a period that no boundary of parts has.
  const random = randomBytes(Math.min(size, 1_000_003))
  const hash = createHash('sha256')
  const file = await openFile(path, 'w')
  for (let at = 0; at < size; at += random.length) {
    const piece = random.subarray(0, size - at)
    hash.update(piece)
    await file.write(piece)
  }
  await file.close()
  return { path, size, sha256: hash.digest('hex') }
}

async function sha256 (stream: Readable): Promise<string> {
  const hash = createHash('sha256')
  for await (const chunk of stream) hash.update(chunk as Buffer)
  return hash.digest('hex')
}

const text = async (objects: Objects, key: Key): Promise<string> => (await buffer(await objects.read(key))).toString()

async function all (pages: AsyncIterable<readonly Found[]>): Promise<Found[]> {
  const found: Found[] = []
  for await (const page of pages) found.push(...page)
  return found
}

async function levels (pages: AsyncIterable<Level>): Promise<{ objects: Found[], prefixes: string[] }> {
  const whole = { objects: [] as Found[], prefixes: [] as string[] }
  for await (const { objects, prefixes } of pages) {
    whole.objects.push(...objects)
    whole.prefixes.push(...prefixes)
  }
  return whole
}

/** With as many at once as a store likes. */
async function inTurns (keys: readonly Key[], work: (key: Key) => Promise<void>): Promise<void> {
  const limit = pLimit(32)
  await Promise.all(keys.map((key) => limit(() => work(key))))
}
