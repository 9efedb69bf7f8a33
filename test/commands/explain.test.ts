import { rmSync } from 'node:fs'
import { test } from 'tap'
import { explainText } from '../../src/commands/explain.ts'
import type { Explanation } from '../../src/operations/explain/explain.ts'
import { newBlobId } from '../../src/storage/ids.ts'
import { blobPath } from '../../src/storage/volume/layout.ts'
import { sidecarFor } from '../storage/fixtures/volume.ts'
import { build, picture } from '../helper.ts'
import { commandLine } from './fixtures/command-line.ts'

test('explain says first whether it is served; the exit code says it too', async (t) => {
  const { app, as, folder } = await build(t)
  const { version } = (await app.inject({ method: 'PUT', url: '/api/avatars/me', headers: { ...await as('ada'), 'content-type': 'image/jpeg' }, payload: await picture() })).json()
  t.match(commandLine(folder, ['explain', 'https://old.example/api/auth/avatar/ada']), { status: 0, stderr: '', stdout: /^It is served: [^]*asked about +the current avatar of ada[^]*file +avatars\/.*: whole[^]*owner +ada: 1 uploads/ })
  rmSync(blobPath(folder, { kind: 'avatar', id: version, extension: 'jpg' }))
  t.match(commandLine(folder, ['explain', 'ada']), { status: 3, stdout: /^503: [^]*: missing/ })
  const { status, stdout } = commandLine(folder, ['explain', version, '--json'])
  t.equal(status, 3)
  t.match(JSON.parse(stdout), { isServed: false, blobs: [{ id: version, file: { is: 'nothing' } }] })
  t.match(commandLine(folder, ['explain', 'nonsense']), { status: 3, stdout: /^404: .* looked for as a user's id; what can be given is [^\n]*sha-256/ })
  t.match(commandLine(folder, ['explain', 'two words']), { status: 1, stdout: '', stderr: /nothing that the gateway hands out/ })
  t.match(commandLine(folder, ['explain']), { status: 2 })
})

test('all that is known has its line', (t) => {
  const { version, ...facts } = sidecarFor('x', { kind: 'attachment', recordId: newBlobId(), filename: 'a.pdf', visibility: 'private', aliases: ['/uploads/a.pdf'], source: 'system-m:/uploads/a.pdf', state: 'deleted', ownerId: null, creatorId: null, readers: ['bob', 'kim'], expiresAt: '2026-12-26' })
  const blob = { id: facts.id, kind: 'attachment', purgedAfter: '2026-12-22', erasedAt: '2026-11-22', record: { ...facts, isCurrentAvatar: false, isSidecarDue: true }, file: { path: 'a', is: 'file', size: 7, sha256: 'ab', isWhole: false, reason: null }, sidecar: { path: 'b', is: 'whole', differences: ['alt', 'filename'] } } as const
  const explanation: Explanation = {
    isServed: false, verdict: '404.', asked: 'x', meaning: 'an id', audience: 'nobody', unknown: ['The ledger.'],
    link: { is: 'revoked', id: '019aa1b2', attachmentId: facts.recordId, creatorId: null, expiresAt: '2026-12-24', revokedAt: '2026-12-23' }, standingLinks: { count: 2, until: '2026-12-25' },
    owner: { id: 'ada', uploads: 2, currentAvatar: null, deletedAvatar: null, erasedAt: '2026-11-22', hasTombstone: false, hasAccount: true },
    oldPath: { hasTombstone: true, oldFile: '/old/a' },
    blobs: [blob, { ...blob, record: null, file: { ...blob.file, is: 'nothing' } }, { ...blob, record: null, file: { ...blob.file, is: 'unreadable', reason: 'EIO' } }, { ...blob, record: null, file: { ...blob.file, is: 'folder' } }],
  }
  const text = explainText(explanation)
  for (const line of [/^404\./, /record +deleted since .*; its sidecar is being written/, /for nobody yet by nobody known/, /"a\.pdf", private/, /old URL +\/uploads\/a\.pdf/, /imported from +system-m/, /link +019aa1b2, revoked: by nobody known, until 2026-12-24, revoked on 2026-12-23\n/, /links +2 standing, the last until 2026-12-25\n/, /readers +bob, kim\n/, /expires +2026-12-26\n/, /damaged: 7 bytes, sha-256 ab/, /differs in alt, filename/, /trash +removed for good after/, /erased +its owner was/, /record +none/, /missing/, /cannot be read \(EIO\)/, /a folder instead/, /current avatar none, an embedded account, erased on/, /old path +removed for good once; in the older/, /not known +The ledger\.$/]) t.match(text, line)
  t.match(explainText({ ...explanation, oldPath: { hasTombstone: false, oldFile: null } }), /old path +no tombstone\n/)
  t.match(explainText({ ...explanation, standingLinks: { count: 0, until: null } }), /links +none\n/)
  t.notMatch(explainText({ ...explanation, link: null, standingLinks: null }), /^links? /m)
  t.end()
})

test('old URLs, sources and names have no power over the terminal', (t) => {
  const { version, ...facts } = sidecarFor('x', { kind: 'attachment', recordId: newBlobId(), filename: 'a\u001b[1A', visibility: 'private', aliases: ['/u\u009b'], source: 'system-m:\n404.' })
  const text = explainText({
    isServed: true, verdict: 'It is served.', asked: 'x', meaning: 'a URL', audience: 'nobody', unknown: [], owner: null, link: null, standingLinks: null, oldPath: null,
    blobs: [{ id: facts.id, kind: 'attachment', purgedAfter: null, erasedAt: null, record: { ...facts, isCurrentAvatar: false, isSidecarDue: false }, file: { path: 'a', is: 'nothing', size: null, sha256: null, isWhole: false, reason: null }, sidecar: { path: 'b', is: 'whole', differences: [] } }],
  } as Explanation)
  for (const part of ['\u001b', '\u009b', '\n404']) t.notMatch(text, part)
  t.match(text, '"a\\u{1b}[1A"')
  t.end()
})
