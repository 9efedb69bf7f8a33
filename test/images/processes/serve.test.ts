import { EventEmitter } from 'node:events'
import { test } from 'tap'
import type { Message } from '../../../src/images/processes/messages.ts'
import { serve } from '../../../src/images/processes/serve.ts'

/** The gateway's end of the channel to a served table of jobs. */
function served () {
  const answers: Message[] = []
  let deaths = 0
  let finish = () => {}
  const channel = Object.assign(new EventEmitter(), {
    send (message: Message) {
      structuredClone(message)
      answers.push(message)
      channel.emit('answer')
    },
  })
  serve({
    double: (value: number) => value * 2,
    slow: () => new Promise<void>((resolve) => { finish = resolve }),
    damaged: () => { throw Object.assign(new Error('damaged'), { code: 'IMAGE_INVALID' }) },
    numbered: () => { throw Object.assign(new Error('numbered'), { code: 7 }) },
    text: () => { throw 'only text' }, // eslint-disable-line no-throw-literal
    unclonable: () => () => {},
  }, channel, () => { deaths++ })
  return {
    ask: async (name: string, input: unknown = undefined) => {
      const answered = new Promise((resolve) => channel.once('answer', resolve))
      channel.emit('message', { name, input })
      await answered
      return answers.at(-1)
    },
    answers, channel, finish: () => finish(), deaths: () => deaths,
  }
}

test('it says when it is ready, and answers with results and its memory', async (t) => {
  const { ask, answers } = served()
  t.strictSame(answers, [{ kind: 'ready' }])
  t.match(await ask('double', 21), { kind: 'result', result: 42, rss: Number })
})

test('an error comes with its code where that is text', async (t) => {
  const { ask } = served()
  t.match(await ask('damaged'), { kind: 'error', message: 'damaged', code: 'IMAGE_INVALID', stack: /serve\.test/ })
  t.match(await ask('numbered'), { kind: 'error', message: 'numbered', code: undefined })
  t.match(await ask('text'), { kind: 'error', message: 'only text' })
})

test('a job that does not exist, and a result that is not data, are errors of that job', async (t) => {
  const { ask } = served()
  t.match(await ask('nothing'), { kind: 'error', message: 'There is no job named nothing.' })
  t.match(await ask('unclonable'), { kind: 'error', message: /could not be cloned/ })
  t.match(await ask('double', 1), { kind: 'result', result: 2 })
})

test('when the gateway is gone, a busy child dies at once and an idle one by itself', async (t) => {
  const { ask, channel, finish, deaths } = served()
  await ask('double', 1)
  channel.emit('disconnect')
  t.equal(deaths(), 0)
  const slow = ask('slow')
  channel.emit('disconnect')
  t.equal(deaths(), 1)
  finish()
  await slow
})
