import { test } from 'tap'
import { decide, isRemoved } from '../../../src/operations/import/deciding.ts'
import type { Known, Present } from '../../../src/records/imports.ts'

const at = new Date('2024-01-01')
const nothing: Present = { latest: undefined, takers: new Map(), isEntombed: false, isErased: false, removedAvatar: false, avatars: [], ownerCommits: undefined }
const known = (more: Partial<Known> = {}): Known => ({ id: 'one' as Known['id'], kind: 'avatar', state: 'live', ownerId: 'ada', source: 's', sourceSha256: 'old', stateAt: at, createdAt: at, ...more })
const avatar = { kind: 'avatar', paths: ['/i/x'], canLosePaths: false, createdAt: new Date('2024-02-01'), sha256: 'new' } as const
const attachment = { ...avatar, kind: 'attachment' } as const

test('what nothing stands in the way of is imported under all its paths', (t) => {
  t.strictSame(decide(avatar, nothing), { outcome: 'imported', state: 'live', paths: ['/i/x'], movedPaths: [], replaces: undefined, current: undefined, ownerCommits: undefined, notes: [] })
  t.end()
})

test('the same bytes of the same source are there already, deleted or not, whatever else holds', (t) => {
  const erased = { ...nothing, isErased: true }
  t.match(decide({ ...avatar, sha256: 'old' }, { ...erased, latest: known() }), { outcome: 'there', code: 'there' })
  for (const state of ['deleted', 'purging'] as const) t.match(decide({ ...avatar, sha256: 'old' }, { ...nothing, latest: known({ state }) }), { code: 'there-deleted' }, state)
  t.end()
})

test('nothing is replaced or revived that somebody decided here', (t) => {
  const cases: Array<[Partial<Present>, string]> = [
    [{ isErased: true }, 'erased'],
    [{ isEntombed: true }, 'deleted-for-good'],
    [{ latest: known({ state: 'deleted' }) }, 'deleted'],
    [{ removedAvatar: true }, 'deleted-for-good'],
    [{ removedAvatar: true, avatars: [known({ source: null })] }, 'deleted-for-good'],
    [{ isEntombed: true, avatars: [known({ source: null, state: 'deleted' })] }, 'deleted'],
    [{ avatars: [known({ source: null, state: 'deleted' })] }, 'deleted'],
    [{ avatars: [known({ source: null, state: 'deleted' }), known({ source: null })] }, 'deleted'],
    [{ avatars: [known({ state: 'deleted' }), known()] }, 'deleted'],
    [{ avatars: [known({ state: 'superseded' })] }, 'deleted'],
  ]
  for (const [present, code] of cases) t.match(decide(avatar, { ...nothing, ...present }), { outcome: 'kept', code, reason: String }, code)
  t.match(decide(attachment, { ...nothing, removedAvatar: true }), { outcome: 'imported' }, 'an avatar says nothing of attachments')
  t.end()
})

test('what is removed here is known as that, whatever became of the file now', (t) => {
  for (const code of ['erased', 'deleted', 'deleted-for-good'] as const) t.equal(isRemoved(avatar, nothing, { outcome: 'kept', code }), true, code)
  t.equal(isRemoved(avatar, nothing, { outcome: 'there', code: 'there-deleted' }), true)
  t.equal(isRemoved(avatar, { ...nothing, isErased: true }, { outcome: 'refused', code: 'wrong-type' }), true)
  t.equal(isRemoved(avatar, nothing, { outcome: 'refused', code: 'wrong-type' }), false)
  t.equal(isRemoved(avatar, undefined, { outcome: 'refused', code: 'wrong-type' }), false)
  t.equal(isRemoved(avatar, nothing, { outcome: 'kept', code: 'own-picture' }), false)
  t.equal(isRemoved(avatar, { ...nothing, avatars: [known({ state: 'deleted' }), known()] }, { outcome: 'there', code: 'there' }), false)
  t.end()
})

test('beside a picture that the user chose here, one comes in as an earlier picture, for the sake of its old path alone', (t) => {
  const own = known({ id: 'own' as Known['id'], source: null, sourceSha256: null })
  const present = { ...nothing, avatars: [own], ownerCommits: 2 }
  t.strictSame(decide(avatar, present), { outcome: 'imported', state: 'superseded', paths: ['/i/x'], movedPaths: [], replaces: undefined, current: undefined, ownerCommits: 2, notes: ['comes in as an earlier picture: the user has set one of their own here'] })
  for (const state of ['superseded', 'purging'] as const) t.match(decide(avatar, { ...present, avatars: [{ ...own, state }, known()] }), { state: 'superseded', current: undefined }, state)
  t.match(decide(avatar, { ...nothing, avatars: [known({ stateAt: new Date() })] }), { outcome: 'imported', state: 'superseded', notes: [/gone back to another here/] })
  t.match(decide({ ...avatar, paths: [] }, present), { outcome: 'kept', code: 'own-picture', reason: 'the user has set one of their own here, and this one has no old address to keep' })

  const before = known({ id: 'before' as Known['id'], state: 'superseded' })
  const latest = { ...present, avatars: [own, before], latest: before, takers: new Map([['/i/x', before]]) }
  t.match(decide(avatar, latest), { outcome: 'kept', code: 'own-picture', reason: /behind its old address already/ }, 'it changed at the source, and the old path answers')
  t.match(decide({ ...avatar, paths: ['/i/x', '/i/y'] }, latest), { outcome: 'changed', paths: ['/i/y'], movedPaths: [], replaces: undefined, notes: [/^comes in/] })
  const other = known({ id: 'other' as Known['id'], ownerId: 'bob' })
  t.match(decide({ ...avatar, paths: ['/i/x', '/i/y'], canLosePaths: true }, { ...present, takers: new Map([['/i/x', other]]) }), { outcome: 'imported', paths: ['/i/y'], notes: [/stays with other/, /^comes in/] })
  t.match(decide(avatar, { ...present, takers: new Map([['/i/x', other]]) }), { outcome: 'refused', code: 'path-taken' })
  t.end()
})

test('an old path never moves to other bytes in silence', (t) => {
  const takers = (taker: Known) => ({ ...nothing, takers: new Map([['/i/x', taker]]) })
  t.match(decide(avatar, takers(known())), { outcome: 'refused', code: 'path-taken', reason: /"\/i\/x".*one/ })
  t.match(decide(avatar, takers(known({ source: null, sourceSha256: null }))), { code: 'path-taken' })
  t.match(decide({ ...avatar, canLosePaths: true }, takers(known())), { outcome: 'imported', paths: [], notes: [/stays with one/] })
  t.match(decide(avatar, takers(known({ sourceSha256: 'new' }))), { outcome: 'imported', paths: [], notes: [/stays with one/] }, 'a second user of the same file')
  t.match(decide(attachment, takers(known({ sourceSha256: 'new' }))), { outcome: 'there' })
  t.end()
})

test('what changed at the source takes the paths over, and its place if it was the current one', (t) => {
  const latest = known()
  t.match(decide(avatar, { ...nothing, latest, takers: new Map([['/i/x', latest]]), avatars: [latest], ownerCommits: 3 }), { outcome: 'changed', state: 'live', paths: ['/i/x'], movedPaths: ['/i/x'], replaces: latest, current: 'one', ownerCommits: 3 })
  const newer = known({ id: 'two' as Known['id'], source: 'r', createdAt: new Date('2025-01-01'), stateAt: new Date('2025-01-01') })
  t.match(decide(avatar, { ...nothing, avatars: [newer] }), { outcome: 'imported', state: 'superseded', current: undefined, notes: [/newer picture, imported from r/] })
  t.match(decide(avatar, { ...nothing, avatars: [known()] }), { state: 'live', current: 'one', replaces: undefined })
  t.end()
})
