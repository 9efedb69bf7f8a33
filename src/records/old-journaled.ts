// What the database that a rebuild replaces says of matters whose place is in journals on the volume, should those be lost; and whose
// an attachment id was. Changes nothing.
import { floorKey } from './owners.ts'
import { isCount, isText, openOld, reasonOf, rowsAfter, timeIn, using, type Connection, type OldRow } from './old-database.ts'

export type OldErasure = { readonly id: string, readonly epoch: number, readonly owner: string, readonly at: string }

export type OldJournaled = {
  readonly erasures: readonly OldErasure[]
  /** Of owners, by keyed hash: the epoch of their last erasure. */
  readonly owners: ReadonlyMap<string, number>
  readonly tombstones: readonly string[]
  /** What the epoch is not lower than. */
  readonly epochFloor: number
  /** Why this may not be all. */
  readonly failure: string | undefined
}

export const nothingJournaled: OldJournaled = { erasures: [], owners: new Map(), tombstones: [], epochFloor: 0, failure: undefined }

type Found = { erasures: OldErasure[], owners: Map<string, number>, tombstones: string[], epochFloor: number, failure: string | undefined }

/** All that can be read of it. */
export function journaledIn (file: string): OldJournaled {
  const found: Found = { erasures: [], owners: new Map(), tombstones: [], epochFloor: 0, failure: undefined }
  let damaged = 0
  const each = (connection: Connection, table: 'Erasure' | 'Owner' | 'Tombstone', take: (row: OldRow) => boolean) => {
    for (let after = -1, rows = rowsAfter(connection, table, after); rows.length > 0; rows = rowsAfter(connection, table, after)) {
      for (const row of rows) if (!take(row)) damaged += 1
      after = rows.at(-1)?.rowid ?? after
    }
  }
  try {
    using(openOld(file), (connection) => {
      found.epochFloor = floorIn(connection)
      each(connection, 'Erasure', (row) => takeErasure(found, row))
      each(connection, 'Owner', (row) => takeOwner(found, row))
      each(connection, 'Tombstone', ({ key }) => isText(key) && found.tombstones.push(key) > 0)
    })
    if (damaged > 0) found.failure = `${damaged} of its rows are damaged`
  } catch (error) {
    found.failure = reasonOf(error)
  }
  return found
}

function takeErasure ({ erasures }: Found, { id, epoch, ownerKey, createdAt }: OldRow): boolean {
  const at = timeIn(createdAt)
  if (!isText(id) || !isCount(epoch) || epoch === 0 || !isText(ownerKey) || at === undefined) return false
  erasures.push({ id, epoch, owner: ownerKey, at: at.toISOString() })
  return true
}

function takeOwner ({ owners }: Found, { key, epoch }: OldRow): boolean {
  if (!isText(key) || !isCount(epoch)) return false
  if (epoch > 0) owners.set(key, epoch)
  return true
}

function floorIn (connection: Connection): number {
  const floor = Number(connection.prepare<[string], string>('SELECT value FROM Setting WHERE key = ?').pluck().get(floorKey) ?? 0)
  return isCount(floor) ? floor : 0
}

/** Which blob has this attachment id there; undefined when none has, or it cannot be read. */
export function holderIn (file: string): (recordId: string) => string | undefined {
  return (recordId) => {
    try {
      return using(openOld(file), (connection) => connection.prepare<[string], string>('SELECT blobId FROM Attachment WHERE id = ?').pluck().get(recordId))
    } catch {
      return undefined
    }
  }
}
