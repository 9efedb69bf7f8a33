// The child processes that decode pictures: as many as there is work for, within limits. A picture that crashes or hangs one costs its own job.
import { availableParallelism } from 'node:os'
import { extname } from 'node:path'
import { ServiceStopping } from '../../errors.ts'
import type { Jobs } from '../jobs.ts'
import { busy, createBudget, type Line, type LineOptions, type Turn } from './budget.ts'
import type { JobTable } from './messages.ts'
import { JobLost, startChild, type Child } from './start.ts'

/** Or what makes it once the turn has come, so that large ones that wait are not in memory. */
type Input<Value> = Value | (() => Promise<Value>)

export type Processes<Table extends JobTable = Jobs> = {
  /**
   * Runs a job in a child process, when its turn comes.
   * @throws what the job threw, as an Error with its `code`; ImagesBusy when it would wait too long, or its process was killed or did
   * not come up, twice; JobLost when it took more than deadlineMs or ended its process; ServiceStopping
   */
  run<Name extends keyof Table & string> (name: Name, input: Input<Parameters<Table[Name]>[0]>, turn: Turn): Promise<Awaited<ReturnType<Table[Name]>>>
  /** How many jobs wait for a turn. */
  readonly waiting: number
  /** Ends all jobs and processes; resolves when they are gone. */
  close (): Promise<void>
}

export type ProcessesOptions = {
  /** How many at most. */
  processes: number
  /** What all jobs that run together and all processes may weigh, in bytes; a job that weighs more by itself runs alone. */
  budgetBytes: number
  /** What a process weighs beside its job. */
  processBytes?: number
  /** How many jobs of uploads may wait for a turn, as many of variants, and an eighth as many drawings. */
  maxWaiting: number
  /** How long a job may run, without its waiting. */
  deadlineMs: number
  /** How long a job may wait for its turn, those with a head start by that much less. */
  waitMs?: number
  /** After so long without a job a process ends. */
  idleMs?: number
  /** A process that holds more memory after a job is not used again: WebAssembly never gives it back. */
  keepBytes?: number
  /** Of each job that was lost. */
  warn: (error: unknown, message: string) => void
  /** The module a child process runs. */
  entry?: URL
}

/** More make no job faster. */
const mostProcesses = 8

const linesOf = (maxWaiting: number): Record<Line, LineOptions> => ({
  // Somebody waits for it with a file in flight: it goes before the others, but never keeps one waiting for long.
  upload: { maxWaiting, headStartMs: 2000 },
  variant: { maxWaiting, headStartMs: 0 },
  // Anybody can ask for any number of them.
  drawing: { maxWaiting: Math.ceil(maxWaiting / 8), headStartMs: 0 },
})

/** Where nobody says how many. */
export const usualProcesses = (): number => Math.min(availableParallelism(), mostProcesses)

const childEntry = new URL(`./child${extname(import.meta.url)}`, import.meta.url)

export function createProcesses<Table extends JobTable = Jobs> (options: ProcessesOptions): Processes<Table> {
  const { processes, budgetBytes, maxWaiting, deadlineMs, waitMs = 10_000, idleMs = 60_000, processBytes = 48 * 1024 ** 2, keepBytes = 192 * 1024 ** 2, warn, entry = childEntry } = options
  const budget = createBudget({ places: processes, bytes: budgetBytes, lines: linesOf(maxWaiting), waitMs })
  const children = new Set<Child>()
  const idle = new Map<Child, NodeJS.Timeout>()
  let isClosed = false

  function start (): Child {
    const child = startChild(entry, { deadlineMs })
    children.add(child)
    child.ended.then(() => {
      children.delete(child)
      clearTimeout(idle.get(child))
      idle.delete(child)
    })
    return child
  }

  /** The one used last, so that those beyond the need grow idle and end. */
  function takeIdle (): Child | undefined {
    const [child, timer] = [...idle].findLast(([{ isAlive }]) => isAlive) ?? []
    clearTimeout(timer)
    if (child !== undefined) idle.delete(child)
    return child
  }

  /** Of those that are idle, only as many stay as what runs leaves memory for: the ones used last. */
  function makeRoom (): void {
    const room = Math.floor(budget.freeBytes / processBytes)
    for (const child of [...idle.keys()].reverse().slice(room)) child.kill()
  }

  function putBack (child: Child): void {
    if (child.rss > keepBytes) child.kill()
    else idle.set(child, setTimeout(() => child.kill(), idleMs))
  }

  return {
    async run (name, given, turn) {
      const release = await budget.take({ ...turn, weight: turn.weight + processBytes })
      if (isClosed) throw new ServiceStopping()
      let child = takeIdle() ?? start()
      // Others whose turn has come in the same moment take theirs first.
      setImmediate(makeRoom)
      const attempt = (input: unknown) => child.run({ name, input }).catch((error: unknown) => {
        if (!(error instanceof JobLost)) throw error
        if (isClosed) throw new ServiceStopping({ cause: error })
        warn(error, `A picture's job, ${name}, was lost.`)
        throw error
      })
      try {
        const input: unknown = typeof given === 'function' ? await given() : given
        if (isClosed) throw new ServiceStopping()
        return await attempt(input).catch((error: unknown) => {
          if (!isKilled(error)) throw error
          // That says nothing of the picture.
          child = start()
          return attempt(input)
        }) as never
      } catch (error) {
        throw isKilled(error) ? busy(error) : error
      } finally {
        if (child.isAlive) putBack(child)
        // Until it is gone it holds its memory.
        if (child.isAlive) release()
        else child.ended.then(release)
      }
    },
    get waiting () { return budget.waiting },
    async close () {
      isClosed = true
      budget.close(new ServiceStopping())
      for (const child of children) child.kill()
      await Promise.all([...children].map(({ ended }) => ended))
    },
  }
}

const isKilled = (error: unknown): boolean => error instanceof JobLost && error.code === 'JOB_KILLED'
