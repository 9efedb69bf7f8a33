import { existsSync } from 'node:fs'
import { rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'tap'
import { auditText } from '../../src/commands/audit.ts'
import { usedGateway } from '../operations/fixtures/used-gateway.ts'
import { temporaryFolder } from '../helper.ts'
import { commandLine } from './fixtures/command-line.ts'

test('audit says what it would do, and does it when it is told to, with bytes from a backup', async (t) => {
  const { folder, post, files } = await usedGateway(t)
  await post('ada')
  const backup = join(await temporaryFolder(t), 'backup')
  commandLine(folder, ['backup', backup])
  const [blob = ''] = (await files()).filter((path) => path.endsWith('.txt'))
  await rm(join(folder, blob))
  await writeFile(join(folder, 'notes'), '')
  t.match(commandLine(folder, ['audit', '--from', backup]), { status: 3, stdout: /Would be mended: Copy .*\/backup\/blobs\/attachments\/.* to it\.\n[^]*Would be mended: 1; Left: 1\. 1 records were checked\. Nothing was changed: run this with --repair to mend what can be mended\.\n$/ })
  t.notOk(existsSync(join(folder, blob)))
  const { status, stdout } = commandLine(folder, ['audit', '--repair', '--from', backup, '--json'])
  t.equal(status, 3)
  t.match(JSON.parse(stdout), { isRepair: true, findings: [{ problem: 'blob-missing', outcome: 'mended' }, { problem: 'foreign', outcome: 'left' }] })
  t.ok(existsSync(join(folder, blob)))
  t.match(commandLine(folder, ['audit', '--repair', '--remove-foreign']), { status: 0, stdout: /Mended: It was removed\.\n[^]*Mended: 1\. 1 records/ })
  t.match(commandLine(folder, ['audit']), { status: 0, stdout: 'Clean. 1 records were checked.\n' })
})

test('what makes no sense is refused', async (t) => {
  const { folder } = await usedGateway(t)
  t.match(commandLine(folder, ['audit', '--remove-foreign']), { status: 2, stdout: '', stderr: /^error: .*only together with --repair/ })
  t.match(commandLine(folder, ['audit', '--from', join(folder, 'none')]), { status: 1, stderr: /is no backup/ })
})

test('of more findings than are listed the number is told', (t) => {
  t.match(auditText({ records: 1, hashedFiles: 1, hashedBytes: 1, allBytes: 1, isRepair: true, findings: [], moreFindings: 4 }), /and 4 more: run this again once these are mended/)
  t.end()
})
