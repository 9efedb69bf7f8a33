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
  t.match(commandLine(folder, ['restore', '--help']), { status: 0, stdout: /into\s+an\s+empty\s+place\s+of\s+the\s+object\s+store[^]*--drill[^]*a\s+folder\s+of\s+its\s+own,\s+below\s+--into\s+if\s+given[^]*a\s+killed\s+one/ })
  t.match(commandLine(folder, ['restore', dir, '--drill']), { status: 0, stdout: /^Clean: 2 records.*\nRestored for practice, and thrown away: the snapshot of .*, 2 files, 13 B, in \d+\.\d s\.\n/ })
  await lose()
  const { paths: [blob = ''] } = await backedUp(dir)
  rmSync(blob)
  t.match(commandLine(folder, ['restore', dir]), { status: 1, stdout: '', stderr: /1 files of the backup are missing or damaged:\n.*\nNothing was restored\. .*--partial/ })
  const partial = commandLine(folder, ['restore', dir, '--partial', '--snapshot', (await backedUp(dir)).name, '--ledger', join(dir, 'snapshots', (await backedUp(dir)).name, 'erasures.ndjson')])
  t.match(partial, { status: 3, stdout: /^blob-missing {2}blobs\/.*[^]*2 findings: 2 records[^]*Restored the keys erasure-signing\.jwk, link\.secret\.\nWhoever was erased after this backup was made is back: [^\n]*\nThe gateway can be started\.\n$/ })
  t.match(commandLine(folder, ['restore', dir, '--partial']), { status: 1, stderr: /is not empty/ })
  t.match(JSON.parse(commandLine(folder, ['restore', dir, '--into', join(folder, '..', 'other'), '--partial', '--json']).stdout), { files: 2, damaged: [{ problem: 'blob-missing' }] })
})

t.test('what is worth saying is said', async (t) => {
  const dir = '/backups/uploads'
  const verification = { records: 0, hashedFiles: 0, hashedBytes: 0, allBytes: 0, findings: [] }
  const report = { snapshot: 'x', createdAt: '2026', root: '/srv/uploads', files: 0, bytes: 0, seconds: 1, secondsPerGigabyte: null, ledgers: [] as string[], isLedgerCurrent: true, ledgerDoubts: [] as string[], erasures: 1, erasedFiles: 0, keys: [], damaged: [], moreDamaged: 3, verification }
  t.equal(restoreText(report, { dir, isDrill: false }), 'and 3 more.\n\nClean: 0 records, 0 B; 0 files read and hashed, 0 B.\nRestored to /srv/uploads: the snapshot of 2026, 0 files, 0 B, in 1.0 s.\n1 erasures in no ledger; 0 files of erased users are gone again.\nThe gateway can be started.')
  t.match(restoreText({ ...report, seconds: 1.25, secondsPerGigabyte: 12.345 }, { dir, isDrill: false }), /in 1\.3 s \(12\.3 s per GB\)\./)
  const ofBackup = Array.from({ length: 14 }, (_, index) => `${dir}/snapshots/${index}/erasures.ndjson`)
  t.match(restoreText({ ...report, ledgers: ['/srv/uploads/erasures.ndjson', '/mnt/ledger', ...ofBackup] }, { dir, isDrill: false }), /\n1 erasures in \/srv\/uploads\/erasures\.ndjson, \/mnt\/ledger and 14 ledgers of the backup;/)
  t.match(restoreText({ ...report, ledgers: ofBackup.slice(0, 1) }, { dir, isDrill: false }), /\n1 erasures in 1 ledger of the backup;/)
  const drilled = restoreText({ ...report, isLedgerCurrent: false, ledgerDoubts: ['The ledger /x is an old one.'] }, { dir, isDrill: true })
  t.match(drilled, /\nThe ledger \/x is an old one\.\nNo ledger of erasures is known to be newer than the backup: a restore without one brings back whoever was erased after the backup was made\.$/)
  t.notMatch(drilled, /is back/)
  t.match(restoreText({ ...report, erasures: 0 }, { dir, isDrill: true }), /\nNo ledger knows of any erasure: right if nobody was ever erased here\.$/)
})
