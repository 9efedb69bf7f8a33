import { rmSync, writeFileSync } from 'node:fs'
import t, { type Test } from 'tap'
import { examineFiles, examineRecord, type Place } from '../../../src/operations/explain/examine.ts'
import { newBlobId } from '../../../src/storage/ids.ts'
import type { Sidecar } from '../../../src/storage/sidecar.ts'
import { blobPath, sidecarPath } from '../../../src/storage/volume/layout.ts'
import { openVolume, publish } from '../../storage/fixtures/volume.ts'

const day = 86_400_000
const row = (sidecar: Sidecar) => ({ sidecar, state: sidecar.state, isSidecarDue: false, isCurrentAvatar: false })

async function setUp (t: Test, others: Partial<Place> = {}) {
  const { root, store, faults, hash } = await openVolume(t)
  const place: Place = { fs: faults.fs, root, known: undefined, hash, erasures: [], trashRetentionMs: day, ...others }
  return { place, root, faults, hash, put: (change: Partial<Sidecar> = {}) => publish(store, 'hello', change) }
}

t.test('what the record says is held against the file and the sidecar', async (t) => {
  const { place, root, put, faults } = await setUp(t)
  const sidecar = await put()
  t.match(await examineRecord(place, row(sidecar)), { file: { is: 'file', size: 5, sha256: sidecar.sha256, isWhole: true, reason: null }, sidecar: { is: 'whole', differences: { length: 0 } }, purgedAfter: null, erasedAt: null })
  t.match(await examineRecord(place, row({ ...sidecar, ownerId: 'bob', aliases: ['/i/a'] })), { sidecar: { differences: ['ownerId', 'aliases'] } })
  writeFileSync(blobPath(root, sidecar), 'hell')
  t.match(await examineRecord(place, row(sidecar)), { file: { size: 4, isWhole: false } })
  faults.inject({ on: 'open', path: /\.png$/, errno: 'EIO' })
  t.match(await examineRecord(place, row(sidecar)), { file: { is: 'unreadable', size: null, sha256: null, reason: /EIO/ } })
  writeFileSync(sidecarPath(root, sidecar), 'x')
  t.match(await examineRecord(place, row(sidecar)), { sidecar: { is: 'damaged', differences: { length: 0 } } })
})

t.test('what is in the trash is kept as long as the setting says', async (t) => {
  const { place, put } = await setUp(t)
  for (const state of ['deleted', 'superseded'] as const) {
    const sidecar = await put({ state, stateAt: '2026-11-21T10:00:00.000Z' })
    t.equal((await examineRecord(place, row(sidecar))).purgedAfter, '2026-11-22T10:00:00.000Z')
  }
})

t.test('an erasure after the upload counts, one before does not', async (t) => {
  const { place, put, hash } = await setUp(t)
  const erasure = { id: 'a', epoch: 2, owner: hash('owner', 'ada'), volume: 'v', at: '2026-11-22T10:00:00.000Z' }
  const examined = async (epoch: number) => (await examineRecord({ ...place, erasures: [erasure] }, row(await put({ epoch })))).erasedAt
  t.equal(await examined(1), erasure.at)
  t.equal(await examined(2), null)
  t.equal((await examineRecord({ ...place, erasures: [erasure], hash: undefined }, row(await put()))).erasedAt, null)
})

t.test('without a record the files tell what they can', async (t) => {
  const { place, root, put } = await setUp(t)
  const sidecar = await put({ state: 'deleted', kind: 'attachment', recordId: newBlobId(), filename: 'a', visibility: 'private' })
  t.match(await examineFiles(place, sidecar.id), [{ kind: 'attachment', record: null, file: { isWhole: true }, sidecar: { is: 'whole' }, purgedAfter: String }])
  rmSync(sidecarPath(root, sidecar))
  t.match(await examineFiles(place, sidecar.id), [{ file: { is: 'file', isWhole: false, path: /\.png$/ }, sidecar: { is: 'missing' }, purgedAfter: null, erasedAt: null }])
  rmSync(blobPath(root, sidecar))
  t.strictSame(await examineFiles(place, sidecar.id), [])
})
