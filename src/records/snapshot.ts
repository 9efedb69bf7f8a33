// The embedded database as a file of its own: copied at one moment while others write, checked, read and pruned.
import BetterSqlite3 from 'better-sqlite3'
import type { Erasure } from '../storage/erasures.ts'
import type { BlobId } from '../storage/ids.ts'
import { remembering, type KeyedHash } from '../storage/keyed-hash.ts'
import type { Sidecar } from '../storage/sidecar.ts'
import { secretKeyPrefix } from './secrets.ts'
import { idsIn, joinIds } from './sidecars.ts'
import { databaseKey } from './volume.ts'

/** Others may be in the middle of a commit. */
const busyTimeoutMs = 30_000

const idsPerQuery = 500

/** Of use for a while, and full of names; the segments are in no backup either: no snapshot has any of it. */
export const passing: readonly string[] = ['Answer', 'Segment', 'Resumable']

/** What belongs to the file besides it; one left by another database would be read into it. */
export const companions: readonly string[] = ['-wal', '-shm', '-journal']

/** States without a file that counts: on the way out, or gone. */
const withFile = "state NOT IN ('purging', 'swept')"

/** Copies the database `source` as it is at one moment, but for what passes and for secrets, into the new file `target`; in WAL mode nobody waits for it. */
export function takeSnapshot (source: string, target: string): void {
  withConnection(new BetterSqlite3(source, { readonly: true, fileMustExist: true, timeout: busyTimeoutMs }), (connection) => {
    connection.prepare('VACUUM INTO ?').run(target)
  })
  withConnection(new BetterSqlite3(target), (connection) => {
    withoutTrace(connection, () => {
      for (const table of passing.filter((name) => hasTable(connection, name))) connection.exec(`DELETE FROM "${table}"`)
      if (hasTable(connection, 'Setting')) connection.prepare('DELETE FROM "Setting" WHERE substr("key", 1, ?) = ? OR "key" = ?').run(secretKeyPrefix.length, secretKeyPrefix, databaseKey)
    })
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
  const last = lastErasures(erasures)
  if (last.size === 0) return new Set()
  return withConnection(new BetterSqlite3(file, { readonly: true, fileMustExist: true }), (connection) => {
    const owners = connection.prepare<[], string>('SELECT DISTINCT ownerId FROM Blob WHERE ownerId IS NOT NULL').pluck().all()
    const blobs = connection.prepare<[string, number], BlobId>('SELECT id FROM Blob WHERE ownerId = ? AND epoch < ?').pluck()
    return new Set(owners.flatMap((owner) => blobs.all(owner, last.get(hash('owner', owner))?.epoch ?? 0)))
  })
}

/** Deletes the embedded accounts of erased owners, without a trace in the file. Returns how many. */
export function dropErasedAccounts (file: string, erasures: readonly Erasure[], hash: KeyedHash): number {
  const last = lastErasures(erasures)
  if (last.size === 0) return 0
  return withConnection(new BetterSqlite3(file), (connection) => {
    const ids = connection.prepare<[], string>('SELECT id FROM Account').pluck().all().filter((id) => last.has(hash('owner', id)))
    if (ids.length === 0) return 0
    prune(connection, () => {
      const remove = connection.prepare('DELETE FROM Account WHERE id = ?')
      for (const id of ids) remove.run(id)
    })
    return ids.length
  })
}

/** `count`: the places where somebody was named; `readers`: of blobs whose lists of them are shorter now, who is left. */
export type DroppedMentions = { readonly count: number, readonly readers: ReadonlyMap<string, string[]> }

/**
 * Takes erased users out of what is kept of others, without a trace in the file: out of lists of readers, the links that they made, and
 * what was to be told of their files. `isForGood`: also what was to be told of the erasures themselves, which names them.
 */
export function dropErasedMentions (file: string, erasures: readonly Erasure[], hash: KeyedHash, { isForGood = false } = {}): DroppedMentions {
  const last = lastErasures(erasures)
  return withConnection(new BetterSqlite3(file), (connection) => {
    // Older versions knew of none of this.
    if (last.size === 0 || !hasTable(connection, 'Event')) return { count: 0, readers: new Map() }
    const hashed = remembering(hash)
    const erasureOf = (userId: string) => last.get(hashed('owner', userId))
    const lists = connection.prepare<[], { blobId: string, readers: string, readersEpoch: number }>('SELECT blobId, readers, readersEpoch FROM Attachment WHERE readers IS NOT NULL')
    const readers = new Map<string, string[]>()
    for (const { blobId, readers: joined, readersEpoch } of lists.iterate()) {
      const named = idsIn(joined)
      const left = named.filter((id) => readersEpoch >= (erasureOf(id)?.epoch ?? 0))
      if (left.length < named.length) readers.set(blobId, left)
    }
    const made = connection.prepare<[], { id: string, creatorId: string, createdAt: string | number }>('SELECT id, creatorId, createdAt FROM Link').all()
    const links = made.filter(({ creatorId, createdAt }) => new Date(createdAt) <= new Date(erasureOf(creatorId)?.at ?? NaN))
    const told = `payload <> '' AND ownerKey = @owner AND (epoch < @epoch AND type NOT LIKE '%.erased'${isForGood ? " OR epoch <= @epoch AND type LIKE '%.erased'" : ''})`
    const events = connection.prepare<[Pick<Erasure, 'owner' | 'epoch'>], number>(`SELECT seq FROM Event WHERE ${told}`).pluck()
    const seqs = [...last.values()].flatMap(({ owner, epoch }) => events.all({ owner, epoch }))
    const count = readers.size + links.length + seqs.length
    if (count === 0) return { count, readers }
    prune(connection, () => {
      const shorten = connection.prepare('UPDATE Attachment SET readers = ? WHERE blobId = ?')
      for (const [blobId, left] of readers) shorten.run(joinIds(left), blobId)
      const remove = connection.prepare('DELETE FROM Link WHERE id = ?')
      for (const { id } of links) remove.run(id)
      // Those that wait keep their places in the line, as in the transaction of an erasure.
      const silence = connection.prepare("UPDATE Event SET payload = '' WHERE seq = ?")
      for (const seq of seqs) silence.run(seq)
      connection.exec("DELETE FROM Event WHERE payload = '' AND deadAt IS NOT NULL")
    })
    return { count, readers }
  })
}

/** Of each owner, by keyed hash, the last one. */
function lastErasures (erasures: readonly Erasure[]): Map<string, Erasure> {
  const last = new Map<string, Erasure>()
  for (const erasure of erasures) if (erasure.epoch > (last.get(erasure.owner)?.epoch ?? 0)) last.set(erasure.owner, erasure)
  return last
}

/** One file, without companions, so that it can be read from where nothing can be written. */
export function settleInOneFile (file: string): void {
  withConnection(new BetterSqlite3(file), (connection) => { connection.pragma('journal_mode = DELETE') })
}

const hasTable = (connection: BetterSqlite3.Database, name: string): boolean =>
  connection.prepare("SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = ?").get(name) !== undefined

function prune (connection: BetterSqlite3.Database, change: () => void): void {
  withoutTrace(connection, change)
  connection.exec('VACUUM')
}

/** Of a file that was just made by VACUUM: in one that was changed since, copies of parts of rows may be in unused space. */
function withoutTrace (connection: BetterSqlite3.Database, change: () => void): void {
  connection.pragma('secure_delete = ON')
  connection.pragma('journal_mode = DELETE')
  connection.pragma('foreign_keys = ON')
  connection.transaction(change)()
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
