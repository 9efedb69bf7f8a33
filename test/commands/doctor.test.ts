import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'tap'
import { doctorText } from '../../src/commands/doctor.ts'
import { folderFor, openVolume } from '../storage/fixtures/volume.ts'
import { commandLine } from './fixtures/command-line.ts'

const nowhere = ['--url', 'http://127.0.0.1:1']

test('doctor looks at what is there, and exits with 3 when something is wrong', async (t) => {
  const { root } = await openVolume(t)
  const { status, stdout } = commandLine(root, ['doctor', '--json', ...nowhere])
  t.equal(status, 3)
  t.match(JSON.parse(stdout).checks.find(({ area, name }: { area: string, name: string }) => area === 'database' && name === 'file'), { level: 'problem', change: /rebuild/ })
  t.match(commandLine(root, ['doctor', '--help']), { status: 0, stdout: /--url[^]*Exit codes/ })
})

test('settings that are not valid are told, and the volume looked at all the same', async (t) => {
  const { root } = await openVolume(t)
  for (const settings of [{ ATTACHMENT_MAX_BYTES: 'many' }, { PORT: '-1' }, { DATABASE_URL: 'mysql://x' }, { STORAGE_URL: 'ftp://x' }]) {
    t.match(commandLine(root, ['doctor', ...nowhere], { settings }), { status: 3, stdout: /PROBLEM +configuration, settings: The gateway does not start with them: [^]*ok +volume, identity/ })
  }
})

test('where there is nothing, nothing is made', async (t) => {
  const folder = await folderFor(t)
  t.match(commandLine(join(folder, 'none'), ['doctor', ...nowhere]), { status: 3, stdout: /PROBLEM +volume, folder: There is no folder/ })
  t.notOk(existsSync(join(folder, 'none')))
})

test('each check is a line, with what to change below it', (t) => {
  const text = doctorText({ checks: [{ area: 'volume', name: 'mount', level: 'ok', detail: 'Fine.', change: null }, { area: 'clock', name: 'jump', level: 'warning', detail: 'It jumps.', change: 'Use NTP.' }], counts: { ok: 1, warning: 1, problem: 0, unknown: 0 } })
  t.equal(text, 'ok       volume, mount: Fine.\nWARNING  clock, jump: It jumps.\n         Use NTP.\n\n0 problems, 1 warning, 1 in order, 0 not to be seen from here.')
  t.end()
})
