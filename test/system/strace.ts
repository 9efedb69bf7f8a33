// System calls of a running gateway: recorded, failed or turned into its death, from the moment of attaching on.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFile, readdir } from 'node:fs/promises'
import { join } from 'node:path'
import type { Test } from 'tap'
import { temporaryFolder } from '../helper.ts'
import { startUnder, type Gateway, type Traced } from './gateway.ts'

/** SQLite works on Node's main thread, all other file-system calls are made by libuv's pool. */
export type Thread = 'main' | 'pool'

/** The `nth` call of this name that the thread makes. */
export type Point = { readonly thread: Thread, readonly call: string, readonly nth: number, readonly on: string }

/** One thread in the pool, so that `when=` of strace, which counts by thread, counts all. */
export const oneWorker = { UV_THREADPOOL_SIZE: '1' }

const mutating = 'openat,mkdir,rename,unlink,rmdir,write,pwrite64,writev,pwritev,pwritev2,fsync,fdatasync,ftruncate,fallocate,link,symlink'

/** The calls of `operation` that change files below the gateway's folder, in the order they were made. */
export async function record (t: Test, gateway: Gateway, operation: () => Promise<unknown>): Promise<Point[]> {
  const output = join(await temporaryFolder(t), 'calls')
  const detach = await attach(t, ['-f', '-y', '-e', `trace=${mutating}`, '-o', output, '-p', String(gateway.pid)])
  await operation()
  await detach()
  return pointsIn(await readFile(output, 'utf8'), gateway)
}

/** The same of a start, up to the moment in which it listens. */
export async function recordStart (t: Test): Promise<Point[]> {
  const output = join(await temporaryFolder(t), 'calls')
  const { folder, isListening } = await traceStart(t, () => ['-y', '-e', `trace=${mutating},listen`, '-o', output])
  if (!isListening) throw new Error('The start ended before it listened.')
  const [text = ''] = (await readFile(output, 'utf8')).split(/^\d+ +listen\(/m)
  return pointsIn(text, { folder, pid: Number(text.split(' ', 1)[0]) })
}

/** A start on an empty folder that ends in this call. */
export const killStart = (t: Test, { call, nth, on }: Point, isOnly: boolean): Promise<Traced & { folder: string }> => traceStart(t, (folder) => {
  // The count is by thread, and SQLite's thread may come first; by name it is exact.
  const where = isOnly ? ['-P', join(folder, on)] : []
  return [...where, '-e', `trace=${call}`, '-e', `inject=${call}:signal=SIGKILL:when=${isOnly ? 1 : nth}`, '-o', '/dev/null']
})

/** One in a great many processes that strace follows stops and is not continued: what it waits for is told, and it is done again. */
async function traceStart (t: Test, argsOf: (folder: string) => readonly string[]): Promise<Traced & { folder: string }> {
  for (let attempt = 0; ; attempt += 1) {
    const folder = await temporaryFolder(t)
    const traced = await startUnder(t, ['-f', ...argsOf(folder)], folder, oneWorker)
    if (traced.state === undefined) return { ...traced, folder }
    if (attempt === 1) throw new Error(`Twice a start under strace neither listened nor ended: ${traced.state}`)
    t.comment(`A start under strace neither listened nor ended: ${traced.state}`)
  }
}

/** Without those in the middle of a run of the same calls on a file of the database: what is between them is SQLite's own promise. */
export const essential = (points: readonly Point[]): Point[] => points.filter((point, index) =>
  !point.on.startsWith('/database/') || !isSame(point, points[index - 1]) || !isSame(point, points[index + 1]))

const isSame = (one: Point, other: Point | undefined): boolean => other !== undefined && one.call === other.call && one.on === other.on

function pointsIn (text: string, { pid, folder }: Pick<Gateway, 'pid' | 'folder'>): Point[] {
  const counts = new Map<string, number>()
  return text.split('\n').flatMap((line) => {
    const [, thread, call = '', rest = ''] = /^(\d+) +(\w+)\((.*)/.exec(line) ?? []
    if (thread === undefined) return []
    const nth = (counts.get(thread + call) ?? 0) + 1
    counts.set(thread + call, nth)
    const isOfVolume = rest.includes(folder) && (call !== 'openat' || rest.includes('O_CREAT'))
    return isOfVolume ? [{ thread: Number(thread) === pid ? 'main' as const : 'pool' as const, call, nth, on: rest.slice(rest.indexOf(folder) + folder.length).split(/[>"]/)[0] ?? '' }] : []
  })
}

/** Injects into calls of one thread, as in `rename:error=EIO:when=2`; the function it returns ends that. */
export async function inject (t: Test, gateway: Gateway, thread: Thread, rule: string): Promise<() => Promise<void>> {
  const [call = ''] = rule.split(':')
  return attach(t, ['-e', `trace=${call}`, '-e', `inject=${rule}`, '-o', '/dev/null', '-p', String(await idOf(gateway, thread))])
}

async function idOf ({ pid }: Gateway, thread: Thread): Promise<number> {
  if (thread === 'main') return pid
  const workers: number[] = []
  for (const id of await readdir(`/proc/${pid}/task`)) {
    if ((await readFile(`/proc/${pid}/task/${id}/comm`, 'utf8')).trim() === 'libuv-worker') workers.push(Number(id))
  }
  const [worker, ...others] = workers
  if (worker === undefined || others.length > 0) throw new Error(`The gateway must have one pool thread, not ${workers.length}: start it with UV_THREADPOOL_SIZE=1.`)
  return worker
}

async function attach (t: Test, args: readonly string[]): Promise<() => Promise<void>> {
  const child = spawn('strace', args, { stdio: ['ignore', 'ignore', 'pipe'] })
  const closed = once(child, 'close')
  const detach = async () => {
    child.kill('SIGINT')
    await closed
  }
  t.teardown(detach)
  const { promise: attached, resolve } = Promise.withResolvers<void>()
  let said = ''
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    said += text
    if (/attached/.test(said)) resolve()
  })
  await Promise.race([attached, closed.then(() => Promise.reject(new Error(`strace ended: ${said}`)))])
  return detach
}
