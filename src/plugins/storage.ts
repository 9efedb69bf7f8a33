// The home of the uploads, a volume or an object store, and the database that belongs to it: opened together, checked against each other, closed together.
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { FastifyBaseLogger, FastifyInstance } from 'fastify'
import fastifyPlugin from 'fastify-plugin'
import type { Config } from '../config.ts'
import { nameOf } from '../records/address.ts'
import { appendingAlone, openDatabase, type Database } from '../records/database.ts'
import { removeUnfinished } from '../records/leftovers.ts'
import { createVolumeRecord } from '../records/volume.ts'
import type { FileSystem } from '../storage/fs.ts'
import { openHome, type Home, type HomeConfig } from '../storage/home.ts'
import { findVolume, openStorage, prepareVolume, type Storage } from '../storage/open.ts'
import { gatewayRole, readerRole } from '../storage/volume/instance.ts'

declare module 'fastify' {
  interface FastifyInstance {
    home: Home
    database: Database
    storage: Storage
  }
}

type Options = { config: HomeConfig & Pick<Config, 'isReadOnly' | 'isRedirecting' | 'requireMount' | 'diskReserveBytes' | 'database' | 'databaseConnections' | 'databaseFile' | 'erasureLedger' | 'memoryCacheBytes'>, /** Of this machine. */ fs: FileSystem, monotonicMs: () => number }

/** @throws ConfigError when volume or database cannot be used, or do not belong together */
export const storage = fastifyPlugin(async (app, { config, fs: machine, monotonicMs }: Options) => {
  const { uploadsDir: root, isReadOnly } = config
  const home = await openHome(config, machine)
  app.addHook('onClose', () => home.close())
  const { fs } = home
  await (isReadOnly ? findVolume : prepareVolume)({ fs, root, requireMount: config.requireMount, warn: warning(app.log) })
  const database = await openDatabase({ address: config.database, requireMount: config.requireMount, connections: config.databaseConnections, isReadOnly, warn: warning(app.log) })
  app.addHook('onClose', () => database.close())

  const volume = createVolumeRecord(database.client)
  const opened = await openStorage({ fs, root, reserveBytes: config.diskReserveBytes, known: await volume.known(), claimant: await volume.claimant({ name: nameOf(config.database), onlyReads: isReadOnly }), secondLedger: config.erasureLedger, alone: appendingAlone(database), role: isReadOnly ? readerRole : gatewayRole, retreat: isReadOnly ? () => retreatOf(app) : undefined, memoryBytes: config.memoryCacheBytes, isRedirecting: config.isRedirecting, onWait: ([other]) => app.log.warn(`Watching for up to 90 seconds whether ${other?.work} of another host or container still runs on this volume.`), monotonicMs })
  app.addHook('onClose', () => opened.staging.close())
  if (!isReadOnly) {
    await volume.remember(opened.volumeId)
    // Whoever made them must be alone on the volume, so they are dead; what they left may name users who are erased.
    await removeUnfinished(fs, config.databaseFile).catch((error: unknown) => app.log.warn({ err: error }, 'What a rebuild or a restore left beside the database cannot be removed.'))
  }

  app.decorate('home', home)
  app.decorate('database', database)
  app.decorate('storage', opened)
}, { name: 'storage', fastify: '5.x' })

/** Where a gateway that changes nothing has its heartbeat when the volume takes none. */
async function retreatOf (app: FastifyInstance): Promise<string> {
  app.log.warn('The volume takes no writes, so no other process sees this gateway: begin no restore, rebuild or copy there while it runs. What is made of pictures is kept in memory only.')
  const folder = await mkdtemp(join(tmpdir(), 'upload-gateway-serving-'))
  app.addHook('onClose', () => rm(folder, { recursive: true, force: true }))
  return folder
}

const warning = (log: FastifyBaseLogger) => (message: string) => log.warn(message)
