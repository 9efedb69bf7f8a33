import { appendFile, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test, type Test } from 'tap'
import { createKeyedHash } from '../../src/storage/keyed-hash.ts'
import { createTombstones, tombstonesFor } from '../../src/storage/tombstones.ts'
import { createDurable } from '../../src/storage/volume/durable.ts'
import { createFaults } from '../fixtures/faults.ts'
import { folderFor, sidecarFor } from './fixtures/volume.ts'

async function setUp (t: Test) {
  const root = await folderFor(t)
  const faults = createFaults()
  return { file: join(root, 'tombstones.ndjson'), faults, tombstones: createTombstones({ fs: faults.fs, durable: createDurable({ fs: faults.fs, onSyncFailure: () => {} }), root }) }
}

const at = new Date('2026-11-21T10:11:12.345Z')

test('keys that are added are read back, each once', async (t) => {
  const { file, tombstones } = await setUp(t)
  t.strictSame(await tombstones.read(), { keys: new Set(), damagedLines: 0 })
  await tombstones.add(['a', 'b'], at)
  await tombstones.add(['b', 'c'], at)
  t.strictSame(await tombstones.read(), { keys: new Set(['a', 'b', 'c']), damagedLines: 0 })
  t.match(await readFile(file, 'utf8'), at.toISOString())
})

test('no keys are no line', async (t) => {
  const { tombstones, faults } = await setUp(t)
  await tombstones.add([], at)
  t.strictSame(faults.calls, [])
})

test('a damaged line is counted, and costs no other', async (t) => {
  const { file, tombstones } = await setUp(t)
  await tombstones.add(['a'], at)
  await appendFile(file, '{"checksum":"sha256:0","keys":["x"],"at":""}\n{"keys":1}\n')
  await tombstones.add(['b'], at)
  t.strictSame(await tombstones.read(), { keys: new Set(['a', 'b']), damagedLines: 2 })
})

test('a volume that is full, or cannot be read, is said to be so', async (t) => {
  const { tombstones, faults } = await setUp(t)
  faults.inject({ on: 'writev', errno: 'ENOSPC' }, { on: 'readFile', errno: 'EIO' })
  await t.rejects(tombstones.add(['a'], at), { code: 'STORAGE_FULL' })
  await t.rejects(tombstones.read(), { code: 'STORAGE_UNAVAILABLE' })
})

test('of a file its old paths and its source are remembered, and of one that has neither, nothing', (t) => {
  const hash = createKeyedHash('volume-1')
  const keys = (others: Parameters<typeof sidecarFor>[1]) => tombstonesFor(hash, sidecarFor('', others))
  t.strictSame(keys({ aliases: ['/i/a', '/i/b'] }), [hash('path', '/i/a'), hash('path', '/i/b')])
  t.strictSame(keys({ source: 'system-r:users/1' }), [hash('source', 'system-r:users/1')])
  t.strictSame(keys({ kind: 'attachment', recordId: 'r' }), [])
  t.strictSame(keys({ kind: 'attachment', recordId: 'r', source: 'x', aliases: ['/uploads/x'] }), [hash('path', '/uploads/x'), hash('source', 'x')])
  t.end()
})
