import { rmSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { backupText, pruneText, wholeNumber } from '../../src/commands/backup.ts'
import { backup } from '../../src/operations/backup/backup.ts'
import { silent as progress } from '../../src/operations/progress.ts'
import { filesBelow, furnished } from '../operations/fixtures/furnished.ts'
import { commandLine } from './fixtures/command-line.ts'

const report = {
  snapshot: '20261122T010203.004Z', files: 2, bytes: 1536, copiedFiles: 1, copiedBytes: 512, goneFiles: 0, erasedFiles: 0, erasedFilesLeft: 0, rereadFiles: 0, mendedFiles: 0,
  removedSnapshots: [], removedFiles: 0, seconds: 1.234, findings: [], moreFindings: 0,
}
const finding = { problem: 'blob-missing', path: 'avatars/x.png', detail: 'The file is not there.', mend: 'Mend it.' } as const

t.test('a backup into a folder says what it did', async (t) => {
  const { folder, dir, attach } = await furnished(t)
  await attach('ada', 'a text')
  await attach('eve', 'another')
  t.match(commandLine(folder, ['backup', dir]), { status: 0, stdout: /^Snapshot \S+: 2 files, 13 B; copied 2 files, 13 B, in \d+\.\d s\.\n$/, stderr: '' })
  t.match(JSON.parse(commandLine(folder, ['backup', dir, '--keep', '1', '--json']).stdout), { files: 2, copiedFiles: 0, removedSnapshots: [String] })
})

t.test('so does its cleaning', async (t) => {
  const { config, folder, dir, attach, erase } = await furnished(t)
  await attach('ada', 'a text')
  await backup(config, { to: { dir }, progress })
  await erase('ada')
  t.match(commandLine(folder, ['backup', 'prune', '--erased', dir]), { status: 0, stdout: /^1 erasures in .*\nOf 1 snapshots 1 held something of erased users: 1 uploads, 0 accounts and 0 other mentions are gone from them, and 1 file from the folder\.\n$/ })
  t.match(JSON.parse(commandLine(folder, ['backup', 'prune', '--erased', dir, '--json']).stdout), { snapshots: 1, prunedSnapshots: { length: 0 } })
})

t.test('as a tar the report goes to standard error', async (t) => {
  const { folder, attach } = await furnished(t)
  await attach('ada', 'a text')
  t.match(commandLine(folder, ['backup', '-', '--json']), { status: 0, stdout: /^upload-gateway-backup\.json/, stderr: /^{\n "snapshot": / })
  t.match(commandLine(folder, ['backup', '-', '--keep', '1']), { status: 2, stdout: '', stderr: /^error: --keep is for a backup folder/ })
  const [blob = ''] = (await filesBelow(folder)).filter((path) => /^attachments.*(txt|bin)$/.test(path))
  rmSync(join(folder, blob))
  t.match(commandLine(folder, ['backup', '-']), { status: 3, stderr: /^blob-missing.*\n.*\n.*\n\nSnapshot.*\nWhat is listed above is not in this backup; everything else is\.\n$/ })
})

t.test('options of a backup are none of its cleaning', async (t) => {
  for (const args of [['prune', '--keep', '1', '--erased', '/x'], ['prune', '--erased', '/x', '--with-keys'], ['--keep', '1', 'prune', '--erased', '/x']]) {
    t.match(commandLine('/nowhere', ['backup', ...args]), { status: 2, stdout: '', stderr: /^error: --(keep|with-keys) is for making a backup, and no option of "backup prune"\.\n/ }, args.join(' '))
  }
  const { stdout } = commandLine('/nowhere', ['backup', 'prune', '--help'])
  t.notMatch(stdout, /--keep|--with-keys|Global/)
  t.match(stdout, /--erased[^]*--ledger[^]*--json/)
})

t.test('where there is no volume, that is said', async (t) => {
  const { dir } = await furnished(t)
  t.match(commandLine('/nowhere', ['backup', dir]), { status: 1, stdout: '', stderr: /^There is no uploads volume at UPLOADS_DIR \/nowhere: / })
})

t.test('the command line', async (t) => {
  t.match(commandLine('/nowhere', ['backup', '/x', '--keep', '0']), { status: 2, stderr: /whole number/ })
  t.match(commandLine('/nowhere', ['backup', 'prune', '/x']), { status: 2, stderr: /--erased/ })
  t.equal(wholeNumber('14'), 14)
  for (const text of ['0', '-1', 'x', '1.5', '', '9999999999']) t.throws(() => wholeNumber(text), { message: /whole number/ }, text)
})

t.test('what was copied before it was erased, and what was read again, is said', async (t) => {
  t.match(backupText({ ...report, erasedFiles: 20, erasedFilesLeft: 8, rereadFiles: 21 }), /because erased: 20 files\.\nOf those that were erased, 8 files had been copied before\. No snapshot names them, but the bytes are in this backup: "upload-gateway backup prune --erased FOLDER" removes them; unpack a tar into a folder first\.\nOf the files that were there, 21 files read again: all whole\.$/)
  t.match(backupText({ ...report, erasedFiles: 1, erasedFilesLeft: 1, rereadFiles: 3, mendedFiles: 2 }), /No snapshot names it, .*\nOf the files that were there, 3 files read again: 2 damaged, and copied anew\.$/)
})

t.test('what is worth saying is said', async (t) => {
  t.equal(backupText(report), 'Snapshot 20261122T010203.004Z: 2 files, 1.5 KiB; copied 1 file, 512 B, in 1.2 s.')
  t.equal(backupText({ ...report, goneFiles: 1, erasedFiles: 2, removedSnapshots: ['a', 'b'], removedFiles: 3, findings: [finding], moreFindings: 4 }).split('\n').slice(-6).join('\n'), [
    'and 4 more.\n',
    'Snapshot 20261122T010203.004Z: 2 files, 1.5 KiB; copied 1 file, 512 B, in 1.2 s.',
    'Not in it, because removed for good meanwhile: 1 file; because erased: 2 files.',
    'Removed the older snapshots a, b.',
    'Removed 3 files that no snapshot names.',
    'What is listed above is not in this backup; everything else is.',
  ].join('\n').split('\n').slice(-6).join('\n'))
  t.match(pruneText({ snapshots: 2, prunedSnapshots: [], erasedUploads: 0, erasedAccounts: 0, erasedMentions: 0, removedFiles: null, erasures: 1, ledgers: ['/a', '/backup/snapshots/1/erasures.ndjson', '/backup/snapshots/2/erasures.ndjson'], findings: [finding] }, '/backup'), /^blob-missing.*\n.*\n.*\n\n1 erasures in \/a and 2 ledgers of the backup\.\nOf 2 snapshots 0 held/)
})
