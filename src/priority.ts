// Who of this process goes first where there are fewer cores than threads with work. Linux alone has priorities of threads.
import { readdirSync } from 'node:fs'
import { getPriority, setPriority } from 'node:os'
import { pid, platform } from 'node:process'

/** To the kernel, a tenth of the share of a core that the thread of requests has. */
export const lessBy = 10
export const leastPriority = 19

/** The thread that answers goes before those that write, sync and collect: with many uploads under way, it would wait for them in each turn. Those to come are not among them. */
export function answerFirst (folder = '/proc/self/task'): void {
  if (platform !== 'linux') return
  const threads = threadsIn(folder)
  // Where /proc is that of another namespace, its numbers are those of others.
  if (threads.includes(pid)) for (const thread of threads) if (thread !== pid) giveWay(thread)
}

/** None where proc(5) is not mounted. */
function threadsIn (folder: string): number[] {
  try {
    return readdirSync(folder).map(Number)
  } catch {
    return []
  }
}

/** One that has ended meanwhile needs nothing, and where a sandbox refuses it, all goes on as before. */
function giveWay (thread: number): void {
  try {
    setPriority(thread, Math.min(leastPriority, getPriority(thread) + lessBy))
  } catch {}
}
