// The embedded database as a file of its own: copied at one moment while others write, checked, read and pruned.
import BetterSqlite3 from 'better-sqlite3'
import type { Erasure } from '../storage/erasures.ts'
import type { BlobId } from '../storage/ids.ts'
import type { KeyedHash } from '../storage/keyed-hash.ts'
import type { Sidecar } from '../storage/sidecar.ts'

/** Others may be in the middle of a commit. */
const busyTimeoutMs = 30_000

const idsPerQuery = 500

/** What belongs to the file besides it; one left by another database would be read into it. */
export const companions: readonly string[] = ['-wal', '-shm', '-journal']

/** States without a file that counts: on the way out, or gone. */
const withFile = "state NOT IN ('purging', 'swept')"

/** Copies the database `source` as it is at one moment into the new file `target`; in WAL mode nobody waits for it. */
export function takeSnapshot (source: string, target: string): void {
  withConnection(new BetterSqlite3(source, { readonly: true, fileMustExist: true, timeout: busyTimeoutMs }), (connection) => {
    connection.prepare('VACUUM INTO ?').run(target)
  })
}

/** What SQLite finds wrong with the file; empty when it is sound. */
export function faultsIn (file: string): string[] {
  try {
    return withConnection(new BetterSqlite3(file, { readonly: true, fileMustExist: true }), (connection) => {
      const rows = connection.pragma('integrity_check') as Array<{ integrity_check: string }>
      return rows.map((row) => row.integrity_check).filter((text) => text !== 'ok')
    })
  } catch (error) {
    return [error instanceof Error ? error.message : String(error)]
  }
}

/** The part of a blob's row that a manifest must agree with. */
export type SnapshotRow = Pick<Sidecar, 'id' | 'kind' | 'extension' | 'state' | 'ownerId' | 'size' | 'sha256' | 'revision' | 'epoch'>

/** For reading only, also from a medium that cannot be written. */
export function openSnapshot (file: string) {
  const connection = new BetterSqlite3(file, { readonly: true, fileMustExist: true })
  return {
    /** By id. */
    rows: (): IterableIterator<SnapshotRow> => connection.prepare<[], SnapshotRow>(`SELECT id, kind, extension, state, ownerId, size, sha256, revision, epoch FROM Blob WHERE ${withFile} ORDER BY id`).iterate(),
    totals: () => connection.prepare<[], { blobs: number, bytes: number }>(`SELECT count(*) AS blobs, coalesce(sum(size), 0) AS bytes FROM Blob WHERE ${withFile}`).get() ?? { blobs: 0, bytes: 0 },
    /** Those of `ids` that have a row with a file. */
    known: (ids: readonly BlobId[]): Set<string> => new Set(groups(ids).flatMap((group) =>
      connection.prepare<BlobId[], string>(`SELECT id FROM Blob WHERE ${withFile} AND id IN (${group.map(() => '?').join()})`).pluck().all(...group))),
    close (): void { connection.close() },
  }
}

/** Deletes the rows of these blobs, and with them their records and old URLs, without a trace in the file. */
export function dropBlobs (file: string, ids: readonly BlobId[]): void {
  if (ids.length === 0) return
  withConnection(new BetterSqlite3(file), (connection) => {
    prune(connection, () => {
      const remove = connection.prepare('DELETE FROM Blob WHERE id = ?')
      for (const id of ids) remove.run(id)
    })
  })
}

/** The ids of blobs that one of the erasures erases. */
export function erasedIn (file: string, erasures: readonly Erasure[], hash: KeyedHash): Set<BlobId> {
  const epochs = lastEpochs(erasures)
  if (epochs.size === 0) return new Set()
  return withConnection(new BetterSqlite3(file, { readonly: true, fileMustExist: true }), (connection) => {
    const owners = connection.prepare<[], string>('SELECT DISTINCT ownerId FROM Blob WHERE ownerId IS NOT NULL').pluck().all()
    const blobs = connection.prepare<[string, number], BlobId>('SELECT id FROM Blob WHERE ownerId = ? AND epoch < ?').pluck()
    return new Set(owners.flatMap((owner) => blobs.all(owner, epochs.get(hash('owner', owner)) ?? 0)))
  })
}

/** Deletes the embedded accounts of erased owners, without a trace in the file. Returns how many. */
export function dropErasedAccounts (file: string, erasures: readonly Erasure[], hash: KeyedHash): number {
  const epochs = lastEpochs(erasures)
  if (epochs.size === 0) return 0
  return withConnection(new BetterSqlite3(file), (connection) => {
    const ids = connection.prepare<[], string>('SELECT id FROM Account').pluck().all().filter((id) => epochs.has(hash('owner', id)))
    if (ids.length === 0) return 0
    prune(connection, () => {
      const remove = connection.prepare('DELETE FROM Account WHERE id = ?')
      for (const id of ids) remove.run(id)
    })
    return ids.length
  })
}

function lastEpochs (erasures: readonly Erasure[]): Map<string, number> {
  const epochs = new Map<string, number>()
  for (const { owner, epoch } of erasures) epochs.set(owner, Math.max(epoch, epochs.get(owner) ?? 0))
  return epochs
}

/** One file, without companions, so that it can be read from where nothing can be written. */
export function settleInOneFile (file: string): void {
  withConnection(new BetterSqlite3(file), (connection) => { connection.pragma('journal_mode = DELETE') })
}

function prune (connection: BetterSqlite3.Database, remove: () => void): void {
  connection.pragma('secure_delete = ON')
  connection.pragma('journal_mode = DELETE')
  connection.pragma('foreign_keys = ON')
  connection.transaction(remove)()
  connection.exec('VACUUM')
}

function withConnection<T> (connection: BetterSqlite3.Database, use: (connection: BetterSqlite3.Database) => T): T {
  try {
    return use(connection)
  } finally {
    connection.close()
  }
}

function groups<T> (items: readonly T[]): T[][] {
  return Array.from({ length: Math.ceil(items.length / idsPerQuery) }, (_, index) => items.slice(index * idsPerQuery, (index + 1) * idsPerQuery))
}
