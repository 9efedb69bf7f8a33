// Erasing a user from the command line. What the receipt proves later is checked elsewhere.
import { writeFile } from 'node:fs/promises'
import type { JWK } from 'jose'
import { asUserId } from '../callers/caller.ts'
import { copiesBeside, removeUnfinished } from '../records/leftovers.ts'
import type { FileSystem } from '../storage/fs.ts'
import { openReceipts, signingKeyFile } from '../users/receipt.ts'
import type { Erased } from '../users/schema.ts'
import { erasureAt, requireLedger } from '../users/service.ts'
import type { Finding } from './finding.ts'
import type { Progress } from './progress.ts'
import { Refusal } from './refusal.ts'
import { atWork, type WorkplaceConfig } from './workplace.ts'

export type EraseReport = {
  readonly erased: Erased
  readonly receipt: string
  /** Where something of the user may be left. */
  readonly findings: readonly Finding[]
}

/**
 * Erases everything of `owner`, also beside a running gateway; `receiptFile`, which must not be there yet, gets the receipt.
 * @throws Refusal, ConfigError, StorageUnavailable
 */
export async function eraseOwner (config: WorkplaceConfig, { owner, receiptFile, progress }: { owner: string, receiptFile?: string | undefined, progress: Progress }): Promise<EraseReport> {
  if (asUserId(owner) === undefined) throw new Refusal(`"${owner}" can be no user's id: it must be 1 to 128 of A-Z a-z 0-9 . _ : @ -, and not "me".`)
  return atWork(config, { work: 'erase' }, async (workplace) => {
    const { fs, root, storage: { erasures } } = workplace
    await requireLedger({ fs, root, secondPlace: config.erasureLedger, erasures })
    const receipts = await openReceipts(signingKeyFile(config.databaseFile))
    // Before anything goes: afterwards there would be nothing to write it of.
    if (receiptFile !== undefined) await takeFile(receiptFile)
    progress.step('Erasing')
    const erased = await erasureAt(workplace).erase(owner, { isThorough: true })
    // What stays is a finding.
    await removeUnfinished(fs, config.databaseFile).catch(() => {})
    const receipt = await receipts.sign(erased)
    if (receiptFile !== undefined) await writeFile(receiptFile, `${receipt}\n`, { flush: true })
    return { erased, receipt, findings: await copiesOf(fs, config.databaseFile) }
  })
}

/** Other copies of the database, which nothing is erased in. */
export async function copiesOf (fs: FileSystem, databaseFile: string): Promise<Finding[]> {
  const paths = await copiesBeside(fs, databaseFile)
  return paths.map((path) => ({ problem: 'erased-present', path, detail: 'This copy of the database lies beside it, as a rebuild or a restore left it: it may still name the erased user.', mend: 'Delete this file.' }))
}

async function takeFile (path: string): Promise<void> {
  await writeFile(path, '', { flag: 'wx', mode: 0o600 }).catch((error: NodeJS.ErrnoException) => {
    throw new Refusal(error.code === 'EEXIST' ? `There is a file already at ${path}. Name another one for the receipt.` : `The receipt cannot be written: ${error.message}.`, { cause: error })
  })
}

/** What receipts are checked with elsewhere. */
export async function receiptKey (config: WorkplaceConfig): Promise<JWK> {
  return atWork(config, { work: 'erase' }, async () => (await openReceipts(signingKeyFile(config.databaseFile))).publicKey)
}
