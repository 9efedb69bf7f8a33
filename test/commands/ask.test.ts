import { PassThrough } from 'node:stream'
import { test } from 'tap'
import { createAsk } from '../../src/commands/ask.ts'

function terminal ({ input = true, output = true } = {}) {
  const streams = { input: Object.assign(new PassThrough(), { isTTY: input }), output: Object.assign(new PassThrough(), { isTTY: output }) }
  let shown = ''
  streams.output.on('data', (chunk) => { shown += String(chunk) })
  return { ...streams, ask: createAsk(streams), shown: () => shown }
}

test('only y and yes are a yes', async (t) => {
  for (const [answer, meant] of [['y', true], ['YES', true], [' yes ', true], ['', false], ['n', false], ['yesterday', false], ['yy', false]] as const) {
    const { input, ask, shown } = terminal()
    const answered = ask?.('Remove 3 files?')
    input.write(`${answer}\n`)
    t.equal(await answered, meant, JSON.stringify(answer))
    t.match(shown(), 'Remove 3 files? [y/N] ')
  }
})

test('a terminal that is closed says no', async (t) => {
  const { input, ask } = terminal()
  const answered = ask?.('Remove?')
  input.end()
  t.equal(await answered, false)
})

test('where nobody could answer, or see the question, there is nobody to ask', (t) => {
  t.equal(terminal({ input: false }).ask, undefined)
  t.equal(terminal({ output: false }).ask, undefined)
  t.type(terminal().ask, 'function')
  t.end()
})
