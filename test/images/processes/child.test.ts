import { fork } from 'node:child_process'
import { once } from 'node:events'
import { test } from 'tap'
import sharp from 'sharp'
import { createProcesses } from '../../../src/images/processes/pool.ts'

test('it takes jobs, and ends by itself once the gateway is gone', async (t) => {
  const { NODE_V8_COVERAGE } = process.env
  const child = fork(new URL('../../../src/images/processes/child.ts', import.meta.url), { serialization: 'advanced', execArgv: [], env: { ...(NODE_V8_COVERAGE !== undefined && { NODE_V8_COVERAGE }) } })
  t.teardown(() => child.kill('SIGKILL'))
  t.strictSame(await once(child, 'message'), [{ kind: 'ready' }, undefined])
  child.send({ name: 'nothing' })
  t.match(await once(child, 'message'), [{ kind: 'error', message: 'There is no job named nothing.' }])
  child.disconnect()
  t.strictSame(await once(child, 'exit'), [0, null])
})

/** The process gets the signal as it comes to load the jobs, which takes longest; what a test runner has put in to hear it is gone. */
const signalled = `data:text/javascript,${encodeURIComponent(`
  import { registerHooks } from 'node:module'
  process.removeAllListeners('SIGTERM')
  registerHooks({ load (url, context, next) {
    if (url.endsWith('/images/jobs.ts')) process.kill(process.pid, 'SIGTERM')
    return next(url, context)
  } })
`)}`

test('a signal to all processes of a service does not end it while it starts', async (t) => {
  const child = fork(new URL('../../../src/images/processes/child.ts', import.meta.url), { serialization: 'advanced', execArgv: ['--import', signalled], env: {} })
  t.teardown(() => child.kill('SIGKILL'))
  const first = await Promise.race([once(child, 'message'), once(child, 'exit')])
  t.match(first, [{ kind: 'ready' }])
})

test('a pool that is told of no other module runs it', async (t) => {
  const { run, close } = createProcesses({ processes: 1, budgetBytes: 1e9, maxWaiting: 1, deadlineMs: 20_000, warn: (error) => { throw error } })
  t.teardown(close)
  const path = t.testdir()
  await sharp({ create: { width: 30, height: 20, channels: 3, background: 'teal' } }).png().toFile(`${path}/picture`)
  t.match(await run('header', { path: `${path}/picture`, contentType: 'image/png' }, { weight: 0, line: 'upload' }), { width: 30, height: 20, frames: 1, hasAlpha: false })
})
