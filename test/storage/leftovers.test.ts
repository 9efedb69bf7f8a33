import { test } from 'tap'
import { createLeftovers } from '../../src/storage/leftovers.ts'
import { storeFor } from './objects/fixture.ts'

test('on a volume these are the folders of dead processes', async (t) => {
  const removeDead = async () => 3
  t.equal(await createLeftovers({ staging: { removeDead }, objects: undefined })(), 3)
})

test('in an object store also uploads in parts that are older than a day, and journals in many pieces', async (t) => {
  const { objects, put } = await storeFor(t)
  for (let part = 0; part < 70; part += 1) put(`erasures.ndjson.parts/${String(part).padStart(2, '0')}`, 'x\n')
  const asked: Date[] = []
  const now = () => new Date('2026-11-23T12:00:00Z')
  const sweepUnfinished = async (before: Date) => asked.push(before)
  t.equal(await createLeftovers({ staging: { removeDead: async () => 3 }, objects: { ...objects, sweepUnfinished }, now })(), 4)
  t.strictSame(asked, [new Date('2026-11-22T12:00:00Z')])
  t.equal(objects.keys().length, 1)
})

test('one that fails keeps none of the others, and is told', async (t) => {
  const { objects, put } = await storeFor(t)
  for (let part = 0; part < 70; part += 1) put(`erasures.ndjson.parts/${String(part).padStart(2, '0')}`, 'x\n')
  const failing = async () => { throw new Error('away') }
  await t.rejects(createLeftovers({ staging: { removeDead: failing }, objects: { ...objects, sweepUnfinished: failing } })(), { message: /2 failed/ })
  t.equal(objects.keys().length, 1)
})
