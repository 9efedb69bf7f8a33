// What a sweep of the volume is to those who ask meanwhile.
import { setTimeout } from 'node:timers/promises'
import type { Sample } from './bench.ts'
import { median } from './rounds.ts'
import type { Server } from './servers.ts'
import { using } from './usage.ts'
import type { Rate } from './wrk.ts'

export type Sweeping = {
  readonly tookMs: number
  /** Longest time that the event loop was held up. */
  readonly heldUpMs: number
  readonly alone: Sample
  readonly during: Sample
}

async function metrics ({ url }: Server): Promise<(name: string) => number> {
  const text = await (await fetch(`${url}/metrics`)).text()
  return (name) => Number(new RegExp(`^${name} (\\S+)`, 'm').exec(text)?.[1] ?? NaN)
}

/** The server has just started, and sweeps after `seconds` for the first time. `ask` takes a second. */
export async function sweeping (server: Server, seconds: number, ask: () => Promise<Rate>): Promise<Sweeping> {
  const startsAt = performance.now() + seconds * 1000
  let heldUpMs = 0
  /** Each time that they are looked at, they begin anew. */
  async function hasSwept (): Promise<boolean> {
    const value = await metrics(server)
    heldUpMs = Math.max(heldUpMs, value('nodejs_eventloop_lag_max_seconds') * 1000)
    return !Number.isNaN(value('uploads_sweep_last_success_timestamp_seconds'))
  }
  async function asking (isOver: () => Promise<boolean>): Promise<Sample> {
    const { result: rates, cpuMs, peakBytes } = await using([server], async () => {
      const all: Rate[] = []
      do all.push(await ask()); while (!await isOver())
      return all
    })
    const of = (what: keyof Rate) => median(rates.map((rate) => rate[what]))
    return { perSecond: of('perSecond'), p50Ms: of('p50Ms'), p99Ms: of('p99Ms'), cpuMs: cpuMs / rates.reduce((sum, { requests }) => sum + requests, 0), peakBytes }
  }
  await ask()
  const alone = await asking(async () => performance.now() > startsAt - 2000)
  await setTimeout(startsAt - performance.now())
  await hasSwept()
  heldUpMs = 0
  const during = await asking(hasSwept)
  return { tookMs: performance.now() - startsAt, heldUpMs, alone, during }
}
