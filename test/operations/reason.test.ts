import { test } from 'tap'
import { ConfigError } from '../../src/config.ts'
import { reasonOf } from '../../src/operations/reason.ts'
import { Refusal } from '../../src/operations/refusal.ts'

test('a sentence of ours, or of the operating system, is told as it is', (t) => {
  for (const error of [new Refusal('Do "this".'), new ConfigError('Do "this".'), Object.assign(new Error("EACCES: permission denied, open '/x'"), { syscall: 'open' })]) t.equal(reasonOf(error), error.message)
  t.end()
})

test('of any other error the first line is told, without what it quotes', (t) => {
  const cases = [
    ['Unexpected token \'x\', "{"email": "ada@example.org"..." is not valid JSON', /^Unexpected token …, .* is not valid JSON$/],
    ['\nno account ada@example.org with `x`\n{ secret }', /^no account … with …$/],
    [`the hash ${'0a'.repeat(32)} differs`, /^the hash … differs$/],
    ['a quote that "never ends', /^a quote that …$/],
    ['', /^$/],
  ] as const
  for (const [message, expected] of cases) {
    t.match(reasonOf(new Error(message)), expected)
    t.notMatch(reasonOf(new Error(message)), /ada|example|secret|0a0a/)
  }
  t.equal(reasonOf('ada'), 'something that is no error was thrown')
  t.end()
})

test('an error of the database is told by its codes', (t) => {
  const error = Object.assign(new Error('ada'), { name: 'PrismaClientKnownRequestError', code: 'P2010', meta: { driverAdapterError: { cause: { originalCode: 'SQLITE_FULL' } } } })
  t.equal(reasonOf(error), 'The database refused what was asked of it (PrismaClientKnownRequestError, P2010, SQLITE_FULL)')
  t.end()
})
