import { test } from 'tap'
import { connectionTo, nameOf, schemaIn } from '../../../src/records/postgres/connection.ts'

const url = 'postgres://gateway:s%40cret@db.example:6432/uploads?sslmode=verify-full&options=-c%20geqo%3Doff&schema=files'

test('what the URL says is kept, and each session is as the gateway needs it', (t) => {
  const { connectionString, options, ...others } = connectionTo(url)
  t.equal(connectionString, 'postgres://gateway:s%40cret@db.example:6432/uploads?sslmode=verify-full')
  t.equal(options, '-c geqo=off -c timezone=UTC -c search_path="files" -c default_transaction_isolation=read\\ committed')
  t.match(others, { application_name: 'upload-gateway', keepAlive: true, statement_timeout: 30_000, lock_timeout: 12_000, idle_in_transaction_session_timeout: 10_000 })
  t.match(connectionTo('postgres://localhost/uploads'), { options: /^-c timezone=UTC -c search_path="public" / })
  t.end()
})

test('who is patient waits for statements and locks as long as they take; who only reads cannot write', (t) => {
  t.notMatch(Object.keys(connectionTo(url, { isPatient: true })).join(), /statement_timeout|lock_timeout/)
  t.match(connectionTo(url, { isReadOnly: true }), { options: / -c default_transaction_read_only=on$/ })
  t.end()
})

test('a schema that is not of letters, digits and _ is refused', (t) => {
  t.equal(schemaIn(url), 'files')
  t.equal(schemaIn('postgres://localhost/uploads'), 'public')
  t.match(connectionTo('postgres://localhost/uploads?schema=Files'), { options: / -c search_path="Files" / }, 'capitals are kept')
  for (const schema of ['a b', 'x;y', '', '1']) t.throws(() => connectionTo(`postgres://localhost/uploads?schema=${encodeURIComponent(schema)}`), { name: 'ConfigError', message: /DATABASE_URL names a schema/ })
  t.throws(() => connectionTo('postgres://localhost/uploads?schema=1', { setting: '--to' }), { name: 'ConfigError', message: /^--to names a schema/ })
  t.end()
})

test('it is named without its password', (t) => {
  t.equal(nameOf(url), 'PostgreSQL at db.example:6432, database "uploads" as "gateway"')
  t.equal(nameOf('postgres:///uploads'), 'PostgreSQL at localhost:5432, database "uploads"')
  t.equal(nameOf('postgres://%2Frun%2Fpostgresql/uploads'), 'PostgreSQL at /run/postgresql:5432, database "uploads"')
  t.end()
})
