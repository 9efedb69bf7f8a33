import type { ClientBase } from 'pg'
import { test } from 'tap'
import { refuseUnfit } from '../../../src/records/postgres/server.ts'

const fit = { version: '15.4 (Debian)', number: 150_004, commits: 'on', encoding: 'UTF8', readonly: 'off', standby: false, pid: 7, since: '2026-11-23' }

/** A server that says this of itself. */
const saying = (...rows: unknown[]) => ({ query: async () => ({ rows }) }) as unknown as ClientBase

test('a server that keeps what it acknowledged is taken, and says which process the connection has', async (t) => {
  t.strictSame(await refuseUnfit(saying(fit), 'It', false), { pid: 7, since: '2026-11-23' })
  for (const commits of ['local', 'remote_write', 'remote_apply']) await t.resolves(refuseUnfit(saying({ ...fit, commits }), 'It', false))
})

test('one that is too old, loses commits, takes no writes or cannot keep every name is refused with what to do', async (t) => {
  const refusals = [
    [{ number: 130_022, version: '13.22' }, /^It cannot be used: it is version 13\.22, and 14 is the oldest that will do\. Upgrade/],
    [{ commits: 'off' }, /synchronous_commit is off there, .*Set it to on/],
    [{ standby: true }, /it is a standby, .*Set DATABASE_URL to the primary/],
    [{ readonly: 'on' }, /takes no writes/],
    [{ encoding: 'SQL_ASCII' }, /its encoding is SQL_ASCII/],
  ] as const
  for (const [changes, message] of refusals) await t.rejects(refuseUnfit(saying({ ...fit, ...changes }), 'It', false), { name: 'ConfigError', message })
  await t.rejects(refuseUnfit(saying({ ...fit, standby: true }), 'It', false, '--to'), { name: 'ConfigError', message: /Set --to to the primary\.$/ })
  await t.rejects(refuseUnfit(saying(), 'It', false), { name: 'ConfigError', message: /says nothing of itself/ })
})

test('who only reads may do so from a standby', async (t) => {
  await t.resolves(refuseUnfit(saying({ ...fit, standby: true, readonly: 'on', commits: 'off' }), 'It', true))
  await t.rejects(refuseUnfit(saying({ ...fit, number: 100_000 }), 'It', true), { name: 'ConfigError' })
})
