// A run that dies before each of its steps in turn: the next run, or the gateway, comes to the same end.
import { test } from 'tap'
import { createPurge } from '../../../src/storage/purge.ts'
import { cases, throughAll } from '../fixtures/dying-sweep.ts'

// Of the others, see what a rebuild makes of them.
for (const one of cases.slice(0, 1)) {
  test(`${one.name}: the next run finishes what one began, wherever that died`, async (t) => {
    const steps = await throughAll(t, one, async ({ sweep, rows, verify, tellingFiles, stored, client }, { id, state, recordId }, killed) => {
      t.match(await sweep(), { left: { length: 0 }, moreLeft: 0 }, killed)
      const all = (await rows()).filter((row) => row.state !== 'swept')
      t.match(all, [{ originalId: id, state, metadataRemoved: 'location,exif', sidecarDueAt: null }], killed)
      t.strictSame([all.length, all[0]?.attachment?.id ?? null], [1, recordId], killed)
      t.strictSame([await tellingFiles(), (await stored()).length], [0, 2], killed)
      t.strictSame((await verify()).findings, [], killed)
      t.equal(await client.setting.count({ where: { key: { startsWith: 'picture-copies' } } }), 0)
    })
    t.ok(steps > 8, `${steps} steps`)
  })
}

test('what a run left is finished by the clean-up of the gateway too, and nothing of it is taken for gone', async (t) => {
  for (const removed of cases.slice(-1)) {
    await throughAll(t, removed, async ({ rows, ledger, store, client, tellingFiles }, { id, state, kind }, killed) => {
      const copy = (await rows()).find(({ originalId }) => originalId === id)
      await createPurge({ store, ledger }).finish(100)
      t.equal(await client.tombstone.count(), 0, killed)
      if (copy === undefined) return
      t.match(await rows(), [{ id: copy.id, state, sidecarDueAt: null }], killed)
      t.equal(await tellingFiles(), 0)
      t.match(await store.readSidecar({ kind, id: copy.id as typeof id, extension: copy.extension }), { state, originalId: id, metadataRemoved: ['location', 'exif'] }, killed)
    })
  }
})
