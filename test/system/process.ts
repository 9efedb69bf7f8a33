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
