import { join } from 'node:path'
import { test } from 'tap'
import { databaseCopyText } from '../../src/commands/database.ts'
import { build, temporaryFolder } from '../helper.ts'
import { commandLine } from './fixtures/command-line.ts'

test('database copy moves the records, and says what is to be done next', async (t) => {
  const [folder, elsewhere] = [await temporaryFolder(t), await temporaryFolder(t)]
  const [from, to] = [`file:${join(folder, 'database', 'gateway.sqlite')}`, `file:${join(elsewhere, 'gateway.sqlite')}`]
  const { app, as } = await build(t, { UPLOADS_DIR: folder, DATABASE_URL: from })
  await app.inject({ method: 'POST', url: '/api/attachments', headers: { ...await as('ada'), 'content-type': 'application/octet-stream' }, payload: 'x' })
  await app.close()
  t.match(commandLine(folder, ['database', 'copy', '--from', from]), { status: 2, stderr: /--to/ })
  t.match(commandLine(folder, ['database', 'copy', '--from', from, '--to', to]), { status: 0, stderr: '', stdout: /Attachment +1[^]*Both were read to the end, and say the same\.[^]*Now set DATABASE_URL/ })
  t.match(commandLine(folder, ['database', 'copy', '--from', from, '--to', to]), { status: 1, stdout: '', stderr: /is not empty/ })
  const again = commandLine(folder, ['database', 'copy', '--from', from, '--to', `${to}2`, '--json'])
  t.match(JSON.parse(again.stdout), { keys: ['erasure-signing.jwk', 'link.secret'], tables: Array })
  t.match(commandLine(folder, ['database', 'copy', '--help']), { status: 0, stdout: /READ_ONLY=true[^]*a\s+path\s+without\s+\/\s+at\s+its\s+beginning[^]*Example:[^]*--to postgres:\/\/gateway:password@db:5432\/gateway\n[^]*Exit codes:/ })
})

test('keys are named where there were any', (t) => {
  const report = { from: 'a', to: 'b', tables: [{ table: 'Blob', rows: 1234, sha256: '' }], rows: 1234, keys: [], seconds: 1.25 } as const
  t.match(databaseCopyText(report), /Blob +1,234 *\n1,234 rows copied in 1\.[23] s from a to b\./)
  t.notMatch(databaseCopyText(report), /went along/)
  t.match(databaseCopyText({ ...report, keys: ['jwt.secret'] }), /The keys jwt\.secret went along\./)
  t.end()
})
