// What a failed query means. Prisma's errors are wrapped here, once; beyond this folder nobody sees them.
import { DatabaseUnavailable, StorageFull } from '../errors.ts'
import { Prisma } from '../generated/prisma/client.ts'
import { retrying } from './retrying.ts'

const prismaCode = (error: unknown): string | undefined =>
  error instanceof Prisma.PrismaClientKnownRequestError ? error.code : undefined

type AdapterCause = { kind?: unknown, constraint?: { fields?: unknown } }

/** What Prisma's adapter made of what the database said. */
const adapterCause = (error: unknown): AdapterCause => (error as { meta?: { driverAdapterError?: { cause?: AdapterCause } } } | undefined)?.meta?.driverAdapterError?.cause ?? {}

/** As SQLite itself says it. */
const sqliteCode = (error: unknown): string => String((error as { code?: unknown } | undefined)?.code)

/** A compare-and-set found the row changed or gone. */
export const isStale = (error: unknown): boolean => prismaCode(error) === 'P2025'

/** A unique value, such as a primary key, is taken. */
export const isTaken = (error: unknown): boolean => prismaCode(error) === 'P2002' || adapterCause(error).kind === 'UniqueConstraintViolation' || /^SQLITE_CONSTRAINT_(UNIQUE|PRIMARYKEY)$/.test(sqliteCode(error))

/**
 * The transaction ended, as the database itself answered, because it would have left nothing in `column`. Also of an error that
 * `querying` has wrapped.
 */
export function breaks (error: unknown, column: string): boolean {
  const { cause, message } = (error ?? {}) as { cause?: unknown, message?: unknown }
  if (sqliteCode(error) === 'SQLITE_CONSTRAINT_NOTNULL') return String(message).endsWith(`.${column}`)
  const { kind, constraint } = adapterCause(error)
  if (kind === 'NullConstraintViolation') return Array.isArray(constraint?.fields) && constraint.fields.includes(column)
  return cause !== undefined && breaks(cause, column)
}

/** Awaits `query`; errors other than stale and taken become DatabaseUnavailable, or StorageFull on a full disk. */
export async function querying<T> (query: () => Promise<T>): Promise<T> {
  try {
    return await retrying(query)
  } catch (error) {
    if (isStale(error) || isTaken(error)) throw error
    throw isDiskFull(error) ? new StorageFull({ cause: error }) : new DatabaseUnavailable({ cause: error })
  }
}

/**
 * What to say of an error of Prisma's or of a driver: its own message shows the query, with values of rows such as e-mail
 * addresses. Undefined for others.
 */
export function databaseRefusal (error: unknown): string | undefined {
  if (!(error instanceof Error) || !/^(PrismaClient|DriverAdapter)/.test(error.name)) return undefined
  const { code } = error as { code?: unknown }
  return `The database refused what was asked of it (${[error.name, code, originalCodeOf(error)].filter((one) => typeof one === 'string').join(', ')}).`
}

/** SQLite says many things where it cannot write: that the disk is full, that it fails, that a file cannot be opened. */
export function writeFailure (error: unknown): boolean {
  const { code, cause, meta } = (error ?? {}) as { code?: unknown, cause?: { code?: unknown }, meta?: { driverAdapterError?: { cause?: { originalCode?: unknown } } } }
  return [code, cause?.code, meta?.driverAdapterError?.cause?.originalCode].some((one) => /^(SQLITE_(READONLY|CANTOPEN|FULL|IOERR)|EROFS|ENOSPC|EDQUOT)/.test(String(one)))
}

/** SQLITE_FULL, or PostgreSQL's 53100 disk_full. */
function isDiskFull (error: unknown): boolean {
  const text = error instanceof Error ? error.message : ''
  return originalCodeOf(error) === '53100' || /database or disk is full|disk quota exceeded/i.test(text)
}

/** Of the database itself, in what Prisma makes of it. */
function originalCodeOf (error: unknown): unknown {
  const { meta, cause } = (error ?? {}) as { meta?: { driverAdapterError?: { cause?: unknown } }, cause?: unknown }
  const { originalCode } = (meta?.driverAdapterError?.cause ?? cause ?? {}) as { originalCode?: unknown }
  return originalCode
}
