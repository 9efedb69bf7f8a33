import { test } from 'tap'
import { decide } from '../../../src/operations/import/deciding.ts'
import type { Known, Present } from '../../../src/records/imports.ts'

const at = new Date('2024-01-01')
const nothing: Present = { latest: undefined, takers: new Map(), isEntombed: false, isErased: false, hadOwnAvatar: false, avatars: [], ownerCommits: undefined }
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
    [{ hadOwnAvatar: true }, 'own-picture'],
    [{ avatars: [known({ source: null, state: 'superseded' }), known()] }, 'own-picture'],
    [{ avatars: [known({ state: 'deleted' }), known()] }, 'deleted'],
    [{ avatars: [known({ state: 'superseded' })] }, 'deleted'],
    [{ avatars: [known({ stateAt: new Date() })] }, 'own-picture'],
  ]
  for (const [present, code] of cases) t.match(decide(avatar, { ...nothing, ...present }), { outcome: 'kept', code, reason: String }, code)
  t.match(decide(attachment, { ...nothing, hadOwnAvatar: true }), { outcome: 'imported' }, 'an avatar says nothing of attachments')
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
