// When the volume is cleaned: what died is removed before the first request, the rest on a timer, one run at a time.
import fastifyPlugin from 'fastify-plugin'
import type { SweepCounts } from '../storage/sweep.ts'

/** A dead process of another container is known by its silence, so its staging is looked at more often than the rest. */
const stagingEveryMs = 60_000

/** A longer one would make Node's timer go off every millisecond. */
const longestTimerMs = 2 ** 31 - 1

/** Work of a feature that is done now and then. It resolves with how many it was done to; what takes long leaves the rest once `stopping` is aborted. */
export type Chore = { readonly name: string, readonly everyMs: number, readonly run: (stopping: AbortSignal) => Promise<number> }

type Options = {
  sweep: () => Promise<SweepCounts>
  sweepEveryMs: number
  removeDeadStaging: () => Promise<number>
  /** Writes the sidecars that requests which died left behind. */
  settleSidecars: () => Promise<number>
}

declare module 'fastify' {
  interface FastifyInstance {
    /** From now on until the end; the first time after `everyMs`. A run that takes longer than that is not begun again beside itself. */
    doNowAndThen (chore: Chore): void
  }
}

export const upkeep = fastifyPlugin(async (app, { sweep, sweepEveryMs, removeDeadStaging, settleSidecars }: Options) => {
  const running = new Set<Promise<void>>()
  const stopping = new AbortController()

  function run (name: string, work: () => Promise<object>): void {
    const done: Promise<void> = work().then(
      (counts) => { if (Object.values(counts).some((count) => count !== 0)) app.log.info({ upkeep: name, ...counts }, `Upkeep: ${name}.`) },
      (error: unknown) => app.log.error({ upkeep: name, err: error }, `Upkeep failed: ${name}.`)
    ).finally(() => running.delete(done))
    running.add(done)
  }

  const staging = async () => ({ staging: await removeDeadStaging() })
  run('staging', staging)
  run('sidecars', async () => ({ sidecars: await settleSidecars() }))
  const timers = [
    setInterval(() => run('staging', staging), stagingEveryMs),
    setInterval(() => run('sweep', sweep), Math.min(sweepEveryMs, longestTimerMs)),
  ]

  app.decorate('doNowAndThen', ({ name, everyMs, run: work }: Chore) => {
    let isRunning = false
    timers.push(setInterval(() => {
      if (isRunning) return
      isRunning = true
      run(name, async () => ({ [name]: await work(stopping.signal).finally(() => { isRunning = false }) }))
    }, Math.min(everyMs, longestTimerMs)))
  })

  app.addHook('onReady', async () => { await Promise.all(running) })
  app.addHook('preClose', async () => stopping.abort())
  app.addHook('onClose', async () => {
    for (const timer of timers) clearInterval(timer)
    await Promise.all(running)
  })
}, { name: 'upkeep', fastify: '5.x', dependencies: ['storage'] })
