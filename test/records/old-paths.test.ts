import { test } from 'tap'
import { attachment, home } from '../operations/import/fixtures/import.ts'
import { createKnownPaths } from '../../src/records/old-paths.ts'
import { createTombstoneRecords } from '../../src/records/tombstones.ts'

test('a path is known in any state of its file, and when it is gone for good', async (t) => {
  const { app, as, importing } = await home(t)
  const { database: { client }, storage: { hash, tombstones } } = app
  const isKnown = createKnownPaths({ client, tombstones: createTombstoneRecords({ client, tombstones, hash, now: () => new Date() }) })
  await importing([attachment('/uploads/a', Buffer.from('a')), attachment('/uploads/b', Buffer.from('b'))])
  const { id } = await client.attachment.findFirstOrThrow({ where: { filename: 'b' } })
  await app.inject({ method: 'DELETE', url: `/api/attachments/${id}`, headers: await as('archive') })
  await client.tombstone.create({ data: { key: hash('path', '/uploads/c'), createdAt: new Date() } })
  for (const path of ['/uploads/a', '/uploads/b', '/uploads/c']) t.ok(await isKnown(path), path)
  t.notOk(await isKnown('/uploads/d'))
})
