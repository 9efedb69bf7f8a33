// System calls of a running gateway: recorded, failed or turned into its death, from the moment of attaching on.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFile, readdir } from 'node:fs/promises'
import { join } from 'node:path'
import type { Test } from 'tap'
import { temporaryFolder } from '../helper.ts'
import { startUnder, type Gateway } from './gateway.ts'

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
export async function recordStart (t: Test, folder: string): Promise<Point[]> {
  const output = join(await temporaryFolder(t), 'calls')
  await startUnder(['-f', '-y', '-e', `trace=${mutating},listen`, '-e', 'inject=listen:signal=SIGKILL', '-o', output], folder, oneWorker)
  const text = await readFile(output, 'utf8')
  return pointsIn(text, { folder, pid: Number(text.split(' ', 1)[0]) })
}

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
