// The erasures that all ledgers within reach know of a volume: its own, the second place, those of backups, and named files.
import { join } from 'node:path'
import { createErasures, ledgerPlaces, type Erasure, type LedgerPlace } from '../../storage/erasures.ts'
import type { FileSystem } from '../../storage/fs.ts'
import type { KeyedHash } from '../../storage/keyed-hash.ts'
import { createDurable } from '../../storage/volume/durable.ts'
import { erasuresFile } from '../../storage/volume/layout.ts'
import type { Finding } from '../finding.ts'
import { Refusal } from '../refusal.ts'
import type { WorkplaceConfig } from '../workplace.ts'
import type { FoundSnapshot } from './snapshots.ts'

export type Ledgers = {
  readonly erasures: readonly Erasure[]
  /** Every place that has a ledger. */
  readonly paths: readonly string[]
  /** Another place than the backup has one that knows at least what the backup knows: only there are erasures that came after it. */
  readonly isCurrent: boolean
  /** A sentence about each that may be the wrong one, or an old one. */
  readonly doubts: readonly string[]
  /** Those with lines that cannot be read. */
  readonly damaged: readonly Finding[]
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
  const found = (await Promise.all(paths.map((path) => read(fs, hash, path)))).flat().filter(({ isThere }) => isThere)
  const isThere = new Set(found.map(({ path }) => path))
  const absent = required.find((path) => !isThere.has(path))
  if (absent !== undefined) throw new Refusal(`The ledger of erasures ${absent} is not there, so nobody knows who was erased since. ${absent === config.erasureLedger ? 'Mount the place that ERASURE_LEDGER names; or, if it is lost, unset it for this run' : 'Name it where it is'}.`)
  const outside = found.filter(({ path }) => !own.includes(path) && !copies.includes(path))
  return {
    erasures: [...new Map(found.flatMap(({ erasures }) => erasures).map((erasure) => [erasure.id, erasure])).values()],
    paths: [...isThere],
    ...trust(outside, found.filter((one) => !outside.includes(one))),
    damaged: found.flatMap(({ path, damagedLines }) => damagedLedger(path, damagedLines)),
  }
}

/**
 * What a backup knows, its volume knew: a ledger that knows less is older, or of another volume. Where the backup knows of no erasure, one without
 * any may be right, and in most such cases is: there never was one. One that has those of other volumes alone is not taken for that.
 */
function trust (outside: readonly Found[], own: readonly Found[]): Pick<Ledgers, 'isCurrent' | 'doubts'> {
  const known = [...idsIn(own)]
  const lacking = new Map(outside.map((one) => {
    const its = idsIn([one])
    return [one.path, known.filter((id) => !its.has(id)).length]
  }))
  const strange = outside.filter(({ count, ofOthers }) => count === 0 && ofOthers > 0).map(({ path }) => path)
  const isCurrent = outside.some(({ path }) => lacking.get(path) === 0 && !strange.includes(path))
  const doubts = outside.flatMap(({ path, count }) => {
    if (lacking.get(path) !== 0) return [`The ledger of erasures ${path} ${count === 0 ? 'has none of this volume, but the backup knows of some' : `does not know ${lacking.get(path)} of those that the backup knows`}: it is an old one, or of another volume.`]
    return strange.includes(path) && !isCurrent ? [`The ledger of erasures ${path} has those of other volumes alone, and none of this one.`] : []
  })
  return { isCurrent, doubts }
}

const idsIn = (ledgers: readonly Found[]): Set<string> => new Set(ledgers.flatMap(({ erasures }) => erasures).map(({ id }) => id))

/** A finding when there are such lines. */
export function damagedLedger (path: string, damagedLines: number): Finding[] {
  if (damagedLines === 0) return []
  return [{ problem: 'ledger-damaged', path, detail: `${damagedLines === 1 ? 'One line' : `${damagedLines} lines`} of this ledger of erasures cannot be read: nobody knows who is erased by that.`, mend: 'Put a whole copy of it in its place, and run this again.' }]
}

type Found = LedgerPlace & { readonly erasures: readonly Erasure[] }

async function read (fs: FileSystem, hash: KeyedHash, path: string): Promise<Found[]> {
  const durable = createDurable({ fs, onSyncFailure: () => {} })
  const { erasures, places } = await createErasures({ fs, durable, paths: [path], hash }).read().catch((error: unknown) => {
    throw new Refusal(`A ledger of erasures cannot be read, so nobody could tell who must stay erased: ${error instanceof Error ? error.message : String(error)}. Make it readable and run this again.`, { cause: error })
  })
  return places.map((place) => ({ ...place, erasures }))
}
