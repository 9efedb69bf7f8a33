// One load, put upon the gateway and upon what it is compared with; and what came of it.
import type { Side } from './rounds.ts'
import { using, type Usage } from './usage.ts'
import type { Server } from './servers.ts'
import { wrk, type Rate, type Request } from './wrk.ts'

/** Times are of one request, in milliseconds; of a load that is one transfer after the other, there are none. */
export type Sample = Usage & { readonly perSecond: number, readonly p50Ms?: number, readonly p99Ms?: number }

/** Of `of`, in each round: for each of what `to` came to, or beyond it, or as it is. */
export type Goal = { readonly of: string, readonly to?: string, readonly what?: 'perSecond' | 'p50Ms' | 'p99Ms' | 'peakBytes', readonly isDifference?: boolean } & ({ readonly atLeast: number } | { readonly atMost: number })

/** `leftOut`: what it could have been compared with, and was not. */
export type Prepared = { readonly sides: readonly Side<Sample>[], readonly goals: readonly Goal[], readonly leftOut?: string }

export type Load = {
  /** Of the command line. */
  readonly id: string
  readonly title: string
  /** What `perSecond` counts; `cpuMs` is for one of them. */
  readonly unit: string
  prepare (surroundings: Surroundings): Promise<Prepared>
}

export type Surroundings = {
  /** For this load alone; gone afterwards. */
  readonly folder: string
  /** Of each measurement by wrk. */
  readonly seconds: number
  /** A checkout of supabase/storage that is built, where there is one to compare with. */
  readonly supabase: string | undefined
  /** The server, which is stopped when the load is over. */
  started (server: Server): Server
  teardown (end: () => unknown): void
}

export const gateway = 'Upload Gateway'
export const nginx = 'nginx, 1 worker'
export const supabase = 'supabase/storage, files'

type Asked = {
  readonly requests: readonly Request[]
  readonly connections: number
}

/** A side that wrk asks. `others`: what works for the server besides, such as its database. */
export async function asking (surroundings: Pick<Surroundings, 'folder' | 'seconds'>, name: string, server: Server, { requests, connections }: Asked, others: readonly Pick<Server, 'pid'>[] = []): Promise<Side<Sample>> {
  const { folder, seconds } = surroundings
  const ask = await wrk(server.url, { requests, connections, seconds, folder })
  return { name, measure: async () => perRequest(await using([server, ...others], ask)) }
}

const perRequest = ({ result: { requests, perSecond, p50Ms, p99Ms }, cpuMs, peakBytes }: Usage & { result: Rate }): Sample => ({ perSecond, p50Ms, p99Ms, cpuMs: cpuMs / requests, peakBytes })

/** A side whose `transfer` moves `megabytes` in one go. */
export const transferring = (name: string, server: Server, megabytes: number, transfer: () => Promise<unknown>): Side<Sample> => ({
  name,
  async measure () {
    const startedAt = performance.now()
    const { cpuMs, peakBytes } = await using([server], transfer)
    return { perSecond: megabytes / (performance.now() - startedAt) * 1000, cpuMs: cpuMs / megabytes, peakBytes }
  },
})
