// The SQLite side of Prisma, made durable and made safe: settings that are read back, and one transaction at a time.
import { setTimeout } from 'node:timers/promises'
import type { ColumnDefinition, Database, Statement } from 'better-sqlite3'
import { LRUCache } from 'lru-cache'
import { PrismaBetterSqlite3 } from '@prisma/adapter-better-sqlite3'
import type { SqlDriverAdapter, SqlQuery, Transaction, IsolationLevel } from '@prisma/driver-adapter-utils'

/** SQLite's own waiting stops the whole process: it is for the start. */
const startBusyTimeoutMs = 5000
/** Afterwards a busy database is asked again: a command beside the gateway, on a machine that has no time for it, may hold it for seconds. */
const usuallyBusyForMs = 15_000
const longestPauseMs = 50

/** Each with the value that reading it back must give. synchronous 2 is FULL: a commit survives a power cut. */
const settings = [
  { pragma: 'journal_mode = WAL', name: 'journal_mode', expected: 'wal' },
  { pragma: 'synchronous = FULL', name: 'synchronous', expected: '2' },
  { pragma: 'foreign_keys = ON', name: 'foreign_keys', expected: '1' },
  // What was erased is overwritten.
  { pragma: 'secure_delete = ON', name: 'secure_delete', expected: '1' },
  { pragma: `busy_timeout = ${startBusyTimeoutMs}`, name: 'busy_timeout', expected: String(startBusyTimeoutMs) },
] as const

/**
 * Sets what durability needs on a fresh connection, and reads it back: better-sqlite3 drops to synchronous=NORMAL when
 * it reopens a WAL file.
 * @throws Error naming the setting that did not hold.
 */
export function harden (connection: Database): void {
  for (const { pragma, name, expected } of settings) {
    connection.pragma(pragma)
    const actual = connection.pragma(name, { simple: true })
    // As text: Prisma's adapter makes this connection read integers as BigInt.
    if (String(actual) !== expected) throw new Error(`SQLite did not take "${pragma}": it says ${String(actual)}. Acknowledged uploads would not be durable.`)
  }
}

/** The connection, and how to have it: alone, within a transaction, until the function that comes of it is called, which rolls back whatever is open then; or for one step between others. */
export type Connected = { readonly connection: Database, alone (): Promise<() => void>, between<T> (step: () => Promise<T>): Promise<T> }

type BetterSqlite3Adapter = SqlDriverAdapter & { readonly client: Database }

/**
 * The stock adapter has one connection, and a query made while a transaction is open runs inside it: what was
 * acknowledged is gone when that transaction rolls back (800 of 800 in a test). Here everything else waits its turn.
 */
export class DurableSqlite extends PrismaBetterSqlite3 {
  readonly #busyForMs: number
  readonly #onConnected: (connected: Connected) => void

  /** `busyForMs`: how long a database that another process holds is asked again. `onConnected` has the one connection before Prisma does. */
  constructor (options: ConstructorParameters<typeof PrismaBetterSqlite3>[0], { busyForMs = usuallyBusyForMs, onConnected = () => {} }: { busyForMs?: number | undefined, onConnected?: (connected: Connected) => void } = {}) {
    super(options)
    this.#busyForMs = busyForMs
    this.#onConnected = onConnected
  }

  override async connect (): Promise<SqlDriverAdapter> {
    const adapter = await super.connect() as BetterSqlite3Adapter
    harden(adapter.client)
    adapter.client.pragma('busy_timeout = 0')
    this.#onConnected({ connection: adapter.client, ...takeTurns(adapter, this.#busyForMs) })
    prepareOnce(adapter.client)
    return adapter
  }
}

/** The stock adapter, for a connection that changes nothing. */
export class ViewedSqlite extends PrismaBetterSqlite3 {
  readonly #onConnected: (connection: Database) => void

  constructor (options: ConstructorParameters<typeof PrismaBetterSqlite3>[0], onConnected: (connection: Database) => void) {
    super(options)
    this.#onConnected = onConnected
  }

  override async connect (): Promise<SqlDriverAdapter> {
    const adapter = await super.connect() as BetterSqlite3Adapter
    this.#onConnected(adapter.client)
    return adapter
  }
}

/** Puts everything that is asked of the adapter in line. */
function takeTurns (adapter: BetterSqlite3Adapter, busyForMs: number): Omit<Connected, 'connection'> {
  const patiently = createPatience(busyForMs)
  const turns = createTurns()
  const begin = ownBegin(adapter.client)
  const between = <T>(step: () => Promise<T>) => patiently(() => turns.between(step))
  const alone = () => patiently(() => turns.alone(begin, () => closeTransaction(adapter.client)))
  const { startTransaction, queryRaw, executeRaw, executeScript } = adapter
  adapter.startTransaction = async (isolationLevel?: IsolationLevel) => {
    const leave = await alone()
    try {
      return ending(adapter.client, await startTransaction.call(adapter, isolationLevel), leave)
    } catch (error) {
      leave()
      throw error
    }
  }
  adapter.queryRaw = (query) => between(() => queryRaw.call(adapter, query))
  adapter.executeRaw = (query) => between(() => executeRaw.call(adapter, query))
  adapter.executeScript = (script) => turns.between(() => executeScript.call(adapter, script))
  return { alone, between }
}

/** Another process has the database: asked again, without holding up this one, until it has taken too long. */
function createPatience (busyForMs: number) {
  return async <T>(step: () => Promise<T>): Promise<T> => {
    // From the first time it was busy: before that, others of this process had their turns.
    let deadline: number | undefined
    for (let pauseMs = 1; ; pauseMs = Math.min(pauseMs * 2, longestPauseMs)) {
      try {
        return await step()
      } catch (error) {
        deadline ??= performance.now() + busyForMs
        if (!isBusy(error) || performance.now() > deadline) throw error
        await setTimeout(pauseMs)
      }
    }
  }
}

/** As better-sqlite3 says it, or as the adapter does. */
function isBusy (error: unknown): boolean {
  const { code, cause } = error as { code?: unknown, cause?: { originalCode?: unknown } }
  return /^SQLITE_BUSY/.test(String(code ?? cause?.originalCode))
}

/**
 * Immediate, because a deferred transaction that reads first cannot wait for the write lock; and issued here, because
 * the stock adapter keeps its own mutex for ever when BEGIN fails.
 */
function ownBegin (connection: Database): () => void {
  const prepare = connection.prepare.bind(connection)
  const begin = prepare('BEGIN IMMEDIATE')
  const nothing = prepare('SELECT 1')
  connection.prepare = ((sql: string) => sql === 'BEGIN' ? { run: () => nothing.get() } : prepare(sql)) as typeof connection.prepare
  return () => { begin.run() }
}

/** Statements that are kept prepared: a few kilobytes each. */
const mostPrepared = 200

/**
 * The stock adapter prepares each statement anew, which takes as long as running it. It binds the values, asks whether and which columns
 * there are, and runs: that is all that can be done with what this gives it.
 */
function prepareOnce (connection: Database): void {
  const prepare = connection.prepare.bind(connection)
  const prepared = new LRUCache<string, { statement: Statement<unknown[]>, columns: ColumnDefinition[] }>({ max: mostPrepared })

  function find (sql: string) {
    const known = prepared.get(sql)
    if (known !== undefined) return known
    const statement = prepare<unknown[]>(sql)
    const found = { statement, columns: statement.reader ? statement.columns() : [] }
    prepared.set(sql, found)
    return found
  }

  connection.prepare = ((sql: string) => {
    if (sql === 'BEGIN') return prepare(sql)
    const { statement, columns } = find(sql)
    return {
      bind: (values: unknown[]) => ({
        reader: statement.reader,
        columns: () => columns,
        run: () => statement.run(values),
        raw: () => ({ all: () => statement.raw(true).all(values) }),
      }),
    }
  }) as unknown as typeof connection.prepare
}

/** Whatever failed, also COMMIT (prisma/orm#29933): a transaction that stays open would take with it what others write. */
function closeTransaction (connection: Database): void {
  if (connection.inTransaction) connection.exec('ROLLBACK')
}

function ending (connection: Database, transaction: Transaction, leave: () => void): Transaction {
  const { commit, rollback, executeRaw } = transaction
  transaction.commit = async () => { try { await commit.call(transaction) } finally { leave() } }
  transaction.rollback = async () => { try { await rollback.call(transaction) } finally { leave() } }
  transaction.executeRaw = async (query: SqlQuery) => {
    if (query.sql !== 'ROLLBACK') return executeRaw.call(transaction, query)
    // SQLite itself has rolled back on a full disk; the error of a second ROLLBACK would hide the one that matters.
    closeTransaction(connection)
    return 0
  }
  return transaction
}

/**
 * First come, first served: one holder alone, or single steps in between. A step is started within its turn, not a
 * microtask later, because better-sqlite3 does its work at once: nothing can slip into a transaction begun meanwhile.
 */
function createTurns () {
  let isHeld = false
  const waiting: Array<{ isAlone: boolean, start: () => void }> = []
  const next = () => {
    while (!isHeld) {
      const first = waiting.shift()
      if (first === undefined) return
      isHeld = first.isAlone
      first.start()
    }
  }
  const inTurn = <T>(isAlone: boolean, step: () => T | Promise<T>) => new Promise<T>((resolve, reject) => {
    const start = () => {
      try {
        resolve(step())
      } catch (error) {
        if (isAlone) isHeld = false
        reject(error)
      }
    }
    waiting.push({ isAlone, start })
    next()
  })
  return {
    between: <T>(step: () => Promise<T>) => inTurn(false, step),
    /** Runs `begin` and holds until the function it returns is called, which runs `end`; calling that again does nothing. */
    async alone (begin: () => void, end: () => void): Promise<() => void> {
      await inTurn(true, begin)
      let hasLeft = false
      return () => {
        if (hasLeft) return
        hasLeft = true
        try {
          end()
        } finally {
          isHeld = false
          next()
        }
      }
    },
  }
}
