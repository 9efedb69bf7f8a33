// upload-gateway sweep: the clean-up that the gateway does on its timer, now; or what it would remove.
import process from 'node:process'
import type { Command } from 'commander'
import { sweep, type SweepReport } from '../operations/sweep.ts'
import { atWork } from '../operations/workplace.ts'
import { createAsk } from './ask.ts'
import { helpWith, running } from './run.ts'
import { plain, size, table } from './terminal.ts'

type Options = { dryRun?: boolean, force?: boolean, json?: boolean }

/** More than a screen of them; --json has all. */
const shownBlobs = 50

export function sweepCommand (program: Command): void {
  program.command('sweep')
    .description('Remove what is due: trash that is old enough or over its owner\'s limit, pictures that nobody claimed, files without a record, and what dead processes left. Files without a record only while no gateway runs: beside one they are left to it.')
    .option('--dry-run', 'list what would be removed, and remove nothing')
    .option('--force', 'also when it is more than SWEEP_MAX_PERCENT of all files and more than 100; without it, that is asked on a terminal and refused elsewhere')
    .option('--json', 'print JSON; of each step at most the 10,000 files that one run takes')
    .addHelpText('after', helpWith('upload-gateway sweep --dry-run\nupload-gateway sweep'))
    .action(running(async ({ config, progress }, { dryRun = false, force = false }: Options) => {
      const ask = createAsk({ input: process.stdin, output: process.stderr })
      const report = await atWork(config, { work: 'sweep', onlyReads: dryRun, progress }, (workplace) => sweep(workplace, config, { isDryRun: dryRun, isForced: force, ask, progress }))
      return { report, text: sweepText(report), hasFindings: report.failures.length > 0 }
    }, ({ dryRun = false }) => !dryRun))
}

const names = { pending: 'claimed by nobody', trash: 'in the trash for long enough', quota: 'trash over its owner\'s limit', orphans: 'without a record' }

export function sweepText ({ isDryRun, due, deadStaging, wouldStop, wouldHoldOnly, removed, failures }: SweepReport): string {
  const left = due.reduce((sum, { leftToGateway }) => sum + leftToGateway, 0)
  const parts = [
    table(['Files', 'due', 'bytes', ...(removed === null ? [] : ['removed'])], due.map(({ step, count, bytes }) => [names[step], count, size(bytes), ...(removed === null ? [] : [removed[step]])])),
    ...(isDryRun ? due.flatMap(({ blobs }) => blobs).slice(0, shownBlobs).map(({ path, bytes, reason }) => `${plain(path)}  ${size(bytes)}\n  ${plain(reason)}`) : []),
    ...(due.some(({ count, blobs }) => count > blobs.length) ? ['One run takes at most 10,000 files of each kind, and the bytes are of those; run it again for the rest.'] : []),
    ...(left > 0 ? [`${left} more without a record ${left === 1 ? 'is' : 'are'} left to the gateway or command that is at work on the volume, which can tell them from uploads about to be recorded.`] : []),
    ...(isDryRun && wouldStop !== null ? [`It would ${wouldHoldOnly === null ? 'stop and ask' : 'ask, and do the rest in any case'}. ${wouldStop}`] : []),
    ...(deadStaging.length > 0 ? [`${deadStaging.length} folder${deadStaging.length === 1 ? '' : 's'} in staging of processes that have ended${removed === null ? '' : `, ${removed.staging} removed`}.`] : []),
    ...failures.map((failure) => `Failed: ${plain(failure)}`),
    isDryRun ? 'Nothing was removed: this was a dry run.' : 'Done.',
  ]
  return parts.join('\n')
}
