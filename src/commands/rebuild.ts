// upload-gateway rebuild: the database anew, from the volume alone.
import type { Command } from 'commander'
import { rebuild, type Rebuilt } from '../operations/rebuild/rebuild.ts'
import { findingText } from './findings.ts'
import { helpWith, running } from './run.ts'
import { plain, table } from './terminal.ts'

/** In the text for people; --json has all. */
const mostFindings = 100

export function rebuildCommand (program: Command): void {
  program.command('rebuild')
    .description('Make the database anew from the uploads volume, when it is lost or damaged: every record, owner, name and old URL. Stop the gateway first. Embedded accounts are not on the volume: they come over from the old database, where it can still be read.')
    .option('--json', 'print the result as JSON')
    .addHelpText('after', helpWith('upload-gateway rebuild\nupload-gateway rebuild && upload-gateway verify'))
    .action(running(async ({ config, progress }) => {
      const report = await rebuild(config, progress)
      return { report, text: rebuildText(report), hasFindings: report.findings.length > 0 || report.accounts.failure !== null }
    }))
}

export function rebuildText (report: Rebuilt): string {
  const { totals, findings } = report
  const listed = findings.slice(0, mostFindings).map((finding) => findingText(finding, finding.mend))
  return [
    table(['uploads', 'state', 'count'], totals.blobs.map(({ kind, state, count }) => [kind, state, count])),
    ...factsOf(report).map((fact) => `${plain(fact)}.`),
    ...(findings.length === 0 ? [] : ['', `${findings.length.toLocaleString('en')} could not be brought back, or not as they were:`, ...listed]),
    ...(findings.length > mostFindings ? [`… and ${(findings.length - mostFindings).toLocaleString('en')} more: --json lists all.`] : []),
  ].join('\n')
}

function factsOf ({ database, totals, tombstones, erasures, erased, foreign, superseded, accounts, oldDatabase, ms }: Rebuilt): string[] {
  return [
    `${database} is made anew, in ${(ms / 1000).toFixed(1)} s`,
    `${counted(totals.currentAvatars, 'user')} with a current avatar, ${counted(totals.oldUrls, 'old URL')}, ${counted(erasures, 'erasure')}, ${counted(tombstones, 'tombstone')}`,
    ...(superseded === 0 ? [] : [`${counted(superseded, 'avatar')} had been replaced or removed, though the sidecar did not say so yet`]),
    ...(erased === 0 ? [] : [`${counted(erased, 'upload')} of erased owners left out; the gateway removes the files at its start`]),
    ...(foreign === 0 ? [] : [`${counted(foreign, 'entry', 'entries')} on the volume not of the gateway's making; "upload-gateway verify" lists them`]),
    accountFact(accounts),
    ...(oldDatabase === null ? [] : [`The old database is kept as ${oldDatabase}; remove it when it is not needed any more`]),
  ]
}

function accountFact ({ count, isOldThere, failure }: Rebuilt['accounts']): string {
  if (!isOldThere) return 'There was no old database, so embedded accounts and their passwords are gone: their users have to register again'
  if (failure !== null) return `${counted(count, 'embedded account')} brought over from the old database; the others could not be read (${failure}), and their users have to register again`
  return `${counted(count, 'embedded account')} brought over from the old database`
}

const counted = (count: number, one: string, many = `${one}s`): string => `${count.toLocaleString('en')} ${count === 1 ? one : many}`
