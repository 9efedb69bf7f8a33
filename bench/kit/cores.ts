// Which cores the servers have, and which those that ask them: neither is to wait for the other where the machine has enough.
import { readFileSync } from 'node:fs'

/** Cores this process may use, as proc_pid_status(5) lists them: "0-1,4". */
function allowed (): number[] {
  const [, list = '0'] = /^Cpus_allowed_list:\s+(\S+)$/m.exec(readFileSync('/proc/self/status', 'utf8')) ?? []
  return list.split(',').flatMap((part) => {
    const [first = 0, last = first] = part.split('-').map(Number)
    return Array.from({ length: last - first + 1 }, (_, index) => first + index)
  })
}

const all = allowed()
const half = Math.ceil(all.length / 2)

/** Each server has the first half, one after the other; on two cores all share both. */
export const cores = all.length < 4
  ? { all, servers: all, clients: all }
  : { all, servers: all.slice(0, half), clients: all.slice(half) }

/** A command and its arguments, on these cores. */
export const on = (list: readonly number[], command: string, args: readonly string[]): [string, string[]] => ['taskset', ['-c', list.join(','), command, ...args]]
