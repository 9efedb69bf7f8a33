// Whether a PostgreSQL database is one of a gateway's. Makes and changes nothing.
import pg from 'pg'
import { connectionTo } from './connection.ts'
import { refusalOf } from './refusals.ts'

/** @throws ConfigError when it cannot be reached */
export async function hasTables (url: string): Promise<boolean> {
  const client = new pg.Client(connectionTo(url))
  client.on('error', () => {})
  try {
    await client.connect()
    const { rows: [row] } = await client.query<{ is: boolean }>('SELECT to_regclass(\'"_prisma_migrations"\') IS NOT NULL AND to_regclass(\'"Blob"\') IS NOT NULL AS "is"')
    return row?.is === true
  } catch (error) {
    throw refusalOf(url, error)
  } finally {
    await client.end().catch(() => {})
  }
}
