// One child process as the gateway sees it: started, given a job, killed when it takes too long.
import { fork } from 'node:child_process'
import process from 'node:process'
import type { Message, Task } from './messages.ts'

/**
 * Its code: `JOB_TIMED_OUT` after the deadline; when the process ended before it answered, `JOB_CRASHED`; and `JOB_KILLED` when that was not by
 * its job: the process never came up, or somebody else ended it, as the kernel does when memory runs out.
 */
export class JobLost extends Error {
  override name = 'JobLost'
  readonly code: 'JOB_TIMED_OUT' | 'JOB_CRASHED' | 'JOB_KILLED'

  constructor (code: JobLost['code'], message: string) {
    super(message)
    this.code = code
  }
}

export type Child = {
  readonly pid: number | undefined
  /** Bytes of memory after its last job. */
  readonly rss: number
  /** False once it is, or is being, ended. */
  readonly isAlive: boolean
  /**
   * One job at a time. deadlineMs counts from when the process can begin; before, it has startMs to start.
   * @throws what the job threw, as an Error with its code; JobLost
   */
  run (task: Task): Promise<unknown>
  /** SIGKILL: it holds nothing that could be lost. */
  kill (): void
  /** Resolves when the process is gone. */
  readonly ended: Promise<void>
}

/** A kernel out of memory, a terminal, systemd: no picture ends a process by them. */
const signalsOfOthers: ReadonlySet<NodeJS.Signals | null> = new Set(['SIGKILL', 'SIGTERM', 'SIGINT', 'SIGHUP'])

/** Enough of what a dying process says to know what it died of. */
const maxLastWords = 2000

/** Of JavaScript objects; pixels and WebAssembly are not among them. */
const heapMiB = 256

/** `entry` is a module that calls `serve`. */
export function startChild (entry: URL, { deadlineMs, startMs = 20_000 }: { deadlineMs: number, startMs?: number }): Child {
  const child = fork(entry, { serialization: 'advanced', execArgv: [`--max-old-space-size=${heapMiB}`], env: environment(), stdio: ['ignore', 'ignore', 'pipe', 'ipc'] })
  let isAlive = true
  let isReady = false
  let rss = 0
  let lastWords = ''
  let current: { task: Task, resolve (result: unknown): void, reject (error: unknown): void, timer: NodeJS.Timeout } | undefined

  function kill (): void {
    isAlive = false
    child.kill('SIGKILL')
  }

  function settle (): typeof current {
    const settled = current
    clearTimeout(settled?.timer)
    current = undefined
    return settled
  }

  const killAfter = (ms: number, what: string, code: JobLost['code']) => setTimeout(() => {
    kill()
    settle()?.reject(new JobLost(code, `${what} took more than ${ms} ms.`))
  }, ms)

  function hand (): void {
    if (current === undefined) return
    clearTimeout(current.timer)
    current.timer = killAfter(deadlineMs, `The job ${current.task.name}`, 'JOB_TIMED_OUT')
    try {
      // A failure that is told later means that the process has ended, which its exit tells.
      child.send(current.task, () => {})
    } catch (error) {
      settle()?.reject(error)
    }
  }

  child.on('message', (message: Message) => {
    if (message.kind === 'ready') {
      isReady = true
      return hand()
    }
    rss = message.rss
    if (message.kind === 'result') settle()?.resolve(message.result)
    else settle()?.reject(errorOf(message))
  })
  child.stderr?.setEncoding('utf8').on('data', (text: string) => { lastWords = (lastWords + text).slice(-maxLastWords) })

  const ended = new Promise<void>((resolve) => {
    const end = (how: string, signal: NodeJS.Signals | null = null) => {
      isAlive = false
      const code = !isReady || signalsOfOthers.has(signal) ? 'JOB_KILLED' : 'JOB_CRASHED'
      settle()?.reject(new JobLost(code, `The process of the job ended ${how}. ${lastWords}`.trim()))
      resolve()
    }
    // After close, and not exit alone, its last words are complete.
    child.on('close', (code, signal) => end(`${isReady ? '' : 'before it was ready, '}${signal === null ? `with ${code}` : `by ${signal}`}`, signal))
    child.on('error', (error) => { if (child.pid === undefined) end(`before it started: ${error.message}`) })
  })

  return {
    pid: child.pid,
    get rss () { return rss },
    get isAlive () { return isAlive },
    run: (task) => new Promise((resolve, reject) => {
      if (!isAlive) throw new JobLost('JOB_KILLED', 'The process of the job had ended before.')
      current = { task, resolve, reject, timer: killAfter(startMs, 'The start of a process', 'JOB_KILLED') }
      if (isReady) hand()
    }),
    kill,
    ended,
  }
}

function errorOf ({ message, code, stack }: Message & { kind: 'error' }): Error {
  return Object.assign(new Error(message), code !== undefined && { code }, stack !== undefined && { stack })
}

/** Nothing of the gateway's, which holds its secrets, but where the system looks for libraries and temporary files. */
function environment (): NodeJS.ProcessEnv {
  const kept = ['LD_LIBRARY_PATH', 'TMPDIR', 'SystemRoot'].flatMap((name) => process.env[name] === undefined ? [] : [[name, process.env[name]]])
  // glibc, mallopt(3): freed memory goes back at once; by its own rule it would keep 100 MiB after one large picture.
  return { ...Object.fromEntries(kept), MALLOC_TRIM_THRESHOLD_: String(1024 ** 2) }
}
