import { test, type Test } from 'tap'
import { silent as progress } from '../../../src/operations/progress.ts'
import { removeGone } from '../../../src/operations/storage-copy/gone.ts'
import { openVolume, publish } from '../../storage/fixtures/volume.ts'
import { createRows } from '../../storage/fixtures/ledger.ts'

const dayMs = 86_400_000

async function homes (t: Test) {
  const [from, to] = [await openVolume(t), await openVolume(t)]
  const { rows, ledger } = createRows(() => new Date())
  const side = (storage: typeof from) => ({ fs: storage.faults.fs, root: storage.root, name: storage.root, storage: storage as never })
  return {
    from: from.store, to: to.store, rows, ledger,
    run: ({ erased = '', days = 2, maxPercent = 5, claim = ledger.claimOrphan, checkClaim = to.checkClaim } = {}) => removeGone({
      source: side(from), target: side({ ...to, checkClaim }), ledger: { ...ledger, claimOrphan: claim }, isErased: ({ ownerId }) => ownerId === erased, graceMs: dayMs, maxPercent, now: () => new Date(Date.now() + days * dayMs), progress,
    }),
    blobs: async () => (await to.files()).filter((path) => !path.endsWith('.sidecar.json') && path.startsWith('avatars/')).length,
  }
}

test('what has a row stays, and what the other home has still', async (t) => {
  const { from, to, rows, run, blobs } = await homes(t)
  const known = await publish(to, 'known')
  rows.set(known.id, known)
  await publish(to, 'x', await publish(from, 'x'))
  const half = await publish(from, 'y')
  await publish(to, 'y', half)
  await from.remove(half)
  await from.writeSidecar(known).catch(() => {})
  t.match(await run(), { removed: 1, left: 1 })
  t.equal(await blobs(), 2)
})

test('of the erased it goes at once, of others when no upload can be about to commit it', async (t) => {
  const { to, run, blobs } = await homes(t)
  await publish(to, 'of eve', { ownerId: 'eve' })
  await publish(to, 'of ada')
  t.match(await run({ erased: 'eve', days: 0 }), { removed: 1, left: 1 })
  t.equal(await blobs(), 1)
  t.match(await run(), { removed: 1, left: 0 })
  t.equal(await blobs(), 0)
})

test('what was swept once goes, what is committed just then stays, and without a sidecar nobody knows what it is', async (t) => {
  const { to, rows, ledger, run, blobs } = await homes(t)
  const { id, kind, extension } = await publish(to, 'swept')
  rows.set(id, { id, kind, extension, state: 'swept', stateAt: new Date().toISOString() })
  const committed = await publish(to, 'committed')
  const bare = await publish(to, 'bare')
  await to.writeSidecar(bare)
  const claim = async (address: Parameters<typeof ledger.claimOrphan>[0]) => {
    if (address.id === committed.id) rows.set(committed.id, committed)
    return ledger.claimOrphan(address)
  }
  t.match(await run({ claim }), { removed: 2, left: 0 })
  t.equal(await blobs(), 1)
})

test('nothing goes of a home that another database has taken meanwhile', async (t) => {
  const { to, run, blobs } = await homes(t)
  await publish(to, 'of the other')
  await t.rejects(run({ checkClaim: async () => { throw new Error('taken') } }), { message: 'taken' })
  t.equal(await blobs(), 1)
})

test('too much at once stays: the database may be older than the files', async (t) => {
  const { to, run, blobs } = await homes(t)
  for (let count = 0; count < 101; count += 1) await publish(to, 'x')
  t.match(await run(), { removed: 0, left: 101 })
  t.equal(await blobs(), 101)
})
