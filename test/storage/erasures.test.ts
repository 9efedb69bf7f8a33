import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test, type Test } from 'tap'
import { createErasures, ledgerPlaces, volumeHash, type Erasure } from '../../src/storage/erasures.ts'
import { createKeyedHash } from '../../src/storage/keyed-hash.ts'
import { createDurable } from '../../src/storage/volume/durable.ts'
import { createFaults } from '../fixtures/faults.ts'
import { folderFor } from './fixtures/volume.ts'

async function setUp (t: Test) {
  const folder = await folderFor(t)
  const faults = createFaults()
  const durable = createDurable({ fs: faults.fs, onSyncFailure: () => {} })
  const second = join(folder, 'second.ndjson')
  const open = (volumeId = 'volume-1', paths = ledgerPlaces(folder, second)) => createErasures({ fs: faults.fs, durable, paths, hash: createKeyedHash(volumeId) })
  const erasure = (epoch: number, volumeId = 'volume-1'): Erasure => {
    const hash = createKeyedHash(volumeId)
    return { id: `e-${volumeId}-${epoch}`, epoch, owner: hash('owner', 'ada'), volume: volumeHash(hash), at: '2026-11-21T10:11:12.345Z' }
  }
  return { folder, second, faults, open, erasure, erasures: open() }
}

test('the ledger is on the volume, and in a second place where there is one', (t) => {
  t.strictSame(ledgerPlaces('/srv/uploads', undefined), ['/srv/uploads/erasures.ndjson'])
  t.strictSame(ledgerPlaces('/srv/uploads', '/srv/ledger'), ['/srv/uploads/erasures.ndjson', '/srv/ledger'])
  t.end()
})

test('an erasure is durable in every place when it is appended, and no place names owner or volume', async (t) => {
  const { folder, second, erasures, erasure } = await setUp(t)
  await erasures.append(erasure(1))
  for (const path of [join(folder, 'erasures.ndjson'), second]) {
    const text = await readFile(path, 'utf8')
    t.match(text, '"epoch":1')
    t.notMatch(text, /"ada"|volume-1"/)
  }
  t.strictSame(await erasures.read(), {
    erasures: [erasure(1)],
    places: [join(folder, 'erasures.ndjson'), second].map((path) => ({ path, isThere: true, damagedLines: 0, count: 1, ofOthers: 0 })),
  })
})

test('what any place knows counts, once, by epoch; damaged lines and missing places are told', async (t) => {
  const { folder, second, open, erasures, erasure } = await setUp(t)
  await erasures.append(erasure(2))
  await open('volume-1', [second]).append(erasure(1))
  await open('volume-1', [join(folder, 'erasures.ndjson')]).append(erasure(3))
  await writeFile(second, `${await readFile(second, 'utf8')}garbage\n`)
  const { erasures: known, places } = await open('volume-1', [join(folder, 'erasures.ndjson'), second, join(folder, 'third')]).read()
  t.strictSame(known.map(({ epoch }) => epoch), [1, 2, 3])
  t.strictSame(places.map(({ isThere, damagedLines, count }) => [isThere, damagedLines, count]), [[true, 0, 2], [true, 1, 2], [false, 0, 0]])
})

test('a line of which no row could be made is damaged, though its checksum is right', async (t) => {
  const { erasures, erasure } = await setUp(t)
  const wrong = [{ at: 'garbage' }, { at: '2026' }, { at: '2026-02-31T10:11:12.345Z' }, { at: '-000001-01-01T00:00:00.000Z' }, { epoch: 2_000_000_001 }, { epoch: 0 }, { epoch: 1.5 }]
  for (const part of wrong) await erasures.append({ ...erasure(1), ...part })
  await erasures.append({ ...erasure(2_000_000_000), at: '9999-12-31T23:59:59.999Z' })
  const { erasures: known, places } = await erasures.read()
  t.strictSame(known.map(({ epoch }) => epoch), [2_000_000_000])
  t.strictSame(places.map(({ damagedLines }) => damagedLines), [wrong.length, wrong.length])
})

test('one file may be the second place of several volumes: each sees its own', async (t) => {
  const { second, open, erasure } = await setUp(t)
  await open('volume-1', [second]).append(erasure(1))
  await open('volume-2', [second]).append(erasure(1, 'volume-2'))
  t.strictSame((await open('volume-2', [second]).read()).erasures, [erasure(1, 'volume-2')])
  t.strictSame((await open('volume-2', [second]).read()).places.map(({ count, ofOthers }) => [count, ofOthers]), [[1, 1]])
})

test('reconciling gives each place what the other knows, and makes the one that is missing', async (t) => {
  const { folder, second, open, erasures, erasure } = await setUp(t)
  const own = join(folder, 'erasures.ndjson')
  t.strictSame(await erasures.reconcile(), [])
  t.strictSame((await erasures.read()).places.map(({ isThere }) => isThere), [true, true])
  await open('volume-1', [own]).append(erasure(1))
  await open('volume-1', [second]).append(erasure(2))
  await open('volume-2', [second]).append(erasure(1, 'volume-2'))
  t.strictSame(await erasures.reconcile(), [erasure(1), erasure(2)])
  t.strictSame((await open('volume-1', [own]).read()).erasures, [erasure(1), erasure(2)])
  t.strictSame((await open('volume-1', [second]).read()).erasures, [erasure(1), erasure(2)])
  t.strictSame((await open('volume-2', [own]).read()).erasures, [], 'those of other volumes stay where they are')
  const before = [await readFile(own, 'utf8'), await readFile(second, 'utf8')]
  await erasures.reconcile()
  t.strictSame([await readFile(own, 'utf8'), await readFile(second, 'utf8')], before, 'nothing is written when nothing is missing')
})

test('an erasure that a place did not take is no success, and the next reconciling mends it', async (t) => {
  const { second, faults, erasures, erasure } = await setUp(t)
  faults.inject({ on: 'writev', path: /second/, errno: 'ENOSPC' })
  await t.rejects(erasures.append(erasure(1)), { code: 'ENOSPC' })
  await erasures.reconcile()
  t.match(await readFile(second, 'utf8'), '"epoch":1')
})

test('a place that cannot be read is not taken for empty', async (t) => {
  const { faults, erasures } = await setUp(t)
  faults.inject({ on: 'open', path: /second/, errno: 'EIO', forever: true })
  await t.rejects(erasures.read(), { code: 'EIO' })
  await t.rejects(erasures.reconcile(), { code: 'EIO' })
})
