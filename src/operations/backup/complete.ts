// The rest of a snapshot once its database and manifest are final: identity, journals and keys, and the proof of it all.
import { join } from 'node:path'
import { openSnapshot } from '../../records/snapshot.ts'
import { volumeHash } from '../../storage/erasures.ts'
import type { FileSystem } from '../../storage/fs.ts'
import type { KeyedHash } from '../../storage/keyed-hash.ts'
import type { Sidecar } from '../../storage/sidecar.ts'
import { createTombstones, tombstonesFor } from '../../storage/tombstones.ts'
import { createDurable } from '../../storage/volume/durable.ts'
import { erasuresFile, identityFile, tombstonesFile } from '../../storage/volume/layout.ts'
import { version } from '../../version.ts'
import type { Finding } from '../finding.ts'
import type { Workplace } from '../workplace.ts'
import { backUpKeys } from './keys.ts'
import { databaseCopy, format, manifestFile, snapshotFile } from './layout.ts'
import { damagedLedger } from './ledgers.ts'
import { uniteLines } from './lines.ts'
import { hashFile, type Hashed } from './regular-file.ts'
import { encodeSnapshotRecord, type SnapshotRecord } from './snapshot-record.ts'

type Completed = {
  readonly record: SnapshotRecord
  /** Paths in the snapshot; the last makes it one. */
  readonly files: readonly string[]
}

type CompletedBackup = Completed & {
  /** Of the ledger of erasures. */
  readonly ledgerFindings: readonly Finding[]
}

type Task = {
  readonly workplace: Pick<Workplace, 'fs' | 'root' | 'storage' | 'secrets' | 'now'>
  readonly work: string
  readonly createdAt: Date
  readonly withKeys: boolean
  readonly erased: readonly Sidecar[]
  readonly findings: number
}

export async function completeSnapshot ({ workplace, work, createdAt, withKeys, erased, findings }: Task): Promise<CompletedBackup> {
  const { fs, root, secrets, storage: { erasures, hash }, now } = workplace
  await createDurable({ fs, onSyncFailure: () => {} }).writeNew(join(work, identityFile), await fs.readFile(join(root, identityFile), 'utf8'))
  const { places } = await erasures.read()
  const hasLedger = places.some(({ isThere }) => isThere)
  const journals = createJournals(fs, work)
  if (hasLedger) await journals.unite(erasuresFile, places.map(({ path }) => path))
  await journals.unite(tombstonesFile, [join(root, tombstonesFile)])
  await journals.entomb(erased, hash, now())
  const keys = withKeys ? await backUpKeys(secrets, work) : []
  const files = [databaseCopy, manifestFile, identityFile, ...hasLedger ? [erasuresFile] : [], tombstonesFile, ...keys]
  const proved = await proveSnapshot(fs, work, files, { createdAt: createdAt.toISOString(), findings, volume: volumeHash(hash) })
  return { ...proved, ledgerFindings: places.flatMap(({ path, damagedLines }) => damagedLedger(path, damagedLines)) }
}

/** The journals of a snapshot in the folder `work`. */
export function createJournals (fs: FileSystem, work: string) {
  const durable = createDurable({ fs, onSyncFailure: () => {} })
  return {
    unite: (file: string, sources: readonly string[]): Promise<void> => uniteLines({ fs, durable, target: join(work, file), sources }),
    /** What an erasure leaves of the old paths and sources of what it takes. */
    entomb: (erased: readonly Sidecar[], hash: KeyedHash, at: Date): Promise<void> =>
      createTombstones({ fs, durable, root: work }).add(erased.flatMap((sidecar) => tombstonesFor(hash, sidecar)), at),
  }
}

/** Writes snapshot.json for `files`, as they are now. */
export async function proveSnapshot (fs: FileSystem, work: string, files: readonly string[], known: Pick<SnapshotRecord, 'createdAt' | 'findings' | 'volume'>): Promise<Completed> {
  const hashes: Record<string, Hashed> = {}
  for (const file of files) hashes[file] = await hashFile(fs, join(work, file))
  const record: SnapshotRecord = { format, gateway: version, ...known, ...totalsIn(join(work, databaseCopy)), files: hashes }
  await fs.rm(join(work, snapshotFile), { force: true })
  await createDurable({ fs, onSyncFailure: () => {} }).writeNew(join(work, snapshotFile), encodeSnapshotRecord(record))
  return { record, files: [...files, snapshotFile] }
}

function totalsIn (file: string): { blobs: number, bytes: number } {
  const snapshot = openSnapshot(file)
  try {
    return snapshot.totals()
  } finally {
    snapshot.close()
  }
}
