import { execFileSync } from 'node:child_process'
import { appendFile, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test, type Test } from 'tap'
import { silent } from '../../src/operations/progress.ts'
import { createFindings } from '../../src/operations/verify/observed.ts'
import { verifyVolume, type VerifyOptions } from '../../src/operations/verify.ts'
import { againstKeys } from '../records/fixtures/by-hand.ts'
import { publish } from '../storage/fixtures/volume.ts'
import { placeFor } from './fixtures/place.ts'

async function setUp (t: Test) {
  const place = await placeFor(t)
  await place.storage.erasures.reconcile()
  place.clock.date = new Date(Date.now() + 10 * 60_000)
  const check = (options: Partial<VerifyOptions> = {}) => verifyVolume(place, { progress: silent, pause: async () => {}, ...options })
  return { ...place, check }
}

test('a volume on which all is right is clean, and an empty one too', async (t) => {
  const { check, attachment, avatar } = await setUp(t)
  t.same(await check(), { records: 0, hashedFiles: 0, hashedBytes: 0, allBytes: 0, findings: [], cursor: undefined })
  await attachment('hello')
  await avatar('face')
  t.same(await check(), { records: 2, hashedFiles: 2, hashedBytes: 9, allBytes: 9, findings: [], cursor: undefined })
})

test('each part of the check says what it finds, and what is related is told together', async (t) => {
  const { check, attachment, avatar, storage, blobPath, client, database, root } = await setUp(t)
  const [one, other] = [await attachment('hello'), await attachment('hallo')]
  await rename(blobPath(one), `${blobPath(one)}.x`)
  await rename(blobPath(other), blobPath(one))
  await rename(`${blobPath(one)}.x`, blobPath(other))
  await publish(storage.store, 'no row')
  const face = await avatar('face')
  await againstKeys(database, client.avatar.create({ data: { userId: 'nobody', blobId: 'none' } }))
  await appendFile(join(root, 'tombstones.ndjson'), 'x\n')
  await storage.erasures.append({ id: 'e', epoch: 1, owner: storage.hash('owner', face.ownerId ?? ''), volume: storage.hash('volume', ''), at: new Date().toISOString() })
  await client.blob.updateMany({ where: { kind: 'attachment' }, data: { epoch: 1 } })
  const { findings } = await check()
  t.match(findings.map(({ problem }) => problem), ['blob-swapped', 'sidecar-differs', 'blob-swapped', 'sidecar-differs', 'erased-present', 'erased-present', 'row-inconsistent', 'ledger-damaged'])
  t.notMatch(findings[0], { expected: String })
})

test('where the ledger cannot be read that is told, and the rest is checked', async (t) => {
  const { check, attachment, blobPath, root } = await setUp(t)
  await rm(blobPath(await attachment('hello')))
  await rm(join(root, 'erasures.ndjson'))
  execFileSync('mkfifo', [join(root, 'erasures.ndjson')])
  t.match((await check()).findings.map(({ problem }) => problem), ['ledger-damaged', 'blob-missing'])
})

test('a sample reads some, but of few files all or about twenty, and compares the size of the others', async (t) => {
  const { check, attachment, blobPath } = await setUp(t)
  const all = [await attachment('hello'), await attachment('hello')]
  for (const sidecar of all) await writeFile(blobPath(sidecar), 'hallo')
  t.match(await check({ sample: 0.01, random: () => 0.99 }), { hashedFiles: 2, findings: [{ problem: 'blob-corrupt' }, { problem: 'blob-corrupt' }] })
  while (all.length < 40) all.push(await attachment('hello'))
  const lots = [0.49, 0.5]
  const { hashedFiles, hashedBytes, findings } = await check({ sample: 0.01, random: () => lots.shift() ?? 0.99, concurrency: 1 })
  t.same([hashedFiles, hashedBytes], [1, 5])
  t.match(findings, [{ problem: 'blob-corrupt', id: all[0]?.id }])
  t.match(await check({ sample: 0.6, random: () => 0.59 }), { hashedFiles: 40 })
})

test('a budget of bytes ends the reading, and the next check goes on from there', async (t) => {
  const { check, attachment } = await setUp(t)
  const ids: string[] = []
  for (const bytes of ['aaaa', 'bbbb', 'cccc', 'dddd']) ids.push((await attachment(bytes)).id)
  const reached: Array<[string, number]> = []
  const onPage: VerifyOptions['onPage'] = async ({ cursor, hashedBytes }) => { reached.push([cursor, hashedBytes]) }
  const first = await check({ maxBytes: 6, concurrency: 1, pageSize: 1, onPage })
  t.match(first, { records: 4, hashedFiles: 2, cursor: ids[1] })
  t.same(reached, [[ids[0], 4], [ids[1], 8], [ids[1], 8], [ids[1], 8]])
  reached.length = 0
  const second = await check({ maxBytes: 100, after: ids[1] ?? '', concurrency: 1, pageSize: 1, onPage })
  t.match(second, { records: 4, hashedFiles: 2, cursor: undefined })
  t.same(reached, [[ids[1], 0], [ids[1], 0], [ids[2], 4], [ids[3], 8]])
  t.match(await check({ maxBytes: 0, after: ids[1] ?? '' }), { hashedFiles: 0, cursor: ids[1] })
  t.match(await check({ maxBytes: 0, always: new Set(ids.slice(3)) }), { hashedFiles: 1 })
})

test('of more findings than can be listed the rest are counted', async (t) => {
  const { check, attachment, blobPath } = await setUp(t)
  for (const bytes of ['a', 'b', 'c']) await rm(blobPath(await attachment(bytes)))
  t.match(await check({ findings: createFindings(2) }), { findings: [{}, {}], moreFindings: 1 })
})

test('it takes the time it needs between two looks, unless it is told to end', async (t) => {
  const { attachment, blobPath, workplace } = await setUp(t)
  await rm(blobPath(await attachment('a')))
  t.match(await verifyVolume(workplace, { progress: silent }), { findings: [{ problem: 'blob-missing' }] })
  const controller = new AbortController()
  const ended = verifyVolume(workplace, { progress: { ...silent, advance: () => controller.abort() }, signal: controller.signal })
  await t.rejects(ended, { name: 'AbortError' })
})
