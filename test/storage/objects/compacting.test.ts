import { test } from 'tap'
import { compactJournals } from '../../../src/storage/objects/compacting.ts'
import { partKey } from '../../../src/storage/objects/grown.ts'
import { createDurable } from '../../../src/storage/volume/durable.ts'
import { createJournal } from '../../../src/storage/volume/journal.ts'
import { storeFor } from './fixture.ts'

async function setUp (t: Parameters<typeof storeFor>[0]) {
  const store = await storeFor(t)
  const { fs, at } = store
  const isEntry = (value: unknown): value is { n: number } => typeof value === 'object' && value !== null && 'n' in value
  const journal = createJournal({ fs, durable: createDurable({ fs, onSyncFailure: () => {} }), path: at('erasures.ndjson'), isEntry })
  return { ...store, journal, numbers: async () => (await journal.read())?.entries.map(({ n }) => n) }
}

test('a journal that was written to for long is few objects again, with every line, and can be appended to', async (t) => {
  const { journal, numbers, objects } = await setUp(t)
  for (let n = 0; n < 63; n += 1) await journal.append([{ n }])
  t.equal(await compactJournals(objects), 0, 'not yet worth it')
  await journal.append([{ n: 63 }])
  t.equal(await compactJournals(objects), 63)
  t.equal(objects.keys().length, 1)
  t.strictSame(await numbers(), Array.from({ length: 64 }, (_, index) => index))
  await journal.append([{ n: 64 }])
  t.strictSame((await numbers())?.at(-1), 64)
  t.match(await journal.read(), { damagedLines: 0 })
  t.equal(await compactJournals(objects), 0)
})

test('when it is killed in between, lines are there twice and none is lost', async (t) => {
  const { journal, numbers, objects } = await setUp(t)
  for (let n = 0; n < 64; n += 1) await journal.append([{ n }])
  objects.before = (operation) => operation === 'remove' && Promise.reject(new Error('killed'))
  await t.rejects(compactJournals(objects), { message: 'killed' })
  t.strictSame([...new Set(await numbers())].sort((a, b) => a - b), Array.from({ length: 64 }, (_, index) => index))
})

test('what is large stays as it is, and what somebody put under the name itself does too', async (t) => {
  const { objects, put } = await setUp(t)
  put('erasures.ndjson', 'x')
  put(partKey('erasures.ndjson', 'a'), 'x'.repeat(2 * 1024 ** 2))
  for (let part = 0; part < 64; part += 1) put(partKey('erasures.ndjson', `b${String(part).padStart(2, '0')}`), 'x'.repeat(200_000))
  t.equal(await compactJournals(objects), 62)
  t.match(objects.keys(), ['erasures.ndjson', partKey('erasures.ndjson', 'a'), /\/b41\.[0-9a-f]{12}$/, /\/b63\.[0-9a-f]{12}$/])
})

test('two that are at it at once, of which one knows a line more from a clock that is behind, lose none', async (t) => {
  const { journal, numbers, objects, put } = await setUp(t)
  for (let n = 0; n < 64; n += 1) await journal.append([{ n }])
  const { promise: isRead, resolve: read } = Promise.withResolvers<void>()
  const { promise: mayGoOn, resolve: goOn } = Promise.withResolvers<void>()
  let isSlow = true
  objects.before = async (operation) => {
    if (operation !== 'putBytes' || !isSlow) return
    isSlow = false
    read()
    await mayGoOn
  }
  const slow = compactJournals(objects)
  await isRead
  await journal.append([{ n: 64 }])
  const [first = '', last = ''] = [objects.keys()[0], objects.keys().at(-1)]
  put(`${first}-late`, objects.bytes(last)?.toString() ?? '')
  await objects.remove(last)
  t.equal(await compactJournals(objects), 64)
  goOn()
  await slow
  t.strictSame([...new Set(await numbers())].sort((a, b) => a - b), Array.from({ length: 65 }, (_, index) => index))
})
