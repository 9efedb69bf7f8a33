import { test } from 'tap'
import { createJournaled } from '../../src/records/journaled.ts'
import { placeFor } from '../operations/fixtures/place.ts'

test('erasures and tombstones are read page by page, to the last', async (t) => {
  const { client } = await placeFor(t)
  const { erasures, tombstonesBeside } = createJournaled(client)
  const at = new Date(1000)
  const names = Array.from({ length: 1001 }, (_, index) => `${1000 + index}`)
  await client.erasure.createMany({ data: names.map((id, index) => ({ id, epoch: index + 1, ownerKey: 'o', createdAt: at })) })
  await client.tombstone.createMany({ data: names.map((key) => ({ key, createdAt: at })) })
  t.strictSame(await erasures(at), names)
  t.strictSame(await erasures(new Date(999)), [])
  t.strictSame(await tombstonesBeside(new Set(names.slice(1, -1))), [names[0], names.at(-1)])
})
