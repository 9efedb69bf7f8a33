import { rmSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { restoreText } from '../../src/commands/restore.ts'
import { backup } from '../../src/operations/backup/backup.ts'
import { silent as progress } from '../../src/operations/progress.ts'
import { backedUp, furnished } from '../operations/fixtures/furnished.ts'
import { commandLine } from './fixtures/command-line.ts'

t.test('restore says what it did', async (t) => {
  const { config, folder, dir, attach, lose } = await furnished(t)
  await attach('ada', 'a text')
  await attach('eve', 'another')
  await backup(config, { to: { dir }, withKeys: true, progress })
  t.match(commandLine(folder, ['restore', dir, '--drill']), { status: 0, stdout: /^Clean: 2 records.*\nRestored for practice, and thrown away: the snapshot of .*, 2 files, 13 B, in \d+\.\d s\.\n/ })
  await lose()
  const { paths: [blob = ''] } = await backedUp(dir)
  rmSync(blob)
  t.match(commandLine(folder, ['restore', dir]), { status: 1, stdout: '', stderr: /1 files of the backup are missing or damaged:\n.*\nNothing was restored\. .*--partial/ })
  const partial = commandLine(folder, ['restore', dir, '--partial', '--snapshot', (await backedUp(dir)).name, '--ledger', join(dir, 'snapshots', (await backedUp(dir)).name, 'erasures.ndjson')])
  t.match(partial, { status: 3, stdout: /^blob-missing {2}blobs\/.*[^]*2 findings: 2 records[^]*Restored the keys erasure-signing\.jwk\.\nWhoever was erased after this backup was made is back: [^\n]*\nThe gateway can be started\.\n$/ })
  t.match(commandLine(folder, ['restore', dir, '--partial']), { status: 1, stderr: /is not empty/ })
  t.match(JSON.parse(commandLine(folder, ['restore', dir, '--into', join(folder, '..', 'other'), '--partial', '--json']).stdout), { files: 2, damaged: [{ problem: 'blob-missing' }] })
})

t.test('what is worth saying is said', async (t) => {
  const verification = { records: 0, hashedFiles: 0, hashedBytes: 0, allBytes: 0, findings: [] }
  const report = { snapshot: 'x', createdAt: '2026', root: '/srv/uploads', files: 0, bytes: 0, seconds: 1, secondsPerGigabyte: null, ledgers: [], isLedgerCurrent: true, erasures: 0, erasedFiles: 0, keys: [], damaged: [], moreDamaged: 3, verification }
  t.equal(restoreText(report, false), 'and 3 more.\n\nClean: 0 records, 0 B; 0 files read and hashed, 0 B.\nRestored to /srv/uploads: the snapshot of 2026, 0 files, 0 B, in 1.0 s.\n0 erasures in no ledger; 0 files of erased users are gone again.\nThe gateway can be started.')
})
