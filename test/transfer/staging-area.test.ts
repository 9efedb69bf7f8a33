import t from 'tap'
import { StorageUnavailable } from '../../src/errors.ts'
import type { Incoming } from '../../src/transfer/incoming.ts'
import { createStagingArea } from '../../src/transfer/staging-area.ts'
import { stagingDouble } from './fixtures/staging-double.ts'

const incoming = { ours: (work) => work } as Pick<Incoming, 'ours'> as Incoming

t.test('all that was opened is discarded', async (t) => {
  const store = stagingDouble()
  const staging = createStagingArea(store, incoming)
  await staging.open()
  const second = await staging.open()
  await second.finish()
  await staging.discardAll()
  t.same(store.states(), ['discarded', 'discarded'])
})

t.test('what could not be opened is nothing to discard', async (t) => {
  const staging = createStagingArea({ stage: async () => { throw new StorageUnavailable() } }, incoming)
  await t.rejects(staging.open(), { code: 'STORAGE_UNAVAILABLE' })
  await t.resolves(staging.discardAll())
})
