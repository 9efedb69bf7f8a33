import { readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { readJournals } from '../../../src/operations/rebuild/journals.ts'
import { nothingJournaled } from '../../../src/records/old-journaled.ts'
import { volumeHash } from '../../../src/storage/erasures.ts'
import { openVolume } from '../../storage/fixtures/volume.ts'

const now = () => new Date('2026-11-22T12:00:00.000Z')
const at = now().toISOString()

async function setUp (t: Test) {
  const volume = await openVolume(t)
  const { root, erasures, hash, faults } = volume
  await erasures.reconcile()
  const entry = (epoch: number) => ({ id: `e${epoch}`, epoch, owner: hash('owner', `user-${epoch}`), volume: volumeHash(hash), at })
  const text = (name: string) => readFileSync(join(root, name), 'utf8')
  return { ...volume, entry, text, read: (old = {}) => readJournals({ fs: faults.fs, root, storage: volume, old: { ...nothingJournaled, ...old }, now }) }
}

t.test('journals that know all that the old database knew are no finding, and are left as they are', async (t) => {
  const { read, erasures, tombstones, entry, text } = await setUp(t)
  await erasures.append(entry(1))
  await tombstones.add(['a'], now())
  const before = [text('erasures.ndjson'), text('tombstones.ndjson')]
  t.match(await read({ erasures: [entry(1)], owners: new Map([[entry(1).owner, 1]]), tombstones: ['a'] }), { erasures: [entry(1)], findings: { length: 0 } })
  t.strictSame([text('erasures.ndjson'), text('tombstones.ndjson')], before)
})

t.test('a volume on which nothing was ever removed for good has no tombstones', async (t) => {
  const { read } = await setUp(t)
  t.match(await read(), { findings: { length: 0 } })
})

t.test('what only the old database knew is written to the volume, once, and told', async (t) => {
  const { read, root, erasures, tombstones, entry } = await setUp(t)
  await erasures.append(entry(2))
  const old = { erasures: [entry(1), entry(2)], owners: new Map([[entry(1).owner, 1], ['twin', 2]]), tombstones: Array.from({ length: 501 }, (_, index) => String(index)) }
  const { findings } = await read(old)
  t.match(findings, [{ path: 'erasures.ndjson', detail: /^2 erasures/ }, { path: 'tombstones.ndjson', detail: /^501 tombstones/ }])
  t.match((await erasures.read()).erasures, [entry(1), { epoch: 2 }, { epoch: 2 }])
  t.equal((await tombstones.read()).keys.size, 501)
  t.match(await read(old), { findings: { length: 0 } })
  for (const name of ['erasures.ndjson', 'tombstones.ndjson']) rmSync(join(root, name))
  t.match(await read(old), { erasures: { length: 3 } })
})

t.test('tombstones that are gone though uploads were erased are told of', async (t) => {
  const { read, erasures, entry, faults } = await setUp(t)
  await erasures.append(entry(1))
  t.match(await read(), { findings: [{ problem: 'ledger-damaged', path: 'tombstones.ndjson', detail: /It is not on the volume/ }] })
  faults.inject({ on: 'stat', path: /tombstones/, errno: 'EIO' })
  await t.rejects(read(), { name: 'Refusal', message: /tombstones\.ndjson cannot be looked at \(EIO\)/ })
})
