import { rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'tap'
import { rebuildText } from '../../src/commands/rebuild.ts'
import type { Finding } from '../../src/operations/finding.ts'
import type { Rebuilt } from '../../src/operations/rebuild/rebuild.ts'
import { sidecarPath } from '../../src/storage/volume/layout.ts'
import { openVolume, publish } from '../storage/fixtures/volume.ts'
import { commandLine } from './fixtures/command-line.ts'

const report: Rebuilt = {
  database: '/srv/uploads/database/gateway.sqlite', databaseKind: 'sqlite', ms: 1234, oldDatabase: null, formerDatabase: null, findings: [], superseded: 0, tombstones: 1, erasures: 0, erased: 0, leftovers: 0, foreign: 0,
  accounts: { count: 2, isOldThere: true, failure: null },
  totals: { currentAvatars: 1, oldUrls: 0, blobs: [{ kind: 'avatar', state: 'live', count: 1 }, { kind: 'attachment', state: 'deleted', count: 12_345 }] },
}
const finding: Finding = { problem: 'sidecar-damaged', path: 'avatars/x', detail: 'It is damaged.', mend: 'Put it back.' }

test('rebuild makes the database, and says what could not be brought back', async (t) => {
  const { root, store, staging } = await openVolume(t)
  await publish(store, 'hello')
  const damaged = await publish(store, 'hello', { ownerId: 'bob' })
  await staging.close()
  writeFileSync(join(root, 'erasures.ndjson'), '')
  t.match(commandLine(root, ['rebuild'], { settings: { ACCOUNTS: 'off' } }), { status: 0, stderr: '', stdout: /avatar +live +2[^]*gateway\.sqlite is made anew, in \d+\.\d s\.\n2 users with a current avatar, 0 old URLs, 0 erasures, 0 tombstones\.\n$/ })
  rmSync(join(root, 'database'), { recursive: true })
  t.match(commandLine(root, ['rebuild']), { status: 3, stderr: '', stdout: /0 tombstones\.\nThere was no old database[^]*are lost[^]*\/database\/gateway\.sqlite[^]*snapshots/ }, 'accounts that are lost are a finding')
  t.match(commandLine(root, ['rebuild']), { status: 0, stdout: /The old database had no embedded accounts/ })
  writeFileSync(sidecarPath(root, damaged), 'damaged')
  t.match(commandLine(root, ['rebuild']), { status: 3, stdout: /1 could not be brought back[^]*sidecar-damaged {2}avatars\/[^]*audit --repair/ })
  writeFileSync(join(root, 'database.json'), JSON.stringify({ database: 'another', name: 'PostgreSQL at db', since: '2026-11-22T12:00:00Z' }))
  t.match(commandLine(root, ['rebuild']), { status: 3, stdout: /belonged to another database, PostgreSQL at db/ })
  const { status, stdout } = commandLine(root, ['rebuild', '--json'])
  t.equal(status, 3)
  t.match(JSON.parse(stdout), { findings: [{ id: damaged.id }], accounts: { count: 0, isOldThere: true } })
  t.match(commandLine(join(root, 'none'), ['rebuild']), { status: 1, stdout: '', stderr: /^There is no uploads volume at UPLOADS_DIR/ })
  t.match(commandLine(root, ['rebuild', '--help']), { status: 0, stdout: /Stop the gateway first[^]*Example:[^]*database\.sqlite[^]*Exit codes:/ })
})

test('each fact is a sentence, and only where there is one', (t) => {
  const plain = rebuildText(report, true)
  t.match(plain, /attachment +deleted +12,345/)
  t.match(plain, /1 user with a current avatar, 0 old URLs, 0 erasures, 1 tombstone\.\n2 embedded accounts brought over from the old database\.$/)
  const all = rebuildText({ ...report, superseded: 1, erased: 2, leftovers: 1, foreign: 1, oldDatabase: '/srv/old', accounts: { count: 1, isOldThere: true, failure: 'disk I/O error' } }, true)
  t.match(all, /1 avatar had been replaced[^]*2 uploads of erased owners left out[^]*1 file that interrupted imports left, not brought back; the sweep removes it\.[^]*1 entry on the volume not[^]*1 embedded account brought over[^]*others could not be read \(disk I\/O error\)[^]*kept as \/srv\/old/)
  t.match(rebuildText({ ...report, formerDatabase: 'PostgreSQL at db' }, true), /belonged to another database, PostgreSQL at db: what only that one knew[^]*remove database\.json from the home, and set DATABASE_URL to it\.$/)
  t.match(rebuildText({ ...report, findings: Array<Finding>(101).fill(finding) }, true), /101 could not be brought back[^]*… and 1 more: --json lists all\.$/)
  t.end()
})

test('where embedded accounts are lost, or may be, it says how to bring them over', (t) => {
  const textOf = (accounts: Rebuilt['accounts'], hasAccounts = true) => rebuildText({ ...report, accounts }, hasAccounts).split('\n').slice(5).join('\n')
  const recipe = 'If there were any: before the gateway starts again, put a database of this volume that has them at /srv/uploads/database/gateway.sqlite, such as snapshots/NEWEST/database.sqlite of a backup, and run this again. Otherwise their users have to register again, which gives them new ids and none of their uploads.'
  t.equal(textOf({ count: 0, isOldThere: false, failure: null }), `There was no old database to bring embedded accounts over from, and no sidecar has them: they are lost.\n${recipe}`)
  t.equal(textOf({ count: 0, isOldThere: true, failure: null }), `The old database had no embedded accounts.\n${recipe}`)
  t.equal(textOf({ count: 0, isOldThere: true, failure: 'no database' }), `0 embedded accounts brought over from the old database; the others could not be read (no database).\n${recipe}`)
  t.equal(textOf({ count: 1, isOldThere: true, failure: 'no database' }), '1 embedded account brought over from the old database; the others could not be read (no database), and their users have to register again, which gives them new ids and none of their uploads.')
  t.equal(textOf({ count: 0, isOldThere: false, failure: null }, false), '', 'ACCOUNTS=off')
  t.match(rebuildText({ ...report, databaseKind: 'postgresql', accounts: { count: 0, isOldThere: false, failure: null } }, true), /copy a database of this volume that has them into an empty PostgreSQL database with "upload-gateway database copy --from file:\.\.\."/)
  t.equal(textOf({ count: 1, isOldThere: true, failure: null }, false), '1 embedded account brought over from the old database.')
  t.end()
})
