// When erasures are finished that were not, or not for certain: at the start, a few seconds after each, and all of them now and then.
import fastifyPlugin from 'fastify-plugin'

type Replayed = { readonly owners: number, readonly blobs: number }

type Options = {
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

export const erasures = fastifyPlugin(async (app, { erasure, replayEveryMs }: Options) => {
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

  // Before the first request: what was erased is not to be seen again. What fails is tried again.
  await run(() => erasure.replay())()
  const timers = [
    setInterval(run(() => erasure.followUp()), followUpEveryMs),
    setInterval(run(() => erasure.replay({ isFull: true })), Math.min(replayEveryMs, longestTimerMs)),
  ]
  app.addHook('onClose', async () => {
    for (const timer of timers) clearInterval(timer)
    await running
  })
}, { name: 'erasures', fastify: '5.x', dependencies: ['storage'] })
