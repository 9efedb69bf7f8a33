// The PostgreSQL side of Prisma: its adapter, which tells more of what went wrong.
import { PrismaPg } from '@prisma/adapter-pg'
import type { SqlDriverAdapter, SqlQuery, Transaction } from '@prisma/driver-adapter-utils'
import type pg from 'pg'

/** Statements that each connection keeps prepared, which takes memory of the server. */
const keptStatements = 500
const longestKeptText = 10_000
const mostKeptValues = 100

type Options = { readonly schema: string }

export class PostgresAdapter extends PrismaPg {
  constructor (pool: pg.Pool, { schema }: Options) {
    super(pool, { schema, statementNameGenerator: createNames() })
  }

  override async connect (): ReturnType<PrismaPg['connect']> {
    const adapter = mended(await super.connect())
    const { startTransaction } = adapter
    adapter.startTransaction = async (isolationLevel) => mended(await startTransaction.call(adapter, isolationLevel))
    return adapter
  }
}

const mended = <T extends SqlDriverAdapter | Transaction>(queryable: T): T => storing(telling(queryable))

/** PostgreSQL has no text with NUL in it. No name that is kept has one; a path or a field that is asked for may, and is that of nothing. */
function storing<T extends SqlDriverAdapter | Transaction> (queryable: T): T {
  const { queryRaw, executeRaw } = queryable
  queryable.queryRaw = async (query) => queryRaw.call(queryable, withoutNul(query))
  queryable.executeRaw = async (query) => executeRaw.call(queryable, withoutNul(query))
  return queryable
}

function withoutNul (query: SqlQuery): SqlQuery {
  const hasNul = query.args.some((arg) => typeof arg === 'string' && arg.includes('\0'))
  return hasNul ? { ...query, args: query.args.map((arg) => typeof arg === 'string' ? arg.replaceAll('\0', '\uFFFD') : arg) } : query
}

/** Those of lists are of any length: they would push out the others. An empty name keeps nothing. */
function createNames (): (query: SqlQuery) => string {
  const names = new Map<string, string>()
  return ({ sql, args }) => {
    const known = names.get(sql)
    if (known !== undefined) return known
    if (names.size >= keptStatements || sql.length > longestKeptText || args.length > mostKeptValues) return ''
    const name = `s${names.size}`
    names.set(sql, name)
    return name
  }
}

type Refused = { readonly code?: unknown, readonly severity?: unknown, readonly message?: unknown, readonly column?: unknown }

/** The stock adapter looks for the column of a broken NOT NULL where PostgreSQL says it of keys only. */
function telling<T extends SqlDriverAdapter | Transaction> (queryable: T): T {
  // Not public, but where each error of the driver passes.
  const inner = queryable as T & { onError (error: unknown): never }
  const { onError } = inner
  inner.onError = (error) => {
    const { code, severity, message, column } = (error ?? {}) as Refused
    return onError.call(inner, code === '23502' ? { code, severity, message, detail: `Key (${String(column)})` } : error)
  }
  return queryable
}
