import { test } from 'tap'
import { DatabaseUnavailable } from '../../src/errors.ts'
import { createGroupCommits, isPlain } from '../../src/records/import-commits.ts'
import { build } from '../helper.ts'

const sidecar = { kind: 'avatar', state: 'live', id: '019ab111-1111-7111-8111-111111111111', epoch: 0, aliases: [], stateAt: '2024-01-01', createdAt: '2024-01-01', size: 1 } as never

test('only what nothing has to be compared for goes in with others', (t) => {
  const placing = { sidecar, movedPaths: [] }
  t.ok(isPlain(placing))
  t.notOk(isPlain({ ...placing, ownerCommits: 3 }), 'an owner who is known here')
  t.notOk(isPlain({ ...placing, current: 'x' as never }))
  t.notOk(isPlain({ ...placing, replaces: {} as never }))
  t.end()
})

test('a failure of the database is the failure of all, and none is tried again', async (t) => {
  const { app } = await build(t)
  const { client } = app.database
  const singles: string[] = []
  const failing = { ...client, blob: client.blob, owner: client.owner, alias: client.alias, avatar: client.avatar, attachment: client.attachment, $transaction: async () => { throw new Error('gone') } } as never
  const place = createGroupCommits({ client: failing, hash: app.storage.hash, owners: { entering: () => client.owner.count() as never, refuseErased: async () => {} }, single: async (ownerId) => { singles.push(ownerId); return true } })
  const results = await Promise.allSettled(['ada', 'bob'].map((ownerId) => place(ownerId, { sidecar, movedPaths: [] })))
  for (const result of results) t.match(result, { status: 'rejected', reason: new DatabaseUnavailable() })
  t.strictSame(singles, [])
})
