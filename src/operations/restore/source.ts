// The backup that is restored: the snapshot proved as far as it says of itself, and the ledgers that say who was erased since.
import { join } from 'node:path'
import { volumeHash } from '../../storage/erasures.ts'
import type { FileSystem } from '../../storage/fs.ts'
import { identityAt } from '../../storage/identity.ts'
import { createKeyedHash } from '../../storage/keyed-hash.ts'
import { erasuresFile, identityFile } from '../../storage/volume/layout.ts'
import { readLedgers, type Ledgers } from '../backup/ledgers.ts'
import { compareRows } from '../backup/rows.ts'
import type { SnapshotRecord } from '../backup/snapshot-record.ts'
import { chooseSnapshot, findSnapshots, type FoundSnapshot } from '../backup/snapshots.ts'
import { verifySnapshotFiles } from '../backup/verify.ts'
import type { Progress } from '../progress.ts'
import { Refusal } from '../refusal.ts'
import type { WorkplaceConfig } from '../workplace.ts'

export type Source = {
  readonly dir: string
  readonly snapshot: FoundSnapshot & { readonly record: SnapshotRecord }
  readonly ledgers: Ledgers
}

export type SourceOptions = {
  readonly fs: FileSystem
  readonly dir: string
  readonly name: string | undefined
  readonly config: Pick<WorkplaceConfig, 'uploadsDir' | 'erasureLedger'>
  /** The volume that is filled: it may have a ledger. */
  readonly root: string
  /** Its ledger, if any, is what an interrupted restore of this backup wrote. */
  readonly isLedgerOwn: boolean
  readonly named: readonly string[]
  readonly withoutLedger: boolean
  readonly progress: Progress
}

/** @throws Refusal when the snapshot is damaged, or nobody can tell who was erased */
export async function openSource ({ fs, dir, name, config, root, isLedgerOwn, named, withoutLedger, progress }: SourceOptions): Promise<Source> {
  const { record, ...snapshot } = await chooseSnapshot(fs, dir, name)
  const snapshots = await findSnapshots(fs, dir)
  const faults = await verifySnapshotFiles(fs, dir, { ...snapshot, record }, progress)
  if (faults.length === 0) faults.push(...(await compareRows(fs, dir, snapshot.root)).list)
  const [fault] = faults
  if (fault !== undefined || record === undefined) throw new Refusal(`The snapshot ${snapshot.name} is damaged: ${fault?.path}: ${fault?.detail} Nothing was restored. ${alternatives(snapshots, snapshot.name)}`)
  const identity = await identityAt(fs, snapshot.root)
  const hash = createKeyedHash(identity?.volumeId ?? '')
  if (volumeHash(hash) !== record.volume) throw new Refusal(`The snapshot ${snapshot.name} is of another volume than its ${identityFile} says. Use another copy of this backup.`)
  // Of the whole backup: a later snapshot knows later erasures.
  const ledgers = await readLedgers({ fs, hash, config: withoutLedger ? { ...config, erasureLedger: undefined } : config, named, others: [join(root, erasuresFile)], copies: isLedgerOwn ? [join(root, erasuresFile)] : [], snapshots })
  if (ledgers.paths.length === 0 && !withoutLedger) throw new Refusal('No ledger of erasures was found: neither on the volume, nor in the backup, nor in ERASURE_LEDGER. Whoever was erased would come back. Name one with --ledger FILE; or, if nobody ever was, say --without-ledger.')
  return { dir, snapshot: { ...snapshot, record }, ledgers }
}

function alternatives (snapshots: readonly FoundSnapshot[], name: string): string {
  const others = snapshots.map((one) => one.name).filter((other) => other !== name)
  return others.length === 0 ? 'Use another copy of this backup.' : `Use another copy of this backup, or with --snapshot another snapshot: ${others.slice(-5).join(', ')}.`
}
