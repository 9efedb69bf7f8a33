import { test } from 'tap'
import { copiesOf, isCopy, isOwnerless } from '../../../src/operations/import/copies.ts'
import type { Known } from '../../../src/records/imports.ts'

const at = new Date('2024-01-01')
const copy: Known = { id: 'one' as Known['id'], kind: 'attachment', state: 'live', ownerId: 'archive', creatorId: 'archive', visibility: 'public', source: 's', sourceSha256: 'a', stateAt: at, createdAt: at }
const claim = { kind: 'avatar', ownerId: 'ada', isOwnerless: false, sha256: 'a' } as const

test('ownerless is what an import kept for whom it was told', (t) => {
  t.equal(isOwnerless(copy), true)
  for (const other of [{ creatorId: null }, { source: null }, { kind: 'avatar' }, { ownerId: 'bob' }, { ownerId: null, creatorId: null }] as const) t.equal(isOwnerless({ ...copy, ...other }), false, JSON.stringify(other))
  t.end()
})

test('a copy has the very bytes of what is somebody else\'s, and nobody removed it here', (t) => {
  t.equal(isCopy(claim, copy), true)
  for (const other of [{ state: 'deleted' }, { sourceSha256: 'b' }, { creatorId: null }] as const) t.equal(isCopy(claim, { ...copy, ...other }), false, JSON.stringify(other))
  for (const other of [{ isOwnerless: true }, { ownerId: 'archive' }]) t.equal(isCopy({ ...claim, ...other }, copy), false, JSON.stringify(other))
  t.end()
})

test('a picture makes copies of it known, any other file only when its owner was erased', (t) => {
  const takers = new Map([['/i/a', copy], ['/i/b', { ...copy, sourceSha256: 'b' }]])
  t.strictSame([...copiesOf(claim, { takers, isErased: false }).keys()], ['/i/a'])
  t.strictSame([...copiesOf({ ...claim, kind: 'attachment' }, { takers, isErased: false }).keys()], [])
  t.strictSame([...copiesOf({ ...claim, kind: 'attachment' }, { takers, isErased: true }).keys()], ['/i/a'])
  t.end()
})
