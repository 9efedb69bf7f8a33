import { text } from 'node:stream/consumers'
import { test } from 'tap'
import { fileOf, findGrown, grownOf, isGrown, partKey, readGrown, readWholeGrown } from '../../../src/storage/objects/grown.ts'
import { storeFor } from './fixture.ts'

test('a file that grows is all that lies behind its name, in order, and nothing else', async (t) => {
  const { objects, put } = await storeFor(t)
  put('erasures.ndjson', 'a')
  put(partKey('erasures.ndjson', '2'), 'ccc')
  put(partKey('erasures.ndjson', '1'), 'bb')
  put('erasures.ndjson.old', 'x')
  const grown = await findGrown(objects, 'erasures.ndjson')
  t.match(grown, { size: 6, modifiedAt: Date, parts: { length: 3 } })
  if (grown === undefined) return
  t.equal(await text(readGrown(objects, grown)), 'abbccc')
  for (let start = 0; start < 6; start += 1) for (let end = start; end < 6; end += 1) t.equal(await text(readGrown(objects, grown, { start, end })), 'abbccc'.slice(start, end + 1))
  t.equal(await findGrown(objects, 'tombstones.ndjson'), undefined)
  t.equal(await readWholeGrown(objects, 'tombstones.ndjson'), undefined)
})

test('journals and segments grow, and nothing else does', (t) => {
  for (const key of ['erasures.ndjson', 'tombstones.ndjson', 'resumable/x/0-1']) t.ok(isGrown(key), key)
  for (const key of ['a/erasures.ndjson', 'resumable/x', 'resumable/x/0-1.parts/1', 'upload-gateway.json']) t.notOk(isGrown(key), key)
  t.equal(fileOf('erasures.ndjson.parts/'), 'erasures.ndjson')
  t.equal(fileOf('resumable/x/0-1.parts/1'), 'resumable/x/0-1')
  t.equal(fileOf('attachments/'), 'attachments/')
  t.end()
})

test('however many pieces a file has, it is as large as all and as old as the youngest', (t) => {
  const parts = Array.from({ length: 200_000 }, (_, index) => ({ key: `${index}`, size: 2, modifiedAt: new Date(index % 1000) }))
  t.match(grownOf(parts), { size: 400_000, modifiedAt: new Date(999) })
  t.end()
})

test('what is put together while it is read is read again; what never stands still is no missing file', async (t) => {
  const { objects, put } = await storeFor(t)
  put(partKey('erasures.ndjson', '1'), 'a')
  put(partKey('erasures.ndjson', '2'), 'b')
  let isFirst = true
  objects.before = async (operation, key) => {
    if (operation !== 'read' || !key.endsWith('2') || !isFirst) return
    isFirst = false
    put(partKey('erasures.ndjson', '2.merged'), 'ab')
    for (const name of ['1', '2']) await objects.remove(partKey('erasures.ndjson', name))
  }
  t.equal((await readWholeGrown(objects, 'erasures.ndjson'))?.bytes.toString(), 'ab')
  objects.before = (operation) => operation === 'read' && Promise.reject(Object.assign(new Error('away'), { code: 'EIO' }))
  await t.rejects(readWholeGrown(objects, 'erasures.ndjson'), { code: 'EIO' })
  let turn = 0
  objects.before = async (operation, key) => {
    if (operation !== 'read') return
    put(partKey('erasures.ndjson', `3-${turn += 1}`), 'ab')
    await objects.remove(key)
  }
  const failure = await readWholeGrown(objects, 'erasures.ndjson').catch((error: NodeJS.ErrnoException) => error)
  t.match(failure, { message: /changed each time/, cause: { code: 'ENOENT' } })
  t.notOk((failure as NodeJS.ErrnoException).code)
})
