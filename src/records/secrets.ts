// Where the secrets of a gateway are kept: beside the embedded database, or in PostgreSQL, so that all who share it agree.
import { dirname } from 'node:path'
import { ConfigError } from '../config.ts'
import type { SecretName, Secrets } from '../secrets.ts'
import { secretFiles } from '../storage/secret-files.ts'
import type { Database, PrismaClient } from './database.ts'
import { isTaken, querying } from './failures.ts'

/** Of the settings that are secrets: no copy of the database has them. */
export const secretKeyPrefix = 'secret:'

const keyOf = (name: SecretName): string => secretKeyPrefix + name

/** `databaseFile`: of the embedded database; with PostgreSQL it is not looked at. */
export const openSecrets = ({ kind, client }: Pick<Database, 'kind' | 'client'>, databaseFile: string): Secrets =>
  kind === 'postgresql' ? secretRows(client) : secretFiles(dirname(databaseFile))

/** Rows of settings, each made by whoever comes first. */
export function secretRows (client: PrismaClient): Secrets {
  const find = async (name: SecretName): Promise<string | undefined> =>
    (await querying(() => client.setting.findUnique({ where: { key: keyOf(name) } })))?.value

  async function keep (name: SecretName, value: string): Promise<boolean> {
    try {
      await querying(() => client.setting.create({ data: { key: keyOf(name), value } }))
      return true
    } catch (error) {
      if (isTaken(error)) return false
      throw error
    }
  }

  return {
    find,
    keep,
    async get ({ name, make, isWhole, purpose }) {
      let found = await find(name)
      if (found === undefined) {
        await keep(name, await make())
        // Whoever was first is right.
        found = await find(name)
      }
      if (found !== undefined && isWhole(`${found}\n`)) return found
      throw new ConfigError(`${purpose} cannot be read: the setting ${keyOf(name)} of the database holds no whole secret. Delete that row, and a new one is made.`)
    },
    placeOf: (name) => `setting ${keyOf(name)} in the database`,
  }
}
