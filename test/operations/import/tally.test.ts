import { readFile } from 'node:fs/promises'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'tap'
import { createTally, openReportFile } from '../../../src/operations/import/tally.ts'
import { temporaryFolder } from '../../helper.ts'

test('the numbers add up, the reasons are counted, the first of them told', async (t) => {
  const lines: object[] = []
  const tally = createTally({ isDryRun: true, lines: { write: async (entry) => { lines.push(entry) }, close: async () => {} } })
  await tally.add({ source: 'a', outcome: 'imported', size: 5, notes: ['odd'] })
  await tally.add({ source: 'b', outcome: 'refused', code: 'ownerless', reason: 'x' })
  for (let n = 0; n < 300; n += 1) await tally.add({ source: `c${n}`, outcome: 'refused', code: 'missing', reason: 'y', size: 1 })
  const report = tally.report()
  t.match(report, { isDryRun: true, found: { files: 302, bytes: 305 }, outcomes: { imported: { files: 1, bytes: 5 }, refused: { files: 301, bytes: 300 }, there: { files: 0, bytes: 0 } }, withNotes: 1 })
  t.strictSame(report.reasons.map(({ code, files, example }) => [code, files, example.source]), [['missing', 300, 'c0'], ['ownerless', 1, 'b']])
  t.equal(report.listed.length, 200)
  t.equal(lines.length, 302)
})

test('a report file has a line for each, however many', async (t) => {
  const path = join(await temporaryFolder(t), 'report')
  const file = await openReportFile(path)
  for (let n = 0; n < 5000; n += 1) await file.write({ n, text: 'long enough to fill what is buffered' })
  await file.close()
  const lines = (await readFile(path, 'utf8')).trim().split('\n')
  t.equal(lines.length, 5000)
  t.match(JSON.parse(lines[4999] ?? ''), { n: 4999 })
})

test('a report file that cannot be written says so', async (t) => {
  await t.rejects(openReportFile(join(await temporaryFolder(t), 'none', 'report')), { name: 'Refusal', message: /The report file .* cannot be written: ENOENT.*Give --report/ })
  if (!existsSync('/dev/full')) return
  const file = await openReportFile('/dev/full')
  await t.rejects((async () => {
    for (let n = 0; n < 5000; n += 1) await file.write({ text: 'x'.repeat(100) })
    await file.close()
  })(), { name: 'Refusal', message: /ENOSPC/ })
})
