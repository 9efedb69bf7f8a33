import { test } from 'tap'
import { sweepText } from '../../src/commands/sweep.ts'
import type { SweepReport } from '../../src/operations/sweep.ts'
import { usedGateway } from '../operations/fixtures/used-gateway.ts'
import { commandLine } from './fixtures/command-line.ts'

const blob = { id: 'x', path: 'avatars/2026/11/21/x.png', bytes: 5, reason: 'deleted since 2026-10-01' }
const report: SweepReport = {
  isDryRun: false,
  due: [
    { step: 'pending', count: 0, bytes: 0, blobs: [], leftToGateway: 0 },
    { step: 'trash', count: 1, bytes: 5, blobs: [blob], leftToGateway: 0 },
    { step: 'quota', count: 0, bytes: 0, blobs: [], leftToGateway: 0 },
    { step: 'orphans', count: 0, bytes: 0, blobs: [], leftToGateway: 0 },
  ],
  deadStaging: [],
  wouldStop: null,
  wouldHoldOnly: null,
  removed: { staging: 0, sidecars: 0, pending: 0, trash: 1, quota: 0, orphans: 0, forgotten: 0 },
  failures: [],
}
const dry = { ...report, isDryRun: true, removed: null }

test('sweep --dry-run lists, sweep removes', async (t) => {
  const { app, folder, post, drop } = await usedGateway(t)
  const { id } = await post('ada')
  await drop('ada', id)
  await app.database.client.blob.updateMany({ data: { stateAt: new Date(0) } })
  const listed = commandLine(folder, ['sweep', '--dry-run'])
  t.match(listed, { status: 0, stderr: '', stdout: /in the trash for long enough +1 +5 B[^]*attachments\/.*\.txt {2}5 B\n {2}deleted since 1970-01-01[^]*Nothing was removed: this was a dry run\.\n$/ })
  t.equal(await app.database.client.blob.count(), 1)
  t.match(JSON.parse(commandLine(folder, ['sweep', '--json']).stdout), { isDryRun: false, due: [{}, { step: 'trash', count: 1 }, {}, {}], removed: { trash: 1 } })
  t.equal(await app.database.client.blob.count(), 0)
})

test('more than is routine is refused where nobody can be asked, naming --force; with it, it goes', async (t) => {
  const { app, folder, trashed } = await usedGateway(t)
  await trashed(101)
  t.match(commandLine(folder, ['sweep']), { status: 1, stdout: '', stderr: /would remove 101 blobs of 101[^]*--force/ })
  t.equal(await app.database.client.blob.count(), 101)
  t.match(commandLine(folder, ['sweep', '--force']), { status: 0 })
  t.equal(await app.database.client.blob.count(), 0)
})

test('sweep says in --help what it does', (t) => {
  t.match(commandLine('/nowhere', ['sweep', '--help']), { status: 0, stdout: /--dry-run[^]*--force[^]*Example:[^]*Exit codes:/ })
  t.match(commandLine('/nowhere', ['sweep']), { status: 1, stderr: /no uploads volume at UPLOADS_DIR \/nowhere/ })
  t.end()
})

test('what was left, what failed and what a run does not take is said', (t) => {
  t.match(sweepText(report), /^Files +due +bytes +removed *\n[^]*in the trash for long enough +1 +5 B +1 *\n[^]*Done\.$/)
  t.notMatch(sweepText(report), /left|Failed|One run|staging/)
  t.match(sweepText({ ...dry, wouldStop: 'Too much.' }), 'It would stop and ask. Too much.')
  t.match(sweepText({ ...dry, wouldStop: 'Too much.', wouldHoldOnly: 'quota' }), 'It would ask, and do the rest in any case. Too much.')
  const left = (leftToGateway: number) => sweepText({ ...report, due: [{ step: 'orphans', count: 0, bytes: 0, blobs: [], leftToGateway }] })
  t.match(left(1), '1 more without a record is left to the gateway')
  t.match(left(2), '2 more without a record are left to the gateway')
  t.match(sweepText({ ...report, failures: ['no way'] }), /\nFailed: no way\nDone\.$/)
  t.match(sweepText({ ...report, deadStaging: ['a', 'b'], removed: report.removed && { ...report.removed, staging: 2 } }), '2 folders in staging of processes that have ended, 2 removed.')
  t.match(sweepText({ ...dry, deadStaging: ['a'] }), '1 folder in staging of processes that have ended.')
  t.match(sweepText({ ...dry, due: [{ step: 'trash', count: 10_001, bytes: 5, blobs: [blob], leftToGateway: 0 }] }), 'One run takes at most 10,000')
  t.equal(sweepText({ ...dry, due: [{ step: 'trash', count: 60, bytes: 5, blobs: Array.from({ length: 60 }, () => blob), leftToGateway: 0 }] }).split('deleted since').length, 51, 'no more than a screen or two')
  t.end()
})

test('names and failures have no power over the terminal', (t) => {
  const blob = { path: 'a\u001b[2J', bytes: 5, reason: 'deleted\n' }
  const text = sweepText({ isDryRun: true, due: [{ step: 'trash', count: 1, bytes: 5, blobs: [blob], leftToGateway: 0 }], deadStaging: [], wouldStop: null, wouldHoldOnly: null, removed: null, failures: ['b\u009b'] } as unknown as Parameters<typeof sweepText>[0])
  for (const part of ['a\\u{1b}[2J', 'deleted\\u{a}\n', 'Failed: b\\u{9b}']) t.match(text, part)
  t.end()
})
