// What a server takes of the machine while it is asked, with all processes that it has started.
import { readFileSync, writeFileSync } from 'node:fs'
import { familyCpuMs, familyOf } from '../../test/system/process.ts'
import type { Server } from './servers.ts'

/** `cpuMs`: of all cores. `peakBytes`: resident memory at its highest; what processes share is counted for each. */
export type Usage = { readonly cpuMs: number, readonly peakBytes: number }

/** @returns what `work` returned, and what the server, and others that work for it, took meanwhile */
export async function using<T> (servers: readonly Pick<Server, 'pid'>[], work: () => Promise<T>): Promise<Usage & { readonly result: T }> {
  const pids = servers.map(({ pid }) => pid)
  const cpuMs = () => pids.reduce((sum, pid) => sum + familyCpuMs(pid), 0)
  // proc(5): 5 makes the peak of resident memory what it is now.
  for (const member of pids.flatMap(familyOf)) writeFileSync(`/proc/${member}/clear_refs`, '5')
  const before = cpuMs()
  const result = await work()
  return { result, cpuMs: cpuMs() - before, peakBytes: pids.flatMap(familyOf).reduce((sum, member) => sum + peakRssBytes(member), 0) }
}

function peakRssBytes (pid: number): number {
  try {
    return Number(/^VmHWM:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? 0) * 1024
  } catch {
    return 0
  }
}
