import { test } from 'tap'
import { decide, isRemoved } from '../../../src/operations/import/deciding.ts'
import type { Known, Present } from '../../../src/records/imports.ts'
import { newBlobId, timeOf } from '../../../src/storage/ids.ts'

const at = new Date('2024-01-01')
const nothing: Present = { latest: undefined, takers: new Map(), isEntombed: false, isErased: false, removedAvatar: false, avatars: [], ownerCommits: undefined }
const known = (more: Partial<Known> = {}): Known => ({ id: 'one' as Known['id'], kind: 'avatar', state: 'live', ownerId: 'ada', creatorId: null, visibility: null, source: 's', sourceSha256: 'old', stateAt: at, createdAt: at, ...more })
const avatar = { kind: 'avatar', source: 's', ownerId: 'ada', isOwnerless: false, visibility: null, paths: ['/i/x'], createdAt: new Date('2024-02-01'), isDated: true, sha256: 'new' } as const
const attachment = { ...avatar, kind: 'attachment', visibility: 'public' } as const
const copy = known({ id: 'copy' as Known['id'], kind: 'attachment', ownerId: 'archive', creatorId: 'archive', visibility: 'public', source: 'c', sourceSha256: 'new' })

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
  t.match(decide({ ...avatar, paths: ['/i/x', '/i/y'] }, latest), { outcome: 'changed', paths: ['/i/y'], movedPaths: { length: 0 }, replaces: undefined, notes: [/^comes in/] })
  const other = known({ id: 'other' as Known['id'], ownerId: 'bob' })
  t.match(decide({ ...avatar, paths: ['/i/x', '/i/y'] }, { ...present, takers: new Map([['/i/x', other]]) }), { outcome: 'imported', paths: ['/i/y'], notes: [/stays with other/, /^comes in/] })
  t.match(decide(avatar, { ...present, takers: new Map([['/i/x', other]]) }), { outcome: 'kept', code: 'own-picture' })
  t.match(decide(avatar, { ...present, takers: new Map([['/i/x', copy]]) }), { outcome: 'imported', state: 'superseded', paths: { length: 0 }, notes: [/^comes in/, /goes to the trash$/] }, 'a copy of it is to go')
  t.end()
})

test('an old path never moves to other bytes in silence', (t) => {
  const takers = (taker: Known) => ({ ...nothing, takers: new Map([['/i/x', taker]]) })
  t.match(decide(attachment, takers(known())), { outcome: 'refused', code: 'path-taken', reason: /"\/i\/x".*one/ })
  t.match(decide(attachment, takers(known({ source: null, sourceSha256: null }))), { code: 'path-taken' })
  t.match(decide(avatar, takers(known())), { outcome: 'imported', state: 'live', paths: { length: 0 }, notes: [/stays with one/] }, 'a picture counts without it')
  t.match(decide(avatar, takers(known({ sourceSha256: 'new' }))), { outcome: 'imported', paths: { length: 0 }, notes: [/stays with one/] }, 'a second user of the same file')
  t.match(decide(attachment, takers(known({ sourceSha256: 'new' }))), { outcome: 'there', notes: { length: 0 } })
  t.match(decide({ ...attachment, ownerId: 'bob' }, takers(known({ sourceSha256: 'new' }))), { outcome: 'refused', code: 'owner-differs' })
  t.match(decide({ ...attachment, ownerId: 'bob', isOwnerless: true }, takers(known({ sourceSha256: 'new' }))), { outcome: 'there', notes: ['it belongs to "ada" here'] })
  t.match(decide({ ...attachment, ownerId: 'bob' }, takers(known({ sourceSha256: 'new', state: 'deleted' }))), { outcome: 'there', notes: { length: 0 } }, 'it belongs to nobody any more')
  t.end()
})

test('what is here of another owner is refused, unless it is gone, with the same bytes or others', (t) => {
  for (const facts of [attachment, avatar]) {
    for (const sourceSha256 of ['old', 'new']) t.match(decide(facts, { ...nothing, latest: known({ ownerId: 'bob', sourceSha256 }) }), { outcome: 'refused', code: 'owner-differs', reason: /as one of "bob", and not of "ada"/, notes: { length: 0 } }, facts.kind)
    t.match(decide(facts, { ...nothing, latest: known({ ownerId: 'bob', state: 'deleted' }) }), { outcome: 'kept', code: 'deleted' }, facts.kind)
    t.match(decide(facts, { ...nothing, latest: known({ ownerId: 'bob', state: 'deleted', sourceSha256: 'new' }) }), { code: 'there-deleted' }, facts.kind)
  }
  const erased = (latest: Known) => ({ ...nothing, isErased: true, latest, takers: new Map([['/i/x', latest]]) })
  t.match(decide(attachment, erased(known({ ownerId: 'bob', sourceSha256: 'new' }))), { code: 'owner-differs' }, 'nothing hides that it is here')
  t.match(decide(attachment, erased(copy)), { outcome: 'kept', code: 'erased', notes: ['"/i/x" was kept as copy of "archive", which goes to the trash'] })
  t.end()
})

test('a visibility that is another here stays, and is told', (t) => {
  const latest = known({ kind: 'attachment', visibility: 'private' })
  t.match(decide(attachment, { ...nothing, latest }), { outcome: 'changed', notes: [/^it stays private/] })
  t.match(decide({ ...attachment, sha256: 'old' }, { ...nothing, latest }), { outcome: 'there', notes: [/^it stays private/] })
  t.match(decide({ ...attachment, sha256: 'old', visibility: 'private' }, { ...nothing, latest }), { outcome: 'there', notes: { length: 0 } })
  t.end()
})

test('what changed at the source takes the paths over, and its place if it was the current one', (t) => {
  const latest = known()
  t.match(decide(avatar, { ...nothing, latest, takers: new Map([['/i/x', latest]]), avatars: [latest], ownerCommits: 3 }), { outcome: 'changed', state: 'live', paths: ['/i/x'], movedPaths: ['/i/x'], replaces: latest, current: 'one', ownerCommits: 3 })
  const newer = known({ id: 'two' as Known['id'], source: 'r', createdAt: new Date('2025-01-01'), stateAt: new Date('2025-01-01') })
  t.match(decide(avatar, { ...nothing, avatars: [newer] }), { outcome: 'imported', state: 'superseded', current: undefined, notes: [/newer picture, imported from r/] })
  t.match(decide({ ...avatar, source: 'r' }, { ...nothing, avatars: [known()] }), { state: 'live', current: 'one', replaces: undefined, notes: ['replaces the picture imported from s, which is older'] })
  t.end()
})

test('an unknown date is no later than any other', (t) => {
  const id = newBlobId()
  const undated = known({ id, source: 'r', createdAt: timeOf(id), stateAt: timeOf(id) })
  t.match(decide(avatar, { ...nothing, avatars: [undated] }), { state: 'live', current: id, notes: ['replaces the picture imported from r, whose date is not known'] })
  for (const current of [undated, known({ source: 'r' })]) t.match(decide({ ...avatar, createdAt: new Date(), isDated: false }, { ...nothing, avatars: [current] }), { state: 'superseded', notes: [/^its date is not known: the picture imported from r stays/] })
  t.match(decide({ ...avatar, isDated: false }, { ...nothing, latest: undated, avatars: [undated] }), { state: 'live', current: id }, 'it is its own successor')
  t.end()
})

test('a picture of no known date stays one when it was replaced by a copy without metadata', (t) => {
  const [id, copyId] = [newBlobId(), 'copy' as Known['id']]
  const current = known({ id: copyId, originalId: id, createdAt: timeOf(id), stateAt: timeOf(id), source: 'other' })
  t.match(decide({ ...avatar, createdAt: new Date('2001-01-01') }, { ...nothing, avatars: [current] }), { state: 'live', current: copyId }, 'any known date is newer')
  t.end()
})
