import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readFileSync } from 'node:fs'
import { text } from 'node:stream/consumers'
import { setTimeout as after } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import t, { test, type Test } from 'tap'
import { createProcesses, type ProcessesOptions } from '../../../src/images/processes/pool.ts'
import type { Jobs } from './fixtures/jobs-child.ts'

const entry = new URL('./fixtures/jobs-child.ts', import.meta.url)
const turn = { weight: 1, line: 'variant' } as const

function pool (t: Test, options: Partial<ProcessesOptions> = {}) {
  const warnings: Array<[error: unknown, message: string]> = []
  const processes = createProcesses<Jobs>({ processes: 2, processBytes: 1, budgetBytes: 100, maxWaiting: 100, deadlineMs: 10_000, entry, warn: (...warning) => { warnings.push(warning) }, ...options })
  t.teardown(() => processes.close())
  return { ...processes, warnings }
}

/** For tests that do it no harm. */
const { run, close } = createProcesses<Jobs>({ processes: 3, processBytes: 1, budgetBytes: 100, maxWaiting: 150, deadlineMs: 10_000, entry, warn: (error) => { throw error } })
t.teardown(close)

/** A process that has ended, but whose parent has not asked for its end yet, does no more work either. */
function isRunning (pid: number): boolean {
  try {
    process.kill(pid, 0)
  } catch {
    return false
  }
  return !existsSync(`/proc/${pid}/stat`) || !/\) Z /.test(readFileSync(`/proc/${pid}/stat`, 'utf8'))
}

async function untilGone (pids: number[]): Promise<number[]> {
  for (const end = Date.now() + 5000; Date.now() < end && pids.some(isRunning);) await after(20)
  return pids.filter(isRunning)
}

test('a job runs in another process, which is used again, also after an error', async (t) => {
  const pid = await run('pid', undefined, turn)
  t.not(pid, process.pid)
  await t.rejects(run('fail', { code: 'IMAGE_INVALID' }, turn), { message: 'it is damaged', code: 'IMAGE_INVALID' })
  t.equal(await run('pid', undefined, turn), pid)
  t.strictSame(await run('echo', { path: '/a', edits: [1, undefined, 3n] }, turn), { path: '/a', edits: [1, undefined, 3n] })
})

test('an input can be made when its turn has come; one that cannot be made costs its own job', async (t) => {
  const { run, close } = pool(t, { processes: 1 })
  const order: string[] = []
  const first = run('wait', { ms: 50 }, turn).then((pid) => { order.push('the first is done'); return pid })
  const comesLate = run('echo', async () => { order.push('the second is read'); return 'bytes' }, turn)
  t.equal(await comesLate, 'bytes')
  t.strictSame(order, ['the first is done', 'the second is read'])
  await t.rejects(run('echo', async () => { throw new Error('it is gone') }, turn), { message: 'it is gone' })
  t.equal(await run('pid', undefined, turn), await first)
  const closing = run('echo', async () => after(20), turn)
  await after(5)
  await Promise.all([t.rejects(closing, { code: 'SERVICE_STOPPING' }), close()])
})

test('at the deadline a job is killed, also where its thread never rests, and the next one works', async (t) => {
  const { run, warnings } = pool(t, { processes: 1, deadlineMs: 400 })
  const pid = await run('pid', undefined, turn)
  const startedAt = performance.now()
  await t.rejects(run('hang', {}, turn), { code: 'JOB_TIMED_OUT' })
  t.ok(performance.now() - startedAt < 2000)
  t.match(warnings, [[{ code: 'JOB_TIMED_OUT' }, /hang/]])
  t.not(await run('pid', undefined, turn), pid)
  t.strictSame(await untilGone([pid]), [])
})

test('waiting for a turn does not count as work', async (t) => {
  const { run } = pool(t, { processes: 1, deadlineMs: 800 })
  const pids = await Promise.all([1, 2, 3].map(() => run('wait', { ms: 350 }, turn)))
  t.equal(new Set(pids).size, 1)
})

test('a crash fails its own job only, and is told', async (t) => {
  const { run, warnings } = pool(t)
  const other = run('wait', { ms: 300 }, turn)
  await t.rejects(run('abort', undefined, turn), { code: 'JOB_CRASHED' })
  t.type(await other, 'number')
  t.equal(await run('echo', 'still here', turn), 'still here')
  t.match(warnings, [[{ code: 'JOB_CRASHED' }, /abort/]])
})

test('a job whose process somebody kills is done once more, and says nothing of the picture when that one is killed too', async (t) => {
  const { run, warnings } = pool(t, { processes: 1 })
  const pid = await run('pid', undefined, turn)
  const job = run('wait', { ms: 500 }, turn)
  await after(50)
  process.kill(pid, 'SIGKILL')
  t.not(await job, pid)
  await t.rejects(run('killSelf', undefined, turn), { code: 'IMAGES_BUSY', headers: { 'Retry-After': '1' } })
  t.match(warnings, Array(3).fill([{ code: 'JOB_KILLED' }, /was lost/]))
  t.equal(await run('echo', 'still here', turn), 'still here')
})

test('processes that do not come up say nothing of the picture: one more try, then it is busy, and why is told', async (t) => {
  const { run, warnings } = pool(t, { processes: 1, entry: new URL('file:///nothing/here.js') })
  await t.rejects(run('pid', undefined, turn), { code: 'IMAGES_BUSY', headers: { 'Retry-After': '1' }, cause: { code: 'JOB_KILLED' } })
  t.match(warnings, Array(2).fill([{ code: 'JOB_KILLED', message: /before it was ready, with 1.*Cannot find module.*nothing.here/s }, /was lost/]))
  t.equal(warnings.length, 2)
})

test('drawings have an eighth of the places to wait at', async (t) => {
  const { run } = pool(t, { processes: 1, maxWaiting: 9 })
  const running = run('wait', { ms: 100 }, turn)
  const outcomes = await Promise.allSettled(Array.from({ length: 4 }, () => run('pid', undefined, { ...turn, line: 'drawing' })))
  t.strictSame(outcomes.map(({ status }) => status), ['fulfilled', 'fulfilled', 'rejected', 'rejected'])
  await running
})

test('an idle child that somebody kills is replaced', async (t) => {
  const { run } = pool(t)
  const pid = await run('pid', undefined, turn)
  process.kill(pid, 'SIGKILL')
  await untilGone([pid])
  await after(50)
  t.not(await run('pid', undefined, turn), pid)
})

test('200 jobs at once: the bytes and the processes are kept to, and the queue is bounded', async (t) => {
  await Promise.all([1, 2, 3].map(() => run('wait', { ms: 50 }, turn)))
  const outcomes = await Promise.allSettled(Array.from({ length: 200 }, () => run('wait', { ms: 3 }, { ...turn, weight: 40 })))
  const pids = outcomes.flatMap((outcome) => outcome.status === 'fulfilled' ? [outcome.value] : [])
  const refused = outcomes.flatMap((outcome) => outcome.status === 'rejected' ? [outcome.reason.code] : [])
  t.equal(pids.length, 152, '150 waited, two ran: a third would be 120 bytes')
  t.equal(new Set(pids).size, 2)
  t.strictSame(refused, Array(48).fill('IMAGES_BUSY'))
})

test('uploads go before variants', async (t) => {
  const { run } = pool(t, { processes: 1 })
  const order: string[] = []
  await Promise.all([
    run('wait', { ms: 50 }, turn),
    run('echo', 1, turn).then(() => order.push('variant')),
    run('echo', 1, { ...turn, line: 'upload' }).then(() => order.push('upload')),
  ])
  t.strictSame(order, ['upload', 'variant'])
})

test('a job that waits too long is refused', async (t) => {
  const { run } = pool(t, { processes: 1, waitMs: 50 })
  await run('pid', undefined, turn)
  const running = run('wait', { ms: 200 }, turn)
  await t.rejects(run('pid', undefined, turn), { code: 'IMAGES_BUSY' })
  await running
})

test('idle children end', async (t) => {
  const { run } = pool(t, { idleMs: 50 })
  const pids = await Promise.all([run('wait', { ms: 100 }, turn), run('wait', { ms: 100 }, turn)])
  t.equal(new Set(pids).size, 2)
  t.strictSame(await untilGone(pids), [])
  t.notOk(pids.includes(await run('pid', undefined, turn)))
})

test('of several idle children the one used last goes on, so that the others can end', async (t) => {
  const { run } = pool(t, { idleMs: 1000 })
  const ended: number[] = []
  await Promise.all([100, 200].map(async (ms) => ended.push(await run('wait', { ms }, turn))))
  const [first = NaN, second] = ended
  while (isRunning(first)) {
    if (await run('pid', undefined, turn) !== second) return t.fail('another child was used')
    await after(20)
  }
  t.equal(await run('pid', undefined, turn), second)
})

test('idle children end where what runs needs their memory, but not the one used last', async (t) => {
  const { run } = pool(t, { processes: 3, processBytes: 20 })
  const pids = await Promise.all([1, 2, 3].map(() => run('wait', { ms: 100 }, turn)))
  const last = await run('pid', undefined, turn)
  for (const [weight, left] of [[40, 3], [50, 2], [1000, 1]] as const) {
    t.equal(await run('wait', { ms: 20 }, { ...turn, weight }), last)
    for (const end = Date.now() + 5000; Date.now() < end && pids.filter(isRunning).length > left;) await after(20)
    t.equal(pids.filter(isRunning).length, left, `${weight} bytes and 20 of its own process leave room for ${left - 1} others`)
    t.ok(isRunning(last))
  }
})

test('those that are needed in the same moment do not end', async (t) => {
  const { run } = pool(t, { processes: 3, processBytes: 20 })
  const all = (weight: number) => Promise.all([1, 2, 3].map(() => run('wait', { ms: 100 }, { ...turn, weight })))
  const pids = await all(1)
  t.strictSame((await all(13)).sort(), pids.sort(), 'while they run, no byte is free')
})

test('what a process weighs counts', async (t) => {
  const { run } = pool(t, { processes: 4, processBytes: 40 })
  const jobs = Array.from({ length: 6 }, () => run('wait', { ms: 200 }, { ...turn, weight: 0 }))
  t.equal(new Set(await Promise.all(jobs)).size, 2)
})

test('a child that holds much memory after a job is not used again', async (t) => {
  const { run } = pool(t, { keepBytes: 300 * 1024 ** 2 })
  const pid = await run('pid', undefined, turn)
  await run('hold', { size: 1024 ** 2 }, turn)
  t.equal(await run('pid', undefined, turn), pid)
  await run('hold', { size: 300 * 1024 ** 2 }, turn)
  t.not(await run('pid', undefined, turn), pid)
  t.strictSame(await untilGone([pid]), [])
})

test('close leaves no process and no job behind', async (t) => {
  const { run, close, warnings } = pool(t)
  const idle = await run('pid', undefined, turn)
  const pids = await Promise.all([run('wait', { ms: 100 }, turn), run('wait', { ms: 100 }, turn)])
  const jobs = [run('hang', {}, turn), run('wait', { ms: 60_000 }, turn), run('pid', undefined, turn)].map((job) => job.catch((error) => error.code))
  await after(20)
  await close()
  t.strictSame([idle, ...pids].filter(isRunning), [])
  t.strictSame(await Promise.all(jobs), ['SERVICE_STOPPING', 'SERVICE_STOPPING', 'SERVICE_STOPPING'])
  await t.rejects(run('pid', undefined, turn), { code: 'SERVICE_STOPPING' })
  t.strictSame(warnings, [])
  await close()
})

test('a job whose turn comes as the pool closes starts no process', async (t) => {
  const { run, close } = pool(t)
  const job = run('pid', undefined, turn)
  await Promise.all([t.rejects(job, { code: 'SERVICE_STOPPING' }), close()])
})

test('a gateway killed by SIGKILL leaves no child: not an idle one, not one that is busy, not one whose thread never rests', async (t) => {
  const gateway = spawn(process.execPath, [fileURLToPath(new URL('./fixtures/jobs-gateway.ts', import.meta.url))], { stdio: ['ignore', 'pipe', 'inherit'] })
  t.teardown(() => gateway.kill('SIGKILL'))
  const [printed] = await once(gateway.stdout, 'data')
  const pids = JSON.parse(String(printed)) as number[]
  t.equal(new Set(pids).size, 3)
  t.ok(pids.every(isRunning))
  gateway.kill('SIGKILL')
  await text(gateway.stdout)
  const left = await untilGone(pids)
  t.strictSame(left, [])
  for (const pid of left) process.kill(pid, 'SIGKILL')
})
