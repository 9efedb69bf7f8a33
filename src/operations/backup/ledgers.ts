// The erasures that all ledgers within reach know of a volume: its own, the second place, those of backups, and named files.
import { join } from 'node:path'
import { createErasures, ledgerPlaces, type Erasure, type Erasures } from '../../storage/erasures.ts'
import type { FileSystem } from '../../storage/fs.ts'
import type { KeyedHash } from '../../storage/keyed-hash.ts'
import { createDurable } from '../../storage/volume/durable.ts'
import { erasuresFile } from '../../storage/volume/layout.ts'
import type { WorkplaceConfig } from '../workplace.ts'
import { Refusal } from '../refusal.ts'
import type { FoundSnapshot } from './snapshots.ts'

export type Ledgers = {
  readonly erasures: readonly Erasure[]
  /** Every place that has a ledger. */
  readonly paths: readonly string[]
  /** Another place than the backup itself: only there are erasures that came after it. */
  readonly isCurrent: boolean
}

type Task = {
  readonly fs: FileSystem
  readonly hash: KeyedHash
  readonly config: Pick<WorkplaceConfig, 'uploadsDir' | 'erasureLedger'>
  /** Named on the command line. */
  readonly named: readonly string[]
  /** Further places that need not be there. */
  readonly others?: readonly string[]
  /** Places whose ledger came from this backup. */
  readonly copies?: readonly string[]
  readonly snapshots: readonly FoundSnapshot[]
}

/** @throws Refusal when a ledger that was named, or ERASURE_LEDGER, cannot be read */
export async function readLedgers ({ fs, hash, config, named, others = [], copies = [], snapshots }: Task): Promise<Ledgers> {
  const required = [...named, ...config.erasureLedger === undefined ? [] : [config.erasureLedger]]
  const own = snapshots.map(({ root }) => join(root, erasuresFile))
  const paths = [...new Set([...ledgerPlaces(config.uploadsDir, config.erasureLedger), ...others, ...named, ...own])]
  const { erasures, places } = await read(createErasures({ fs, durable: createDurable({ fs, onSyncFailure: () => {} }), paths, hash }))
  const isThere = new Set(places.filter((place) => place.isThere).map(({ path }) => path))
  const absent = required.find((path) => !isThere.has(path))
  if (absent !== undefined) throw new Refusal(`The ledger of erasures ${absent} is not there, so nobody knows who was erased since. ${absent === config.erasureLedger ? 'Mount the place that ERASURE_LEDGER names; or, if it is lost, unset it for this run' : 'Name it where it is'}.`)
  return { erasures, paths: paths.filter((path) => isThere.has(path)), isCurrent: paths.some((path) => isThere.has(path) && !own.includes(path) && !copies.includes(path)) }
}

async function read (erasures: Erasures): ReturnType<Erasures['read']> {
  return erasures.read().catch((error: unknown) => {
    throw new Refusal(`A ledger of erasures cannot be read, so nobody could tell who must stay erased: ${error instanceof Error ? error.message : String(error)}. Make it readable and run this again.`, { cause: error })
  })
}
