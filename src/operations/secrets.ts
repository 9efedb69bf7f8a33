// The secrets of a gateway for commands that need nothing else of it. A database is opened only where they are kept in one.
import { dirname } from 'node:path'
import type { Config } from '../config.ts'
import type { Secrets } from '../secrets.ts'
import { secretFiles } from '../storage/secret-files.ts'

export type SecretsConfig = Pick<Config, 'database' | 'databaseFile'>

/** `isKept`: some are brought there; else they are only read. @throws ConfigError when the database cannot be opened */
export async function withSecrets<T> ({ database, databaseFile }: SecretsConfig, use: (secrets: Secrets) => Promise<T>, { isKept = false } = {}): Promise<T> {
  return database.kind === 'sqlite' ? use(secretFiles(dirname(databaseFile))) : (await import('../records/postgres/secrets.ts')).withSecretRows({ url: database.url, isReadOnly: !isKept }, use)
}
