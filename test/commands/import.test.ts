import { mkdir, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'tap'
import { build, temporaryFolder } from '../helper.ts'
import { commandLine } from './fixtures/command-line.ts'

const run = (folder: string, ...args: string[]) => commandLine(folder, ['import', ...args], { cwd: tmpdir() })

test('a dry run is what one gets; --run imports; refusals are told and make the exit code 3', async (t) => {
  // This process stands still while the command runs.
  const { folder, app } = await build(t, { MAX_EVENT_LOOP_DELAY_MS: '0' })
  const old = await temporaryFolder(t)
  await mkdir(join(old, 'sub'))
  await writeFile(join(old, 'sub', 'a.txt'), 'text')
  await writeFile(join(old, 'b\u001b[31m.jpg'), 'no picture')
  const args = ['system-m-attachments', old, '--owner', 'archive', '--visibility', 'public']
  const dry = run(folder, ...args)
  t.match(dry, { status: 0, stderr: '' })
  t.match(dry.stdout, /found +2 +14 B[^]*to import +2 +14 B[^]*With a remark[^]*: 1\.[^]*--report report\.ndjson[^]*nothing was written\. Add --run/)
  t.equal(await app.database.client.blob.count(), 0)

  const index = join(await temporaryFolder(t), 'index')
  await writeFile(index, JSON.stringify({ path: 'gone\u001b[31m', ownerId: 'ada' }))
  const report = join(await temporaryFolder(t), 'report')
  const done = run(folder, ...args, '--index', index, '--run', '--report', report)
  t.match(done, { status: 3, stdout: /imported +2 +14 B[^]*refused +1[^\n]*\n +of these missing +1[^]*refused \(missing\): 1, such as "[^"]*\\u001b\[31m": [^]*Every file with its reason: / })
  t.notMatch(done.stdout, /\u001b\[31m/) // eslint-disable-line no-control-regex
  t.equal((await app.inject({ url: '/uploads/sub/a.txt' })).payload, 'text')

  const again = run(folder, ...args, '--run', '--json')
  t.match(JSON.parse(again.stdout), { isDryRun: false, found: { files: 2 }, outcomes: { imported: { files: 0 }, there: { files: 2 } } })
})

test('who may read attachments must be said; failures are one sentence', async (t) => {
  const { folder } = await build(t)
  const old = await temporaryFolder(t)
  t.match(run(folder, 'system-m-attachments', old), { status: 2, stderr: /--visibility/ })
  t.match(run(folder, 'system-m-avatars', join(old, 'none')), { status: 1, stdout: '', stderr: /^[^\n]*no folder that can be read[^\n]*\n$/ })
  t.match(run(folder, 'system-m-avatars', old, '--users', '/none'), { status: 1, stdout: '', stderr: '--users /none: there is no such file. Give a file with one JSON object a line.\n' })
  t.match(run(folder, 'system-m-avatars', '--help'), { status: 0, stdout: /Found are files, and entries of users/ })
  t.match(run(folder, 'system-r', '--database-url', 'postgres://u:secret@127.0.0.1:1/x'), { status: 1, stderr: /^The database of System R cannot be read: [^\n]*\n$/ })
})
