import { PassThrough } from 'node:stream'
import { test } from 'tap'
import { plain, showProgress, size, table } from '../../src/commands/terminal.ts'

function terminal (isTTY: boolean) {
  let written = ''
  const stream = Object.assign(new PassThrough(), { isTTY, columns: 200, rows: 40, cursorTo: () => true, clearLine: () => true, moveCursor: () => true })
  stream.on('data', (chunk) => { written += String(chunk) })
  return { progress: showProgress(stream as unknown as NodeJS.WriteStream), text: () => written, clear: () => { written = '' } }
}

const pause = (ms: number) => new Promise((resolve) => { setTimeout(resolve, ms) })

test('on a terminal a step shows how far it is, how fast, and how long it still takes', async (t) => {
  const { progress, text } = terminal(true)
  progress.step('Copying', 4 * 1024 ** 2, 'bytes')
  t.match(text(), /Copying .*░░.* 0 % .*0 B of 4 MiB/)
  progress.advance(1024 ** 2)
  await pause(250)
  t.match(text(), /Copying .*██████░+.* 25 % .*1 MiB of 4 MiB .*[\d.]+ [KM]iB\/s .*left/)
  progress.stop()
})

test('a step that nobody knows the end of shows what is done, and how fast', async (t) => {
  const { progress, text } = terminal(true)
  progress.step('Looking')
  for (let n = 0; n < 1200; n += 1) progress.advance()
  await pause(250)
  t.match(text(), /Looking {2}1,200 .*\/s/)
  t.notMatch(text(), '%')
  progress.stop()
})

test('each step begins anew, and after a stop nothing more is shown', async (t) => {
  const { progress, text, clear } = terminal(true)
  progress.step('One', 2)
  progress.advance(2)
  progress.step('Two', 10)
  await pause(120)
  t.match(text(), /Two .* 0 % .*0 of 10/)
  progress.stop()
  clear()
  await pause(250)
  t.equal(text(), '')
  progress.stop()
})

test('a sentence has a line of its own, and the step goes on after it', async (t) => {
  const { progress, text, clear } = terminal(true)
  progress.step('Copying', 10)
  progress.advance(3)
  clear()
  progress.say('Waiting for a moment.')
  t.match(text(), /Waiting for a moment\.\n$/)
  clear()
  await pause(250)
  t.equal(text(), '', 'while nothing happens nothing is shown, so that a question can be asked')
  progress.advance(2)
  t.match(text(), /Copying .* 50 % .*5 of 10/)
  progress.stop()
})

test('where there is no terminal only the sentences are written', async (t) => {
  const { progress, text } = terminal(false)
  progress.step('Copying', 10)
  progress.advance(3)
  progress.say('Waiting for a moment.')
  progress.advance(3)
  progress.stop()
  await pause(120)
  t.equal(text(), 'Waiting for a moment.\n')
})

test('progress before the first step is none', async (t) => {
  const { progress, text } = terminal(true)
  progress.advance()
  progress.say('x')
  progress.stop()
  t.equal(text(), 'x\n')
})

test('tables are for people: columns, thousands, no frame', (t) => {
  t.match(table(['n'], Array.from({ length: 200_000 }, (_, index) => [index])).split('\n').slice(-2).map((line) => line.trimEnd()), ['9,999', 'and 190,000 more: --json has all.'])
  t.strictSame(table(['name', 'files'], [['ada', 1234567], ['bob', '2']]).split('\n').map((line) => line.trimEnd()), ['name      files', 'ada   1,234,567', 'bob           2'])
  t.equal(size(0), '0 B')
  t.match(size(1536), '1.5 KiB')
  t.end()
})

test('what others named is on one line and moves no cursor', (t) => {
  t.equal(plain('a\u001b[2J\n\u009b\u202eb\u2028\u{e0001}\\ é 名'), 'a\\u{1b}[2J\\u{a}\\u{9b}\\u{202e}b\\u{2028}\\u{e0001}\\ é 名')
  t.notMatch(table(['name'], [['a\u001b[2J']]), '\u001b')
  t.end()
})
