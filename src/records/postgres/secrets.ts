// The secrets that gateways on one PostgreSQL share, for who needs nothing else of it.
import type { Secrets } from '../../secrets.ts'
import { secretRows } from '../secrets.ts'
import { openPostgres } from './open.ts'

/** @throws ConfigError when the database cannot be opened, or has not all migrations and may not be changed */
export async function withSecretRows<T> ({ url, isReadOnly }: { url: string, isReadOnly: boolean }, use: (secrets: Secrets) => Promise<T>): Promise<T> {
  const database = await openPostgres({ url, connections: 1, isReadOnly })
  try {
    return await use(secretRows(database.client))
  } finally {
    await database.close()
  }
}
