// When the volume is cleaned, by the gateway that leads: what died is removed before the first request, the rest on a timer, one run at a time; and all of it when a lead begins.
import fastifyPlugin from 'fastify-plugin'
import type { Coordination } from '../records/coordination.ts'
import type { SweepCounts } from '../storage/sweep.ts'

/** A dead process of another container is known by its silence, so its staging is looked at more often than the rest. */
const stagingEveryMs = 60_000

/** A longer one would make Node's timer go off every millisecond. */
const longestTimerMs = 2 ** 31 - 1

/** Work of a feature that is done now and then. It resolves with how many it was done to; what takes long leaves the rest once `stopping` is aborted, because the gateway stops or does not lead any more. */
export type Chore = { readonly name: string, readonly everyMs: number, readonly run: (stopping: AbortSignal) => Promise<number> }

type Options = {
  coordination: Pick<Coordination, 'leads' | 'term' | 'onLead'>
  /** Leaves the rest once `stopping` is aborted. */
  sweep: (stopping: AbortSignal) => Promise<SweepCounts>
  sweepEveryMs: number
  removeDeadStaging: () => Promise<number>
  /** Other gateways see it too, and one of them looks after all of it; otherwise each has its own. */
  isStagingShared: boolean
  /** Writes the sidecars that requests which died left behind. */
  settleSidecars: () => Promise<number>
}

declare module 'fastify' {
  interface FastifyInstance {
    /**
     * From now on until the end, while this gateway leads; the first time after `everyMs`, or when it begins to. A run that takes longer
     * than that is not begun again beside itself.
     */
    doNowAndThen (chore: Chore): void
  }
}

export const upkeep = fastifyPlugin(async (app, { coordination, sweep, sweepEveryMs, removeDeadStaging, isStagingShared, settleSidecars }: Options) => {
  const running = new Set<Promise<void>>()
  const stopping = new AbortController()
  const chores: Array<() => void> = []
  let isReady = false
  let isOwed = false
  let isEnding = false

  const whileLeading = () => AbortSignal.any([stopping.signal, coordination.term])

  function run (name: string, work: (stopping: AbortSignal) => Promise<object>, signal = whileLeading()): void {
    const done: Promise<void> = work(signal).then(
      (counts) => { if (Object.values(counts).some((count) => count !== 0)) app.log.info({ upkeep: name, ...counts }, `Upkeep: ${name}.`) },
      (error: unknown) => {
        if (signal.aborted) app.log.info({ upkeep: name, err: error }, `Upkeep ended early: ${name}.`)
        else app.log.error({ upkeep: name, err: error }, `Upkeep failed: ${name}.`)
      }
    ).finally(() => running.delete(done))
    running.add(done)
  }

  const staging = () => {
    if (!isStagingShared || coordination.leads()) run('staging', async () => ({ staging: await removeDeadStaging() }), isStagingShared ? whileLeading() : stopping.signal)
  }
  const sidecars = () => {
    if (coordination.leads()) run('sidecars', async () => ({ sidecars: await settleSidecars() }))
  }
  const clean = () => {
    if (coordination.leads()) run('sweep', sweep)
  }
  staging()
  sidecars()
  const timers = [
    setInterval(staging, stagingEveryMs),
    setInterval(clean, Math.min(sweepEveryMs, longestTimerMs)),
  ]

  app.decorate('doNowAndThen', ({ name, everyMs, run: work }: Chore) => {
    let isRunning = false
    const doOnce = () => {
      if (isRunning || !coordination.leads()) return
      isRunning = true
      run(name, async (signal) => ({ [name]: await work(signal).finally(() => { isRunning = false }) }))
    }
    chores.push(doOnce)
    timers.push(setInterval(doOnce, Math.min(everyMs, longestTimerMs)))
  })

  /** What the one before may have left undone, or was about to do. */
  function takeOver (): void {
    isOwed = !isReady
    if (isOwed || isEnding) return
    // Of an earlier lead of this gateway, and told to end: beside it a chore would not begin, and a sweep be the one that ends.
    isEnding = running.size > 0
    if (isEnding) Promise.all(running).then(begin)
    else begin()
  }

  function begin (): void {
    isEnding = false
    if (stopping.signal.aborted) return
    for (const work of [staging, sidecars, clean, ...chores]) work()
  }

  coordination.onLead(takeOver)
  app.addHook('onReady', async () => {
    await Promise.all(running)
    isReady = true
    if (isOwed) takeOver()
  })
  app.addHook('preClose', async () => stopping.abort())
  app.addHook('onClose', async () => {
    for (const timer of timers) clearInterval(timer)
    await Promise.all(running)
  })
}, { name: 'upkeep', fastify: '5.x', dependencies: ['storage'] })
