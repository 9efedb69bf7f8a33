import t from 'tap'
import { nameOf } from '../../src/records/address.ts'

t.test('a database is named without its password', (t) => {
  t.equal(nameOf({ kind: 'sqlite', file: '/data/gateway.sqlite' }), '/data/gateway.sqlite')
  t.equal(nameOf({ kind: 'postgresql', url: 'postgres://ada:s%40cret@db.example:5433/uploads?sslmode=require&password=secret' }), 'PostgreSQL at db.example:5433, database "uploads" as "ada"')
  t.end()
})
