import { test } from 'tap'
import { readErased } from '../../../src/operations/verify/erased.ts'
import { placeFor } from '../fixtures/place.ts'

test('uploads that began before an erasure of their owner are erased, once it had the time', async (t) => {
  const { storage, now, clock } = await placeFor(t)
  const { hash, erasures } = storage
  t.equal((await readErased({ storage, now }))({ ownerId: 'ada', epoch: 0 }), false)
  const entry = (epoch: number, owner: string) => ({ id: `e${epoch}`, epoch, owner: hash('owner', owner), volume: hash('volume', ''), at: clock.date.toISOString() })
  for (const [epoch, owner] of [[1, 'ada'], [2, 'bob'], [3, 'ada']] as const) await erasures.append(entry(epoch, owner))
  t.equal((await readErased({ storage, now }))({ ownerId: 'ada', epoch: 0 }), false, 'it is being carried out')
  clock.date = new Date(clock.date.getTime() + 5 * 60_000)
  const isErased = await readErased({ storage, now })
  t.same([0, 2, 3].map((epoch) => isErased({ ownerId: 'ada', epoch })), [true, true, false])
  t.same([1, 2].map((epoch) => isErased({ ownerId: 'bob', epoch })), [true, false])
  t.equal(isErased({ ownerId: 'eve', epoch: 0 }), false)
  t.equal(isErased({ ownerId: null, epoch: 0 }), false)
})
