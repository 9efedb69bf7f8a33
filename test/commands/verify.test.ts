import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'tap'
import { share } from '../../src/commands/verify.ts'
import { usedGateway } from '../operations/fixtures/used-gateway.ts'
import { temporaryFolder } from '../helper.ts'
import { commandLine } from './fixtures/command-line.ts'

test('verify says that all is right, or what is wrong, by its exit code too', async (t) => {
  const { folder, post, files } = await usedGateway(t)
  await post('ada')
  t.match(commandLine(folder, ['verify']), { status: 0, stderr: '', stdout: /^Clean: 1 records, 5 B; 1 files read and hashed, 5 B\.\nHome: .*; database: .*\.\n$/ })
  const [blob = ''] = (await files()).filter((path) => path.endsWith('.txt'))
  await rm(join(folder, blob))
  t.match(commandLine(folder, ['verify']), { status: 3, stdout: `blob-missing  ${blob}\n  The file is missing.\n  ` })
  const { status, stdout } = commandLine(folder, ['verify', '--json', '--sample', '5%'])
  t.equal(status, 3)
  t.match(JSON.parse(stdout), { records: 1, hashedFiles: 1, findings: [{ problem: 'blob-missing', path: blob, kind: 'attachment', mend: String }] })
})

test('verify says which home and which database it looked at', async (t) => {
  const { folder } = await usedGateway(t)
  const database = join(folder, 'database', 'gateway.sqlite')
  t.match(JSON.parse(commandLine(folder, ['verify', '--json']).stdout), { records: 0, home: folder, database })
  t.match(commandLine(folder, ['verify']), { stdout: `\nHome: ${folder}; database: ${database}.\n` })
})

test('verify takes a backup folder too, and says what is none', async (t) => {
  const { folder, post } = await usedGateway(t)
  await post('ada')
  const backup = join(await temporaryFolder(t), 'backup')
  t.match(commandLine(folder, ['backup', backup]), { status: 0 })
  t.match(commandLine(folder, ['verify', backup]), { status: 0, stdout: /^Clean: 1 records.*\n$/ }, 'it was named')
  t.match(commandLine(folder, ['verify', backup, '--snapshot', 'none']), { status: 1, stderr: /no snapshot none/ })
  t.match(commandLine(folder, ['verify', '--snapshot', 'none']), { status: 2, stdout: '', stderr: /^error: --snapshot .*name the backup folder too\.\n/ })
  t.match(commandLine(folder, ['verify', await temporaryFolder(t)]), { status: 1, stderr: /is no backup: it has no upload-gateway-backup\.json/ })
})

test('a sample of a small volume reads all of it', async (t) => {
  const { folder, post } = await usedGateway(t)
  for (const user of ['ada', 'eve']) await post(user)
  t.match(commandLine(folder, ['verify', '--sample', '0.001%']), { status: 0, stdout: /2 files read and hashed/ })
  t.match(commandLine(folder, ['verify', '--help']), { status: 0, stdout: /but\s+about\s+20\s+at\s+least/ })
})

test('a share is a percentage', (t) => {
  t.same(['5%', '100%', '0.5 %'].map(share), [0.05, 1, 0.005])
  for (const text of ['0%', '101%', '5', '%', '-5%', 'five%']) t.throws(() => share(text), { code: 'commander.invalidArgument' }, text)
  t.end()
})

test('--full and --sample exclude each other', async (t) => {
  t.match(commandLine(await temporaryFolder(t), ['verify', '--full', '--sample', '5%']), { status: 2, stderr: /--full/ })
})
