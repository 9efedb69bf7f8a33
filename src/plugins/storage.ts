// The uploads volume and the database that belongs to it: opened together, checked against each other, closed together.
import type { FastifyBaseLogger } from 'fastify'
import fastifyPlugin from 'fastify-plugin'
import type { Config } from '../config.ts'
import { openDatabase, type Database } from '../records/database.ts'
import { removeUnfinished } from '../records/leftovers.ts'
import { createVolumeRecord } from '../records/volume.ts'
import type { FileSystem } from '../storage/fs.ts'
import { openStorage, prepareVolume, type Storage } from '../storage/open.ts'

declare module 'fastify' {
  interface FastifyInstance {
    database: Database
    storage: Storage
  }
}

type Options = { config: Pick<Config, 'uploadsDir' | 'requireMount' | 'diskReserveBytes' | 'databaseFile' | 'erasureLedger'>, fs: FileSystem, monotonicMs: () => number }

/** @throws ConfigError when volume or database cannot be used, or do not belong together */
export const storage = fastifyPlugin(async (app, { config, fs, monotonicMs }: Options) => {
  const root = config.uploadsDir
  await prepareVolume({ fs, root, requireMount: config.requireMount, warn: warning(app.log) })
  const database = await openDatabase({ file: config.databaseFile, requireMount: config.requireMount })
  app.addHook('onClose', () => database.close())

  const volume = createVolumeRecord(database.client)
  const opened = await openStorage({ fs, root, reserveBytes: config.diskReserveBytes, known: await volume.known(), secondLedger: config.erasureLedger, monotonicMs })
  app.addHook('onClose', () => opened.staging.close())
  await volume.remember(opened.volumeId)
  // Whoever made them must be alone on the volume, so they are dead; what they left may name users who are erased.
  await removeUnfinished(fs, config.databaseFile).catch((error: unknown) => app.log.warn({ err: error }, 'What a rebuild or a restore left beside the database cannot be removed.'))

  app.decorate('database', database)
  app.decorate('storage', opened)
}, { name: 'storage', fastify: '5.x' })

const warning = (log: FastifyBaseLogger) => (message: string) => log.warn(message)
