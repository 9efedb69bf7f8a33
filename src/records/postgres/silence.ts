// Finds connections on which nothing comes any more, as when a firewall forgot them or a host is gone without a word, and gives them up. A statement that only takes long is left alone.
import type pg from 'pg'
import { connectionTo } from './connection.ts'
import type { Backend } from './server.ts'
import { PoolConnection } from './pool-connection.ts'

const tickMs = 1_000
/** Without a byte of an answer. */
const silentMs = 4_000
/** Of the server to a fresh connection, from its beginning. */
const answerMs = 3_000
const farewellMs = 2_000

type Seen = { bytes: number, /** When something came. */ heardAt: number, /** Since when it waits with nothing coming. */ silentSince: number }

type Silence = { stop (): Promise<void> }

export function watchSilence (pool: pg.Pool, url: string): Silence {
  const connections = new Map<PoolConnection, Seen>()
  pool.on('connect', (client) => {
    if (client instanceof PoolConnection) connections.set(client, { bytes: client.bytesRead, heardAt: performance.now(), silentSince: performance.now() })
  })
  pool.on('remove', (client) => {
    if (client instanceof PoolConnection) connections.delete(client)
  })

  function listen (): PoolConnection[] {
    const now = performance.now()
    for (const [connection, seen] of connections) {
      if (connection.bytesRead !== seen.bytes) [seen.bytes, seen.heardAt, seen.silentSince] = [connection.bytesRead, now, now]
      if (!connection.isWaiting) seen.silentSince = now
    }
    return [...connections].filter(([, { silentSince }]) => now - silentSince >= silentMs).map(([connection]) => connection)
  }

  async function look (): Promise<void> {
    const silent = listen()
    if (silent.length === 0) return
    const working = await workingOn(url, silent.map(({ backend }) => backend))
    // What was answered meanwhile is heard by now.
    const lost = listen().filter((connection) => silent.includes(connection) && !working(connection.backend))
    const begun = Math.min(...lost.map((connection) => connections.get(connection)?.silentSince ?? Infinity))
    // Nor do those say anything that have rested since before: each would cost somebody the same wait.
    for (const [connection, { heardAt }] of connections) if (lost.includes(connection) || (!connection.isWaiting && heardAt <= begun)) connection.giveUp()
  }

  let looking: Promise<void> | undefined
  const timer = setInterval(() => { looking ??= look().finally(() => { looking = undefined }) }, tickMs).unref()

  return {
    /** For when the pool is ending: what does not end by itself is given up. */
    async stop () {
      clearInterval(timer)
      const impatience = setTimeout(() => { for (const connection of connections.keys()) connection.giveUp() }, farewellMs)
      await pool.end()
      clearTimeout(impatience)
    },
  }
}

/** Where track_activities is off the server does not tell: it may be at work then. */
const atWork = `SELECT "pid", "backend_start"::text AS "since" FROM "pg_stat_activity"
  WHERE "pid" = ANY($1) AND "state" IN ('active', 'disabled') AND "wait_event" IS DISTINCT FROM 'ClientWrite'`

/** Whether the server is at a statement of such a connection, asked over a fresh one. */
async function workingOn (url: string, backends: readonly Backend[]): Promise<(backend: Backend) => boolean> {
  const connection = new PoolConnection(connectionTo(url))
  connection.on('error', () => {})
  const impatience = setTimeout(() => connection.giveUp(), answerMs)
  try {
    await connection.connect()
    const { rows } = await connection.query<Backend>(atWork, [backends.map(({ pid }) => pid)])
    return ({ pid, since }) => rows.some((row) => row.pid === pid && row.since === since)
  } catch (error) {
    // With a severity it is the server that speaks, which may have no connection left: nobody knows.
    const isAnswered = error instanceof Error && 'severity' in error
    return () => isAnswered
  } finally {
    clearTimeout(impatience)
    connection.end().catch(() => {})
  }
}
