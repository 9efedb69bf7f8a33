// Who of this process goes first where there are fewer cores than threads with work. Linux alone has priorities of threads.
import { readdirSync } from 'node:fs'
import { getPriority, setPriority } from 'node:os'
import { pid, platform } from 'node:process'

/** To the kernel, a tenth of the share of a core that the thread of requests has. */
const lessBy = 10
const least = 19

/** The thread that answers goes before those that write, sync and collect: with many uploads under way, it would wait for them in each turn. Those to come are not among them. */
export function answerFirst (): void {
  if (platform !== 'linux') return
  for (const thread of readdirSync('/proc/self/task').map(Number)) if (thread !== pid) giveWay(thread)
}

/** One that has ended meanwhile needs nothing, and where a sandbox refuses it, all goes on as before. */
function giveWay (thread: number): void {
  try {
    setPriority(thread, Math.min(least, getPriority(thread) + lessBy))
  } catch {}
}
