import { test } from 'tap'
import { seconds } from '../../src/commands/token.ts'
import { commandLine } from './fixtures/command-line.ts'

test('a duration is a number and a unit, up to ten years', (t) => {
  t.strictSame(['30s', '15m', '1h', '7d', '3650d'].map(seconds), [30, 900, 3600, 604_800, 315_360_000])
  for (const wrong of ['', '1', '1y', '0s', '-1h', '1.5h', '3651d', ' 1h', '1h ']) t.throws(() => seconds(wrong), { message: /like 30s, 15m, 1h or 7d/ }, JSON.stringify(wrong))
  t.end()
})

test('token says in --help what it needs, and makes one', (t) => {
  t.match(commandLine('/nowhere', ['token', '--help']), { status: 0, stdout: /--subject <id>[^]*--scope[^]*--expires[^]*Example:[^]*Exit codes:/ })
  t.match(commandLine('/nowhere', ['token', '--subject', 'ada']), { status: 0, stdout: /^[\w-]+\.[\w-]+\.[\w-]+\n$/, stderr: '' })
  for (const subject of ['', 'me', '../x', 'a b']) t.match(commandLine('/nowhere', ['token', '--subject', subject]), { status: 2, stdout: '', stderr: /'--subject <id>'.*1 to 128 of A-Z a-z 0-9 \. _ : @ -, and not "me"/ }, JSON.stringify(subject))
  t.end()
})
