// The erasing of users on an opened volume, with all that it needs; and the ledger that it cannot do without.
import { ConfigError } from '../config.ts'
import type { PrismaClient } from '../records/database.ts'
import type { Events } from '../records/events.ts'
import { createMentions } from '../records/mentions.ts'
import { scrub } from '../records/scrub.ts'
import { createSettling } from '../records/sidecars.ts'
import { createUnfinished } from '../records/unfinished.ts'
import { ledgerPlaces } from '../storage/erasures.ts'
import type { FileSystem } from '../storage/fs.ts'
import type { Ledger } from '../storage/ledger.ts'
import type { Storage } from '../storage/open.ts'
import { createErasure, type ErasureService } from './erasure.ts'
import { createOrphans } from './orphans.ts'
import { createErasureRecords } from './records.ts'

export type ErasureSite = {
  readonly fs: FileSystem
  readonly root: string
  readonly client: PrismaClient
  readonly storage: Pick<Storage, 'store' | 'segments' | 'erasures' | 'hash' | 'staging'>
  readonly ledger: Ledger
  readonly now: () => Date
  /** Hears of every file that is erased. */
  readonly events?: Pick<Events, 'telling' | 'told'>
  /** Hears of each erasure that is asked for here, before anything is removed. */
  readonly begun?: () => void
}

export function erasureAt ({ fs, root, client, storage: { store, segments, erasures, hash, staging }, ledger, now, events, begun }: ErasureSite): ErasureService {
  return createErasure({
    records: createErasureRecords({ client, now, ...(events && { events }) }),
    orphans: createOrphans({ fs, root, store, ledger, hash }),
    store, erasures, hash, now,
    ...(begun && { begun }),
    entomb: ledger.entomb,
    mentions: createMentions({ client, settling: createSettling({ client, store, now }), hash, now }),
    unfinished: createUnfinished({ client, segments, hash }),
    removeDeadStaging: staging.removeDead,
    scrub: (options) => scrub(client, options),
  })
}

/**
 * Makes every place of the ledger of erasures that is missing, gives each what another has, and makes sure that it takes more.
 * @throws ConfigError
 */
export async function requireLedger ({ fs, root, secondPlace, erasures }: { fs: FileSystem, root: string, secondPlace: string | undefined, erasures: Storage['erasures'] }): Promise<void> {
  try {
    await erasures.reconcile()
    for (const path of ledgerPlaces(root, secondPlace)) await (await fs.open(path, 'a')).close()
  } catch (error) {
    // It says what to do.
    if (error instanceof ConfigError) throw error
    const reason = error instanceof Error ? error.message : String(error)
    throw new ConfigError(`The ledger of erasures cannot be used: ${reason}. Make ${ledgerPlaces(root, secondPlace).join(' and ')} a file that the gateway may read and write, in a folder that is there; without it, a restored backup would bring back who was erased.`, { cause: error })
  }
}
