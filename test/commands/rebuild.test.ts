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
  database: '/srv/uploads/database/gateway.sqlite', ms: 1234, oldDatabase: null, findings: [], superseded: 0, tombstones: 1, erasures: 0, erased: 0, foreign: 0,
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
  t.match(commandLine(root, ['rebuild']), { status: 0, stderr: '', stdout: /avatar +live +2[^]*gateway\.sqlite is made anew, in \d+\.\d s\.\n2 users with a current avatar, 0 old URLs[^]*no old database, so embedded accounts/ })
  rmSync(join(root, 'database'), { recursive: true })
  writeFileSync(sidecarPath(root, damaged), 'damaged')
  t.match(commandLine(root, ['rebuild']), { status: 3, stdout: /1 could not be brought back[^]*sidecar-damaged {2}avatars\/[^]*audit --repair/ })
  const { status, stdout } = commandLine(root, ['rebuild', '--json'])
  t.equal(status, 3)
  t.match(JSON.parse(stdout), { findings: [{ id: damaged.id }], accounts: { count: 0, isOldThere: true } })
  t.match(commandLine(join(root, 'none'), ['rebuild']), { status: 1, stdout: '', stderr: /^There is no uploads volume at UPLOADS_DIR/ })
  t.match(commandLine(root, ['rebuild', '--help']), { status: 0, stdout: /Stop the gateway first[^]*Example:[^]*Exit codes:/ })
})

test('each fact is a sentence, and only where there is one', (t) => {
  const plain = rebuildText(report)
  t.match(plain, /attachment +deleted +12,345/)
  t.match(plain, /1 user with a current avatar, 0 old URLs, 0 erasures, 1 tombstone\.\n2 embedded accounts brought over from the old database\.$/)
  const all = rebuildText({ ...report, superseded: 1, erased: 2, foreign: 1, oldDatabase: '/srv/old', accounts: { count: 1, isOldThere: true, failure: 'disk I/O error' } })
  t.match(all, /1 avatar had been replaced[^]*2 uploads of erased owners left out[^]*1 entry on the volume not[^]*1 embedded account brought over[^]*others could not be read \(disk I\/O error\)[^]*kept as \/srv\/old/)
  t.match(rebuildText({ ...report, findings: Array<Finding>(101).fill(finding) }), /101 could not be brought back[^]*… and 1 more: --json lists all\.$/)
  t.end()
})
