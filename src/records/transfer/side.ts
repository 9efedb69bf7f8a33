// One side of a transfer, whichever database it is: what it holds, with rows in one spelling, and how rows go in. Copies nothing.
import { requiredKey } from '../migrations.ts'
import { secretKeyPrefix } from '../secrets.ts'
import { databaseKey } from '../volume.ts'

/** `whole`: an integer of either width. */
export type ColumnKind = 'text' | 'whole' | 'boolean' | 'time'

export type Column = { readonly name: string, readonly kind: ColumnKind }

export type Table = {
  readonly name: string
  /** In the order of their names, which is the same on all sides. */
  readonly columns: readonly Column[]
  /** The column of its primary key. */
  readonly key: string
  /** Tables that its rows point at. */
  readonly references: readonly string[]
}

/** A cell for each column: text as it is, numbers in decimal, true or false, times in ISO 8601 with milliseconds, in UTC. */
export type Row = ReadonlyArray<string | null>

/** As it is at one moment, while others write. */
export type Source = {
  readonly tables: readonly Table[]
  /** Some hundreds at a time: text keys in the order of their bytes, numbers in theirs. */
  rows (table: Table): AsyncIterable<Row[]>
  /** By table: the last number that was given to a row by counting. */
  counters (): Promise<ReadonlyMap<string, string>>
  close (): Promise<void>
}

/** All that is done to it becomes so with the commit, or not at all; nobody else is at it meanwhile. */
export type Target = Source & {
  /** Removes every row but the settings of its own. */
  clear (): Promise<void>
  insert (table: Table, rows: readonly Row[]): Promise<void>
  /** Nothing where the database does not count. */
  setCounter (table: string, last: string): Promise<void>
  setSetting (key: string, value: string): Promise<void>
  /** Durable when it returns. @throws CommitUnknown when it may have been done all the same; after every other error it was not */
  commit (): Promise<void>
}

/** Why a transfer cannot be: sentences. */
export class NotTransferable extends Error {
  override name = 'NotTransferable'
}

/** The commit was asked for, and nobody could be asked since whether it was done: sentences that name the database. */
export class CommitUnknown extends Error {
  override name = 'CommitUnknown'
}

/** Secrets, which database it is, and what the migrations of the one say of it: no part of what is transferred. */
export const isOwnSetting = (key: string): boolean => key.startsWith(secretKeyPrefix) || ownKeys.includes(key)

const ownKeys: readonly string[] = [databaseKey, requiredKey]

/** The same in SQL. */
export const ownSettings = `"key" LIKE '${secretKeyPrefix}%' OR "key" IN (${ownKeys.map((key) => `'${key}'`).join()})`

/** The cells that are no more than the kind of their column says are of one spelling; anything else was put there by somebody. */
export function unlike (table: Table, { name, kind }: Column): NotTransferable {
  const kinds: Record<ColumnKind, string> = { text: 'text', whole: 'a whole number', boolean: 'true or false', time: 'a time' }
  return new NotTransferable(`The column ${name} of the table ${table.name} holds what is not ${kinds[kind]}: somebody changed it by hand.`)
}

export function timeCell (table: Table, column: Column, value: string | number): string {
  const time = new Date(value)
  if (Number.isNaN(time.getTime())) throw unlike(table, column)
  return time.toISOString()
}
