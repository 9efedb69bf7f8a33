import { test } from 'tap'
import { ledgersText } from '../../src/commands/ledgers.ts'

test('the ledgers of snapshots are counted, all others named', (t) => {
  const own = (name: string) => `/backup/snapshots/${name}/erasures.ndjson`
  t.equal(ledgersText([], '/backup'), 'no ledger')
  t.equal(ledgersText(['/a', '/b'], '/backup'), '/a, /b')
  t.equal(ledgersText([own('1')], '/backup'), '1 ledger of the backup')
  t.equal(ledgersText(['/a', own('1'), '/backup/snapshots-2/x', own('2')], '/backup/'), '/a, /backup/snapshots-2/x and 2 ledgers of the backup')
  t.end()
})
