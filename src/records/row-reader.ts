// The rows that are asked for most, read from SQLite at once: through Prisma each takes twenty times as long.
import type { Database as Connection, Statement } from 'better-sqlite3'
import { Prisma } from '../generated/prisma/client.ts'

type Blob = Prisma.BlobGetPayload<object>

type Attachment = Prisma.AttachmentGetPayload<{ include: { blob: true } }>

/** As Prisma gives them; null where there is none. Undefined where this cannot tell: Prisma is to be asked. */
export type RowReader = {
  /** Not one that was deleted. */
  attachment (id: string): Attachment | null | undefined
  currentAvatar (userId: string): Blob | null | undefined
}

export const withoutReader: RowReader = { attachment: () => undefined, currentAvatar: () => undefined }

const columnsOf = (table: string, names: object): string => Object.keys(names).map((name) => `${table}."${name}"`).join(', ')

const blobColumns = columnsOf('blob', Prisma.BlobScalarFieldEnum)

const sql = {
  attachment: `SELECT ${columnsOf('attachment', Prisma.AttachmentScalarFieldEnum)}, ${blobColumns} FROM "Attachment" attachment JOIN "Blob" blob ON blob."id" = attachment."blobId" WHERE attachment."id" = ? AND attachment."deletedAt" IS NULL`,
  currentAvatar: `SELECT ${blobColumns} FROM "Avatar" avatar JOIN "Blob" blob ON blob."id" = avatar."blobId" WHERE avatar."userId" = ?`,
}

/** By the type that a column was declared with. Prisma's adapter has integers read as BigInt. */
const conversions: Record<string, (value: never) => unknown> = {
  DATETIME: (value: string | bigint) => new Date(typeof value === 'string' ? value : Number(value)),
  INTEGER: Number,
  BOOLEAN: Boolean,
}

type Column = { readonly table: string | null, readonly name: string, readonly convert: ((value: never) => unknown) | undefined }

type Prepared = { readonly statement: Statement<unknown[], unknown[]>, readonly columns: readonly Column[] }

export function createRowReader (connection: Connection): RowReader {
  const prepare = connection.prepare.bind(connection)

  function prepared (text: string): Prepared {
    const statement = prepare<unknown[], unknown[]>(text).safeIntegers(true)
    const columns = statement.columns().map(({ name, table, type }) => ({ name, table, convert: conversions[type ?? ''] }))
    return { statement: statement.raw(true), columns }
  }

  /** By name of the table. Undefined while a transaction is open, which may come to nothing, and when SQLite cannot answer, or not yet. */
  function reading (text: string) {
    let known: Prepared | undefined
    return (key: string): Record<string, Record<string, unknown>> | null | undefined => {
      if (connection.inTransaction) return undefined
      try {
        const { statement, columns } = known ??= prepared(text)
        const values = statement.get(key)
        return values === undefined ? null : rowsOf(columns, values)
      } catch {
        return undefined
      }
    }
  }

  const readAttachment = reading(sql.attachment)
  const readAvatar = reading(sql.currentAvatar)
  return {
    attachment (id) {
      const rows = readAttachment(id)
      return rows && { ...rows['Attachment'], blob: rows['Blob'] } as Attachment
    },
    currentAvatar (userId) {
      const rows = readAvatar(userId)
      return rows && rows['Blob'] as Blob
    },
  }
}

function rowsOf (columns: readonly Column[], values: readonly unknown[]): Record<string, Record<string, unknown>> {
  const rows: Record<string, Record<string, unknown>> = {}
  for (const [index, { table, name, convert }] of columns.entries()) {
    const value = values[index]
    const row = rows[table ?? ''] ??= {}
    row[name] = value === null || convert === undefined ? value : convert(value as never)
  }
  return rows
}
