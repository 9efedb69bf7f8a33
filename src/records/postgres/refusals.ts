// Why PostgreSQL cannot be used at the start, as a sentence that says what to do. Never shows the password.
import { ConfigError } from '../../config.ts'
import { nameOf } from './connection.ts'

type Failure = { readonly code?: unknown, readonly message?: unknown }

/** `setting`: what named the database, for people. */
type Sentence = (where: string, message: string, setting: string) => string

/** By SQLSTATE, or the code of the system. */
const byCode: Readonly<Record<string, Sentence>> = {
  ...same(['28P01'], (where, _message, setting) => `${where} refuses the password. Set the right one in ${setting}; characters such as @, / and # in it must be percent-encoded.`),
  ...same(['28000'], (where, message, setting) => `${where} refuses this user: ${message}. Set a user in ${setting} that may log in, and see that the server's pg_hba.conf lets this host in.`),
  ...same(['3D000'], (where, _message, setting) => `${where} does not exist. Make it with "CREATE DATABASE", or set ${setting} to one that is there.`),
  ...same(['42501'], (where, message) => `${where} may not do what is needed: ${message}. Let that user own the database, or GRANT CREATE, USAGE on its schema to it.`),
  ...same(['3F000'], (where, _message, setting) => `${where} has no such schema as ${setting} says. Make it with "CREATE SCHEMA", or leave ?schema= out.`),
  ...same(['53300'], (where) => `${where} has no connection left. Let it take more (max_connections), or set DATABASE_CONNECTIONS lower: each gateway takes that many and one more.`),
  ...same(['53100'], (where) => `${where} has no disk space left. Free some, or give it more.`),
  ...same(['57P03', '57P01', '57P02'], (where) => `${where} is starting or stopping. Start the gateway again when it takes connections.`),
  ...same(['25006'], (where, _message, setting) => `${where} takes no writes: it is a standby, or set to read only. Set ${setting} to the primary.`),
  ...same(['ECONNREFUSED', 'ENOTFOUND', 'EAI_AGAIN', 'ETIMEDOUT', 'EHOSTUNREACH', 'ENETUNREACH', 'ECONNRESET', 'ENOENT', 'EPIPE'], (where, message, setting) => `${where} cannot be reached (${message}). See that it runs and listens there, and that ${setting} names its host and port.`),
}

/** Errors of the driver that have no code. */
const byMessage: ReadonlyArray<readonly [RegExp, Sentence]> = [
  [/password must be a string|no password|password supplied/i, (where, _message, setting) => `${where} wants a password, and ${setting} has none. Set it as postgres://user:password@host:5432/name.`],
  [/timeout|terminated|timed out/i, (where, _message, setting) => `${where} does not answer. See that it runs, that ${setting} names its host and port, and that no firewall drops the connection.`],
  [/certificate|SSL|TLS/i, (where, message, setting) => `${where} cannot be reached over TLS: ${message}. Set ?sslmode= in ${setting} to what the server offers, and ?sslrootcert= to the file of its authority.`],
]

function same (codes: readonly string[], sentence: Sentence): Record<string, Sentence> {
  return Object.fromEntries(codes.map((code) => [code, sentence]))
}

/** `error` of connecting or migrating, as what to tell the operator. */
export function refusalOf (url: string, error: unknown, setting = 'DATABASE_URL'): ConfigError {
  if (error instanceof ConfigError) return error
  const where = nameOf(url)
  const { code, message } = (error ?? {}) as Failure
  // Of several addresses none answered: that error has no message of its own.
  const reason = typeof message === 'string' && message !== '' ? message : String(code)
  const sentence = byCode[String(code)] ?? byMessage.find(([pattern]) => pattern.test(reason))?.[1] ?? ((place: string) => `${place} cannot be used: ${reason}`)
  return new ConfigError(sentence(where, reason, setting), { cause: error })
}
