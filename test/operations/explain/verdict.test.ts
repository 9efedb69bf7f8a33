import t from 'tap'
import type { UserId } from '../../../src/callers/caller.ts'
import type { Examined } from '../../../src/operations/explain/examine.ts'
import { judge, type Facts } from '../../../src/operations/explain/verdict.ts'
import { newBlobId } from '../../../src/storage/ids.ts'
import { sidecarFor } from '../../storage/fixtures/volume.ts'

const { version, ...facts } = sidecarFor('hello')
const whole: Examined = {
  id: facts.id, kind: 'avatar', purgedAfter: null, erasedAt: null,
  record: { ...facts, isCurrentAvatar: true, isSidecarDue: false },
  file: { path: 'avatars/x.png', is: 'file', size: 5, sha256: facts.sha256, isWhole: true, reason: null },
  sidecar: { path: 'avatars/x.sidecar.json', is: 'whole', differences: [] },
}
const owner = { id: 'ada', currentAvatar: facts.id, deletedAvatar: null, uploads: 1, erasedAt: null, hasTombstone: false, hasAccount: false }
const usual: Facts = { subject: { is: 'current avatar', userId: 'ada' as UserId }, audience: 'anyone', blob: whole, owner, oldPath: undefined, link: undefined, databaseFailure: undefined, now: new Date('2026-11-22T10:00:00.000Z') }
const none: Facts = { ...usual, audience: 'nobody', blob: undefined }

t.test('only a file that is whole, and shown to somebody, is served', async (t) => {
  t.strictSame(judge(usual), { isServed: true, verdict: 'It is served: image/png, 5 bytes, to anyone; the file is whole.' })
  const broken: Array<[Partial<Examined['file']>, RegExp]> = [
    [{ is: 'nothing', isWhole: false }, /^503: .*missing/], [{ is: 'unreadable', reason: 'EIO', isWhole: false }, /^503: .*cannot be read \(EIO\)/], [{ is: 'symbolic link', isWhole: false }, /^503: .*a symbolic link/],
    [{ isWhole: false }, /other bytes/], [{ isWhole: false, size: 4 }, /4 bytes instead of 5/],
  ]
  for (const [file, verdict] of broken) t.match(judge({ ...usual, blob: { ...whole, file: { ...whole.file, ...file } } }), { isServed: false, verdict })
  t.match(judge({ ...usual, blob: { ...whole, erasedAt: '2026-11-22T10:00:00.000Z' } }), { isServed: false, verdict: /erased on 2026-11-22 10:00:00 UTC/ })
  t.match(judge({ ...usual, databaseFailure: 'disk I/O error' }), { isServed: false, verdict: /\(disk I\/O error\)/ })
})

t.test('every reason for a 404 has its sentence', async (t) => {
  const hidden = (record: object, others: Partial<Facts> = {}) => judge({ ...usual, audience: 'nobody', blob: { ...whole, purgedAfter: '2026-12-22T10:00:00.000Z', record: { ...facts, isCurrentAvatar: false, isSidecarDue: false, ...record } }, ...others }).verdict
  t.match(hidden({ state: 'deleted', recordId: 'r' }), /restored until 2026-12-22 10:00:00 UTC with "upload-gateway trash restore r"/)
  t.match(hidden({ state: 'superseded' }), new RegExp(`trash restore ${facts.id}"`))
  t.match(hidden({ state: 'purging' }), /on its way out/)
  t.match(hidden({ state: 'swept' }), /never acknowledged/)
  t.match(hidden({}, { subject: { is: 'version', userId: 'bob' as UserId, id: facts.id } }), /not one of bob, but of ada/)
  t.match(hidden({}), /contradicts itself/)
  t.match(hidden({}, { owner: undefined }), /does not fit/)

  t.match(judge(none).verdict, /ada has no avatar now/)
  t.match(judge({ ...none, owner: { ...owner, erasedAt: '2026-11-22T10:00:00.000Z' } }).verdict, /were erased on 2026-11-22/)
  t.match(judge({ ...none, owner: { ...owner, hasTombstone: true } }).verdict, /removed for good/)
  t.match(judge({ ...none, owner: undefined }).verdict, /no record of anything of a user ada/)
  t.match(judge({ ...none, subject: { is: 'sha256', sha256: 'a' } }).verdict, /No file with this content/)
  t.match(judge({ ...none, subject: { is: 'id', id: newBlobId() } }).verdict, /no record of it, no file or sidecar/)
  t.match(judge({ ...none, subject: { is: 'version', userId: 'ada' as UserId, id: facts.id } }).verdict, /no record of it, and no file or sidecar of that id/)
  t.match(judge({ ...none, subject: { is: 'old path', path: '/i/x' } }).verdict, /no file is known here under \/i\/x\. If an older system has it, .* or READ_THROUGH_DIRS brings it, unless its user decided otherwise here/)
  t.match(judge({ ...none, subject: { is: 'no address', path: '/docs' }, databaseFailure: 'x' }).verdict, /\/docs is no address/)
})

t.test('a file without a record says what would bring it back', async (t) => {
  const lost = (file: Partial<Examined['file']>, is: Examined['sidecar']['is']) => judge({ ...usual, blob: { ...whole, record: null, file: { ...whole.file, ...file }, sidecar: { ...whole.sidecar, is } } }).verdict
  t.match(lost({}, 'whole'), /makes its record anew/)
  t.match(lost({ isWhole: false }, 'whole'), /not of these bytes/)
  t.match(lost({ isWhole: false }, 'missing'), /its sidecar is missing/)
  t.match(lost({ is: 'nothing', isWhole: false }, 'whole'), /only the sidecar/)
})
