import { rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'tap'
import { storageCopyText } from '../../src/commands/storage.ts'
import { build, temporaryFolder } from '../helper.ts'
import { commandLine } from './fixtures/command-line.ts'

test('storage copy moves the files, and says when nothing is left', async (t) => {
  const [folder, elsewhere] = [await temporaryFolder(t), await temporaryFolder(t)]
  const { app, as, files } = await build(t, { UPLOADS_DIR: folder, STORAGE_URL: '' })
  await app.inject({ method: 'POST', url: '/api/attachments', headers: { ...await as('ada'), 'content-type': 'application/octet-stream' }, payload: 'x' })
  const to = `file:${join(elsewhere, 'volume')}`
  const copy = (...args: string[]) => commandLine(folder, ['storage', 'copy', ...args])
  t.match(copy('--from', ''), { status: 2, stderr: /--to/ })
  t.match(copy('--from', '', '--to', to), { status: 0, stderr: '', stdout: /^1 record looked at in .*\nCopied: 1 file \(1 B\), 0 sidecars[^]*Run this again until/ })
  t.match(copy('--from', `file:${folder}`, '--to', to), { status: 0, stdout: /Nothing was left to copy\.\n$/ })
  t.match(JSON.parse(copy('--from', '', '--to', to, '--json', '--to-path-style', '--from-path-style', '--to-endpoint', 'http://x', '--from-endpoint', 'http://x').stdout), { isSame: true, records: 1, findings: { length: 0 } })
  t.match(copy('--from', '', '--to', ''), { status: 1, stdout: '', stderr: /^--from and --to name the same home/ })
  const blob = (await files()).find((path) => /^attachments.*(?<!json)$/.test(path)) ?? ''
  writeFileSync(join(folder, blob), 'y')
  rmSync(join(elsewhere, 'volume', blob))
  t.match(copy('--from', '', '--to', to), { status: 3, stdout: /1 could not be copied:\nblob-corrupt {2}attachments/ })
  t.match(copy('--help'), { status: 0, stdout: /file:\/path\/to\/volume[^]*a\s+path\s+without\s+\/\s+at\s+its\s+beginning[^]*Example:[^]*Exit codes:/ })
})

test('what is left, what is gone and what could not be copied is told', (t) => {
  const finding = { problem: 'blob-missing', path: 'a', detail: 'd', mend: 'm' } as const
  const report = { from: 'a', to: 'b', records: 1234, files: 2, bytes: 2048, sidecars: 1, segments: 1, segmentBytes: 5, lines: 1, removed: 1, left: 0, isSame: false, findings: [], moreFindings: 0, seconds: 1.25 }
  t.match(storageCopyText(report), /^1,234 records looked at in 1\.[23] s, from a to b\.\nCopied: 2 files \(2 KiB\), 1 sidecar of others, 1 piece of unfinished uploads \(5 B\), 1 line of the journals\. Removed: 1 file that is gone from the old home\.\nRun this again until it says that nothing was left\.$/)
  t.match(storageCopyText({ ...report, removed: 2 }), /2 files that are gone/)
  t.match(storageCopyText({ ...report, isSame: true, left: 3 }), /Nothing was left to copy\.\n3 files without a record in the new home: /)
  t.match(storageCopyText({ ...report, findings: Array.from({ length: 101 }, () => finding), moreFindings: 5 }), /106 could not be copied:\nblob-missing {2}a\n {2}d\n {2}m\n[^]*… and 6 more/)
  t.end()
})
