// Erasing a user from the command line. What the receipt proves later is checked elsewhere.
import type { JWK } from 'jose'
import { asUserId } from '../callers/caller.ts'
import { copiesBeside, removeUnfinished } from '../records/leftovers.ts'
import type { FileSystem } from '../storage/fs.ts'
import { openReceipts } from '../users/receipt.ts'
import type { Earlier, ErasureService } from '../users/erasure.ts'
import type { Erased } from '../users/schema.ts'
import { erasureAt, requireLedger } from '../users/service.ts'
import { createKnownAccounts, type KnownAccounts } from './explain/records.ts'
import { normalEmail } from './explain/subject.ts'
import type { Finding } from './finding.ts'
import type { Progress } from './progress.ts'
import { receiptHeldIn, writeReceipt, type HeldReceipt } from './receipt-file.ts'
import { Refusal } from './refusal.ts'
import { atWork, isThere, type WorkplaceConfig } from './workplace.ts'

export type EraseReport = {
  /** What all erasures of the user removed, this one and those before it. */
  readonly erased: Erased
  readonly receipt: string
  /** When all of it was erased already; null when this found something. */
  readonly erasedBefore: string | null
  /** Whether there was anything of the user, by now or before; an upload that was not finished is no file, and the receipt does not name it. */
  readonly hadAnything: boolean
  /** Where something of the user may be left. */
  readonly findings: readonly Finding[]
}

/**
 * Erases everything of `owner`, also beside a running gateway; `receiptFile` gets the receipt. One that has the receipt already, as
 * of a command that is run once more, is left as it is, and so is the user.
 * @throws Refusal, ConfigError, StorageUnavailable
 */
export async function eraseOwner (config: WorkplaceConfig, { owner, receiptFile, progress, fs: machine }: { owner: string, receiptFile?: string | undefined, progress: Progress, fs?: FileSystem }): Promise<EraseReport> {
  if (asUserId(owner) === undefined) throw new Refusal(`"${owner}" can be no user's id: it must be 1 to 128 of A-Z a-z 0-9 . _ : @ -, and not "me".`)
  return atWork(config, { work: 'erase', ...(machine && { fs: machine }) }, async (workplace) => {
    const { fs, root, client, secrets, storage: { erasures, hash } } = workplace
    const service = erasureAt(workplace)
    await refuseEmail(owner, service, createKnownAccounts(client))
    await requireLedger({ fs, root, secondPlace: config.erasureLedger, erasures })
    const receipts = await openReceipts(secrets)
    const earlier = await service.earlier(owner)
    if (receiptFile !== undefined) {
      const held = await receiptHeldIn(receiptFile, receipts)
      if (held !== undefined) {
        refuseOther(receiptFile, held, hash('owner', owner), earlier)
        return { ...held, erasedBefore: held.erased.at, hadAnything: isNamed(held.erased), findings: await copiesOf(fs, config) }
      }
    }
    progress.step('Erasing')
    const wasThere = await service.isAnythingOf(owner)
    const erased = await service.erase(owner, { isThorough: true })
    // What stays is a finding.
    await removeUnfinished(fs, config.databaseFile).catch(() => {})
    const receipt = await receipts.sign(erased)
    if (receiptFile !== undefined) await writeReceipt(receiptFile, receipt)
    return { erased, receipt, erasedBefore: erasedBefore(erased, earlier), hadAnything: wasThere || isNamed(erased), findings: await copiesOf(fs, config) }
  })
}

const isNamed = ({ blobs, counts: { accounts } }: Erased): boolean => blobs.length > 0 || accounts > 0

/** @throws Refusal when it is somebody's e-mail address, and there is nothing of a user with that id */
async function refuseEmail (owner: string, service: ErasureService, accounts: Pick<KnownAccounts, 'byEmail'>): Promise<void> {
  const id = await accounts.byEmail(normalEmail(owner))
  if (id === undefined || id === owner || await service.isAnythingOf(owner)) return
  const earlier = await service.earlier(owner)
  if (earlier !== undefined && isNamed(earlier.erased)) return
  throw new Refusal(`Nothing was erased: ${owner} is the e-mail address of an account, and the id of nobody who has anything here. The id of that account is ${id}: name that with --owner.`)
}

/** @throws Refusal unless the receipt names everything of this user */
function refuseOther (path: string, { erased }: HeldReceipt, owner: string, earlier: Earlier | undefined): void {
  if (erased.owner !== owner) throw new Refusal(`There is a file already at ${path}: the receipt of another user. Name another one for the receipt.`)
  const named = new Set(erased.blobs.map(({ id }) => id))
  const isComplete = earlier !== undefined && !earlier.isAnythingThere && earlier.erased.counts.accounts <= erased.counts.accounts && earlier.erased.blobs.every(({ id }) => named.has(id))
  if (!isComplete) throw new Refusal(`There is a file already at ${path}: the receipt of this user's erasure at ${erased.at}, and there is more to erase or to name by now. Name another one for the receipt.`)
}

function erasedBefore (erased: Erased, earlier: Earlier | undefined): string | null {
  const hasFound = earlier === undefined || earlier.isAnythingThere || earlier.erased.blobs.length < erased.blobs.length
  return hasFound ? null : earlier.erased.at
}

/** Other copies of the database, which nothing is erased in. */
export async function copiesOf (fs: FileSystem, { database, databaseFile }: Pick<WorkplaceConfig, 'database' | 'databaseFile'>): Promise<Finding[]> {
  // Where the rows are in PostgreSQL, a file is what they were copied from, or made into.
  const own = database.kind === 'postgresql' && await isThere(fs, databaseFile) ? [databaseFile] : []
  const paths = [...own, ...await copiesBeside(fs, databaseFile)]
  return paths.map((path) => ({ problem: 'erased-present', path, detail: path === databaseFile ? 'This is the embedded database from before the records were moved to PostgreSQL: it may still name the erased user.' : 'This copy of the database lies beside it, as a rebuild or a restore left it: it may still name the erased user.', mend: 'Delete this file.' }))
}

/** What receipts are checked with elsewhere. */
export async function receiptKey (config: WorkplaceConfig): Promise<JWK> {
  return atWork(config, { work: 'erase' }, async ({ secrets }) => (await openReceipts(secrets)).publicKey)
}
