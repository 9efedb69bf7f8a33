// When erasures are finished that were not, or not for certain: at the start, and by the gateway that leads a few seconds after each, when it begins to lead, and all of them now and then.
import fastifyPlugin from 'fastify-plugin'
import type { Coordination } from '../records/coordination.ts'

type Replayed = { readonly owners: number, readonly blobs: number }

type Options = {
  coordination: Pick<Coordination, 'leads' | 'onLead'>
  /** Not where nothing may be changed. */
  isReplayedAtStart: boolean
  erasure: {
    replay (options?: { isFull?: boolean }): Promise<Replayed>
    followUp (): Promise<Replayed>
  }
  /** Between two times that all are carried out anew. */
  replayEveryMs: number
}

const followUpEveryMs = 5000

/** A longer one would make Node's timer go off every millisecond. */
const longestTimerMs = 2 ** 31 - 1

export const erasures = fastifyPlugin(async (app, { coordination, isReplayedAtStart, erasure, replayEveryMs }: Options) => {
  let running: Promise<void> | undefined

  async function attempt (work: () => Promise<Replayed>): Promise<void> {
    try {
      const replayed = await work()
      if (replayed.blobs > 0) app.log.info({ upkeep: 'erasures', ...replayed }, 'Upkeep: erasures.')
    } catch (error) {
      app.log.error({ upkeep: 'erasures', err: error }, 'Upkeep failed: erasures.')
    }
  }

  const run = (work: () => Promise<Replayed>) => () => {
    running ??= attempt(work).finally(() => { running = undefined })
    return running
  }

  const whileLeading = (work: () => Promise<void>) => () => { if (coordination.leads()) work() }

  // Before the first request, whoever leads: what was erased is not to be seen again. What fails is tried again.
  if (isReplayedAtStart) await run(() => erasure.replay())()
  const timers = [
    setInterval(whileLeading(run(() => erasure.followUp())), followUpEveryMs),
    setInterval(whileLeading(run(() => erasure.replay({ isFull: true }))), Math.min(replayEveryMs, longestTimerMs)),
  ]
  coordination.onLead(run(() => erasure.replay()))
  app.addHook('onClose', async () => {
    for (const timer of timers) clearInterval(timer)
    await running
  })
}, { name: 'erasures', fastify: '5.x', dependencies: ['storage'] })
