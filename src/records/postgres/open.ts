// Opens a PostgreSQL database: looks at the server, migrates, and hands out one Prisma client over a pool of connections.
import pg from 'pg'
import { PrismaClient as PostgresClient } from '../../generated/postgresql/client.ts'
import type { Database, PrismaClient } from '../database.ts'
import { newerSentence, shippedMigrations, type Migrated } from '../migrations.ts'
import { throughPrisma } from '../statements.ts'
import { PostgresAdapter } from './adapter.ts'
import { connectionTo, nameOf, schemaIn } from './connection.ts'
import { migrate, requireMigrated, shippedFolder } from './migrations.ts'
import { refusalOf } from './refusals.ts'
import { refuseUnfit } from './server.ts'
import { PoolConnection } from './pool-connection.ts'
import { watchSilence } from './silence.ts'
import { createTurns } from './turns.ts'

/** Until one of the connections is free; under load that is a queue. */
const freeConnectionMs = 8_000
const idleMs = 30_000
/** So that none outlives a change of the server's settings, or of where its name leads, for long. */
const longestLifeSeconds = 1800

const transactionMs = 30_000

type Options = { url: string, /** What named it, for people. */ setting?: string | undefined, connections: number, /** Not migrated, and no connection can write. */ isReadOnly?: boolean | undefined, warn?: ((message: string) => void) | undefined }

/**
 * Opens and migrates the PostgreSQL database at `url`, over at most so many `connections`.
 * @throws ConfigError when it cannot be used, with what to do
 */
export async function openPostgres ({ url, setting, connections, isReadOnly = false, warn = () => {} }: Options): Promise<Database> {
  const newer = newerSentence((await prepare(url, setting, isReadOnly)).newer)
  if (newer !== undefined) warn(newer)
  const pool = new pg.Pool({
    ...connectionTo(url, { isReadOnly }), max: connections, connectionTimeoutMillis: freeConnectionMs, idleTimeoutMillis: idleMs, maxLifetimeSeconds: longestLifeSeconds,
    // Typed as if it took nothing.
    Client: PoolConnection as unknown as new () => pg.Client,
    // Awaited; typed as if it were not.
    onConnect: async (client) => { Object.assign(client, { backend: await refuseUnfit(client, nameOf(url), isReadOnly, setting) }) },
  })
  // A connection that breaks while it is idle is no longer in the pool, and nobody's failure.
  pool.on('error', () => {})
  const silence = watchSilence(pool, url)
  const client = new PostgresClient({ adapter: new PostgresAdapter(pool, { schema: schemaIn(url) }), transactionOptions: { maxWait: freeConnectionMs, timeout: transactionMs } })
  return {
    kind: 'postgresql',
    // The same models make the same client.
    client: client as unknown as PrismaClient,
    ...throughPrisma(client as unknown as PrismaClient),
    exclusively: createTurns(url),
    async check () { await client.setting.findFirst({ select: { key: true } }) },
    async close () {
      await client.$disconnect()
      await silence.stop()
    },
  }
}

async function prepare (url: string, setting: string | undefined, isReadOnly: boolean): Promise<Migrated> {
  try {
    const client = new pg.Client(connectionTo(url, { isPatient: true, isReadOnly, setting }))
    // What breaks the connection also fails the question that is under way.
    client.on('error', () => {})
    try {
      await client.connect()
      await refuseUnfit(client, nameOf(url), isReadOnly, setting)
      return await (isReadOnly ? requireMigrated : migrate)(client, shippedMigrations(shippedFolder))
    } finally {
      await client.end()
    }
  } catch (error) {
    throw refusalOf(url, error, setting)
  }
}
