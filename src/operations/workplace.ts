// What a command works with, beside a running gateway or alone: the volume and its database, opened as the gateway does.
import { join } from 'node:path'
import type { Config, DatabaseAddress } from '../config.ts'
import { nameOf } from '../records/address.ts'
import { createEvents, hasWebhook, type Events } from '../records/events.ts'
import { createLedger } from '../records/ledger.ts'
import { appendingAlone, type Database, type PrismaClient } from '../records/database.ts'
import { openSecrets } from '../records/secrets.ts'
import { createSettling, type Settling } from '../records/sidecars.ts'
import { createTombstoneRecords, type TombstoneRecords } from '../records/tombstones.ts'
import { createVolumeRecord } from '../records/volume.ts'
import { withoutMaking, type Secrets } from '../secrets.ts'
import { errnoOf } from '../storage/failures.ts'
import { homeName, homeRemedy, type FileSystem } from '../storage/fs.ts'
import type { HomeConfig } from '../storage/home.ts'
import type { Ledger } from '../storage/ledger.ts'
import { openStorage, type Storage } from '../storage/open.ts'
import { identityFile } from '../storage/volume/layout.ts'
import { findOwnFiles, type IsOwn } from '../storage/volume/own-files.ts'
import { atHome } from './at-home.ts'
import { silent, type Progress } from './progress.ts'
import { Refusal } from './refusal.ts'
import { createRetreat, openReadable, type Retreat } from './retreat.ts'
import { refuseForeignRoot } from './volume-user.ts'

export type Workplace = {
  readonly fs: FileSystem
  readonly root: string
  readonly now: () => Date
  readonly database: Database
  /** Where it is open: where the settings say, or a copy. */
  readonly address: DatabaseAddress
  readonly client: PrismaClient
  /** Of the gateway. */
  readonly secrets: Secrets
  readonly storage: Storage
  readonly settling: Settling
  readonly tombstones: TombstoneRecords
  readonly ledger: Ledger
  /** The gateway delivers what is told here. */
  readonly events: Events
  /** Wherever the settings put it. */
  readonly isOwn: IsOwn
}

export type WorkplaceConfig = HomeConfig & Pick<Config, 'database' | 'diskReserveBytes' | 'jwtPublicKeyFile' | 'readThroughDirs'> & Partial<Pick<Config, 'webhook' | 'isReadOnly'>>

type Options = {
  /** The command, for those who find its heartbeat. */
  readonly work: string
  /** No gateway and no other command may run meanwhile. */
  readonly isExclusive?: boolean
  /** It writes to neither volume nor database, and so works where neither takes writes. */
  readonly onlyReads?: boolean
  /** Hears why nothing happens while it is watched whether another process lives. */
  readonly progress?: Pick<Progress, 'say'>
  readonly fs?: FileSystem
  readonly now?: () => Date
}

/**
 * Does `work` with the volume and the database of `config`, and closes them.
 * @throws Refusal, ConfigError when they are not there, do not belong together or are in use by one that must be alone
 */
export const atWork = <T>(config: WorkplaceConfig, options: Options, use: (workplace: Workplace) => Promise<T>): Promise<T> =>
  atHome(config, options.fs, (fs) => withDatabase(config, { ...options, fs }, use))

async function withDatabase<T> (config: WorkplaceConfig, options: Options & Required<Pick<Options, 'fs'>>, use: (workplace: Workplace) => Promise<T>): Promise<T> {
  // The command line lets nothing else through then.
  const { isReadOnly = false } = config
  const { onlyReads = isReadOnly, progress = silent, fs } = options
  await refuseAbsent(fs, config)
  await refuseForeignRoot(fs, config.uploadsDir)
  const retreat = onlyReads ? createRetreat(fs, progress) : undefined
  try {
    const { database, address } = await openReadable(fs, config.database, retreat, isReadOnly)
    try {
      return await onVolume(config, { ...options, fs, progress }, { database, address, retreat }, use)
    } finally {
      await database.close()
    }
  } finally {
    await retreat?.close()
  }
}

type Opened = Pick<Workplace, 'database' | 'address'> & { readonly retreat: Retreat | undefined }

async function onVolume<T> (config: WorkplaceConfig, options: Options & Required<Pick<Options, 'fs' | 'progress'>>, { database, address, retreat }: Opened, use: (workplace: Workplace) => Promise<T>): Promise<T> {
  const { work, isExclusive = false, progress, fs, now = () => new Date() } = options
  const { client } = database
  const root = config.uploadsDir
  const volume = createVolumeRecord(client)
  const claimant = await volume.claimant({ name: nameOf(config.database), onlyReads: retreat !== undefined })
  const storage = await openStorage({ fs, root, reserveBytes: config.diskReserveBytes, known: await volume.known(), claimant, secondLedger: config.erasureLedger, alone: appendingAlone(database), role: { work, isExclusive }, retreat: retreat?.home, onWait: ([other]) => progress.say(`Watching for up to 90 seconds whether ${other?.work} of another host or container still runs on this volume.`) })
  try {
    const tombstones = createTombstoneRecords({ client, tombstones: storage.tombstones, hash: storage.hash, now })
    const settling = createSettling({ client, store: storage.store, now })
    const ledger = createLedger({ client, settling, entomb: tombstones.entomb, now })
    const events = createEvents({ hash: storage.hash, now, isWanted: config.webhook !== undefined || await hasWebhook(client) })
    const kept = openSecrets(database, config.databaseFile)
    const secrets = config.isReadOnly === true ? { ...kept, ...withoutMaking(kept) } : kept
    return await use({ fs, root, now, events, database, address, client, secrets, storage, tombstones, ledger, settling, isOwn: await findOwnFiles(fs, { ...config, root }) })
  } finally {
    await storage.staging.close()
  }
}

/** A command never makes a volume or a database: it would hide that the right one is missing. */
async function refuseAbsent (fs: FileSystem, { uploadsDir, database }: WorkplaceConfig): Promise<void> {
  if (!await isThere(fs, join(uploadsDir, identityFile))) throw new Refusal(`There is no uploads volume at ${homeName(fs, uploadsDir)}: it has no ${identityFile}. ${fs.objects === undefined ? 'Set UPLOADS_DIR to the volume' : homeRemedy(fs, 'the volume')}; the gateway makes one at its first start, and "restore" brings one back.`)
  const absence = database.kind === 'sqlite' ? `There is no database at ${database.file}` : `${nameOf(database)} holds no tables of the gateway`
  if (!await isMade(fs, database)) throw new Refusal(`${absence}. Set DATABASE_URL to where it is, or make it anew from the volume with "upload-gateway rebuild".`)
}

/** Whether there is a database of a gateway, of whatever version. @throws Refusal, ConfigError when that cannot be told */
export const isMade = async (fs: FileSystem, address: DatabaseAddress): Promise<boolean> =>
  address.kind === 'sqlite' ? isThere(fs, address.file) : (await import('../records/postgres/tables.ts')).hasTables(address.url)

/** @throws Refusal when this user may not know */
export async function isThere (fs: Pick<FileSystem, 'stat'>, path: string): Promise<boolean> {
  try {
    await fs.stat(path)
    return true
  } catch (error) {
    const code = errnoOf(error)
    if (code === 'ENOENT' || code === 'ENOTDIR') return false
    throw new Refusal(`${path} cannot be looked at (${code ?? 'unknown'}). Run this as the user that runs the gateway, and see that the disk is in order.`, { cause: error })
  }
}
