// The child's side: does the jobs it is sent, one after another, and never outlives the gateway.
import type { EventEmitter } from 'node:events'
import { writeFileSync } from 'node:fs'
import process from 'node:process'
import { Worker } from 'node:worker_threads'
import type { JobTable, Message, Task } from './messages.ts'

/** The process itself, or what stands for it in a test. */
export type Channel = Pick<EventEmitter, 'on'> & { send?: ((message: Message) => unknown) | undefined }

const killSelf = () => { process.kill(process.pid, 'SIGKILL') }

/** `die` must end the process at once, also while a thread of it is busy. */
export function serve (jobs: JobTable, channel: Channel = process, die: () => void = killSelf): void {
  const send = (message: Message) => channel.send?.(message)
  let isBusy = false
  channel.on('message', async (task: Task) => {
    isBusy = true
    try {
      const job = jobs[task.name] as ((input: unknown) => unknown) | undefined
      if (job === undefined) throw new Error(`There is no job named ${task.name}.`)
      const result = await job(task.input)
      send({ kind: 'result', result, rss: process.memoryUsage.rss() })
    } catch (error) {
      send(failure(error))
    }
    isBusy = false
  })
  // A process that is idle ends by itself once the channel is gone; an exit would wait for the threads of a picture.
  channel.on('disconnect', () => { if (isBusy) die() })
  send({ kind: 'ready' })
}

/** Also what cannot be sent as it is ends here: a result that is not data. */
function failure (error: unknown): Message {
  const rss = process.memoryUsage.rss()
  if (!(error instanceof Error)) return { kind: 'error', message: String(error), rss }
  const { message, stack } = error
  const code = 'code' in error && typeof error.code === 'string' ? error.code : undefined
  return { kind: 'error', message, code, stack, rss }
}

/** Makes this process one that the gateway alone ends, and that ends with it. Call it once, before `serve`. */
export function becomeChild (): void {
  // A terminal and systemd send these to all processes of a service; the gateway then still finishes its uploads.
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => {})
  preferForOutOfMemory()
  // While synchronous work blocks this thread, no event tells that the gateway was killed; another thread sees it.
  new Worker(watchParent, { eval: true, workerData: process.ppid, execArgv: [], resourceLimits: { maxYoungGenerationSizeMb: 1, maxOldGenerationSizeMb: 8 } }).unref()
}

const watchParent = `
  const { workerData: parent } = require('node:worker_threads')
  setInterval(() => { if (process.ppid !== parent) process.kill(process.pid, 'SIGKILL') }, 500)
`

/** Linux, proc_pid_oom_score_adj(5): when memory runs out, the kernel ends this process and not the gateway. */
function preferForOutOfMemory (): void {
  try {
    writeFileSync('/proc/self/oom_score_adj', '1000')
  } catch {}
}
