// Which rows change, told as they do: whoever remembers one forgets it then, and nobody has to think of it where rows are changed.
import type { Database as Connection } from 'better-sqlite3'
import { createRowReader, type RowReader } from './row-reader.ts'

/** What a row is told of as: a blob, all that is an avatar of a user, an attachment, an account; any erasure. */
export type RowName = `${'blob' | 'avatars' | 'attachment' | 'account'} ${string}` | 'erasures'

export type RowChanges = {
  /** `listener` hears of each row that this process changes, before that is committed. */
  hear (listener: (name: RowName) => void): void
  /** Whether another process has changed anything since this was last asked. */
  haveOthersChanged (): boolean
  /** Of the same connection. */
  readonly reader: RowReader
}

/** `name` and `when` are expressions upon the row as ROW. */
const watched = [
  { table: 'Blob', name: '\'blob \' || ROW."id"' },
  { table: 'Blob', name: '\'avatars \' || ROW."ownerId"', when: 'ROW."kind" = \'avatar\' AND ROW."ownerId" IS NOT NULL' },
  { table: 'Avatar', name: '\'avatars \' || ROW."userId"' },
  { table: 'Attachment', name: '\'attachment \' || ROW."id"' },
  { table: 'Account', name: '\'account \' || ROW."id"' },
  { table: 'Erasure', name: '\'erasures\'' },
] as const satisfies ReadonlyArray<{ table: string, name: string, when?: string }>

/** An update tells of the row as it was, and as it is. */
const events = [['INSERT', 'NEW'], ['UPDATE', 'OLD'], ['UPDATE', 'NEW'], ['DELETE', 'OLD']] as const

/**
 * By triggers that this connection alone has, and that call back: half a microsecond for each row. What others commit, SQLite counts
 * (https://sqlite.org/pragma.html#pragma_data_version): asking takes a microsecond, and is done once for what comes at once on a connection.
 */
export function watchRows (connection: Connection): RowChanges {
  const listeners: ((name: RowName) => void)[] = []
  connection.function('noted', { directOnly: false }, (name: unknown) => {
    for (const listener of listeners) listener(name as RowName)
    return null
  })
  for (const [index, { table, name, ...rest }] of watched.entries()) {
    for (const [event, row] of events) {
      const of = (expression: string) => expression.replaceAll('ROW.', `${row}.`)
      const when = 'when' in rest ? `WHEN ${of(rest.when)}` : ''
      connection.exec(`CREATE TEMP TRIGGER "noted_${index}_${event}_${row}" AFTER ${event} ON main."${table}" ${when} BEGIN SELECT noted(${of(name)}); END`)
    }
  }
  return { hear: (listener) => { listeners.push(listener) }, haveOthersChanged: countingOthers(connection), reader: createRowReader(connection) }
}

/** For a connection that changes nothing itself. */
export const watchOthers = (connection: Connection): RowChanges => ({ hear () {}, haveOthersChanged: countingOthers(connection), reader: createRowReader(connection) })

function countingOthers (connection: Connection): () => boolean {
  const version = connection.prepare('PRAGMA data_version').pluck()
  /** Undefined when SQLite cannot tell. */
  const versionNow = () => {
    try {
      return version.get()
    } catch {
      return undefined
    }
  }
  let seen: unknown
  let isAsked = false
  return () => {
    if (isAsked) return false
    isAsked = true
    // What a connection brings next may have been sent after a change by another.
    queueMicrotask(() => { isAsked = false })
    const now = versionNow()
    if (now !== undefined && now === seen) return false
    seen = now
    return true
  }
}
