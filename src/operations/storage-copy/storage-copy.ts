// Copies a deployment's home to another one, beside gateways at work: identity, blobs with sidecars, journals and segments. The records stay where
// they are, and the old home as it is.
import type { Config } from '../../config.ts'
import { nameOf } from '../../records/address.ts'
import { appendingAlone, openDatabase, type Database } from '../../records/database.ts'
import { createInventory } from '../../records/inventory.ts'
import { createLedger } from '../../records/ledger.ts'
import { createSettling } from '../../records/sidecars.ts'
import { createVolumeRecord } from '../../records/volume.ts'
import { fileSystem } from '../../storage/fs.ts'
import type { openObjects } from '../../storage/objects/open.ts'
import type { Finding } from '../finding.ts'
import type { Progress } from '../progress.ts'
import { Refusal } from '../refusal.ts'
import { readErased } from '../verify/erased.ts'
import { isMade } from '../workplace.ts'
import { copyBlobs } from './blobs.ts'
import { removeGone } from './gone.ts'
import { copyJournals } from './journals.ts'
import { copySegments } from './segments.ts'
import { withSides, type Named, type OpenSide, type SidesConfig } from './sides.ts'

export type StorageCopyReport = {
  /** For people: without credentials. */
  readonly from: string
  readonly to: string
  /** Whose files were looked at. */
  readonly records: number
  /** Blobs that were brought, and their bytes. */
  readonly files: number
  readonly bytes: number
  /** Of blobs that were there already, or changed meanwhile. */
  readonly sidecars: number
  readonly segments: number
  readonly segmentBytes: number
  /** Of the journals. */
  readonly lines: number
  /** Blobs that were in the new home, and are gone since. */
  readonly removed: number
  /** Files without a record in the new home that the sweep of the gateways takes in time, unless they are of uploads at work. */
  readonly left: number
  /** Nothing had to be done: both homes had the same when this looked. */
  readonly isSame: boolean
  readonly findings: readonly Finding[]
  /** So many more there are than are listed. */
  readonly moreFindings: number
  readonly seconds: number
}

export type StorageCopyConfig = SidesConfig & Pick<Config, 'database' | 'databaseFile' | 'sweepGraceMs' | 'sweepMaxPercent'>

type Options = { readonly from: Named, readonly to: Named, readonly progress: Progress, readonly open?: typeof openObjects, readonly now?: () => Date }

/** To PostgreSQL. */
const connections = 4

/** What was erased just now counts too: here it is asked of what has no row any more. */
const anHourMs = 3_600_000

/** Safe to kill at any moment: run again, it goes on where it was. @throws Refusal, ConfigError with what to do */
export async function copyStorage (config: StorageCopyConfig, options: Options): Promise<StorageCopyReport> {
  if (!await isMade(fileSystem, config.database)) throw new Refusal(`There is no database at ${nameOf(config.database)}, and it says what is to be copied. Set DATABASE_URL to that of the gateway.`)
  const database = await openDatabase({ address: config.database, requireMount: false, connections })
  try {
    const volume = createVolumeRecord(database.client)
    const { volumeId } = await volume.known()
    const claimant = await volume.claimant({ name: nameOf(config.database), onlyReads: true })
    return await withSides(config, { ...options, volumeId, claimant }, (source, target) => copyBetween(source, target, database, config, options))
  } finally {
    await database.close()
  }
}

async function copyBetween (source: OpenSide, target: OpenSide, database: Database, { sweepGraceMs, sweepMaxPercent }: StorageCopyConfig, { progress, now = () => new Date() }: Options): Promise<StorageCopyReport> {
  const startedAt = performance.now()
  const { client } = database
  const lines = await copyJournals(source, target, appendingAlone(database))
  const { findings, ...copied } = await copyBlobs({ source, target, inventory: createInventory(client), progress })
  const segments = await copySegments(source, target, { client, progress })
  const settling = createSettling({ client, store: target.storage.store, now })
  const ledger = createLedger({ client, settling, entomb: async () => {}, now })
  const gone = await removeGone({ source, target, ledger, isErased: await readErased({ storage: target.storage, now: () => new Date(now().getTime() + anHourMs) }), graceMs: sweepGraceMs, maxPercent: sweepMaxPercent, now, progress })
  return {
    from: source.name, to: target.name, ...copied, ...segments, lines, ...gone,
    isSame: copied.files + copied.sidecars + segments.segments + lines + gone.removed === 0,
    findings: findings.list, moreFindings: findings.count() - findings.list.length,
    seconds: Math.round(performance.now() - startedAt) / 1000,
  }
}
