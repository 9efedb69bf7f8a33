import { rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'tap'
import { mendTombstones } from '../../../src/operations/audit/tombstones.ts'
import { placeFor } from '../fixtures/place.ts'

test('tombstones that the volume has lost are written anew; of the ledger only the gateway does that', async (t) => {
  const place = await placeFor(t)
  const plan = (path = 'tombstones.ndjson') => mendTombstones(place, { path, mend: 'Look.' })
  await place.tombstones.entomb([{ ...await place.attachment('a', { aliases: ['/old', '/older'] }), source: null }])
  const { keys } = await place.storage.tombstones.read()
  t.same(await plan(), { left: 'Look.' })
  await writeFile(join(place.root, 'tombstones.ndjson'), '')
  t.same(await plan('erasures.ndjson'), { left: 'Look.' })
  const mending = await plan()
  if (!('mend' in mending)) throw new Error('there is nothing to do')
  await mending.mend()
  t.same((await place.storage.tombstones.read()).keys, keys)
  await rm(join(place.root, 'tombstones.ndjson'))
  t.match(await plan(), { action: /anew from the database/ })
})
