// What the gateway does with pictures, on this machine: the processes that decode them, and the cache of what they made; closed with it.
import { join } from 'node:path'
import fastifyPlugin from 'fastify-plugin'
import type { Config } from '../config.ts'
import { createVariantCache } from '../images/cache/cache.ts'
import { createDrawings, type Drawings } from '../images/drawings.ts'
import { createIntake, type Intake } from '../images/intake.ts'
import { createProcesses, usualProcesses } from '../images/processes/pool.ts'
import { createVariants, type Variants } from '../images/variants.ts'
import type { FileSystem } from '../storage/fs.ts'
import { cacheFolder } from '../storage/volume/layout.ts'
import { createCacheBudget } from './cache-budget.ts'
import type { Metrics } from './metrics.ts'
import { countingJobs } from './picture-count.ts'

declare module 'fastify' {
  interface FastifyInstance {
    images: { readonly intake: Intake, readonly variants: Variants, readonly drawings: Drawings, /** How many jobs wait for a turn. */ waiting (): number }
  }
}

type Options = { config: Pick<Config, 'uploadsDir' | 'cacheMaxBytes' | 'imageProcesses' | 'imageMemoryBytes'>, metrics: Pick<Metrics, 'pictureJobEnded'>, fs: FileSystem, now: () => Date }

/** Jobs; those of one upload are three or four, one after the other. */
const maxWaiting = 256

const deadlineMs = 10_000

const roomToSpareBytes = 64 * 1024 ** 2

/** Of variants kept in memory, most of which are a few kilobytes. */
const memoryBytes = 32 * 1024 ** 2

export const images = fastifyPlugin(async (app, { config, metrics, fs, now }: Options) => {
  const warn = (error: unknown, message: string) => app.log.warn({ err: error }, message)
  const pool = createProcesses({
    processes: config.imageProcesses ?? usualProcesses(),
    budgetBytes: config.imageMemoryBytes,
    maxWaiting,
    deadlineMs,
    warn,
  })
  const processes = { run: countingJobs(pool.run, metrics) }
  app.addHook('onClose', () => pool.close())
  const { coordination, home, storage: { store, space } } = app
  const { isKeeper, onKept, attend } = createCacheBudget({ coordination, isShared: home.objects === undefined })
  const cache = createVariantCache({ fs, folder: join(config.uploadsDir, cacheFolder), maxBytes: config.cacheMaxBytes, memoryBytes, checkSpace: () => space.check(), isKeeper, onKept, warn, now })
  attend(cache, warn)
  // Not waited for: a large cache takes long to count.
  app.addHook('onReady', async () => { cache.start().catch((error: unknown) => warn(error, 'The picture cache could not be counted.')) })
  // A little more than is asked for, or the next upload would ask again.
  space.onFull(async (bytes) => { await cache.shrink(Math.max(0, cache.usage.disk - bytes - roomToSpareBytes)) })
  app.addHook('onClose', () => cache.close())
  app.decorate('images', {
    intake: createIntake({ processes, store }),
    variants: createVariants({ processes, cache }),
    drawings: createDrawings({ processes }),
    waiting: () => pool.waiting,
  })
}, { name: 'images', fastify: '5.x', dependencies: ['storage', 'coordination'] })
