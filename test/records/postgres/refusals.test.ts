import { test } from 'tap'
import { ConfigError } from '../../../src/config.ts'
import { refusalOf } from '../../../src/records/postgres/refusals.ts'

const url = 'postgres://gateway:s3cret@db.example/uploads'
const where = 'PostgreSQL at db\\.example:5432, database "uploads" as "gateway"'

const failures: ReadonlyArray<readonly [code: string | undefined, message: string, sentence: string]> = [
  ['28P01', 'password authentication failed', 'refuses the password\\. Set the right one in DATABASE_URL'],
  ['28000', 'no pg_hba.conf entry for host', 'refuses this user: no pg_hba\\.conf entry for host\\. Set a user'],
  ['3D000', 'database "uploads" does not exist', 'does not exist\\. Make it with "CREATE DATABASE"'],
  ['42501', 'permission denied for schema public', 'may not do what is needed: permission denied for schema public\\. Let that user own the database'],
  ['3F000', 'no schema has been selected to create in', 'has no such schema'],
  ['53300', 'sorry, too many clients already', 'has no connection left\\. .*DATABASE_CONNECTIONS'],
  ['53100', 'could not extend file', 'has no disk space left'],
  ['57P03', 'the database system is starting up', 'is starting or stopping'],
  ['25006', 'cannot execute CREATE TABLE in a read-only transaction', 'takes no writes'],
  ['ECONNREFUSED', '', 'cannot be reached \\(ECONNREFUSED\\)\\. See that it runs'],
  ['ENOTFOUND', 'getaddrinfo ENOTFOUND db.example', 'cannot be reached \\(getaddrinfo ENOTFOUND'],
  [undefined, 'SASL: SCRAM-SERVER-FIRST-MESSAGE: client password must be a string', 'wants a password, and DATABASE_URL has none'],
  [undefined, 'timeout expired', 'does not answer'],
  [undefined, 'Connection terminated unexpectedly', 'does not answer'],
  [undefined, 'The server does not support SSL connections', 'cannot be reached over TLS: The server does not support SSL connections\\.'],
  ['SELF_SIGNED_CERT_IN_CHAIN', 'self-signed certificate in certificate chain', 'cannot be reached over TLS: self-signed'],
  ['XX000', 'something else', 'cannot be used: something else$'],
]

test('whatever keeps the gateway from its database is told with what to do about it', (t) => {
  for (const [code, message, sentence] of failures) {
    const cause = Object.assign(new Error(message), code !== undefined && { code })
    const refusal = refusalOf(url, cause)
    t.match(refusal, { name: 'ConfigError', message: new RegExp(`^${where} ${sentence}`), cause })
    t.notMatch(refusal.message, /s3cret/)
  }
  t.match(refusalOf(url, undefined).message, /cannot be used: undefined/)
  t.end()
})

test('where an option of a command named the database, it says that option', (t) => {
  for (const [code, message] of failures) {
    const refusal = refusalOf(url, Object.assign(new Error(message), code !== undefined && { code }), '--from')
    t.notMatch(refusal.message, /DATABASE_URL/)
  }
  t.match(refusalOf(url, { code: '28P01' }, '--from').message, /refuses the password\. Set the right one in --from;/)
  t.match(refusalOf(url, { code: 'ECONNREFUSED' }, '--to').message, /that --to names its host and port\.$/)
  t.end()
})

test('what is a sentence already stays as it is', (t) => {
  const refusal = new ConfigError('Set it.')
  t.equal(refusalOf(url, refusal), refusal)
  t.end()
})
