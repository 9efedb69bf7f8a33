// What the server must be like, so that what it says is committed is there after a power cut: asked of it, as its settings are not the gateway's.
import type { ClientBase } from 'pg'
import { ConfigError } from '../../config.ts'

/** The oldest major version that its makers still mend. */
const oldestVersion = 14

const answerMs = 4_000

/** The process of the server behind a connection. Numbers are used again. */
export type Backend = { readonly pid: number, readonly since: string }

type Told = Backend & { version: string, number: number, commits: string, encoding: string, readonly: string, standby: boolean }

const question = `SELECT current_setting('server_version') AS "version", current_setting('server_version_num')::int AS "number",
  current_setting('synchronous_commit') AS "commits", current_setting('server_encoding') AS "encoding",
  current_setting('transaction_read_only') AS "readonly", pg_is_in_recovery() AS "standby",
  pg_backend_pid() AS "pid", (SELECT "backend_start"::text FROM "pg_stat_activity" WHERE "pid" = pg_backend_pid()) AS "since"`

/** Asked on each new connection: role, database and server may be set otherwise since. @throws ConfigError naming `where`, and `setting`, which named it */
export async function refuseUnfit (client: Pick<ClientBase, 'query'>, where: string, isReadOnly = false, setting = 'DATABASE_URL'): Promise<Backend> {
  const asked = { text: question, query_timeout: answerMs }
  const { rows: [told] } = await client.query<Told>(asked)
  if (told === undefined) throw new ConfigError(`${where} cannot be used: it says nothing of itself.`)
  const reason = unfitness(told) ?? (isReadOnly ? undefined : unfitnessToWrite(told, setting))
  if (reason !== undefined) throw new ConfigError(`${where} cannot be used: ${reason}`)
  return { pid: told.pid, since: told.since }
}

function unfitness ({ version, number, encoding }: Told): string | undefined {
  if (number < oldestVersion * 10_000) return `it is version ${version}, and ${oldestVersion} is the oldest that will do. Upgrade the server.`
  if (encoding !== 'UTF8') return `its encoding is ${encoding}, which cannot keep every name. Make one with ENCODING 'UTF8'.`
  return undefined
}

function unfitnessToWrite ({ commits, readonly, standby }: Told, setting: string): string | undefined {
  if (standby || readonly !== 'off') return `it takes no writes: it is a standby, or set to read only. Set ${setting} to the primary.`
  // What is acknowledged would be gone after a power cut.
  if (commits === 'off') return 'synchronous_commit is off there, so acknowledged uploads would not be durable. Set it to on for this server, database and user.'
  return undefined
}
