import { test } from 'tap'
import { createRemoved, type RemovedBlob } from '../../src/records/removed.ts'
import { databaseFor } from './fixtures/database.ts'

const blob = (id: string): RemovedBlob => ({ id, kind: 'avatar', size: 1, content: `of ${id}` })
const at = new Date('2026-11-21T10:00:00Z')
const later = new Date('2026-11-21T11:00:00Z')

test('what several runs noted is one list, each blob once, and of that owner alone', async (t) => {
  const { client } = await databaseFor(t)
  const removed = createRemoved(client)
  t.strictSame(await removed.of('a'), { blobs: [], accounts: 0 })
  for (const blobs of [[blob('2'), blob('3')], [blob('2'), blob('3')], [blob('3'), blob('1')]]) await removed.noting('a', { blobs, accounts: 0 })
  for (const owner of ['a', 'a', 'b']) await removed.noting(owner, { blobs: [], accounts: 1 })
  t.strictSame(await removed.of('a'), { blobs: [blob('1'), blob('2'), blob('3')], accounts: 1 })
  t.strictSame(await removed.of('b'), { blobs: [], accounts: 1 })
})

test('it is forgotten when a receipt of it is old, and kept while one is awaited', async (t) => {
  const { client } = await databaseFor(t)
  const removed = createRemoved(client)
  for (const owner of ['old', 'new', 'awaited', 'never']) await removed.noting(owner, { blobs: [blob('1')], accounts: 0 })
  for (const owner of ['old', 'new', 'awaited']) await removed.receipted(owner, at)
  await removed.receipted('new', later)
  await removed.awaiting('awaited')
  await removed.forget(at)
  t.equal((await removed.of('old')).blobs.length, 1, 'not yet')
  await removed.forget(later)
  t.equal((await removed.of('old')).blobs.length, 0)
  for (const owner of ['new', 'awaited', 'never']) t.equal((await removed.of(owner)).blobs.length, 1, owner)
  t.strictSame((await client.setting.findMany({ where: { key: { contains: 'old' } } })), [])
})

test('an erasure that begins while it is about to be forgotten keeps it', async (t) => {
  const { client } = await databaseFor(t)
  const removed = createRemoved(client)
  await removed.noting('a', { blobs: [blob('1')], accounts: 0 })
  await removed.receipted('a', at)
  const { findMany } = client.setting
  client.setting.findMany = (async (query: Parameters<typeof findMany>[0]) => {
    const marks = await findMany(query)
    await removed.awaiting('a')
    return marks
  }) as unknown as typeof findMany
  await removed.forget(later)
  client.setting.findMany = findMany
  t.equal((await removed.of('a')).blobs.length, 1)
})
