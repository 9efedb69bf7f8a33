import { test, type Test } from 'tap'
import { startChild } from '../../../src/images/processes/start.ts'

const entry = new URL('./fixtures/jobs-child.ts', import.meta.url)

function child (t: Test, { deadlineMs = 20_000, startMs = 20_000, module = entry } = {}) {
  const child = startChild(module, { deadlineMs, startMs })
  t.teardown(() => { child.kill(); return child.ended })
  return { ...child, ask: (name: string, input?: unknown) => child.run({ name, input }), isAlive: () => child.isAlive, rss: () => child.rss }
}

test('10 MiB come through as a Buffer, one job after another', async (t) => {
  const { ask, rss } = child(t)
  const { bytes, edits } = await ask('bytes', { size: 10 * 1024 ** 2 }) as { bytes: Buffer, edits: unknown }
  t.ok(Buffer.isBuffer(bytes))
  t.ok(bytes.equals(Buffer.alloc(10 * 1024 ** 2, 7)))
  t.strictSame(edits, [{ start: 1, replacement: new Uint8Array([1, 2]) }])
  t.ok((await ask('echo', Buffer.alloc(1024 ** 2, 3)) as Buffer).equals(Buffer.alloc(1024 ** 2, 3)))
  t.ok(rss() > 30 * 1024 ** 2)
})

test('what a job throws comes with message, code and stack, and costs no process', async (t) => {
  const { ask, isAlive } = child(t)
  await t.rejects(ask('fail', { code: 'IMAGE_INVALID' }), { message: 'it is damaged', code: 'IMAGE_INVALID', stack: /jobs-child/ })
  const error = await ask('fail', {}).catch((error: unknown) => error)
  t.notOk(error instanceof Error && 'code' in error)
  t.ok(isAlive())
})

test('an input that is not data is refused, before and after the start, and costs no process', async (t) => {
  const { ask } = child(t)
  await t.rejects(ask('echo', () => {}), { message: /could not be cloned/ })
  await t.rejects(ask('echo', () => {}), { message: /could not be cloned/ })
  t.equal(await ask('echo', 'data'), 'data')
})

test('a child knows nothing of the gateway\'s environment, and what it prints goes nowhere', async (t) => {
  const { TMPDIR } = process.env
  Object.assign(process.env, { JWT_SECRET: 'a secret', TMPDIR: '/tmp' })
  t.teardown(() => {
    delete process.env['JWT_SECRET']
    delete process.env['TMPDIR']
    if (TMPDIR !== undefined) process.env['TMPDIR'] = TMPDIR
  })
  const { ask } = child(t)
  const { names, execArgv } = await ask('environment') as { names: string[], execArgv: string[] }
  t.notOk(names.includes('JWT_SECRET') || names.includes('PATH'), names.join(' '))
  t.ok(names.includes('TMPDIR'))
  t.strictSame(execArgv, ['--max-old-space-size=256'])
  await ask('say')
})

test('at the deadline it is killed, also where its thread never rests', async (t) => {
  for (const [name, input] of [['hang', {}], ['wait', { ms: 60_000 }]] as const) {
    const { ask, isAlive, ended } = child(t, { deadlineMs: 100 })
    await t.rejects(ask(name, input), { code: 'JOB_TIMED_OUT', message: `The job ${name} took more than 100 ms.` })
    t.notOk(isAlive())
    await ended
  }
})

test('a process that does not come up is given up, and one that cannot says why', async (t) => {
  await t.rejects(child(t, { startMs: 1 }).ask('pid'), { code: 'JOB_KILLED', message: /start/ })
  await t.rejects(child(t, { module: new URL('file:///nothing/here.js') }).ask('pid'), { code: 'JOB_KILLED', message: /before it was ready, with 1.*Cannot find module/s })
})

test('where the system gives no more processes, the job fails and nothing hangs', async (t) => {
  const { execPath } = process
  process.execPath = '/nothing/node'
  t.teardown(() => { process.execPath = execPath })
  const { ask, ended } = child(t)
  await t.rejects(ask('pid'), { code: 'JOB_KILLED', message: /before it started: .*ENOENT/ })
  await ended
})

test('a process that ends before it answered is told with how it ended and its last words', async (t) => {
  const ends = [['abort', /SIGABRT/], ['exit', /with 3/], ['killSelf', /SIGKILL/], ['rejectLater', /nobody handles this/], ['outOfMemory', /heap out of memory/]] as const
  await Promise.all(ends.map(async ([name, message]) => {
    const { ask, isAlive, ended } = child(t)
    await t.rejects(ask(name), { code: name === 'killSelf' ? 'JOB_KILLED' : 'JOB_CRASHED', message }, name)
    await ended
    t.notOk(isAlive())
  }))
})

test('a signal to the whole group, as a terminal sends it, costs no job', async (t) => {
  const { ask, pid = NaN } = child(t)
  await ask('pid')
  const job = ask('wait', { ms: 100 })
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.kill(pid, signal)
  t.equal(await job, pid)
})

test('a signal before it ignores them says nothing of the job', async (t) => {
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGSEGV'] as const) {
    const { ask, pid = NaN } = child(t)
    const job = t.rejects(ask('pid'), { code: 'JOB_KILLED', message: new RegExp(`before it was ready, by ${signal}`) })
    process.kill(pid, signal)
    await job
  }
})

test('also once it is ready, a signal that no picture causes says nothing of the job', async (t) => {
  const codes = { SIGINT: 'JOB_KILLED', SIGTERM: 'JOB_KILLED', SIGHUP: 'JOB_KILLED', SIGSEGV: 'JOB_CRASHED' } as const
  await Promise.all(Object.entries(codes).map(async ([signal, code]) => {
    await t.rejects(child(t).ask('endBy', { signal }), { code, message: new RegExp(`ended by ${signal}`) })
  }))
})

test('one that has ended takes no job', async (t) => {
  const { ask, kill, ended } = child(t)
  await ask('echo', 'data')
  kill()
  await t.rejects(ask('echo', 'data'), { code: 'JOB_KILLED' })
  await ended
  await t.rejects(ask('echo', 'data'), { code: 'JOB_KILLED' })
})
