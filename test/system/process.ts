// What a running process holds: memory and open files, as Linux tells it.
import { readdirSync, readFileSync } from 'node:fs'
import { pause } from './machine.ts'

export function rssBytes (pid: number): number {
  const [, kibibytes] = /^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8')) ?? []
  return Number(kibibytes) * 1024
}

export const openFiles = (pid: number): number => readdirSync(`/proc/${pid}/fd`).length

/** Watches the memory of the process; the function it returns ends that and gives the most there was. */
export function watchRss (pid: number): () => number {
  let most = rssBytes(pid)
  const timer = setInterval(() => { most = Math.max(most, rssBytes(pid)) }, 20)
  return () => {
    clearInterval(timer)
    return most
  }
}

/** The least memory seen within `ms`: V8 gives back only when it has nothing else to do. */
export async function restingRss (pid: number, ms: number): Promise<number> {
  let least = rssBytes(pid)
  for (const deadline = Date.now() + ms; Date.now() < deadline; await pause(100)) least = Math.min(least, rssBytes(pid))
  return least
}

/** The process and all that it started that still run. */
export function familyOf (pid: number): number[] {
  try {
    const children = readdirSync(`/proc/${pid}/task`).flatMap((thread) => readFileSync(`/proc/${pid}/task/${thread}/children`, 'utf8').split(' ').filter(Boolean))
    return [pid, ...children.flatMap((child) => familyOf(Number(child)))]
  } catch {
    return []
  }
}

export const childrenOf = (pid: number): number[] => familyOf(pid).slice(1)

/** What each of its threads waits for in the kernel, as proc_pid_wchan(5) names it. */
export const doingOf = (pid: number): string => `${pid}: ${readdirSync(`/proc/${pid}/task`).map((thread) =>
  ['comm', 'wchan', 'syscall'].map((file) => readFileSync(`/proc/${pid}/task/${thread}/${file}`, 'utf8').trim()).join(' ')).join(', ')}`

/** Bytes of memory of the process and all that it started; what several share is counted once (proportional set size, proc_pid_smaps(5)). */
export function memoryOfFamily (pid: number): number {
  const kibibytes = familyOf(pid).map((member) => {
    try {
      return Number(/^Pss:\s+(\d+) kB/m.exec(readFileSync(`/proc/${member}/smaps_rollup`, 'utf8'))?.[1] ?? 0)
    } catch {
      return 0
    }
  })
  return kibibytes.reduce((sum, one) => sum + one, 0) * 1024
}

/** As watchRss, of the process and all that it started. */
export function watchFamily (pid: number): () => number {
  let most = memoryOfFamily(pid)
  const timer = setInterval(() => { most = Math.max(most, memoryOfFamily(pid)) }, 100)
  return () => {
    clearInterval(timer)
    return most
  }
}

const [own, ofTheGone] = [11, 13]

/** Milliseconds of processor time; 0 when it is gone (proc_pid_stat(5); a tick is 10 ms). */
function cpuMs (pid: number, from: typeof own | typeof ofTheGone): number {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ').map(Number)
    return ((fields[from] ?? 0) + (fields[from + 1] ?? 0)) * 10
  } catch {
    return 0
  }
}

/** Milliseconds of processor time that those it started have used, gone ones too. */
export const childrenCpuMs = (pid: number): number => cpuMs(pid, ofTheGone) + childrenOf(pid).reduce((sum, child) => sum + cpuMs(child, own), 0)

/** Milliseconds of processor time that the process and those it started have used, gone ones too. */
export const familyCpuMs = (pid: number): number => cpuMs(pid, own) + childrenCpuMs(pid)
