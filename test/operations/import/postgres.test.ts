import { test } from 'tap'
import { collect } from '../../fixtures/collect.ts'
import { openUserTable, type Client } from '../../../src/operations/import/postgres.ts'

const columns = { id: 'id', data: 'avatar_data', type: 'avatar_content_type', url: 'avatar_url', date: undefined }
const names = ['id', 'avatar_data', 'avatar_content_type', 'avatar_url', 'set_at'].map((name) => ({ name }))

/** What a database answers, by the beginning of the question; a real one is in the system tests. */
function client (answers: Record<string, unknown[][] | Error>) {
  const asked: string[] = []
  const double = {
    asked,
    isOver: false,
    connect: async () => {},
    end: async () => { double.isOver = true },
    on: (_event: 'error', listener: () => void) => listener(),
    escapeIdentifier: (name: string) => `"${name.replaceAll('"', '""')}"`,
    async query (text: string, values: unknown[] = []) {
      asked.push(values.length === 0 ? text : `${text} -- ${values}`)
      const [, answer = [[]]] = Object.entries(answers).find(([start]) => text.startsWith(start)) ?? []
      if (answer instanceof Error) throw answer
      return { rows: answer.length > 1 ? answer.shift() ?? [] : answer[0] ?? [] }
    },
  }
  return double as typeof double & Client
}

const open = (double: Client, more: object = {}) => openUserTable({ url: 'postgres://x', table: 'app.us"ers', columns: { ...columns, ...more }, createClient: () => double })

test('the table is read in one snapshot through a cursor, each name quoted', async (t) => {
  const double = client({ 'SELECT attname': [names], 'SELECT count': [[{ count: 2 }]], FETCH: [[{ id: '1' }, { id: '2' }], []], 'SELECT "avatar_data"': [[{ data: 'AAAA' }], []] })
  const table = await open(double, { date: 'set_at' })
  t.equal(await table.count(), 2)
  t.strictSame(await collect(table.rows()), [{ id: '1' }, { id: '2' }])
  t.equal(await table.data('1'), 'AAAA')
  t.equal(await table.data('2'), null)
  await table.close()
  t.ok(double.isOver)
  t.match(double.asked, [/^BEGIN .* REPEATABLE READ READ ONLY$/, /idle_in_transaction/, /to_regclass.*-- "app"\."us""ers"/, /count/, /^DECLARE users NO SCROLL CURSOR FOR .*"set_at"::timestamptz.*FROM "app"\."us""ers".*ORDER BY "id"/, /^FETCH/, /^FETCH/, /WHERE "id" = \$1 LIMIT 1 -- 1/, /-- 2/])
})

test('what is not there is named, with what is', async (t) => {
  const empty = client({})
  await t.rejects(open(empty), { name: 'Refusal', message: /no table "app"\."us""ers"\. Name it with --table/ })
  t.ok(empty.isOver)
  await t.rejects(open(client({ 'SELECT attname': [names.slice(0, 2)] }), { date: 'when' }), { name: 'Refusal', message: /no column "avatar_content_type" \(--type-column\) and no "avatar_url" \(--url-column\) and no "when" \(--date-column\)\. It has id, avatar_data\./ })
})

test('a database that cannot be read says what to do', async (t) => {
  const failure = (code: string, message = 'said so') => Object.assign(new Error(message), { code })
  for (const [code, advice] of [['28P01', /PGPASSWORD/], ['3D000', /no database of that name/], ['42501', /right to SELECT/], ['XX000', /running it again goes on/]] as const) {
    await t.rejects(open(client({ BEGIN: failure(code) })), { name: 'Refusal', message: advice }, code)
  }
  const table = await open(client({ 'SELECT attname': [names], 'SELECT count': failure('57P01', '') }))
  await t.rejects(table.count(), { name: 'Refusal', message: /57P01/ })
  const unclosed = { ...client({ BEGIN: 'text' as never }), query: async () => { throw 'text' as unknown }, end: async () => { throw new Error('closed') } } // eslint-disable-line no-throw-literal
  await t.rejects(open(unclosed as never), { message: /cannot be read: text/ })
})

test('an address that is none, and one where nothing listens', async (t) => {
  await t.rejects(openUserTable({ url: 'postgres://user@127.0.0.1:1/x', table: 'users', columns }), { name: 'Refusal', message: /ECONNREFUSED.*Nothing listens there/ })
  await t.rejects(openUserTable({ url: 'postgres://u:p@[', table: 'users', columns }), { name: 'Refusal', message: /--database-url is no address/ })
})
